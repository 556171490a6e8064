// Lines made one, packet by packet: what is delivered, in what order, and what each line is told
// to have brought.
#include <dataplane/arbitrate.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/support/mold_packets.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using test::mold_packet;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Instant kStart{1000h};
constexpr std::uint8_t kA = 0, kB = 1;

// An arbiter with its packets. told() is what came out since it was last asked.
class Lines {
public:
    explicit Lines(ArbiterOptions options = {}) : arbiter(options) {}

    Fate data(std::uint8_t line, std::uint64_t first, std::uint16_t count,
              std::string_view session = "S1") {
        return arrive(line, mold_packet(session, first, count));
    }
    Fate heartbeat(std::uint8_t line, std::uint64_t next, std::string_view session = "S1") {
        return arrive(line, mold_packet(session, next, 0));
    }
    Fate end(std::uint8_t line, std::uint64_t next, std::string_view session = "S1") {
        return arrive(line, mold_packet(session, next, net::kMoldEndOfSession));
    }
    void advance() {
        arbiter.advance(now);
        take();
    }
    void give_up() {
        arbiter.give_up(now);
        take();
    }
    std::vector<std::string> told() { return std::exchange(told_, {}); }
    [[nodiscard]] std::size_t kept() const { return kept_.size(); }

    void take() {
        FeedItem item;
        while (arbiter.next(item)) {
            told_.push_back(describe(item));
            if (item.kind == FeedItem::Kind::session) session_begins = item.first;
            if (item.give_back && kept_.erase(item.handle) != 1) told_.push_back("TWICE");
        }
    }

    Arbiter arbiter;
    Instant now = kStart;
    std::uint64_t session_begins = 0;  ///< as was told last

private:
    Fate arrive(std::uint8_t line, std::vector<std::byte> bytes) {
        packets_.push_back(std::move(bytes));
        void* const handle = packets_.back().data();
        const auto packet = net::parse_mold(packets_.back());
        const Fate fate = arbiter.arrive(line, packet.value(), handle, now);
        if (fate == Fate::taken || fate == Fate::held) kept_.insert(handle);
        take();
        return fate;
    }
    static std::string describe(const FeedItem& item) {
        switch (item.kind) {
            case FeedItem::Kind::messages:
            case FeedItem::Kind::late: {
                std::uint64_t sequence = item.first;
                for (const auto message : item.messages) {
                    if (test::mold_number(message) != sequence++) return "WRONG MESSAGE";
                }
                if (sequence != item.first + item.count) return "WRONG COUNT";
                return fmt::format("{}{}+{}", item.kind == FeedItem::Kind::late ? "late " : "",
                                   item.first, item.count);
            }
            case FeedItem::Kind::gap:
                return fmt::format("gap {}+{}", item.first, item.count);
            case FeedItem::Kind::session:
                return std::string(item.session.name());
            case FeedItem::Kind::end:
                return fmt::format("end {}", item.first);
            case FeedItem::Kind::stranger:
                return fmt::format("stranger {}", item.session.name());
            case FeedItem::Kind::repeated:
                return fmt::format("repeated {}", item.session.name());
            case FeedItem::Kind::discard:
                break;
        }
        return "discard";
    }

    std::vector<std::vector<std::byte>> packets_;
    std::set<void*> kept_;
    std::vector<std::string> told_;
};

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
constexpr Duration kDoubt = ArbiterOptions().session_doubt;

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
