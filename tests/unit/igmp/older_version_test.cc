// IGMPv2 and IGMPv1 as such (RFC 2236 §3 and §6, RFC 1112 Appendix I).
#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A host to which a version 2 (or 1) querier has spoken; nothing is pending.
class Older : public ::testing::Test {
protected:
    explicit Older(Version version = Version::v2, HostOptions wanted = options()) : host(wanted) {
        host.hear(version == Version::v1 ? v1_query() : v2_query());
    }
    void settle_in(GroupAddress group) {
        host.join(group);
        host.advance(20s);
        host.sent();
        host.delays.limits.clear();
    }
    HostUnderTest host;
};
class Version2 : public Older {};
class Version1 : public Older {
protected:
    Version1() : Older(Version::v1) {}
};
class Version2Thrice : public Older {
protected:
    static HostOptions thrice() {
        auto wanted = options();
        wanted.robustness = 5;
        return wanted;
    }
    Version2Thrice() : Older(Version::v2, thrice()) {}
};

// V2-1, V2-2, ENC-7
TEST_F(Version2, JoinIsReportedAtOnceAndOnceMoreWithinTenSeconds) {
    host.delays.queue({9s});
    host.join(kGroup);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(v2_report(kGroup),
                                               Field(&Message::destination, kGroup.address()))));
    EXPECT_THAT(host.delays.limits, ElementsAre(10s));
    host.advance(9s);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(at(9s), v2_report(kGroup))));
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
}

// V2-2: 'once or twice', however robust.
TEST_F(Version2Thrice, JoinIsRepeatedTwiceAtTheMost) {
    host.join(kGroup);
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kGroup), v2_report(kGroup), v2_report(kGroup)));
}

// V2-3
TEST_F(Version2, AGeneralQueryGivesEachGroupItsOwnDelay) {
    settle_in(kGroup);
    settle_in(kOther);
    const Duration asked_at = host.elapsed();
    host.delays.queue({7s, 3s});
    host.hear(v2_query());
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(at(asked_at + 3s), v2_report(kGroup)),
                                         AllOf(at(asked_at + 7s), v2_report(kOther))));
    EXPECT_THAT(host.delays.limits, ElementsAre(10s, 10s));
}

// V2-3, ADR-1
TEST_F(Version2, AllSystemsIsNeverReported) {
    host.join(kAllSystems);
    host.hear(v2_query());
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
    EXPECT_THAT(host.delays.limits, IsEmpty());
}

// V2-4, QRY-12
TEST_F(Version2, AGroupSpecificQueryIsAnsweredForThatGroupOnly) {
    settle_in(kGroup);
    settle_in(kOther);
    host.hear(v2_query(kOther, Deciseconds(200)), {.destination = kOther.address()});
    EXPECT_THAT(host.delays.limits, ElementsAre(20s));
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kOther)));
}

// V2-5
TEST_F(Version2, ARunningTimerIsOnlyEverShortened) {
    settle_in(kGroup);
    const Duration asked_at = host.elapsed();
    host.delays.queue({4s});
    host.hear(v2_query({}, Deciseconds(100)));
    host.hear(v2_query({}, Deciseconds(40)));  // as long as the timer still runs
    host.hear(v2_query(kGroup, Deciseconds(40)));
    EXPECT_THAT(host.delays.limits, ElementsAre(10s));
    host.delays.queue({2s});
    host.hear(v2_query(kGroup, Deciseconds(39)));
    EXPECT_THAT(host.delays.limits, ElementsAre(10s, Duration(3900ms)));
    host.delays.queue({500ms});
    host.hear(v2_query({}, Deciseconds(10)));
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(at(asked_at + 500ms), v2_report(kGroup))));
}

// V2-5: the repetition of a join is the same timer.
TEST_F(Version2, AQueryMovesTheRepetitionOfAJoin) {
    host.delays.queue({9s, 200ms});
    host.join(kGroup);
    host.hear(v2_query(kGroup, Deciseconds(10)));
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(at(0s), at(200ms)));
}

// V2-6, ADR-4
TEST_F(Version2, AnotherHostsReportSavesOurs) {
    settle_in(kGroup);
    settle_in(kOther);
    host.hear(v2_query());
    host.hear_report(Version::v2, kGroup);
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kOther)));
    EXPECT_FALSE(host.host.status_of(kGroup)->reported_last);
    EXPECT_EQ(host.host.counters().suppressed, 1u);
}

// V2-6: 'delaying' is the repetition of a join as well.
TEST_F(Version2, AnotherHostsReportEndsTheRepetitionOfAJoin) {
    host.join(kGroup);
    host.hear_report(Version::v2, kGroup);
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kGroup)));
    EXPECT_FALSE(host.host.has_pending_state_changes());
}

// V2-7
TEST_F(Version2, AReportHeardWhileIdleDoesNotTakeTheFlag) {
    settle_in(kGroup);
    host.hear_report(Version::v2, kGroup);
    EXPECT_TRUE(host.host.status_of(kGroup)->reported_last);
    EXPECT_EQ(host.host.counters().suppressed, 0u);
    host.leave(kGroup);
    EXPECT_THAT(host.sent(), ElementsAre(v2_leave(kGroup)));
}

// V2-8, ENC-8
TEST_F(Version2, TheLastReporterLeavesOnceToAllRouters) {
    settle_in(kGroup);
    host.leave(kGroup);
    EXPECT_THAT(
        host.sent(),
        ElementsAre(AllOf(v2_leave(kGroup), Field(&Message::destination, kAllRouters.address()))));
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
    EXPECT_FALSE(host.host.status_of(kGroup));
}

// V2-8
TEST_F(Version2, WhoeverWasNotTheLastReporterLeavesInSilence) {
    settle_in(kGroup);
    host.hear(v2_query());
    host.hear_report(Version::v2, kGroup);
    EXPECT_EQ(host.leave(kGroup), std::nullopt);
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
    EXPECT_FALSE(host.host.status_of(kGroup));
}

// V2-8: a leave stops the group's timer.
TEST_F(Version2, AGroupLeftIsNotReportedAnyMore) {
    settle_in(kGroup);
    host.hear(v2_query());
    host.leave(kGroup);
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_leave(kGroup)));
}

// V2-10
TEST_F(Version2, ReportsFromElsewhereSaveNothing) {
    settle_in(kGroup);
    host.hear(v2_query());
    host.hear_report(Version::v2, kGroup, Ipv4Address(192, 0, 2, 1));
    EXPECT_EQ(host.host.counters().ignored_off_subnet, 1u);
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kGroup)));
    host.hear(v2_query());
    host.hear_report(Version::v2, kGroup, Ipv4Address());
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
}

// V2-10, ENC-10, ENC-14
TEST(Version2WithoutAddress, HearsAnyNeighbourButNot0000WhichMayBeItself) {
    HostUnderTest host(HostOptions{});
    host.hear(v2_query());
    host.join(kGroup);
    host.hear_report(Version::v2, kGroup, Ipv4Address());
    EXPECT_EQ(host.host.counters().ignored_own, 1u);
    host.hear_report(Version::v2, kGroup, Ipv4Address(192, 0, 2, 1));
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kGroup)));
}

// ENC-14
TEST_F(Version2, OurOwnReportLoopedBackSavesNothing) {
    settle_in(kGroup);
    host.hear(v2_query());
    host.hear_report(Version::v2, kGroup, kOwn);
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kGroup)));
    EXPECT_EQ(host.host.counters().ignored_own, 1u);
}

// RXO-2, RXO-3
TEST_F(Version2, ReportsThatAreNotForUsAreCounted) {
    settle_in(kGroup);
    host.hear_report(Version::v2, kOther);
    EXPECT_EQ(host.host.counters().ignored_no_membership, 1u);
    host.hear(emit(OlderReport{Version::v2, kGroup}),
              {.source = kNeighbour, .destination = kOther.address()});
    EXPECT_EQ(host.host.counters().ignored_destination, 1u);
    host.hear(emit_leave(kGroup), {.source = kNeighbour, .destination = kAllRouters.address()});
    host.hear(emit(Report{{{RecordType::to_exclude, kGroup, {}}}}),
              {.source = kNeighbour, .destination = kVersion3Routers.address()});
    EXPECT_EQ(host.host.counters().ignored_not_for_hosts, 2u);
    auto report = emit(OlderReport{Version::v2, kGroup});
    report.pop_back();
    host.hear(report, {.source = kNeighbour, .destination = kGroup.address()});
    EXPECT_EQ(host.host.counters().ignored_bad_checksum, 1u);
    EXPECT_EQ(host.host.counters().reports_heard, 0u);
    EXPECT_EQ(host.ignored(), 5u);
}

// RXO-3: to any address of ours.
TEST_F(Version2, AReportToOurOwnAddressCounts) {
    settle_in(kGroup);
    host.hear(v2_query());
    host.hear(emit(OlderReport{Version::v2, kGroup}), {.source = kNeighbour, .destination = kOwn});
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
}

// V1-1, V1-3
TEST_F(Version1, JoinIsReportedAndRepeated) {
    host.join(kGroup);
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(v1_report(kGroup),
                                               Field(&Message::destination, kGroup.address())),
                                         v1_report(kGroup)));
}

// V1-1, QRY-13
TEST_F(Version1, AQueryIsAnsweredGroupByGroupWithinTenSeconds) {
    settle_in(kGroup);
    settle_in(kOther);
    host.hear(v1_query());
    EXPECT_THAT(host.delays.limits, ElementsAre(10s, 10s));
    host.advance(60s);
    EXPECT_THAT(host.sent(), UnorderedElementsAre(v1_report(kGroup), v1_report(kOther)));
}

// V1-2
TEST_F(Version1, ReportsOfEitherVersionSaveOurs) {
    settle_in(kGroup);
    settle_in(kOther);
    host.hear(v1_query());
    host.hear_report(Version::v1, kGroup);
    host.hear_report(Version::v2, kOther);
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
}

// V1-4, V2-9
TEST_F(Version1, ThereIsNoLeave) {
    settle_in(kGroup);
    EXPECT_EQ(host.leave(kGroup), std::nullopt);
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
    EXPECT_FALSE(host.host.status_of(kGroup));
}

// V1-1, QRY-12: a version 2 query's own response time holds.
TEST_F(Version1, AVersion2QueryIsAnsweredInVersion1WithinItsTime) {
    settle_in(kGroup);
    host.hear(v2_query({}, Deciseconds(5)));
    EXPECT_THAT(host.delays.limits, ElementsAre(Duration(500ms)));
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(v1_report(kGroup)));
}

}  // namespace
}  // namespace joinleaf::igmp::test
