// The JSON lines.
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/report_feed.h>

namespace joinleaf::app {
namespace {

std::int64_t nanoseconds(Instant at) {
    return std::chrono::nanoseconds(at.time_since_epoch()).count();
}

Json optional_number(const std::optional<double>& number) {
    return number ? Json(rounded(*number)) : Json(nullptr);
}

Json json_of(const QuerierStatus& querier) {
    return {{"heard", querier.heard},
            {"address", querier.address.to_string()},
            {"version", querier.version},
            {"version_in_force", querier.version_in_force}};
}

// The address of those that the list has no room for is none.
Json json_of(const SenderFacts& sender) {
    const bool is_one = !sender.address.is_unspecified();
    return {{"address", is_one ? Json(sender.address.to_string()) : Json()},
            {"name", sender.name},
            {"is_leaf", sender.is_leaf},
            {"datagrams", sender.datagrams},
            {"octets", sender.octets}};
}

Json json_of(const WorkerStatus& worker) {
    const bool has_run = worker.running > Duration::zero();
    const double share = has_run ? std::chrono::duration<double>(worker.busy) / worker.running : 0;
    return {{"lcore", worker.lcore}, {"busy_share", rounded(share)}, {"turns", worker.turns}};
}

}  // namespace

Json json_of(const DropCounts& drops) {
    Json json = Json::object();
    for (std::size_t i = 0; i < drops.size(); ++i) {
        if (drops[i] != 0) json[std::string(name(static_cast<DropReason>(i)))] = drops[i];
    }
    return json;
}

Json json_of(const PortStatus& port) {
    return {{"spec", port.spec},
            {"driver", port.driver},
            {"mac", port.mac.to_string()},
            {"address", port.address.to_string()},
            {"mtu", port.mtu},
            {"filter_mode", name(port.filter_mode)},
            {"link_up", port.link_up},
            {"offloads", port.offloads},
            {"queues", port.queues},
            {"steered_groups", port.steered_groups}};
}

Json json_of(Role role, const Started& started) {
    return {{"event", "started"},
            {"role", name(role)},
            {"port", started.port.spec},
            {"driver", started.port.driver},
            {"mac", started.port.mac.to_string()},
            {"address", started.port.address.to_string()},
            {"mtu", started.port.mtu},
            {"filter_mode", name(started.port.filter_mode)},
            {"hugepages", started.hugepages},
            {"start_ms", rounded(started.start_ms)}};
}

Json json_of(const Connected& connected) {
    Json json{{"event", "connected"},
              {"group", connected.group.to_string()},
              {"sources", connected.sources.to_string()},
              {"at_ns", nanoseconds(connected.at)},
              {"connect_ms", rounded(connected.connect_ms)},
              {"since_start_ms", rounded(connected.since_start_ms)}};
    if (const auto& session = connected.session) {
        json["root"] = session->root.endpoint.to_string();
        json["name"] = session->root.name;
        json["identity"] = session->root.identity;
        json["root_address"] = session->root.data_address.to_string();
        json[session->invited ? "caller_data" : "callee_data"] = session->user_data;
    }
    if (!connected.sends_to.empty()) json["sends_to"] = connected.sends_to;
    return json;
}

Json json_of(const Listening& listening) {
    return {{"event", "listening"}, {"at", listening.at.to_string()}, {"tls", listening.tls}};
}

Json json_of_joined(const LeafFacts& leaf) {
    return {{"event", "leaf_joined"},
            {"leaf", leaf.number},
            {"name", leaf.peer.name},
            {"identity", leaf.peer.identity},
            {"endpoint", leaf.peer.endpoint.to_string()},
            {"data_address", leaf.peer.data_address.to_string()},
            {"invited", leaf.invited},
            {"caller_data", leaf.caller_data}};
}

Json json_of_left(const LeafFacts& leaf, std::string_view reason) {
    return {{"event", "leaf_left"},
            {"leaf", leaf.number},
            {"name", leaf.peer.name},
            {"reason", reason}};
}

Json json_of_refused(const Peer& peer, std::string_view why) {
    return {{"event", "refused"},
            {"endpoint", peer.endpoint.to_string()},
            {"name", peer.name},
            {"identity", peer.identity},
            {"why", why}};
}

// Join health: what an operator asks of a membership that brings nothing.
Json json_of(const MembershipStatus& membership, Instant now) {
    const auto ago = [now](const std::optional<Instant>& then) -> std::optional<double> {
        if (!then) return std::nullopt;
        return std::chrono::duration<double, std::milli>(now - *then).count();
    };
    return {{"group", membership.group.to_string()},
            {"health", name(membership.health)},
            {"last_report_ms_ago", optional_number(ago(membership.last_report_at))},
            {"last_datagram_ms_ago", optional_number(ago(membership.last_datagram_at))}};
}

Json nonzero(const std::vector<NamedCount>& counts) {
    Json json = Json::object();
    for (const auto& count : counts) {
        if (count.value != 0) json[std::string(count.name)] = count.value;
    }
    return json;
}

Json json_of(const Progress& progress) {
    const auto& counters = progress.counters;
    Json json{{"event", "status"},
              {"seconds", rounded(progress.seconds)},
              {"received", counters.received},
              {"delivered", counters.delivered},
              {"delivered_bytes", counters.delivered_bytes},
              {"sent", counters.sent},
              {"sent_bytes", counters.sent_bytes},
              {"pps", rounded(progress.packets_per_second)},
              {"bps", rounded(progress.bits_per_second)},
              {"drops", json_of(counters.drops)}};
    for (const auto& membership : progress.memberships) {
        json["joins"].push_back(json_of(membership, progress.taken_at));
    }
    if (progress.feed_sent) add_progress(*progress.feed_sent, json);
    if (progress.feed_taken) add_progress(*progress.feed_taken, json);
    return json;
}

/// Of a port that a feed's further lines go by.
void add_counters(const PortCounters& counters, Json& port) {
    port["received"] = counters.received;
    port["transmitted"] = counters.transmitted;
    port["sent"] = counters.sent;
    port["delivered"] = counters.delivered;
    port["missed"] = counters.missed;
    port["drops"] = json_of(counters.drops);
}

Json json_of(Role role, const Summary& summary) {
    const auto& counters = summary.port.counters;
    Json joins = Json::array();
    for (const auto& join : summary.joins) {
        joins.push_back({{"group", join.group.to_string()},
                         {"sources", join.sources.to_string()},
                         {"connected_at_ns", nanoseconds(join.at)},
                         {"connect_ms", rounded(join.connect_ms)},
                         {"first_datagram_ms", optional_number(join.first_datagram_ms)},
                         {"health", join.health ? Json(name(*join.health)) : Json()}});
    }
    Json json{{"event", "summary"},
              {"role", name(role)},
              {"seconds", rounded(summary.seconds)},
              {"received", counters.received},
              {"received_bytes", counters.received_bytes},
              {"transmitted", counters.transmitted},
              {"delivered", counters.delivered},
              {"delivered_bytes", counters.delivered_bytes},
              {"sent", counters.sent},
              {"sent_bytes", counters.sent_bytes},
              {"pps", rounded(summary.packets_per_second)},
              {"bps", rounded(summary.bits_per_second)},
              {"missed", counters.missed},
              {"errors", counters.errors},
              {"no_mbuf", counters.no_mbuf},
              {"drops", json_of(counters.drops)},
              {"joins", std::move(joins)},
              {"port", json_of(summary.port)},
              {"querier", json_of(summary.port.querier)},
              {"igmp", nonzero(summary.port.igmp)},
              {"workers", Json::array()},
              {"resident_mb", rounded(summary.resident_mb)}};
    for (const auto& worker : summary.workers) json["workers"].push_back(json_of(worker));
    if (const auto& leaves = summary.leaves) {
        json["leaves"] = {{"joined", leaves->joined},
                          {"left", leaves->left},
                          {"refused", leaves->refused},
                          {"now", leaves->now}};
    }
    if (summary.senders) {
        json["senders"] = Json::array();
        for (const auto& sender : *summary.senders) json["senders"].push_back(json_of(sender));
    }
    if (summary.feed_sent) json["feed"] = json_of(*summary.feed_sent);
    if (summary.feed_taken) json["feed"] = json_of(*summary.feed_taken);
    for (const auto& repair : summary.repairs) json["repairs"].push_back(json_of(repair));
    for (const auto& port : summary.further_ports) {
        json["further_ports"].push_back(json_of(port));
        add_counters(port.counters, json["further_ports"].back());
    }
    return json;
}

}  // namespace joinleaf::app
