// What must hold whatever happens: chance writes the script, the rules are checked.
#include <gtest/gtest.h>
#include <igmp/reception_state.h>
#include <net/checksum.h>
#include <rapidcheck.h>
// Needs what gtest.h declares.
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf {
void showValue(const SourceFilter& filter, std::ostream& out) { out << filter.to_string(); }
}  // namespace joinleaf

namespace joinleaf::igmp::test {
namespace {

constexpr std::uint32_t kSources = 6;

rc::Gen<Ipv4Address> any_source() {
    return rc::gen::map(rc::gen::inRange<std::uint32_t>(0, kSources), nth_source);
}

rc::Gen<SourceFilter> any_filter() {
    return rc::gen::apply(
        [](bool includes, const std::vector<Ipv4Address>& list) {
            return SourceFilter(includes ? FilterMode::include : FilterMode::exclude, list);
        },
        rc::gen::arbitrary<bool>(), rc::gen::container<std::vector<Ipv4Address>>(any_source()));
}

rc::Gen<GroupAddress> any_group() {
    return rc::gen::map(rc::gen::inRange<std::uint32_t>(0, 1u << 24), nth_group);
}

rc::Gen<std::vector<Ipv4Address>> any_list() {
    return rc::gen::container<std::vector<Ipv4Address>>(
        rc::gen::map(rc::gen::arbitrary<std::uint32_t>(),
                     [](std::uint32_t value) { return Ipv4Address(value); }));
}

// A packet passes the port if, and only if, some member wants it (MRG-4, MRG-5, RFC 9776 §3.2).
RC_GTEST_PROP(MergeProperty, AdmitsWhatSomeMemberAdmits, ()) {
    std::vector<Member> members;
    for (const auto& filter : *rc::gen::container<std::vector<SourceFilter>>(any_filter())) {
        if (!filter.is_nothing()) members.push_back({MemberId{members.size()}, filter});
    }
    const SourceFilter merged = merge(members);
    for (std::uint32_t i = 0; i <= kSources; ++i) {  // the last is in no list
        const bool wanted = std::any_of(members.begin(), members.end(), [&](const Member& member) {
            return member.filter.admits(nth_source(i));
        });
        RC_ASSERT(merged.admits(nth_source(i)) == wanted);
    }
}

// REP-1, REP-2: whatever can be built can be emitted and read back.
RC_GTEST_PROP(MessageProperty, ReportsAreReadBackAsWritten, ()) {
    Report report;
    const auto types = *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 7));
    for (const int type : types) {
        report.records.push_back({static_cast<RecordType>(type), *any_group(), *any_list()});
    }
    const auto bytes = emit(report);
    RC_ASSERT(verify(bytes) == MessageType::v3_report);
    RC_ASSERT(parse_report(bytes) == report);
}

// QRY-1, QRY-15
RC_GTEST_PROP(MessageProperty, QueriesAreReadBackAsWritten, ()) {
    const auto code = *rc::gen::inRange<int>(0, 256);
    Query query = general_query(Deciseconds(decode_float8(static_cast<std::uint8_t>(code))));
    query.robustness = static_cast<std::uint8_t>(*rc::gen::inRange(0, 8));
    query.suppress_router_processing = *rc::gen::arbitrary<bool>();
    query.query_interval =
        std::chrono::seconds(decode_float8(static_cast<std::uint8_t>(*rc::gen::inRange(0, 256))));
    if (*rc::gen::arbitrary<bool>()) {
        query.group = *any_group();
        query.sources = *any_list();
    }
    const auto bytes = emit(query);
    RC_ASSERT(verify(bytes) == MessageType::query);
    RC_ASSERT(parse_query(bytes) == query);
}

// QRY-29: octets of any kind, with a sum that fits, are read or refused, never more.
RC_GTEST_PROP(MessageProperty, AnyOctetsAreReadOrRefused, (std::vector<std::uint8_t> raw)) {
    raw.insert(raw.begin(),
               {*rc::gen::element<std::uint8_t>(0x11, 0x12, 0x16, 0x17, 0x22), 0, 0, 0});
    std::vector<std::byte> bytes;
    for (const auto octet : raw) bytes.push_back(std::byte{octet});
    net::store(bytes.data() + 2, net::BigEndian<std::uint16_t>(net::checksum(bytes)));
    RC_ASSERT(verify(bytes).has_value());
    const auto query = parse_query(bytes);
    const auto report = parse_report(bytes);
    const auto older = parse_older_report(bytes);
    RC_ASSERT(!query || query->sources.size() * 4 + 8 <= bytes.size());
    RC_ASSERT(!report || report->records.size() * 8 + 8 <= bytes.size());
    RC_ASSERT(!older || bytes.size() >= 8);
}

/// A router that believes every record it hears and asks nothing.
class ModelRouter {
public:
    void hear(const Record& record) {
        SourceFilter& filter = filters_.try_emplace(record.group).first->second;
        const bool includes = filter.mode() == FilterMode::include;
        switch (record.type) {
            case RecordType::to_include:
                filter = {FilterMode::include, record.sources};
                break;
            case RecordType::to_exclude:
                filter = {FilterMode::exclude, record.sources};
                break;
            case RecordType::allow:
            case RecordType::block: {
                const bool grows = (record.type == RecordType::allow) == includes;
                filter = {filter.mode(), grows ? union_of(filter.sources(), record.sources)
                                               : difference_of(filter.sources(), record.sources)};
                break;
            }
            case RecordType::is_include:
            case RecordType::is_exclude:
                break;
        }
    }
    SourceFilter filter_of(GroupAddress group) const {
        const auto found = filters_.find(group);
        return found == filters_.end() ? SourceFilter::nothing() : found->second;
    }

private:
    std::map<GroupAddress, SourceFilter> filters_;
};

/// Loses reports as chance has it, but never [Robustness Variable] in a row about one group.
class LossyWire {
public:
    explicit LossyWire(std::uint8_t robustness) : most_in_a_row_(robustness - 1) {}

    bool passes(const Report& report) {
        const bool may_be_lost = std::all_of(
            report.records.begin(), report.records.end(),
            [&](const Record& record) { return lost_in_a_row_[record.group] < most_in_a_row_; });
        const bool is_lost = may_be_lost && *rc::gen::arbitrary<bool>();
        std::set<GroupAddress> named;
        for (const Record& record : report.records) named.insert(record.group);
        for (const GroupAddress group : named) {
            lost_in_a_row_[group] = is_lost ? lost_in_a_row_[group] + 1 : 0;
        }
        return !is_lost;
    }

private:
    int most_in_a_row_;
    std::map<GroupAddress, int> lost_in_a_row_;
};

// SCR-9 to SCR-18: however members change, and whatever the wire loses within what the robustness
// variable covers, the network ends up knowing exactly what is wanted.
RC_GTEST_PROP(RobustnessProperty, TheNetworkLearnsTheStateDespiteLosses, ()) {
    auto wanted = options();
    wanted.robustness = static_cast<std::uint8_t>(*rc::gen::inRange(1, 5));
    wanted.reports_per_second = *rc::gen::element(1000, 20);
    wanted.report_burst = 2;
    HostUnderTest host(wanted);
    host.delays.randomize(*rc::gen::arbitrary<std::uint64_t>());
    ModelRouter router;
    LossyWire wire(wanted.robustness);
    const auto deliver = [&] {
        for (const Message& message : host.sent()) {
            const auto& report = std::get<Report>(message.content);
            const bool is_change = report.records.front().type != RecordType::is_include &&
                                   report.records.front().type != RecordType::is_exclude;
            if (!is_change || !wire.passes(report)) continue;
            for (const Record& record : report.records) router.hear(record);
        }
    };
    constexpr GroupAddress kGroups[] = {kGroup, kOther, GroupAddress::of(239, 9, 9, 9)};
    const int steps = *rc::gen::inRange(1, 40);
    for (int i = 0; i < steps; ++i) {
        const MemberId member{*rc::gen::inRange<std::uint64_t>(0, 3)};
        switch (*rc::gen::inRange(0, 6)) {
            case 0:
                host.advance(std::chrono::milliseconds(*rc::gen::inRange(1, 1500)));
                break;
            case 1: {
                Query query = general_query(Deciseconds(*rc::gen::inRange(0, 30)));
                query.robustness = 0;  // which leaves ours as it is
                host.hear(query);
                break;
            }
            case 2:
                host.host.remove_member(member, host.now());
                break;
            default:
                (void)host.set_quietly(kGroups[*rc::gen::inRange(0, 3)], *any_filter(), member);
                if (*rc::gen::arbitrary<bool>()) host.let_send();
        }
        deliver();
    }
    host.advance(1h);
    deliver();
    for (const GroupAddress group : kGroups) {
        const auto status = host.host.status_of(group);
        RC_ASSERT(router.filter_of(group) == (status ? status->filter : SourceFilter::nothing()));
        RC_ASSERT(!status || status->members > 0);
    }
    RC_ASSERT(host.host.next_deadline() == std::nullopt);
}

// Whatever comes between (versions, the link, other hosts), each ticket comes back once, the host
// falls silent, and forgets what nobody wants.
RC_GTEST_PROP(TicketProperty, EachComesBackExactlyOnce, ()) {
    auto wanted = options();
    wanted.older_querier_present_interval = 2s;
    wanted.reports_per_second = *rc::gen::element(1000, 5);
    wanted.report_burst = 1;
    HostUnderTest host(wanted);
    host.delays.randomize(*rc::gen::arbitrary<std::uint64_t>());
    constexpr GroupAddress kGroups[] = {kGroup, kOther, GroupAddress::of(239, 9, 9, 9)};
    std::set<Ticket> given;
    std::multiset<Ticket> returned;
    const auto collect = [&] {
        for (const Message& message : host.sent()) {
            returned.insert(message.tickets.begin(), message.tickets.end());
        }
        returned.insert(host.empty_tickets.begin(), host.empty_tickets.end());
        host.empty_tickets.clear();
    };
    const int steps = *rc::gen::inRange(1, 60);
    for (int i = 0; i < steps; ++i) {
        const MemberId member{*rc::gen::inRange<std::uint64_t>(0, 3)};
        const GroupAddress group = kGroups[*rc::gen::inRange(0, 3)];
        switch (*rc::gen::inRange(0, 12)) {
            case 0:
            case 1:
                host.advance(std::chrono::milliseconds(*rc::gen::inRange(1, 1500)));
                break;
            case 2:
                host.hear(v2_query());
                break;
            case 3:
                host.hear(v1_query());
                break;
            case 4:
                host.hear(*rc::gen::element(general_query(), group_query(group)));
                break;
            case 5:
                host.hear_report(Version::v2, group);
                break;
            case 6:
                host.host.link_down(host.now());
                break;
            case 7:
                host.host.link_up(host.now());
                host.let_send();
                break;
            case 8:
                host.host.remove_member(member, host.now());
                break;
            default: {
                const auto outcome = host.set_quietly(group, *any_filter(), member);
                if (outcome && *outcome) given.insert(**outcome);
                if (*rc::gen::arbitrary<bool>()) host.let_send();
            }
        }
        collect();
    }
    host.host.link_up(host.now());
    host.advance(1h);
    collect();
    for (const Ticket ticket : given) RC_ASSERT(returned.count(ticket) == 1u);
    RC_ASSERT(host.host.next_deadline() == std::nullopt);
    RC_ASSERT(!host.host.has_pending_state_changes());
    for (const GroupStatus& status : host.host.status()) {
        RC_ASSERT(status.members > 0u);
        RC_ASSERT(status.is_reported);
    }
}

}  // namespace
}  // namespace joinleaf::igmp::test
