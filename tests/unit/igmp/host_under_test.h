// A host with a clock that only the test moves, a known delay source, and ears: every message it
// sends is wrapped as on the wire, checked against the rules of all messages, and read back.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <igmp/host.h>

#include <deque>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <variant>
#include <vector>

namespace joinleaf::igmp::test {

using namespace std::chrono_literals;

inline constexpr Ipv4Address kOwn(10, 0, 0, 1);
inline constexpr Ipv4Address kQuerier(10, 0, 0, 254);
inline constexpr Ipv4Address kNeighbour(10, 0, 0, 2);
inline constexpr GroupAddress kGroup = GroupAddress::of(239, 1, 2, 3);
inline constexpr GroupAddress kOther = GroupAddress::of(239, 7, 7, 7);
inline constexpr GroupAddress kChannel = GroupAddress::of(232, 1, 1, 1);
inline constexpr Ipv4Address kS1(10, 9, 0, 1);
inline constexpr Ipv4Address kS2(10, 9, 0, 2);
inline constexpr Ipv4Address kS3(10, 9, 0, 3);
inline constexpr Ipv4Address kS4(10, 9, 0, 4);
inline constexpr MemberId kAlice{1};
inline constexpr MemberId kBob{2};

/// The n-th of many groups, from 239.0.0.0 on.
GroupAddress nth_group(std::uint32_t n);
/// The n-th of many sources, from 10.100.0.1 on.
Ipv4Address nth_source(std::uint32_t n);
/// The first `n` of them.
std::vector<Ipv4Address> sources(std::uint32_t n);

inline SourceFilter including(std::initializer_list<Ipv4Address> list) {
    return {FilterMode::include, list};
}
inline SourceFilter excluding(std::initializer_list<Ipv4Address> list) {
    return {FilterMode::exclude, list};
}

struct Leave {
    GroupAddress group;
    friend auto operator<=>(const Leave&, const Leave&) = default;
};

/// One message as the wire saw it.
struct Message {
    Duration at{};  ///< since the test began
    Ipv4Address destination;
    std::variant<Report, OlderReport, Leave> content;
    std::size_t packet_size = 0;  ///< IPv4 header included
    std::vector<Ticket> tickets;
};
void PrintTo(const Message& message, std::ostream* out);

/// Delays that a test foresees: the queued ones first, then always the same share of the limit.
class KnownDelays : public DelaySource {
public:
    Duration delay(Duration limit) override;
    void queue(std::initializer_list<Duration> delays) {
        queued_.insert(queued_.end(), delays.begin(), delays.end());
    }

    /// From now on by chance, the same for each seed.
    void randomize(std::uint64_t seed) { random_.emplace(seed); }

    double share = 0.5;
    std::vector<Duration> limits;  ///< what was asked for, draw by draw

private:
    std::deque<Duration> queued_;
    std::optional<std::mt19937_64> random_;
};

/// How a message to the host is wrapped; the default is a well-behaved querier's general query.
struct Wrapping {
    Ipv4Address source = kQuerier;
    Ipv4Address destination = kAllSystems.address();
    std::uint8_t ttl = 1;
    bool router_alert = true;
};

class HostUnderTest {
public:
    using Outcome = tl::expected<std::optional<Ticket>, std::errc>;

    explicit HostUnderTest(HostOptions options = {});

    // Each of these lets the host send what it then has to send.
    Outcome join(GroupAddress group, MemberId member = kAlice) {
        return set(group, SourceFilter::any(), member);
    }
    Outcome leave(GroupAddress group, MemberId member = kAlice) {
        return set(group, SourceFilter::nothing(), member);
    }
    Outcome set(GroupAddress group, const SourceFilter& filter, MemberId member = kAlice);
    void hear(const std::vector<std::byte>& message, const Wrapping& wrapping = {});
    void hear(const Query& query, const Wrapping& wrapping = {}) { hear(emit(query), wrapping); }
    void hear_report(Version version, GroupAddress group, Ipv4Address from = kNeighbour);

    /// Changes the filter and lets nothing be sent yet.
    Outcome set_quietly(GroupAddress group, const SourceFilter& filter, MemberId member = kAlice) {
        return host.set_filter(member, group, filter, now());
    }
    void let_send();
    /// Moves the clock on, stopping wherever the host asks to be called.
    void advance(Duration time);
    /// What has been sent since this was last asked.
    std::vector<Message> sent() { return std::exchange(sent_, {}); }

    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] Duration elapsed() const { return now_ - kStart; }
    /// Sum of all reasons for which a message was ignored.
    [[nodiscard]] std::uint64_t ignored() const;

    KnownDelays delays;
    Host host;
    std::vector<Ticket> empty_tickets;  ///< of Sends that had nothing for the wire

private:
    static constexpr Instant kStart{Duration(1h)};
    void deliver(const Send& send);

    std::uint16_t mtu_;
    Instant now_ = kStart;
    Ipv4Address source_;
    std::vector<Message> sent_;
};

/// Options of a host at 10.0.0.1/24.
inline HostOptions options() { return {.address = kOwn}; }

// Queries.
Query general_query(Deciseconds max_response_time = Deciseconds(100));
Query group_query(GroupAddress group, Deciseconds max_response_time = Deciseconds(10));
Query source_query(GroupAddress group, std::vector<Ipv4Address> list,
                   Deciseconds max_response_time = Deciseconds(10));
Query v2_query(std::optional<GroupAddress> group = {},
               Deciseconds max_response_time = Deciseconds(100));
Query v1_query();

// What a message says.
using Says = ::testing::Matcher<Message>;
Says report(std::vector<Record> records);
Says v1_report(GroupAddress group);
Says v2_report(GroupAddress group);
Says v2_leave(GroupAddress group);
/// A version 3 report of so many records.
Says report_of(std::size_t records);
/// A message sent at this time since the test began.
Says at(Duration time);
/// A message that carries exactly these tickets.
Says carries(std::vector<Ticket> tickets);

#define JOINLEAF_SINGLE_RECORD(name, record_type)                                 \
    inline Says name(GroupAddress group, std::vector<Ipv4Address> list = {}) {    \
        return report({Record{RecordType::record_type, group, std::move(list)}}); \
    }
JOINLEAF_SINGLE_RECORD(is_include, is_include)
JOINLEAF_SINGLE_RECORD(is_exclude, is_exclude)
JOINLEAF_SINGLE_RECORD(to_include, to_include)
JOINLEAF_SINGLE_RECORD(to_exclude, to_exclude)
JOINLEAF_SINGLE_RECORD(allow, allow)
JOINLEAF_SINGLE_RECORD(block, block)
#undef JOINLEAF_SINGLE_RECORD

}  // namespace joinleaf::igmp::test
