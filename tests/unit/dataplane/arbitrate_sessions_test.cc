// Which session is followed: its end, its successors, its rivals, and strangers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/dataplane/arbitrated_lines.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Arbitrate, TheEndIsToldOnceAfterTheLastMessage) {
    Lines lines;
    lines.data(kA, 1, 1);
    lines.end(kA, 3);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1"));
    EXPECT_EQ(lines.data(kB, 2, 2), Fate::after_end);
    lines.data(kB, 2, 1);
    EXPECT_THAT(lines.told(), ElementsAre("2+1", "end 3"));
    lines.end(kB, 3);
    EXPECT_THAT(lines.told(), IsEmpty());
}

// A root that was started again under its old name.
TEST(Arbitrate, ASessionThatBeginsAgainAfterItsEndIsToldOnce) {
    Lines lines;
    lines.data(kA, 1, 2);
    lines.end(kA, 3);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+2", "end 3"));
    lines.now += kDoubt;
    EXPECT_EQ(lines.data(kB, 1, 2), Fate::duplicate);  // which is behind
    EXPECT_THAT(lines.told(), IsEmpty());
    EXPECT_EQ(lines.data(kA, 1, 2), Fate::duplicate);
    EXPECT_THAT(lines.told(), ElementsAre("repeated S1"));
    EXPECT_EQ(lines.data(kA, 3, 1), Fate::after_end);
    lines.data(kA, 1, 2);
    EXPECT_THAT(lines.told(), IsEmpty());  // and nothing more
}

TEST(Arbitrate, WhatIsSaidToBeBeyondTheEndIsNotMissing) {
    Lines lines({.start = StartAt::history});
    lines.end(kA, 12);
    EXPECT_EQ(lines.heartbeat(kB, 20), Fate::after_end);
    EXPECT_EQ(lines.end(kB, 20), Fate::after_end);
    lines.arbiter.history_begins(15, lines.now);
    lines.take();
    EXPECT_EQ(lines.arbiter.edge(), 12u);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "end 12"));
}

TEST(Arbitrate, AnEndBeforeWhatIsKnownToExistIsNone) {
    Lines lines;
    lines.data(kA, 1, 5);
    lines.end(kA, 3);
    EXPECT_EQ(lines.data(kA, 6, 1), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+5", "6+1"));
}

// ---- Another session ----

TEST(Arbitrate, ARootThatIsKilledAndRestartedIsFollowedWithAllOfItsMessages) {
    Lines lines;
    lines.data(kA, 1, 1);
    lines.data(kA, 3, 1);
    lines.heartbeat(kA, 7);
    lines.now += 300ms;
    EXPECT_EQ(lines.data(kA, 1, 2, "S2"), Fate::held);
    EXPECT_EQ(lines.arbiter.held(), 2u);
    lines.now += kDoubt - 1ns;
    EXPECT_EQ(lines.data(kB, 1, 2, "S2"), Fate::held);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1"));
    lines.now += 1ns;
    EXPECT_EQ(lines.data(kA, 3, 1, "S2"), Fate::taken);
    EXPECT_THAT(lines.told(),
                ElementsAre("gap 2+1", "3+1", "gap 4+3", "S2", "1+2", "discard", "3+1"));
    EXPECT_EQ(lines.data(kB, 2, 1), Fate::old_session);
    EXPECT_EQ(lines.data(kB, 3, 1, "S2"), Fate::duplicate);
    EXPECT_THAT(lines.told(), IsEmpty());
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, StrayPacketsOfAnotherSessionChangeNothing) {
    Lines lines;
    lines.data(kA, 1, 200);
    EXPECT_EQ(lines.data(kA, 1, 1, "STRAY"), Fate::held);
    EXPECT_EQ(lines.data(kA, 2, 1, "STRAY"), Fate::held);
    EXPECT_EQ(lines.data(kB, 2, 1, "STRAY"), Fate::held);
    EXPECT_EQ(lines.heartbeat(kB, 3, "STRAY"), Fate::unconfirmed);
    EXPECT_EQ(lines.data(kA, 201, 1), Fate::taken);
    lines.now += kDoubt;
    EXPECT_EQ(lines.data(kA, 202, 1), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+200", "201+1", "discard", "discard", "discard",
                                          "202+1", "stranger STRAY"));
    EXPECT_EQ(lines.arbiter.count(Fate::held), 0u);
    EXPECT_EQ(lines.arbiter.count(Fate::other_session), 3u);
    EXPECT_EQ(lines.arbiter.held(), 0u);
    EXPECT_EQ(lines.kept(), 0u);
    lines.end(kA, 203);
    EXPECT_THAT(lines.told(), ElementsAre("end 203"));
}

// By mistake there are two roots on the group.
TEST(Arbitrate, ASecondRootIsAStrangerAndIsToldOnce) {
    Lines lines;
    std::uint64_t n = 1;
    for (; n <= 1000; ++n) {
        lines.data(kA, n, 1);
        lines.data(kA, n, 1, "S2");
        lines.now += 1ms;
    }
    const auto told = lines.told();
    EXPECT_EQ(std::ranges::count(told, "stranger S2"), 1);
    EXPECT_EQ(std::ranges::count(told, "S2"), 0);
    EXPECT_EQ(lines.arbiter.delivered(), 1000u);
    EXPECT_EQ(lines.arbiter.count(Fate::other_session), 1000u);
    // And it is no heir when this one pauses,
    lines.now += 1s;
    EXPECT_EQ(lines.data(kA, n, 1, "S2"), Fate::other_session);
    EXPECT_THAT(lines.told(), IsEmpty());
    // but when it is at its end.
    lines.end(kA, n);
    EXPECT_EQ(lines.data(kA, n, 1, "S2"), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("end 1001", "S2"));
    lines.give_up();
    EXPECT_THAT(lines.told(), ElementsAre("gap 1+1000", "1001+1"));
}

TEST(Arbitrate, APauseThatASessionIsUsedToMakeIsNotItsEnd) {
    Lines lines({.lines = 1});
    for (int i = 0; i < 3; ++i) {
        lines.heartbeat(kA, 1);
        lines.now += 1s;
    }
    lines.heartbeat(kA, 1);
    lines.now += 500ms;
    lines.data(kA, 1, 1, "S2");
    lines.now += 400ms;
    EXPECT_EQ(lines.data(kA, 2, 1, "S2"), Fate::held);
    lines.now += 100ms;
    lines.heartbeat(kA, 1);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "discard", "discard", "stranger S2"));
    // A session that was not heard beside it is followed when it is silent for twice as long.
    lines.now += 1900ms;
    lines.data(kA, 1, 1, "S3");
    lines.now += kDoubt;
    EXPECT_EQ(lines.data(kA, 2, 1, "S3"), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("S3", "1+1", "2+1"));
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, APauseOfLongAgoDelaysNobody) {
    Lines lines({.lines = 1});
    lines.data(kA, 1, 1);
    lines.now += 1s;
    std::uint64_t n = 2;
    for (; n < 1200; ++n) {
        lines.data(kA, n, 1);
        lines.now += 10ms;
    }
    lines.data(kA, 1, 1, "S2");
    lines.now += kDoubt;
    EXPECT_EQ(lines.data(kA, 2, 1, "S2"), Fate::taken);
}

TEST(Arbitrate, ALineThatIsBehindMayBringWhatIsLeftOfTheOldSession) {
    Lines lines;
    lines.data(kA, 1, 1);
    lines.data(kB, 1, 1);
    EXPECT_EQ(lines.data(kA, 1, 2, "S2"), Fate::held);
    lines.now += 10ms;
    EXPECT_EQ(lines.data(kB, 2, 1), Fate::taken);
    lines.now += kDoubt - 10ms;
    EXPECT_EQ(lines.data(kB, 1, 2, "S2"), Fate::held);  // too soon after that
    lines.now += 10ms;
    EXPECT_EQ(lines.data(kB, 3, 1, "S2"), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "2+1", "S2", "1+2", "discard", "3+1"));
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, WhatIsMissingMayComeFromAnywhereWhileAnotherSessionWaits) {
    Lines lines;
    lines.data(kA, 1, 1);
    lines.data(kA, 3, 1);
    lines.data(kA, 1, 1, "S2");
    lines.now += kDoubt;
    EXPECT_EQ(lines.data(Arbiter::kRepair, 2, 1), Fate::taken);
    EXPECT_EQ(lines.data(kB, 1, 1), Fate::duplicate);  // no sign that it goes on
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "2+1", "3+1"));
    EXPECT_EQ(lines.arbiter.held(), 1u);
}

TEST(Arbitrate, ASessionThatGoesOnComesBackWhenTheNextIsSilent) {
    Lines lines;
    lines.data(kA, 1, 5);
    lines.now += Arbiter::kSilence;
    lines.data(kA, 1, 1, "STRAY");
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+5", "STRAY", "1+1"));
    EXPECT_EQ(lines.data(kB, 1, 5), Fate::old_session);
    lines.now += 1ms;
    EXPECT_EQ(lines.data(kA, 8, 1), Fate::held);
    lines.now += kDoubt;
    EXPECT_EQ(lines.data(kA, 9, 1), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("S1"));
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{6, 8}));
    lines.give_up();
    EXPECT_THAT(lines.told(), ElementsAre("gap 6+2", "8+1", "9+1"));
    lines.end(kA, 10);
    EXPECT_THAT(lines.told(), ElementsAre("end 10"));
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, WhatTheWindowHasNoRoomForIsMissingInTheNextSession) {
    Lines lines({.lines = 1, .window = 4});
    lines.data(kA, 1, 1);
    for (std::uint64_t n = 1; n <= 4; ++n) EXPECT_EQ(lines.data(kA, n, 1, "S2"), Fate::held);
    for (std::uint64_t n = 5; n <= 9; ++n) EXPECT_EQ(lines.data(kA, n, 1, "S2"), Fate::unconfirmed);
    lines.now += kDoubt;
    lines.heartbeat(kA, 10, "S2");
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "S2", "1+1", "2+1", "3+1", "4+1"));
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{5, 10}));
}

TEST(Arbitrate, WhoIsFollowedGoesBeforeWhoWaits) {
    Lines lines({.lines = 1, .window = 4});
    lines.data(kA, 1, 1);
    for (std::uint64_t n = 1; n <= 3; ++n) lines.data(kA, n, 1, "S2");
    EXPECT_EQ(lines.data(kA, 3, 1), Fate::held);
    EXPECT_EQ(lines.data(kA, 4, 1), Fate::held);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "discard", "discard", "discard"));
    EXPECT_EQ(lines.arbiter.held(), 2u);
}

TEST(Arbitrate, OneSessionWaitsAtATimeAndGivesWayWhenItDoesNotGoOn) {
    Lines lines;
    lines.data(kA, 1, 1);
    EXPECT_EQ(lines.data(kA, 1, 1, "S9"), Fate::held);
    EXPECT_EQ(lines.data(kA, 1, 1, "S8"), Fate::other_session);
    lines.now += kDoubt;
    EXPECT_EQ(lines.data(kA, 1, 1, "S8"), Fate::held);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "discard"));
    EXPECT_EQ(lines.arbiter.held(), 1u);
}

TEST(Arbitrate, AfterItsEndOrALongSilenceAnotherSessionIsBelievedAtOnce) {
    Lines lines({.lines = 1});
    lines.data(kA, 1, 1);
    lines.end(kA, 2);
    EXPECT_EQ(lines.data(kA, 1, 1, "S2"), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "end 2", "S2", "1+1"));
    lines.now += Arbiter::kSilence;
    EXPECT_EQ(lines.data(kA, 1, 1, "S3"), Fate::taken);
    EXPECT_THAT(lines.told(), ElementsAre("S3", "1+1"));
}

TEST(Arbitrate, ASessionWhoseEndIsKnownHasThatLongToBecomeWhole) {
    Lines lines({.lines = 1});
    lines.data(kA, 1, 1);
    lines.end(kA, 3);
    EXPECT_EQ(lines.data(kA, 1, 1, "S2"), Fate::held);
    lines.now += kDoubt / 2;
    lines.end(kA, 3);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1"));
    lines.data(Arbiter::kRepair, 2, 1);
    EXPECT_THAT(lines.told(), ElementsAre("2+1", "end 3", "S2", "1+1"));
    lines.end(kA, 3, "S2");
    lines.data(kA, 1, 1, "S3");
    lines.now += kDoubt;
    lines.data(kA, 2, 1, "S3");
    EXPECT_THAT(lines.told(), ElementsAre("gap 2+1", "end 3", "S3", "1+1", "2+1"));
}

TEST(Arbitrate, ASessionThatIsOverAlreadyIsFollowedAfterALongSilence) {
    Lines lines({.lines = 1});
    lines.data(kA, 1, 1);
    lines.now += 1s;
    lines.data(kA, 1, 1, "S2");
    EXPECT_FALSE(lines.arbiter.next_deadline());  // it may be a stray
    lines.end(kA, 2, "S2");
    EXPECT_EQ(lines.arbiter.next_deadline(), kStart + Arbiter::kSilence);
    lines.now = kStart + Arbiter::kSilence - 1ns;
    lines.advance();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1"));
    lines.now += 1ns;
    lines.advance();
    EXPECT_THAT(lines.told(), ElementsAre("S2", "1+1", "end 2"));
    EXPECT_FALSE(lines.arbiter.next_deadline());
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, HeartbeatsBringASessionToo) {
    Lines lines({.lines = 1});
    lines.data(kA, 1, 1);
    EXPECT_EQ(lines.heartbeat(kA, 1, "S2"), Fate::unconfirmed);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1"));
    lines.now += 1s;
    EXPECT_EQ(lines.heartbeat(kA, 1, "S2"), Fate::control);
    EXPECT_THAT(lines.told(), ElementsAre("S2"));
}

TEST(Arbitrate, WhoStopsGivesARivalBackToo) {
    Lines lines;
    lines.data(kA, 1, 1);
    lines.data(kA, 3, 1);
    lines.data(kA, 1, 1, "S2");
    EXPECT_EQ(lines.kept(), 2u);
    lines.arbiter.stop();
    lines.take();
    EXPECT_EQ(lines.kept(), 0u);
}

TEST(Arbitrate, AFollowingSessionIsFollowedFromItsBeginning) {
    Lines lines;
    lines.data(kA, 1000, 1);
    lines.data(kA, 5, 1, "S2");
    lines.now += kDoubt;
    lines.heartbeat(kB, 6, "S2");
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1000+1", "S2"));
    EXPECT_EQ(lines.arbiter.hole()->range, (SequenceRange{1, 5}));
    lines.data(Arbiter::kRepair, 1, 4, "S2");
    EXPECT_THAT(lines.told(), ElementsAre("1+4", "5+1"));
    lines.heartbeat(kA, 1, "S3");
    lines.now += 2 * kDoubt;  // the last one has paused, too
    lines.heartbeat(kB, 1, "S3");
    EXPECT_THAT(lines.told(), ElementsAre("S3"));
}

TEST(Arbitrate, AnAnswerChangesNoSession) {
    Lines lines;
    EXPECT_EQ(lines.data(Arbiter::kRepair, 1, 1), Fate::other_session);
    lines.data(kA, 1, 1);
    EXPECT_EQ(lines.data(Arbiter::kRepair, 1, 1, "S2"), Fate::other_session);
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1"));
}

TEST(Arbitrate, OneSessionMayBeAllThatIsFollowed) {
    Lines lines({.session = net::MoldSession::from("S2").value()});
    EXPECT_EQ(lines.data(kA, 1, 1), Fate::other_session);
    EXPECT_EQ(lines.data(kA, 1, 1, "S2"), Fate::taken);
    EXPECT_EQ(lines.data(kA, 1, 1, "S3"), Fate::other_session);
    EXPECT_THAT(lines.told(), ElementsAre("S2", "1+1"));
}

}  // namespace
}  // namespace joinleaf::dataplane
