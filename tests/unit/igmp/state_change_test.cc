// Telling the network of changes (RFC 9776 §5.1).
#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Both are told twice and then no more: the first at once, the second within a second.
void expect_told_twice(HostUnderTest& host, const Says& what) {
    EXPECT_THAT(host.sent(), ElementsAre(what));
    host.advance(1s);
    EXPECT_THAT(host.sent(), ElementsAre(what));
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());  // and nothing more
}

// The change from one filter to another on a host whose network knows the first.
HostUnderTest& settled(HostUnderTest& host, GroupAddress group, const SourceFilter& before) {
    host.set(group, before);
    host.advance(1h);
    host.sent();
    return host;
}

// SCR-5, SCR-7, SCR-8
TEST(StateChange, AnySourceJoinIsToExclude) {
    HostUnderTest host(options());
    host.join(kGroup);
    expect_told_twice(host, to_exclude(kGroup));
}

// SCR-5, SCR-18
TEST(StateChange, AnySourceLeaveIsToIncludeAndIsRepeatedThoughNothingIsLeft) {
    HostUnderTest host(options());
    settled(host, kGroup, SourceFilter::any()).leave(kGroup);
    expect_told_twice(host, to_include(kGroup));
    EXPECT_FALSE(host.host.status_of(kGroup));
}

// SCR-5
TEST(StateChange, FirstSourceIsAllowedAndTheLastIsBlocked) {
    HostUnderTest host(options());
    host.set(kChannel, including({kS1}));
    expect_told_twice(host, allow(kChannel, {kS1}));
    host.leave(kChannel);
    expect_told_twice(host, block(kChannel, {kS1}));
}

// SCR-1, REP-8
TEST(StateChange, FromIncludeToIncludeAllowsTheNewAndBlocksTheOld) {
    HostUnderTest host(options());
    settled(host, kGroup, including({kS1, kS2})).set(kGroup, including({kS2, kS3}));
    expect_told_twice(
        host, report({{RecordType::allow, kGroup, {kS3}}, {RecordType::block, kGroup, {kS1}}}));
}

// SCR-2
TEST(StateChange, FromExcludeToExcludeAllowsTheOldAndBlocksTheNew) {
    HostUnderTest host(options());
    settled(host, kGroup, excluding({kS1, kS2})).set(kGroup, excluding({kS2, kS3}));
    expect_told_twice(
        host, report({{RecordType::allow, kGroup, {kS1}}, {RecordType::block, kGroup, {kS3}}}));
}

// SCR-3
TEST(StateChange, FromIncludeToExcludeNamesWhatIsShunned) {
    HostUnderTest host(options());
    settled(host, kGroup, including({kS1})).set(kGroup, excluding({kS2}));
    expect_told_twice(host, to_exclude(kGroup, {kS2}));
}

// SCR-4
TEST(StateChange, FromExcludeToIncludeNamesWhatIsWanted) {
    HostUnderTest host(options());
    settled(host, kGroup, excluding({kS1})).set(kGroup, including({kS2}));
    expect_told_twice(host, to_include(kGroup, {kS2}));
}

// SCR-6
TEST(StateChange, EmptyAllowAndBlockAreLeftOut) {
    HostUnderTest host(options());
    settled(host, kGroup, including({kS1})).set(kGroup, including({kS1, kS2}));
    expect_told_twice(host, allow(kGroup, {kS2}));
    host.set(kGroup, including({kS1}));
    expect_told_twice(host, block(kGroup, {kS2}));
}

// SCR-6, MRG-7
TEST(StateChange, NoChangeIsNotTold) {
    HostUnderTest host(options());
    settled(host, kGroup, including({kS1, kS2}));
    EXPECT_EQ(host.set(kGroup, including({kS2, kS1})), std::nullopt);
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());
}

// SCR-8
TEST(StateChange, IsToldRobustnessTimesWithGapsDrawnFromTheUnsolicitedReportInterval) {
    auto wanted = options();
    wanted.robustness = 4;
    wanted.unsolicited_report_interval = 3s;
    HostUnderTest host(wanted);
    host.delays.queue({3s, 1ns, 700ms});
    host.join(kGroup);
    host.advance(1h);
    EXPECT_THAT(host.sent(),
                ElementsAre(AllOf(at(0s), to_exclude(kGroup)), AllOf(at(3s), to_exclude(kGroup)),
                            AllOf(at(3s + 1ns), to_exclude(kGroup)),
                            AllOf(at(3s + 1ns + 700ms), to_exclude(kGroup))));
    EXPECT_THAT(host.delays.limits, ElementsAre(3s, 3s, 3s));
}

// SCR-9, SCR-10: the change restarts the series, merged with what was still owed.
TEST(StateChange, AChangeDuringTheSeriesIsToldAtOnceAndTheSeriesStartsAnew) {
    HostUnderTest host(options());
    host.set(kGroup, including({kS1}));
    host.advance(50ms);
    host.set(kGroup, including({kS1, kS2}));
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(at(0ms), allow(kGroup, {kS1})),
                                         AllOf(at(50ms), allow(kGroup, {kS1, kS2})),
                                         AllOf(at(550ms), allow(kGroup, {kS2}))));
}

// SCR-11
TEST(StateChange, ASourceIsListedUntilRobustnessReportsHaveCarriedIt) {
    auto wanted = options();
    wanted.robustness = 3;
    HostUnderTest host(wanted);
    host.set(kGroup, including({kS1}));
    host.set(kGroup, including({kS1, kS2}));
    host.set(kGroup, including({kS1, kS2, kS3}));
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(allow(kGroup, {kS1}), allow(kGroup, {kS1, kS2}),
                                         allow(kGroup, {kS1, kS2, kS3}), allow(kGroup, {kS2, kS3}),
                                         allow(kGroup, {kS3})));
}

// SCR-12, SCR-13, SCR-14
TEST(StateChange, AModeChangeIsToldRobustnessTimesWhateverSourcesDo) {
    auto wanted = options();
    wanted.robustness = 3;
    HostUnderTest host(wanted);
    host.join(kGroup);
    host.set(kGroup, excluding({kS1}));
    host.set(kGroup, excluding({kS1, kS2}));
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(kGroup), to_exclude(kGroup, {kS1}),
                                         to_exclude(kGroup, {kS1, kS2}), block(kGroup, {kS1, kS2}),
                                         block(kGroup, {kS2})));
}

// SCR-12, SCR-13: the record says what the mode is now.
TEST(StateChange, AModeChangeAndBackIsToldAsTheCurrentMode) {
    HostUnderTest host(options());
    settled(host, kGroup, excluding({kS1})).set(kGroup, including({kS2}));
    host.advance(50ms);
    host.set(kGroup, excluding({kS3}));
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(to_include(kGroup, {kS2}), to_exclude(kGroup, {kS3}),
                                         to_exclude(kGroup, {kS3})));
}

// SCR-15
TEST(StateChange, ASourceAddedAndRemovedIsOnlyBlocked) {
    HostUnderTest host(options());
    settled(host, kGroup, including({kS1})).set(kGroup, including({kS1, kS2}));
    host.advance(50ms);
    host.set(kGroup, including({kS1}));
    host.advance(1h);
    EXPECT_THAT(host.sent(),
                ElementsAre(allow(kGroup, {kS2}), block(kGroup, {kS2}), block(kGroup, {kS2})));
}

// SCR-15
TEST(StateChange, ASourceRemovedAndAddedIsOnlyAllowed) {
    HostUnderTest host(options());
    settled(host, kGroup, including({kS1, kS2})).set(kGroup, including({kS1}));
    host.advance(50ms);
    host.set(kGroup, including({kS1, kS2}));
    host.advance(1h);
    EXPECT_THAT(host.sent(),
                ElementsAre(block(kGroup, {kS2}), allow(kGroup, {kS2}), allow(kGroup, {kS2})));
}

// SCR-16: a leave while the join is still being repeated ends the join's series.
TEST(StateChange, LeaveWhileTheJoinIsStillRepeated) {
    HostUnderTest host(options());
    host.join(kGroup);
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(kGroup)));
    host.advance(50ms);
    host.leave(kGroup);
    EXPECT_THAT(host.sent(), ElementsAre(to_include(kGroup)));
    host.advance(1s);
    EXPECT_THAT(host.sent(), ElementsAre(to_include(kGroup)));
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());  // and nothing more
}

// SCR-17
TEST(StateChange, SourcesComeAndGoWithinTheWindow) {
    HostUnderTest host(options());
    host.set(kChannel, including({kS1}));
    host.advance(50ms);
    host.set(kChannel, including({kS1, kS2}));
    host.advance(50ms);
    host.set(kChannel, including({kS2}));
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(allow(kChannel, {kS1}), allow(kChannel, {kS1, kS2}),
                                         report({{RecordType::allow, kChannel, {kS2}},
                                                 {RecordType::block, kChannel, {kS1}}}),
                                         block(kChannel, {kS1})));
}

// SCR-18: the end of a member is told as often as its leaving would be.
TEST(StateChange, ALeaveIsToldInFullThoughTheMemberIsGone) {
    HostUnderTest host(options());
    settled(host, kGroup, including({kS1}));
    host.host.remove_member(kAlice, host.now());
    host.let_send();
    expect_told_twice(host, block(kGroup, {kS1}));
}

// SCR-19: what changes together is told together, and repeated together.
TEST(StateChange, GroupsThatChangeTogetherShareTheirReports) {
    HostUnderTest host(options());
    host.set_quietly(kGroup, SourceFilter::any());
    host.set_quietly(kChannel, including({kS1}));
    host.let_send();
    expect_told_twice(
        host, report({{RecordType::allow, kChannel, {kS1}}, {RecordType::to_exclude, kGroup, {}}}));
}

// SCR-21
TEST(StateChange, RobustnessOfZeroIsRefusedAndOfOneIsWarnedOf) {
    KnownDelays delays;
    auto wanted = options();
    wanted.robustness = 0;
    EXPECT_THROW(Host(wanted, delays), std::system_error);
    wanted.robustness = 8;
    EXPECT_THROW(Host(wanted, delays), std::system_error);
    wanted.robustness = 1;
    EXPECT_EQ(warnings(wanted).size(), 1u);
    wanted.robustness = 2;
    EXPECT_THAT(warnings(wanted), IsEmpty());
}

// SCR-21: one report only, as the operator asked.
TEST(StateChange, RobustnessOfOneTellsOnce) {
    auto wanted = options();
    wanted.robustness = 1;
    HostUnderTest host(wanted);
    host.join(kGroup);
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(kGroup)));
}

// What a process that was killed has joined is left as if it had gone in good order.
TEST(StateChange, ALeaveIsToldForAnother) {
    HostUnderTest host(options());
    ASSERT_TRUE(host.host.leave_for_another(kGroup, SourceFilter::any(), host.now()));
    EXPECT_TRUE(host.host.has_pending_state_changes());
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(to_include(kGroup)));
    host.advance(1s);
    EXPECT_THAT(host.sent(), ElementsAre(to_include(kGroup)));
    EXPECT_EQ(host.host.status_of(kGroup), std::nullopt);

    ASSERT_TRUE(host.host.leave_for_another(kGroup, SourceFilter::only({kS1}), host.now()));
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(block(kGroup, {kS1})));
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(block(kGroup, {kS1})));  // and nothing more
}

TEST(StateChange, ALeaveForAnotherDoesNotTouchWhatIsJoinedHere) {
    HostUnderTest host(options());
    host.join(kGroup);
    host.advance(1h);
    host.sent();
    ASSERT_TRUE(host.host.leave_for_another(kGroup, SourceFilter::any(), host.now()));
    ASSERT_TRUE(host.host.leave_for_another(kAllSystems, SourceFilter::any(), host.now()));
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());
}

// The leave is not lost to a join right after it, and the join stands.
TEST(StateChange, AJoinMayFollowALeaveForAnother) {
    HostUnderTest host(options());
    ASSERT_TRUE(host.host.leave_for_another(kGroup, SourceFilter::any(), host.now()));
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(to_include(kGroup)));
    ASSERT_TRUE(host.join(kGroup));
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(kGroup), to_exclude(kGroup)));
    EXPECT_EQ(host.host.status_of(kGroup)->filter, SourceFilter::any());
}

TEST(StateChange, APendingChangeIsKnownUntilItHasBeenRepeated) {
    HostUnderTest host(options());
    EXPECT_FALSE(host.host.has_pending_state_changes());
    host.join(kGroup);
    EXPECT_TRUE(host.host.has_pending_state_changes());
    host.advance(1s);
    EXPECT_FALSE(host.host.has_pending_state_changes());
    host.leave(kGroup);
    EXPECT_TRUE(host.host.has_pending_state_changes());
    host.advance(1s);
    EXPECT_FALSE(host.host.has_pending_state_changes());
    EXPECT_EQ(host.host.next_deadline(), std::nullopt);
}

}  // namespace
}  // namespace joinleaf::igmp::test
