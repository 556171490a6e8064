#include "tests/unit/igmp/host_under_test.h"

#include <fmt/format.h>
#include <net/checksum.h>

#include <algorithm>

namespace joinleaf::igmp::test {
namespace {

using ::testing::Field;
using ::testing::VariantWith;

std::string text_of(const Record& record) {
    static constexpr const char* kNames[] = {"?",     "IS_IN", "IS_EX", "TO_IN",
                                             "TO_EX", "ALLOW", "BLOCK"};
    std::string text =
        fmt::format("{}({}{{", kNames[static_cast<int>(record.type)], record.group.to_string());
    for (const Ipv4Address source : record.sources) text += source.to_string() + ' ';
    return text + "})";
}

}  // namespace

GroupAddress nth_group(std::uint32_t n) {
    return *GroupAddress::from(Ipv4Address(Ipv4Address(239, 0, 0, 0).value() + n));
}

Ipv4Address nth_source(std::uint32_t n) {
    return Ipv4Address(Ipv4Address(10, 100, 0, 1).value() + n);
}

std::vector<Ipv4Address> sources(std::uint32_t n) {
    std::vector<Ipv4Address> list;
    for (std::uint32_t i = 0; i < n; ++i) list.push_back(nth_source(i));
    return list;
}

void PrintTo(const Message& message, std::ostream* out) {
    *out << fmt::format("+{:.3f}s ", std::chrono::duration<double>(message.at).count());
    if (const auto* report = std::get_if<Report>(&message.content)) {
        *out << "v3[";
        for (const Record& record : report->records) *out << text_of(record) << ' ';
        *out << ']';
    } else if (const auto* older = std::get_if<OlderReport>(&message.content)) {
        *out << (older->version == Version::v1 ? "v1 report " : "v2 report ")
             << older->group.to_string();
    } else {
        *out << "v2 leave " << std::get<Leave>(message.content).group.to_string();
    }
    *out << " -> " << message.destination.to_string();
}

Duration KnownDelays::delay(Duration limit) {
    EXPECT_GT(limit, Duration::zero());
    limits.push_back(limit);
    if (!queued_.empty()) {
        const Duration next = queued_.front();
        queued_.pop_front();
        EXPECT_LE(next, limit);
        return next;
    }
    if (random_) share = std::uniform_real_distribution(0.0, 1.0)(*random_);
    const auto share_of_limit =
        static_cast<std::int64_t>(share * static_cast<double>(limit.count()));
    return std::max(Duration(1), Duration(share_of_limit));
}

HostUnderTest::HostUnderTest(HostOptions options)
    : host(options, delays), mtu_(options.mtu), source_(options.address) {}

HostUnderTest::Outcome HostUnderTest::set(GroupAddress group, const SourceFilter& filter,
                                          MemberId member) {
    const auto outcome = set_quietly(group, filter, member);
    let_send();
    return outcome;
}

void HostUnderTest::hear(const std::vector<std::byte>& message, const Wrapping& wrapping) {
    net::Ipv4Header header;
    header.source = wrapping.source;
    header.destination = wrapping.destination;
    header.protocol = net::ip_protocol::kIgmp;
    header.ttl = wrapping.ttl;
    header.router_alert = wrapping.router_alert;
    host.receive(header, message, now_);
    let_send();
}

void HostUnderTest::hear_report(Version version, GroupAddress group, Ipv4Address from) {
    hear(emit(OlderReport{version, group}), {.source = from, .destination = group.address()});
}

void HostUnderTest::let_send() {
    Actions actions;
    host.advance(now_, actions);
    for (const Send& send : actions) deliver(send);
}

void HostUnderTest::advance(Duration time) {
    const Instant end = now_ + time;
    int idle_calls = 0;
    for (auto next = host.next_deadline(); next && *next <= end; next = host.next_deadline()) {
        const bool is_late = *next <= now_;
        now_ = std::max(now_, *next);
        const std::size_t sent_before = sent_.size() + empty_tickets.size();
        let_send();
        // A deadline is worth the call: something is sent, or a pending timer is gone.
        idle_calls =
            is_late && sent_.size() + empty_tickets.size() == sent_before ? idle_calls + 1 : 0;
        ASSERT_LT(idle_calls, 3) << "the host asks to be called for nothing";
    }
    now_ = end;
}

std::uint64_t HostUnderTest::ignored() const {
    std::uint64_t sum = 0;
    for (const auto& [name, value] : kCounters) {
        if (name.starts_with("ignored_")) sum += host.counters().*value;
    }
    return sum;
}

// What is asserted here holds for every message of every test (ENC-1 to ENC-5, ENC-11, REP-1 to
// REP-4, REP-7, REP-10, PKG-1, SSM-3, ADR-1).
void HostUnderTest::deliver(const Send& send) {
    if (send.message.empty()) {
        EXPECT_FALSE(send.tickets.empty()) << "a Send without purpose";
        empty_tickets.insert(empty_tickets.end(), send.tickets.begin(), send.tickets.end());
        return;
    }
    std::vector<std::byte> packet(24);
    const auto fields = envelope(source_, send.destination);
    ASSERT_EQ(net::emit_ipv4(fields, send.message.size(), packet), 24u);
    packet.insert(packet.end(), send.message.begin(), send.message.end());
    EXPECT_LE(packet.size(), mtu_);
    const auto parsed = net::parse_ipv4(packet);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->header.ttl, 1);
    EXPECT_EQ(parsed->header.tos, 0xc0);
    EXPECT_TRUE(parsed->header.router_alert);
    EXPECT_EQ(parsed->header.protocol, 2);
    const auto type = verify(parsed->payload);
    ASSERT_TRUE(type);

    Message message{now_ - kStart, send.destination, Leave{kGroup}, packet.size(), send.tickets};
    if (*type == MessageType::v3_report) {
        const auto content = parse_report(parsed->payload);
        ASSERT_TRUE(content);
        EXPECT_EQ(emit(*content), send.message);  // nothing reserved set, nothing behind
        EXPECT_EQ(send.destination, kVersion3Routers.address());
        EXPECT_FALSE(content->records.empty());
        for (const Record& record : content->records) {
            EXPECT_NE(record.group, kAllSystems);
            const bool is_exclude =
                record.type == RecordType::is_exclude || record.type == RecordType::to_exclude;
            EXPECT_FALSE(is_exclude && record.group.is_source_specific());
            const bool may_be_empty = is_exclude || record.type == RecordType::to_include;
            EXPECT_TRUE(may_be_empty || !record.sources.empty());
        }
        message.content = *content;
    } else if (*type == MessageType::v2_leave) {
        const auto group = parse_leave(parsed->payload);
        ASSERT_TRUE(group);
        EXPECT_EQ(emit_leave(*group), send.message);
        EXPECT_EQ(send.destination, kAllRouters.address());
        message.content = Leave{*group};
    } else {
        const auto content = parse_older_report(parsed->payload);
        ASSERT_TRUE(content);
        EXPECT_EQ(emit(*content), send.message);
        EXPECT_EQ(send.destination, content->group.address());
        message.content = *content;
    }
    sent_.push_back(std::move(message));
}

Query general_query(Deciseconds max_response_time) {
    return {.max_response_time = max_response_time, .robustness = 2, .query_interval = 125s};
}

Query group_query(GroupAddress group, Deciseconds max_response_time) {
    Query query = general_query(max_response_time);
    query.group = group;
    return query;
}

Query source_query(GroupAddress group, std::vector<Ipv4Address> list,
                   Deciseconds max_response_time) {
    Query query = group_query(group, max_response_time);
    query.sources = std::move(list);
    return query;
}

Query v2_query(std::optional<GroupAddress> group, Deciseconds max_response_time) {
    return {.version = Version::v2, .group = group, .max_response_time = max_response_time};
}

Query v1_query() { return {.version = Version::v1}; }

Says report(std::vector<Record> records) {
    return Field(&Message::content, VariantWith<Report>(Report{std::move(records)}));
}

Says v1_report(GroupAddress group) {
    return Field(&Message::content, VariantWith<OlderReport>(OlderReport{Version::v1, group}));
}

Says v2_report(GroupAddress group) {
    return Field(&Message::content, VariantWith<OlderReport>(OlderReport{Version::v2, group}));
}

Says v2_leave(GroupAddress group) {
    return Field(&Message::content, VariantWith<Leave>(Leave{group}));
}

Says report_of(std::size_t records) {
    return Field(&Message::content,
                 VariantWith<Report>(Field(&Report::records, ::testing::SizeIs(records))));
}

Says at(Duration time) { return Field(&Message::at, time); }

Says carries(std::vector<Ticket> tickets) { return Field(&Message::tickets, std::move(tickets)); }

}  // namespace joinleaf::igmp::test
