// Lines made one, packet by packet: what is delivered, in what order, and what each line is told
// to have brought.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/dataplane/arbitrated_lines.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Arbitrate, TheFirstCopyWins) {
    Lines lines;
    EXPECT_EQ(lines.data(kA, 1, 2), Fate::taken);
    EXPECT_EQ(lines.data(kB, 1, 2), Fate::duplicate);
    EXPECT_EQ(lines.data(kB, 3, 1), Fate::taken);
    EXPECT_EQ(lines.data(kA, 3, 1), Fate::duplicate);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+2", "3+1"));
    EXPECT_EQ(lines.arbiter.line(kA).received, 3u);
    EXPECT_EQ(lines.arbiter.line(kA).won, 2u);
    EXPECT_EQ(lines.arbiter.line(kA).duplicates, 1u);
    EXPECT_EQ(lines.arbiter.line(kB).won, 1u);
    EXPECT_EQ(lines.arbiter.line(kB).duplicates, 2u);
    EXPECT_EQ(lines.arbiter.delivered(), 3u);
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, WhatOneLineLosesTheOtherBrings) {
    Lines lines;
    lines.data(kA, 1, 1);
    EXPECT_EQ(lines.data(kA, 3, 1), Fate::held);
    lines.data(kB, 1, 1);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1"));
    EXPECT_FALSE(lines.arbiter.hole()->passed);
    lines.data(kB, 2, 1);
    EXPECT_THAT(lines.told(), ElementsAre("2+1", "3+1"));
    EXPECT_FALSE(lines.arbiter.hole());
    EXPECT_EQ(lines.arbiter.line(kA).lost, 1u);
    EXPECT_EQ(lines.arbiter.line(kB).lost, 0u);
}

TEST(Arbitrate, ALineThatReordersHasLostNothing) {
    Lines lines({.lines = 1});
    lines.data(kA, 1, 1);
    lines.data(kA, 3, 1);
    EXPECT_EQ(lines.arbiter.line(kA).lost, 1u);
    lines.data(kA, 2, 1);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "2+1", "3+1"));
    EXPECT_EQ(lines.arbiter.line(kA).lost, 0u);
    EXPECT_EQ(lines.arbiter.line(kA).reordered, 1u);
}

TEST(Arbitrate, AHoleThatAllLinesHavePassedIsKnownAsSuch) {
    Lines lines;
    lines.data(kA, 1, 1);
    lines.data(kB, 1, 1);
    lines.data(kA, 3, 1);
    lines.now += 5us;
    lines.data(kB, 3, 1);
    const auto hole = lines.arbiter.hole();
    ASSERT_TRUE(hole);
    EXPECT_EQ(hole->range, (SequenceRange{2, 3}));
    EXPECT_EQ(hole->since, kStart);
    EXPECT_EQ(hole->passed, kStart + 5us);
}

TEST(Arbitrate, ALineThatIsSilentBringsNothingAnyMore) {
    Lines lines;
    lines.data(kA, 1, 1);
    lines.data(kB, 1, 1);
    lines.now += Arbiter::kSilence;
    lines.data(kA, 3, 1);
    EXPECT_EQ(lines.arbiter.hole()->passed, lines.now);
}

TEST(Arbitrate, AHeartbeatTellsOfWhatIsMissingAtTheEnd) {
    Lines lines;
    lines.data(kA, 1, 1);
    lines.heartbeat(kA, 2);
    EXPECT_FALSE(lines.arbiter.hole());
    lines.heartbeat(kA, 4);
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{2, 4}));
    lines.data(Arbiter::kRepair, 2, 2);
    EXPECT_FALSE(lines.arbiter.hole());
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "2+2"));
    EXPECT_EQ(lines.arbiter.line(Arbiter::kRepair).won, 2u);
}

TEST(Arbitrate, AnswersPackedOtherwiseLeaveNoDuplicate) {
    Lines lines;
    lines.data(kA, 1, 2);
    lines.data(kA, 6, 3);
    lines.data(Arbiter::kRepair, 2, 6);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+2", "3+5", "8+1"));
    lines.data(kA, 12, 1);
    lines.data(kA, 14, 2);
    lines.data(kB, 9, 7);
    EXPECT_THAT(lines.told(), ElementsAre("9+7", "discard", "discard"));
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, AGapIsToldAndWhatIsBehindItComes) {
    Lines lines;
    lines.data(kA, 1, 1);
    lines.data(kA, 5, 1);
    lines.data(kA, 8, 1);
    lines.give_up();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "gap 2+3", "5+1"));
    lines.give_up();
    EXPECT_THAT(lines.told(), ElementsAre("gap 6+2", "8+1"));
    lines.give_up();
    EXPECT_THAT(lines.told(), IsEmpty());  // and nothing more
    EXPECT_EQ(lines.arbiter.gaps(), 2u);
    EXPECT_EQ(lines.arbiter.lost(), 5u);
    EXPECT_EQ(lines.data(kB, 2, 1), Fate::late);
    EXPECT_EQ(lines.data(kB, 2, 1), Fate::duplicate);
    EXPECT_THAT(lines.told(), IsEmpty());
}

TEST(Arbitrate, WhatComesLateIsDeliveredOnceWhereItIsWanted) {
    Lines lines({.policy = GapPolicy::deliver_late});
    lines.data(kA, 1, 1);
    lines.data(kA, 5, 1);
    lines.data(kA, 7, 1);
    lines.give_up();
    lines.give_up();
    lines.told();
    EXPECT_EQ(lines.data(kB, 3, 1), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("late 3+1"));
    EXPECT_EQ(lines.data(kB, 1, 7), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("late 2+1", "late 4+1", "late 6+1"));
    EXPECT_EQ(lines.data(kB, 1, 7), Fate::duplicate);
    EXPECT_EQ(lines.arbiter.delivered_late(), 4u);
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, AGapMayStopAll) {
    Lines lines({.policy = GapPolicy::stop});
    lines.data(kA, 1, 1);
    lines.data(kA, 3, 1);
    lines.give_up();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "gap 2+1", "discard"));
    EXPECT_EQ(lines.data(kA, 4, 1), Fate::stopped);
    EXPECT_EQ(lines.data(kA, 1, 1, "S2"), Fate::stopped);
    EXPECT_FALSE(lines.arbiter.hole());
    EXPECT_THAT(lines.told(), IsEmpty());
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, AFullWindowDropsNewcomersWhichBecomePartOfAGap) {
    Lines lines({.lines = 1, .window = 4});
    lines.data(kA, 1, 1);
    for (std::uint64_t n = 3; n < 7; ++n) EXPECT_EQ(lines.data(kA, n, 1), Fate::held);
    for (std::uint64_t n = 7; n < 100; ++n) EXPECT_EQ(lines.data(kA, n, 1), Fate::window_full);
    EXPECT_EQ(lines.arbiter.held(), 4u);
    lines.give_up();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "gap 2+1", "3+1", "4+1", "5+1", "6+1"));
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{7, 100}));
    lines.give_up();
    lines.data(kA, 100, 1);
    EXPECT_THAT(lines.told(), ElementsAre("gap 7+93", "100+1"));
}

TEST(Arbitrate, AHugeJumpIsOneHole) {
    Lines lines({.lines = 1, .believed_jump = 0});
    lines.data(kA, 1, 1);
    constexpr std::uint64_t kFar = ~std::uint64_t{0} - 10;
    EXPECT_EQ(lines.data(kA, kFar, 1), Fate::held);
    lines.give_up();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", fmt::format("gap 2+{}", kFar - 2),
                                          fmt::format("{}+1", kFar)));
}

constexpr std::uint64_t kJump = 1000;
TEST(Arbitrate, AStrayPacketFarAheadChangesNothing) {
    Lines lines({.lines = 1, .believed_jump = kJump});
    lines.data(kA, 1, 1);
    EXPECT_EQ(lines.data(kA, 1 << 20, 1), Fate::unconfirmed);
    EXPECT_EQ(lines.heartbeat(kA, 1 << 30), Fate::unconfirmed);
    EXPECT_EQ(lines.end(kA, 1 << 30), Fate::unconfirmed);
    EXPECT_EQ(lines.data(kA, 2, 1), Fate::taken);
    EXPECT_FALSE(lines.arbiter.hole());
    EXPECT_EQ(lines.arbiter.edge(), 3u);
    EXPECT_EQ(lines.arbiter.line(kA).lost, 0u);
    EXPECT_EQ(lines.arbiter.count(Fate::unconfirmed), 3u);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "2+1"));
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, AJumpUpToTheBoundIsBelievedAtOnce) {
    Lines lines({.lines = 1, .believed_jump = kJump});
    lines.data(kA, 1, 1);
    EXPECT_EQ(lines.data(kA, 2 + kJump, 1), Fate::held);
    EXPECT_EQ(lines.data(kA, 3 + kJump + kJump, 1), Fate::held);
    EXPECT_EQ(lines.data(kA, 5 + kJump + kJump + kJump, 1), Fate::unconfirmed);
}

TEST(Arbitrate, ALinesNextPacketConfirmsItsJump) {
    Lines lines({.lines = 1, .believed_jump = kJump});
    lines.data(kA, 1, 1);
    EXPECT_EQ(lines.data(kA, 5000, 2), Fate::unconfirmed);
    EXPECT_EQ(lines.data(kA, 5002, 2), Fate::held);
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{2, 5002}));
}

TEST(Arbitrate, AnotherLineConfirmsAJumpWithTheSamePacket) {
    Lines lines({.believed_jump = kJump});
    lines.data(kA, 1, 1);
    lines.data(kB, 1, 1);
    EXPECT_EQ(lines.data(kA, 5000, 2), Fate::unconfirmed);
    EXPECT_EQ(lines.data(kB, 2, 1), Fate::taken);  // which is behind, and contradicts nobody
    EXPECT_EQ(lines.data(kB, 5000, 2), Fate::held);
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{3, 5000}));
}

// A network doubles strays too, and two of them need not agree.
TEST(Arbitrate, StraysThatDoNotAgreeConfirmNothing) {
    Lines lines({.believed_jump = kJump});
    lines.data(kA, 1, 1);
    EXPECT_EQ(lines.data(kA, 5000, 1), Fate::unconfirmed);
    EXPECT_EQ(lines.data(kA, 5000, 1), Fate::unconfirmed);
    EXPECT_EQ(lines.data(kB, 500'000, 1), Fate::unconfirmed);
    EXPECT_EQ(lines.data(kA, 50'000'000, 1), Fate::unconfirmed);
    EXPECT_EQ(lines.data(Arbiter::kRepair, 50'000'001, 1), Fate::unconfirmed);
    // And a line that goes on where it was has taken back what it said.
    EXPECT_EQ(lines.data(kA, 2, 1), Fate::taken);
    EXPECT_EQ(lines.data(kA, 50'000'001, 1), Fate::unconfirmed);
    EXPECT_FALSE(lines.arbiter.hole());
}

TEST(Arbitrate, AHeartbeatConfirmsAJumpWhenItIsSaidAgain) {
    Lines lines({.lines = 1, .start = StartAt::history, .believed_jump = kJump});
    EXPECT_EQ(lines.heartbeat(kA, 5000), Fate::unconfirmed);
    EXPECT_EQ(lines.heartbeat(kA, 5000), Fate::unconfirmed);
    lines.now += 1s;
    EXPECT_EQ(lines.heartbeat(kA, 5000), Fate::control);
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{1, 5000}));
    EXPECT_TRUE(lines.arbiter.is_catching_up());
}

TEST(Arbitrate, ASessionThatBeginsWithAStrayBeginsAllTheSame) {
    Lines lines({.lines = 1, .believed_jump = kJump});
    lines.data(kA, 1, 1);
    lines.end(kA, 2);
    lines.heartbeat(kA, 1 << 20, "S2");
    lines.data(kA, 1, 1, "S2");
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "end 2", "S2", "1+1"));
    lines.data(kA, 1 << 20, 1, "S3");
    lines.now += kDoubt;
    lines.data(kA, 1, 1, "S3");
    EXPECT_THAT(lines.told(), ElementsAre("S3", "discard", "1+1"));
    EXPECT_EQ(lines.kept(), 0u);
}

// A jump that is somebody's mistake does not hurry a feed that goes on.
TEST(Arbitrate, AHoleIsAsOldAsTheLastThingThatALineBroughtInTurn) {
    Lines lines({.lines = 1});
    lines.data(kA, 1, 1);
    lines.data(kA, 1'000'000, 1);
    lines.now += 1s;
    lines.data(kA, 2, 1);
    EXPECT_EQ(lines.arbiter.hole()->since, kStart + 1s);
    lines.now += 1s;
    lines.data(Arbiter::kRepair, 3, 1);
    EXPECT_EQ(lines.arbiter.hole()->since, kStart + 1s);
}

TEST(Arbitrate, ALiveStartHasNoHole) {
    Lines lines;
    EXPECT_EQ(lines.data(kA, 1000, 2), Fate::taken);
    EXPECT_EQ(lines.data(kB, 998, 2), Fate::before_start);
    EXPECT_EQ(lines.data(kB, 999, 2), Fate::duplicate);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1000+2"));
    EXPECT_FALSE(lines.arbiter.hole());
}

TEST(Arbitrate, AStartInThePastIsAHole) {
    Lines lines({.start = StartAt::sequence, .start_sequence = 10});
    lines.data(kA, 100, 1);
    EXPECT_TRUE(lines.arbiter.is_catching_up());
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{10, 100}));
    lines.now += 1s;
    lines.data(Arbiter::kRepair, 8, 50);
    EXPECT_EQ(lines.arbiter.hole()->since, kStart + 1s);
    lines.data(Arbiter::kRepair, 58, 50);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "10+48", "58+50", "discard"));
    EXPECT_FALSE(lines.arbiter.is_catching_up());
}

TEST(Arbitrate, AStartInTheFutureWaits) {
    Lines lines({.start = StartAt::sequence, .start_sequence = 5});
    EXPECT_EQ(lines.data(kA, 3, 2), Fate::before_start);
    EXPECT_EQ(lines.data(kA, 5, 2), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "5+2"));
}

TEST(Arbitrate, AStartWithTheHistoryBeginsWhereItBegins) {
    Lines lines({.start = StartAt::history});
    lines.data(kA, 100, 1);
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{1, 100}));
    lines.arbiter.history_begins(40, lines.now);
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{40, 100}));
    lines.take();
    EXPECT_THAT(lines.told(), IsEmpty()) << "it may have moved on before it is answered";
    lines.data(Arbiter::kRepair, 40, 60);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "40+60", "100+1"));
    EXPECT_EQ(lines.session_begins, 40u);
}

// What came early has come, whatever the server still has.
TEST(Arbitrate, AStartWithTheHistoryBeginsNoLaterThanWithWhatWaits) {
    Lines lines({.start = StartAt::history});
    lines.data(kA, 100, 5);
    lines.data(kA, 110, 1);
    EXPECT_THAT(lines.told(), IsEmpty());
    lines.arbiter.history_begins(102, lines.now);
    lines.take();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "100+5"));
    EXPECT_EQ(lines.session_begins, 100u);
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{105, 110}));
}

TEST(Arbitrate, AHistoryThatIsNotAnsweredIsLostFromTheFirstMessageOn) {
    Lines lines({.start = StartAt::history});
    lines.data(kA, 100, 1);
    EXPECT_THAT(lines.told(), IsEmpty());
    lines.give_up();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "gap 1+99", "100+1"));
    EXPECT_EQ(lines.session_begins, 1u);
}

TEST(Arbitrate, WhatTheHistoryHasNotIsLostAtOnce) {
    Lines lines;
    lines.data(kA, 1, 1);
    lines.data(kA, 10, 1);
    lines.arbiter.history_begins(6, lines.now);
    lines.take();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "gap 2+4"));
    lines.data(Arbiter::kRepair, 6, 4);
    EXPECT_THAT(lines.told(), ElementsAre("6+4", "10+1"));
}

TEST(Arbitrate, SkewIsHowFarTheSecondCopyIsBehind) {
    Lines lines;
    for (std::uint64_t n = 1; n <= 100; ++n) {
        lines.data(kA, n, 1);
        lines.now += 50ns;
        lines.data(kB, n, 1);
        lines.now += 1us;
        lines.data(kB, n, 1);
    }
    EXPECT_EQ(lines.arbiter.skew(kA).count(), 0u);
    EXPECT_EQ(lines.arbiter.skew(kB).count(), 200u);
    EXPECT_EQ(lines.arbiter.skew(kB).percentile(0.5), 50ns);
}

TEST(Arbitrate, EveryFateHasANameOfItsOwn) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kFateCount; ++i) names.insert(name(static_cast<Fate>(i)));
    EXPECT_EQ(names.size(), kFateCount);
    EXPECT_FALSE(names.contains("unknown"));
}

// Whatever the packets' bounds and order: every message once, in order, and every packet given
// back.
RC_GTEST_PROP(ArbitrateProperty, EachMessageOnceInOrder, ()) {
    constexpr std::uint64_t kMessages = 60;
    Lines lines({.start = StartAt::sequence, .window = *rc::gen::inRange<std::size_t>(1, 32)});
    const auto packets =
        *rc::gen::container<std::vector<std::pair<std::uint64_t, std::uint16_t>>>(rc::gen::pair(
            rc::gen::inRange<std::uint64_t>(1, kMessages), rc::gen::inRange<std::uint16_t>(1, 9)));
    bool even = false;
    for (const auto& [first, count] : packets) {
        lines.data(
            even ? kA : kB, first,
            std::min<std::uint16_t>(count, static_cast<std::uint16_t>(kMessages + 1 - first)));
        even = !even;
    }
    while (lines.arbiter.hole()) lines.give_up();
    std::uint64_t next = 1;
    for (const auto& told : lines.told()) {
        std::uint64_t first = 0, count = 0;
        if (told == "S1" || told == "discard") continue;
        const bool is_gap = told.starts_with("gap ");
        RC_ASSERT(std::sscanf(told.c_str() + (is_gap ? 4 : 0), "%lu+%lu", &first, &count) == 2);
        RC_ASSERT(first == next);
        next = first + count;
    }
    RC_ASSERT(next == lines.arbiter.edge() || packets.empty());
    RC_ASSERT(lines.kept() == 0u);
}

}  // namespace
}  // namespace joinleaf::dataplane
