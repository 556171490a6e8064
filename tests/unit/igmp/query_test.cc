// Queries in, answers out (RFC 9776 §4.1, §5.2).
#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Ipv4Address k5(10, 0, 0, 5), k6(10, 0, 0, 6), k50(10, 0, 0, 50), k51(10, 0, 0, 51);
constexpr GroupAddress kExcluding = GroupAddress::of(239, 8, 8, 8);

// kOther EX{}, kExcluding EX{50}, kChannel IN{5,6}; the network knows, the clock stands at 0.
class SettledHost : public ::testing::Test {
protected:
    explicit SettledHost(HostOptions wanted = options()) : host(wanted) {
        host.join(kOther);
        host.set(kExcluding, excluding({k50}));
        host.set(kChannel, including({k5, k6}));
        host.advance(1h);
        host.sent();
        host.delays.limits.clear();
    }
    static std::vector<Record> everything() {
        return {{RecordType::is_include, kChannel, {k5, k6}},
                {RecordType::is_exclude, kOther, {}},
                {RecordType::is_exclude, kExcluding, {k50}}};
    }
    void expect_answer(const Says& answer) {
        host.advance(1h);
        EXPECT_THAT(host.sent(), ElementsAre(answer));
    }
    void expect_silence() {
        host.advance(1h);
        EXPECT_THAT(host.sent(), IsEmpty());
    }
    void expect_ignored(std::uint64_t Counters::*reason) {
        expect_silence();
        EXPECT_EQ(host.host.counters().*reason, 1u);
        EXPECT_EQ(host.ignored(), 1u);
    }
    HostUnderTest host;
};
class QueryValidity : public SettledHost {};
class GeneralQuery : public SettledHost {};
class GroupQuery : public SettledHost {};
class SourceQuery : public SettledHost {};

// RSP-1, RSP-4, RSP-8, REP-6
TEST_F(GeneralQuery, IsAnsweredWithEverythingAtADrawnMoment) {
    host.delays.queue({7s});
    host.hear(general_query());
    EXPECT_THAT(host.delays.limits, ElementsAre(10s));
    EXPECT_THAT(host.sent(), IsEmpty());
    host.advance(7s - 1ns);
    EXPECT_THAT(host.sent(), IsEmpty());
    host.advance(1ns);
    EXPECT_THAT(host.sent(), ElementsAre(report(everything())));
    expect_silence();
}

// RSP-2
TEST(GeneralQueryWithoutState, DrawsNoDelay) {
    HostUnderTest host(options());
    host.hear(general_query());
    EXPECT_THAT(host.delays.limits, IsEmpty());
    EXPECT_EQ(host.host.next_deadline(), std::nullopt);
}

// RSP-3
TEST_F(GeneralQuery, ALaterDrawnAnswerAddsNothingToASoonerOne) {
    host.delays.queue({2s, 9s});
    host.hear(general_query());
    host.hear(general_query());
    const Duration asked_at = host.elapsed();
    expect_answer(AllOf(at(asked_at + 2s), report(everything())));
}

// RSP-4
TEST_F(GeneralQuery, ASoonerDrawnAnswerReplacesTheLater) {
    host.delays.queue({9s, 2s});
    host.hear(general_query());
    host.hear(general_query());
    const Duration asked_at = host.elapsed();
    expect_answer(AllOf(at(asked_at + 2s), report(everything())));
}

// RSP-3: rule 1 goes for specific queries as well.
TEST_F(GroupQuery, IsAnsweredByAGeneralAnswerThatComesSooner) {
    host.delays.queue({400ms, 500ms, 500ms});
    host.hear(general_query());
    host.hear(group_query(kOther));
    host.hear(source_query(kChannel, {k5}));
    expect_answer(report(everything()));
}

// RSP-3, RSP-5
TEST_F(GroupQuery, IsAnsweredBesideAGeneralAnswerThatComesLater) {
    host.delays.queue({5s, 1s});
    host.hear(general_query());
    host.hear(group_query(kOther));
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(is_exclude(kOther), report(everything())));
}

// RSP-5, RSP-9
TEST_F(GroupQuery, IsAnsweredWithTheWholeRecord) {
    host.hear(group_query(kExcluding));
    EXPECT_THAT(host.delays.limits, ElementsAre(1s));
    expect_answer(is_exclude(kExcluding, {k50}));
    host.hear(group_query(kChannel));
    expect_answer(is_include(kChannel, {k5, k6}));
}

// RSP-5, RSP-10, REP-7
TEST_F(SourceQuery, OnAnIncludeGroupIsAnsweredWithWhatIsWanted) {
    host.hear(source_query(kChannel, {k5, k51}));
    expect_answer(is_include(kChannel, {k5}));
    host.hear(source_query(kChannel, {k6, k5, k6}));
    expect_answer(is_include(kChannel, {k5, k6}));
    host.hear(source_query(kChannel, {k51}));
    expect_silence();
}

// RSP-11: where Linux answers IS_EX and FreeBSD not at all.
TEST_F(SourceQuery, OnAnExcludeGroupIsAnsweredWithWhatIsNotShunned) {
    host.hear(source_query(kExcluding, {k51}));
    expect_answer(is_include(kExcluding, {k51}));
    host.hear(source_query(kExcluding, {k50, k51}));
    expect_answer(is_include(kExcluding, {k51}));
    host.hear(source_query(kExcluding, {k50}));
    expect_silence();
    host.hear(source_query(kOther, {k50}));
    expect_answer(is_include(kOther, {k50}));
}

// RSP-6
TEST_F(GroupQuery, WidensAPendingSourceAnswerAtTheSoonerMoment) {
    host.delays.queue({800ms, 300ms});
    host.hear(source_query(kChannel, {k5}));
    host.hear(group_query(kChannel));
    const Duration asked_at = host.elapsed();
    expect_answer(AllOf(at(asked_at + 300ms), is_include(kChannel, {k5, k6})));
}

// RSP-6
TEST_F(SourceQuery, DoesNotNarrowAPendingGroupAnswer) {
    host.delays.queue({300ms, 800ms});
    host.hear(group_query(kChannel));
    host.hear(source_query(kChannel, {k5}));
    const Duration asked_at = host.elapsed();
    expect_answer(AllOf(at(asked_at + 300ms), is_include(kChannel, {k5, k6})));
}

// RSP-7
TEST_F(SourceQuery, JoinsAPendingOneAtTheSoonerMoment) {
    host.delays.queue({800ms, 300ms});
    host.hear(source_query(kChannel, {k5}));
    host.hear(source_query(kChannel, {k6}));
    const Duration asked_at = host.elapsed();
    expect_answer(AllOf(at(asked_at + 300ms), is_include(kChannel, {k5, k6})));
}

// RSP-12
TEST_F(SourceQuery, IsForgottenOnceAnswered) {
    host.hear(source_query(kChannel, {k5}));
    expect_answer(is_include(kChannel, {k5}));
    host.hear(source_query(kChannel, {k6}));
    expect_answer(is_include(kChannel, {k6}));
}

// RSP-13
TEST_F(SourceQuery, IsAnsweredFromTheStateAtTheTime) {
    host.delays.queue({1s, 400ms, 400ms});
    host.hear(source_query(kChannel, {k5}));
    host.set(kChannel, including({k6}));
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(block(kChannel, {k5}), block(kChannel, {k5})));
}

// RSP-13, RSP-9, RSP-8
TEST_F(GroupQuery, IsNotAnsweredForAGroupLeftInBetween) {
    host.delays.queue({9s, 1s, 100ms});
    host.hear(general_query());
    host.hear(group_query(kOther));
    host.leave(kOther);
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(to_include(kOther), to_include(kOther),
                                         report({{RecordType::is_include, kChannel, {k5, k6}},
                                                 {RecordType::is_exclude, kExcluding, {k50}}})));
}

// RSP-14
TEST_F(GroupQuery, AndAStateChangeDoNotCancelEachOther) {
    host.delays.queue({1s, 400ms});
    host.hear(group_query(kOther));
    host.set(kOther, excluding({k5}));
    host.advance(1h);
    EXPECT_THAT(host.sent(),
                ElementsAre(block(kOther, {k5}), block(kOther, {k5}), is_exclude(kOther, {k5})));
}

// RSP-15
TEST(SourceQueryFlood, RecordsNoMoreThanTheLimitsAndThenAnswersInFull) {
    auto wanted = options();
    wanted.max_sources_per_group = 100;
    wanted.max_recorded_sources = 150;
    HostUnderTest host(wanted);
    host.set(kChannel, including({k5, k6}));
    host.set(kGroup, including({k5, k6}));
    host.advance(1h);
    host.sent();
    host.hear(source_query(kChannel, sources(100)));
    EXPECT_EQ(host.host.counters().recorded_overflows, 0u);
    host.hear(source_query(kGroup, sources(51)));
    EXPECT_EQ(host.host.counters().recorded_overflows, 1u);
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(is_include(kGroup, {k5, k6})));

    auto list = sources(99);
    list.push_back(k5);
    list.push_back(k6);
    host.hear(source_query(kChannel, list));
    EXPECT_EQ(host.host.counters().recorded_overflows, 2u);
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(is_include(kChannel, {k5, k6})));
}

// RSP-16
TEST_F(GeneralQuery, WithoutOneNothingIsSent) {
    EXPECT_EQ(host.host.next_deadline(), std::nullopt);
    expect_silence();
}

// QRY-7
TEST_F(QueryValidity, BadChecksum) {
    auto message = emit(general_query());
    message[2] ^= std::byte{1};
    host.hear(message);
    expect_ignored(&Counters::ignored_bad_checksum);
}

// QRY-6
TEST_F(QueryValidity, OddLengths) {
    for (const std::size_t size : {7u, 9u, 10u, 11u}) {
        std::vector<std::byte> message(size);
        message[0] = std::byte{0x11};
        message[2] = std::byte{0xee};
        message[3] = std::byte{0xff};
        host.hear(message);
    }
    expect_silence();
    EXPECT_EQ(host.host.counters().ignored_bad_length, 4u);
    host.hear(std::vector<std::byte>{});
    EXPECT_EQ(host.host.counters().ignored_truncated, 1u);
}

// QRY-9, QRY-20, QRY-21
TEST_F(QueryValidity, ForgedFields) {
    Query query = general_query();
    query.sources = {k5};
    host.hear(query);
    EXPECT_EQ(host.host.counters().ignored_bad_group, 1u);
    auto message = emit(source_query(kChannel, {k5}));
    message[11] = std::byte{5};              // five sources, one there
    message[3] = message[3] ^ std::byte{0};  // checksum adjusted below
    const auto sum = static_cast<unsigned>(std::to_integer<unsigned>(message[2]) << 8 |
                                           std::to_integer<unsigned>(message[3])) -
                     4u;
    message[2] = std::byte(sum >> 8);
    message[3] = std::byte(sum & 0xff);
    host.hear(message);
    EXPECT_EQ(host.host.counters().ignored_bad_source_list, 1u);
    expect_silence();
    EXPECT_EQ(host.ignored(), 2u);
}

// QRY-8
TEST_F(QueryValidity, TrailingOctetsDoNotMatter) {
    auto message = emit(general_query());
    message.resize(message.size() + 6);  // zeros, which leave the sum as it is
    host.hear(message);
    expect_answer(report(everything()));
}

// QRY-14: never at once, and no division by zero.
TEST_F(QueryValidity, AResponseTimeOfZeroIsTheShortestDelay) {
    host.hear(general_query(Deciseconds(0)));
    EXPECT_THAT(host.sent(), IsEmpty());
    host.advance(1ms);
    EXPECT_THAT(host.sent(), ElementsAre(report(everything())));
    host.hear(group_query(kOther, Deciseconds(0)));
    EXPECT_THAT(host.sent(), IsEmpty());
    host.advance(1ms);
    EXPECT_THAT(host.sent(), ElementsAre(is_exclude(kOther)));
}

// QRY-11, D8
TEST_F(QueryValidity, LongResponseTimesAreDecoded) {
    host.delays.share = 1;
    host.hear(general_query(Deciseconds(128)));
    EXPECT_THAT(host.delays.limits, ElementsAre(Duration(12800ms)));
    const Duration asked_at = host.elapsed();
    expect_answer(AllOf(at(asked_at + 12800ms), report(everything())));
}

// QRY-16, QRY-17
TEST_F(QueryValidity, FlagsDoNotMatter) {
    Query query = general_query();
    query.suppress_router_processing = true;
    host.hear(query);
    expect_answer(report(everything()));
}

// QRY-22
TEST_F(QueryValidity, OurUnicastAddressWillDo) {
    host.hear(general_query(), {.destination = kOwn});
    expect_answer(report(everything()));
    host.hear(general_query(), {.destination = kNeighbour});
    expect_ignored(&Counters::ignored_destination);
}

// QRY-23, D3
TEST_F(QueryValidity, AGeneralQueryToAnotherGroupIsIgnored) {
    host.hear(general_query(), {.destination = kOther.address()});
    expect_ignored(&Counters::ignored_destination);
}

// QRY-22, QRY-25
TEST_F(GroupQuery, MayComeToTheGroupToAllSystemsOrToUs) {
    for (const Ipv4Address to :
         {kOther.address(), kExcluding.address(), kAllSystems.address(), kOwn}) {
        host.hear(group_query(kOther), {.destination = to});
        expect_answer(is_exclude(kOther));
    }
    host.hear(group_query(kOther), {.destination = Ipv4Address(224, 0, 0, 2)});
    expect_ignored(&Counters::ignored_destination);
}

// QRY-24, D1
TEST_F(QueryValidity, WithoutRouterAlertIsAnsweredAndCounted) {
    host.hear(general_query(), {.router_alert = false});
    expect_answer(report(everything()));
    EXPECT_EQ(host.host.counters().queries_without_router_alert, 1u);
}

class StrictQuery : public SettledHost {
protected:
    static HostOptions strict() {
        auto wanted = options();
        wanted.require_router_alert = true;
        wanted.accept_any_ttl = true;
        return wanted;
    }
    StrictQuery() : SettledHost(strict()) {}
};

// QRY-24, D1
TEST_F(StrictQuery, WithoutRouterAlertIsIgnoredOnRequest) {
    host.hear(general_query(), {.router_alert = false});
    expect_ignored(&Counters::ignored_no_router_alert);
    host.hear(v2_query(), {.router_alert = false});
    EXPECT_EQ(host.host.counters().ignored_no_router_alert, 2u);
    EXPECT_EQ(host.host.querier().version_in_force, Version::v3);
    host.hear(v1_query(), {.router_alert = false});
    EXPECT_EQ(host.host.querier().version_in_force, Version::v1) << "version 1 has no such option";
}

// QRY-27, D2
TEST_F(StrictQuery, AnyTtlIsAcceptedOnRequest) {
    host.hear(general_query(), {.ttl = 64});
    expect_answer(report(everything()));
}

// QRY-27, D2
TEST_F(QueryValidity, ATtlOtherThanOneIsIgnored) {
    host.hear(general_query(), {.ttl = 2});
    expect_ignored(&Counters::ignored_ttl);
}

// QRY-26
TEST_F(QueryValidity, TheSourceDoesNotMatter) {
    for (const Ipv4Address from : {Ipv4Address(), Ipv4Address(192, 0, 2, 1)}) {
        host.hear(general_query(), {.source = from});
        expect_answer(report(everything()));
        EXPECT_EQ(host.host.querier().address, from);
    }
}

// ENC-14
TEST_F(QueryValidity, OurOwnMessagesAreNotHeard) {
    host.hear(general_query(), {.source = kOwn});
    expect_ignored(&Counters::ignored_own);
}

// QRY-28
TEST_F(GroupQuery, ForAGroupWithoutStateIsIgnored) {
    host.hear(group_query(kGroup));
    EXPECT_THAT(host.delays.limits, IsEmpty());
    expect_ignored(&Counters::ignored_no_membership);
}

// QRY-18, D5
TEST_F(QueryValidity, RobustnessIsAdopted) {
    const auto heard = [&](std::uint8_t robustness) {
        Query query = general_query();
        query.robustness = robustness;
        host.hear(query);
        host.advance(1h);
        host.sent();
        host.set(kGroup, SourceFilter::any());
        host.advance(1h);
        const auto times = host.sent().size();
        host.leave(kGroup);
        host.advance(1h);
        EXPECT_THAT(host.sent(), SizeIs(times));
        return times;
    };
    EXPECT_EQ(heard(5), 5u);
    EXPECT_EQ(heard(7), 7u);
    EXPECT_EQ(heard(1), 2u);
    EXPECT_EQ(heard(3), 3u);
    EXPECT_EQ(heard(0), 2u) << "the configured value";
}

// RXO-1, RXO-2, RXO-4
TEST_F(QueryValidity, OtherMessagesAreIgnoredInVersion3) {
    std::vector<std::byte> pim(8);
    pim[0] = std::byte{0x14};
    pim[2] = std::byte{0xeb};
    pim[3] = std::byte{0xff};
    host.hear(pim);
    EXPECT_EQ(host.host.counters().ignored_unknown_type, 1u);
    host.hear_report(Version::v1, kOther);
    host.hear_report(Version::v2, kOther);
    host.hear(emit_leave(kOther), {.destination = kAllRouters.address()});
    host.hear(emit(Report{{{RecordType::to_exclude, kOther, {}}}}),
              {.destination = kVersion3Routers.address()});
    EXPECT_EQ(host.host.counters().ignored_not_for_hosts, 4u);
    expect_silence();
    EXPECT_EQ(host.ignored(), 5u);
}

TEST_F(GeneralQuery, IsRememberedForTheStatus) {
    EXPECT_EQ(host.host.querier().heard_version, std::nullopt);
    host.hear(general_query(Deciseconds(50)));
    const QuerierStatus querier = host.host.querier();
    EXPECT_EQ(querier.version_in_force, Version::v3);
    EXPECT_EQ(querier.heard_version, Version::v3);
    EXPECT_EQ(querier.address, kQuerier);
    EXPECT_EQ(querier.last_heard, host.now());
    EXPECT_EQ(querier.max_response_time, 5s);
    EXPECT_EQ(querier.query_interval, 125s);
    EXPECT_EQ(host.host.counters().v3_queries, 1u);
}

TEST_F(GroupQuery, ShowsInTheStatusUntilAnswered) {
    host.delays.queue({300ms});
    host.hear(group_query(kOther));
    EXPECT_EQ(host.host.status_of(kOther)->answer_due, host.now() + 300ms);
    host.advance(300ms);
    EXPECT_EQ(host.host.status_of(kOther)->answer_due, std::nullopt);
    EXPECT_EQ(host.host.status_of(kOther)->last_report, host.now());
}

}  // namespace
}  // namespace joinleaf::igmp::test
