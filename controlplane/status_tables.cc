// What of a status is told, in the order in which it is told.
#include <controlplane/loss_place.h>
#include <controlplane/status_fields.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace joinleaf::controlplane {
namespace {

using namespace status_fields;

// Two ports may be opened alike ("null", the ends of a ring); a label names one of them.
std::string port_label(const Status& status, std::size_t port) {
    if (port >= status.ports.size()) return {};
    const auto& spec = status.ports[port].spec;
    const auto same = std::count_if(status.ports.begin(), status.ports.end(),
                                    [&](const PortStatus& other) { return other.spec == spec; });
    return same == 1 ? spec : fmt::format("{}#{}", spec, port);
}

struct RuntimeItem {
    const Status& status;
};
constexpr auto kRuntimeFields = std::to_array<Field<RuntimeItem>>({
    {{"hugepages", Kind::gauge, "1: packet buffers lie in hugepages"},
     [](const RuntimeItem& r) { return flag(r.status.hugepages); }},
    {{"ports", Kind::gauge, "Ports of this process"},
     [](const RuntimeItem& r) { return number(r.status.ports.size()); }},
    {{"joined_sockets", Kind::gauge, "Sockets that have joined, or publish"},
     [](const RuntimeItem& r) { return number(r.status.memberships.size()); }},
});

Table runtime_table(const Status& status) {
    return filled({.name = "runtime", .help = "What the whole process has", .prefix = "runtime"},
                  kRuntimeFields, {{status}});
}

struct PortItem {
    const PortStatus& port;
    std::string label;
    Instant now;
};
constexpr auto kPortFields =
    std::to_array<Field<PortItem>>(
        {
            {{"port", Kind::label, "As given to --port"},
             [](const PortItem& p) { return text(p.label); }},
            {{"driver", Kind::text, "DPDK's driver"},
             [](const PortItem& p) { return text(p.port.driver); }},
            {{"mac", Kind::text, "MAC address"},
             [](const PortItem& p) { return text(p.port.mac.to_string()); }},
            {{"address", Kind::text, "IPv4 address and prefix length"},
             [](const PortItem& p) { return text(p.port.address.to_string()); }},
            {{"offloads", Kind::text, "What the NIC does; all else is done in software"},
             [](const PortItem& p) {
                 return text(fmt::format("{}", fmt::join(p.port.offloads, " ")));
             }},
            {{"link_up", Kind::gauge, "1: the port has a link"},
             [](const PortItem& p) { return flag(p.port.link_up); }},
            {{"filter_mode", Kind::state, "How frames of other groups are kept away"},
             [](const PortItem& p) { return text(name(p.port.filter_mode)); }},
            {{"mtu_bytes", Kind::gauge, "Largest IPv4 packet"},
             [](const PortItem& p) { return number(p.port.mtu); }},
            {{"queues", Kind::gauge, "Queues each way"},
             [](const PortItem& p) { return number(p.port.queues); }},
            {{"steered_groups", Kind::gauge, "Groups that the NIC puts on their queue"},
             [](const PortItem& p) { return number(p.port.steered_groups); }},
            {{"received_frames", Kind::counter, "Frames that the workers took from the port"},
             [](const PortItem& p) { return number(p.port.counters.received); }},
            {{"received_bytes", Kind::counter, "Octets of those"},
             [](const PortItem& p) { return number(p.port.counters.received_bytes); }},
            {{"transmitted_frames", Kind::counter, "Frames that the port took from the workers"},
             [](const PortItem& p) { return number(p.port.counters.transmitted); }},
            {{"transmitted_bytes", Kind::counter, "Octets of those"},
             [](const PortItem& p) { return number(p.port.counters.transmitted_bytes); }},
            {{"delivered_datagrams", Kind::counter, "Datagrams handed to sockets"},
             [](const PortItem& p) { return number(p.port.counters.delivered); }},
            {{"delivered_bytes", Kind::counter, "Payload octets of those"},
             [](const PortItem& p) { return number(p.port.counters.delivered_bytes); }},
            {{"sent_datagrams", Kind::counter, "Datagrams of sockets that the port took"},
             [](const PortItem& p) { return number(p.port.counters.sent); }},
            {{"sent_bytes", Kind::counter, "Payload octets of those"},
             [](const PortItem& p) { return number(p.port.counters.sent_bytes); }},
            {{"missed_frames", Kind::counter, "Frames that the NIC had no descriptor for"},
             [](const PortItem& p) { return number(p.port.counters.missed); }},
            {{"error_frames", Kind::counter,
              "Frames that the driver counts as damaged or not sent"},
             [](const PortItem& p) { return number(p.port.counters.errors); }},
            {{"no_mbuf_frames", Kind::counter, "Frames that the receive pool had no buffer for"},
             [](const PortItem& p) { return number(p.port.counters.no_mbuf); }},
            {{"receive_buffers", Kind::gauge, "Buffers of the receive pool that are out of it"},
             [](const PortItem& p) { return number(p.port.buffers.receive); }},
            {{"transmit_buffers", Kind::gauge, "Buffers of the transmit pool that are out of it"},
             [](const PortItem& p) { return number(p.port.buffers.transmit); }},
            {{"control_buffers", Kind::gauge,
              "Buffers of IGMP, ARP and ICMP that are out of their pool"},
             [](const PortItem& p) { return number(p.port.buffers.control); }},
            {{"replica_buffers", Kind::gauge,
              "Header buffers of replicas that are out of their pool"},
             [](const PortItem& p) { return number(p.port.buffers.replicas); }},
            {{"querier_address", Kind::text, "IGMP querier of this network"},
             [](const PortItem& p) {
                 return p.port.querier.heard ? text(p.port.querier.address.to_string()) : Value{};
             }},
            {{"querier_heard", Kind::gauge, "1: an IGMP querier was heard"},
             [](const PortItem& p) { return flag(p.port.querier.heard); }},
            {{"querier_version", Kind::gauge, "IGMP version of the last query; 0: none"},
             [](const PortItem& p) { return number(p.port.querier.version); }},
            {{"igmp_version", Kind::gauge, "IGMP version that reports are made in"},
             [](const PortItem& p) { return number(p.port.querier.version_in_force); }},
            {{"querier_age", Kind::gauge, "Time since the last query", Unit::nanoseconds},
             [](const PortItem& p) { return age(p.port.querier.last_heard, p.now); }},
        });

std::vector<PortItem> port_items(const Status& status) {
    std::vector<PortItem> items;
    for (std::size_t i = 0; i < status.ports.size(); ++i) {
        items.push_back({status.ports[i], port_label(status, i), status.taken_at});
    }
    return items;
}

Table port_table(const Status& status) {
    return filled({.name = "ports",
                   .help = "Ports: driver, filter, offloads, counters, buffers, querier",
                   .prefix = "port"},
                  kPortFields, port_items(status));
}

constexpr auto kDropFields = std::to_array<Field<CountItem>>({
    {{"port", Kind::label, "As given to --port"}, of_what},
    {{"reason", Kind::label, "As in joinleaf/drop_reason.h"}, what},
    {{"dropped_frames", Kind::counter, "Frames that were not handed on, by reason"}, count},
});

Table drop_table(const Status& status) {
    std::vector<CountItem> items;
    for (const auto& port : port_items(status)) {
        for (std::size_t i = 0; i < kDropReasonCount; ++i) {
            items.push_back(
                {port.label, name(static_cast<DropReason>(i)), port.port.counters.drops[i]});
        }
    }
    return filled({.name = "drops",
                   .help = "Frames that were not handed on, by port and reason",
                   .prefix = "port",
                   .is_wide = true},
                  kDropFields, items);
}

constexpr auto kLossFields = std::to_array<Field<CountItem>>({
    {{"port", Kind::label, "As given to --port"}, of_what},
    {{"place", Kind::label, "Where"}, what},
    {{"lost_frames", Kind::counter, "Frames that were lost or kept away, by where"}, count},
});

Table loss_table(const Status& status) {
    std::vector<CountItem> items;
    for (const auto& port : port_items(status)) {
        for (std::size_t i = 0; i < kLossPlaceCount; ++i) {
            const auto place = static_cast<LossPlace>(i);
            items.push_back({port.label, name(place), lost(port.port.counters, place)});
        }
    }
    return filled(
        {.name = "losses",
         .help = "Loss, by port and by where: wire, NIC, buffers, queues, filter, transmit",
         .prefix = "port",
         .is_wide = true},
        kLossFields, items);
}

constexpr auto kIgmpFields = std::to_array<Field<CountItem>>({
    {{"port", Kind::label, "As given to --port"}, of_what},
    {{"what", Kind::label, "What was heard, ignored or sent"}, what},
    {{"messages", Kind::counter, "What the port's IGMP host heard, ignored and sent"}, count},
});

Table igmp_table(const Status& status) {
    std::vector<CountItem> items;
    for (const auto& port : port_items(status)) {
        for (const auto& counted : port.port.igmp) {
            items.push_back({port.label, counted.name, counted.value});
        }
    }
    return filled({.name = "igmp",
                   .help = "What the ports' IGMP hosts heard, ignored and sent",
                   .prefix = "igmp",
                   .is_wide = true},
                  kIgmpFields, items);
}

struct GroupItem {
    const MembershipStatus& membership;
    std::string port;
    Instant now;
};
constexpr auto kGroupFields = std::to_array<Field<GroupItem>>({
    {{"socket", Kind::label, "The socket's number"},
     [](const GroupItem& g) { return text(std::to_string(g.membership.socket)); }},
    {{"port", Kind::label, "As given to --port"}, [](const GroupItem& g) { return text(g.port); }},
    {{"group", Kind::label, "Group and UDP port"},
     [](const GroupItem& g) { return text(g.membership.group.to_string()); }},
    {{"sources", Kind::text, "Whose data is received"},
     [](const GroupItem& g) { return text(g.membership.sources.to_string()); }},
    {{"health", Kind::state, "How the join is doing"},
     [](const GroupItem& g) { return text(name(g.membership.health)); }},
    {{"connected", Kind::gauge, "Time since the join was complete", Unit::nanoseconds},
     [](const GroupItem& g) { return age(g.membership.connected_at, g.now); }},
    {{"report_age", Kind::gauge, "Time since a report of ours named the group", Unit::nanoseconds},
     [](const GroupItem& g) { return age(g.membership.last_report_at, g.now); }},
    {{"datagram_age", Kind::gauge, "Time since the last datagram", Unit::nanoseconds},
     [](const GroupItem& g) { return age(g.membership.last_datagram_at, g.now); }},
    {{"delivered_datagrams", Kind::counter, "Datagrams handed to the socket"},
     [](const GroupItem& g) { return number(g.membership.delivered); }},
    {{"queue_full_datagrams", Kind::counter, "Datagrams that the application was too slow for"},
     [](const GroupItem& g) { return number(g.membership.queue_full); }},
    {{"source_filtered_datagrams", Kind::counter, "Datagrams from senders that are not wanted"},
     [](const GroupItem& g) { return number(g.membership.source_filtered); }},
});

Table group_table(const Status& status) {
    std::vector<GroupItem> items;
    for (const auto& membership : status.memberships) {
        items.push_back({membership, port_label(status, membership.port), status.taken_at});
    }
    return filled({.name = "groups",
                   .help = "Joined sockets: group, sources, health of the join, counters",
                   .prefix = "group"},
                  kGroupFields, items);
}

constexpr auto kHealthFields = std::to_array<Field<CountItem>>({
    {{"port", Kind::label, "As given to --port"}, of_what},
    {{"health", Kind::label, "How the join is doing"}, what},
    {{"groups", Kind::gauge, "Joined sockets, by the health of their joins"}, count},
});

Table health_table(const Status& status) {
    constexpr auto kLast = static_cast<std::size_t>(JoinHealth::receiving);
    std::map<std::pair<std::size_t, JoinHealth>, std::uint64_t> counted;
    for (const auto& membership : status.memberships) {
        ++counted[{membership.port, membership.health}];
    }
    std::vector<CountItem> items;
    for (std::size_t port = 0; port < status.ports.size(); ++port) {
        for (std::size_t i = 0; i <= kLast; ++i) {
            const auto health = static_cast<JoinHealth>(i);
            items.push_back({port_label(status, port), name(health), counted[{port, health}]});
        }
    }
    return filled({.name = "health",
                   .help = "How many joins are how well, by port",
                   .prefix = "joined",
                   .is_wide = true},
                  kHealthFields, items);
}

struct SessionItem {
    const AdmissionStatus& admission;
    std::string port;
};
constexpr auto kSessionFields = std::to_array<Field<SessionItem>>({
    {{"socket", Kind::label, "The root socket's number"},
     [](const SessionItem& s) { return text(std::to_string(s.admission.socket)); }},
    {{"port", Kind::label, "As given to --port"},
     [](const SessionItem& s) { return text(s.port); }},
    {{"group", Kind::label, "Group and UDP port of the session"},
     [](const SessionItem& s) { return text(s.admission.group.to_string()); }},
    {{"members", Kind::gauge, "Leaves that receive"},
     [](const SessionItem& s) { return number(s.admission.members); }},
    {{"joining", Kind::gauge, "Leaves that are let in or invited, and have not confirmed yet"},
     [](const SessionItem& s) { return number(s.admission.joining); }},
    {{"pending", Kind::gauge, "Leaves that wait to be let in"},
     [](const SessionItem& s) { return number(s.admission.pending); }},
    {{"admitted_leaves", Kind::counter, "Leaves that ever were members"},
     [](const SessionItem& s) { return number(s.admission.admitted); }},
    {{"left_leaves", Kind::counter, "Members that went in good order"},
     [](const SessionItem& s) { return number(s.admission.left); }},
    {{"expelled_leaves", Kind::counter, "Members that the root has expelled"},
     [](const SessionItem& s) { return number(s.admission.expelled); }},
    {{"lost_leaves", Kind::counter, "Members that broke, fell silent or lost their link"},
     [](const SessionItem& s) { return number(s.admission.lost); }},
    {{"unconfirmed_leaves", Kind::counter, "Leaves that were let in and gone before they were in"},
     [](const SessionItem& s) { return number(s.admission.unconfirmed); }},
});

Table session_table(const Status& status) {
    std::vector<SessionItem> items;
    for (const auto& admission : status.admissions) {
        items.push_back({admission, port_label(status, admission.port)});
    }
    return filled({.name = "sessions",
                   .help = "Sessions of roots that let leaves in: how many are in, came and went",
                   .prefix = "session"},
                  kSessionFields, items);
}

constexpr auto kRefusalFields = std::to_array<Field<CountItem>>({
    {{"socket", Kind::label, "The root socket's number"}, of_what},
    {{"reason", Kind::label, "Why"}, what},
    {{"refused_leaves", Kind::counter, "Leaves that were not let in, by reason"}, count},
});

Table refusal_table(const Status& status) {
    std::vector<CountItem> items;
    for (const auto& admission : status.admissions) {
        for (std::size_t i = 0; i < kRefusalReasonCount; ++i) {
            items.push_back({std::to_string(admission.socket), name(static_cast<RefusalReason>(i)),
                             admission.refused[i]});
        }
    }
    return filled({.name = "refusals",
                   .help = "Leaves that roots did not let in, by reason",
                   .prefix = "session",
                   .is_wide = true},
                  kRefusalFields, items);
}

struct WorkerItem {
    std::size_t index;
    const WorkerStatus& worker;
};
constexpr auto kWorkerFields = std::to_array<Field<WorkerItem>>({
    {{"worker", Kind::label, "0, 1 ..."},
     [](const WorkerItem& w) { return text(std::to_string(w.index)); }},
    {{"lcore", Kind::gauge, "Its lcore in DPDK"},
     [](const WorkerItem& w) { return number(w.worker.lcore); }},
    {{"turns", Kind::counter, "Turns of its loop"},
     [](const WorkerItem& w) { return number(w.worker.turns); }},
    {{"busy_turns", Kind::counter, "Turns that moved at least one packet"},
     [](const WorkerItem& w) { return number(w.worker.busy_turns); }},
    {{"busy", Kind::counter, "Time spent in those", Unit::nanoseconds},
     [](const WorkerItem& w) { return nanoseconds(w.worker.busy); }},
    {{"running", Kind::counter, "Time since it began to turn", Unit::nanoseconds},
     [](const WorkerItem& w) { return nanoseconds(w.worker.running); }},
    {{"frames", Kind::counter, "Frames that it took from its ports, and gave them"},
     [](const WorkerItem& w) { return number(w.worker.frames); }},
    {{"busy_percent", Kind::derived, "Of its time, what it spent in busy turns"},
     [](const WorkerItem& w) {
         if (w.worker.running <= Duration::zero()) return Value{};
         return number(100 * in_nanoseconds(w.worker.busy) / in_nanoseconds(w.worker.running));
     }},
    {{"per_frame", Kind::derived, "Time of busy turns for a frame", Unit::nanoseconds},
     [](const WorkerItem& w) {
         if (w.worker.frames == 0) return Value{};
         return number(in_nanoseconds(w.worker.busy) / w.worker.frames);
     }},
});

Table worker_table(const Status& status) {
    std::vector<WorkerItem> items;
    for (std::size_t i = 0; i < status.workers.size(); ++i) items.push_back({i, status.workers[i]});
    return filled({.name = "workers",
                   .help = "Workers: how busy, turns, time for a frame",
                   .prefix = "worker"},
                  kWorkerFields, items);
}

struct LeafItem {
    std::uint32_t socket;
    const LeafStatus& leaf;
    Instant now;
};
constexpr auto kLeafFields = std::to_array<Field<LeafItem>>({
    {{"socket", Kind::label, "The root socket's number"},
     [](const LeafItem& l) { return text(std::to_string(l.socket)); }},
    {{"number", Kind::label, "The leaf's number at its root"},
     [](const LeafItem& l) { return text(std::to_string(l.leaf.number)); }},
    {{"name", Kind::text, "As the leaf calls itself"},
     [](const LeafItem& l) { return text(l.leaf.peer.name); }},
    {{"identity", Kind::text, "Proven by TLS"},
     [](const LeafItem& l) { return text(l.leaf.peer.identity); }},
    {{"data_address", Kind::text, "Where it receives, and sends from"},
     [](const LeafItem& l) { return text(l.leaf.peer.data_address.to_string()); }},
    {{"endpoint", Kind::text, "Its end of the admission connection"},
     [](const LeafItem& l) { return text(l.leaf.peer.endpoint.to_string()); }},
    {{"stage", Kind::state, "How far it has come"},
     [](const LeafItem& l) { return text(l.leaf.stage); }},
    {{"since", Kind::gauge, "Time since it came there", Unit::nanoseconds},
     [](const LeafItem& l) { return nanoseconds(l.now - l.leaf.since); }},
});

using Maker = Table (*)(const Status&);
constexpr auto kMakers = std::to_array<Maker>({
    runtime_table,
    port_table,
    worker_table,
    group_table,
    health_table,
    session_table,
    refusal_table,
    loss_table,
    drop_table,
    igmp_table,
    feed_table,
    line_table,
    repair_table,
    request_table,
});

}  // namespace

std::vector<Table> tables_of(const Status& status) {
    std::vector<Table> tables;
    for (const auto make : kMakers) tables.push_back(make(status));
    return tables;
}

Table table_of(std::string_view name, const Status& status) {
    for (const auto make : kMakers) {
        if (make({}).name == name) return make(status);
    }
    return {};
}

std::vector<Table> table_heads() {
    auto heads = tables_of({});
    heads.push_back(leaf_table(0, {}, {}));
    for (auto& head : heads) head.rows.clear();
    return heads;
}

Table leaf_table(std::uint32_t socket, std::span<const LeafStatus> leaves, Instant now) {
    std::vector<LeafItem> items;
    items.reserve(leaves.size());
    for (const auto& leaf : leaves) items.push_back({socket, leaf, now});
    return filled(
        {.name = "leaves",
         .help = "Leaves of a root; parameters: its SOCKET, the number AFTER which to go on",
         .prefix = "leaf"},
        kLeafFields, items);
}

}  // namespace joinleaf::controlplane
