// When a leaf asks for what is missing, how often, and when it gives up, with a clock that the test
// turns.
#include <dataplane/recover.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <vector>

#include "tests/support/mold_packets.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Ge;
using testing::Le;

constexpr Instant kStart{1000h};
constexpr std::uint8_t kA = 0, kB = 1;

class Recover : public testing::Test {
protected:
    struct Asked {
        Duration at;
        std::uint64_t first;
        std::uint16_t count;
    };

    void data(std::uint8_t line, std::uint64_t first, std::uint16_t count) {
        packets_.push_back(test::mold_packet("S1", first, count));
        arbiter.arrive(line, net::parse_mold(packets_.back()).value(), nullptr, now);
        take();
    }
    void take() {
        FeedItem item;
        while (arbiter.next(item)) {
            if (item.kind == FeedItem::Kind::gap) gaps.push_back(now - kStart);
        }
    }
    // Only at the moments that next_deadline() names.
    std::vector<Asked> run_for(Duration time) {
        std::vector<Asked> asked;
        const Instant end = now + time;
        for (;;) {
            if (const auto request = recovery.advance(arbiter, now)) {
                asked.push_back({now - kStart, request->sequence, request->count});
            }
            take();
            const auto next = recovery.next_deadline(arbiter);
            if (!next || *next > end) break;
            now = std::max(now, *next);
        }
        now = end;
        return asked;
    }
    void both(std::uint64_t first, std::uint16_t count) {
        data(kA, first, count);
        data(kB, first, count);
    }
    void use(RecoveryOptions options) { recovery = Recovery(options, 1); }

    Instant now = kStart;
    Arbiter arbiter{{}};
    Recovery recovery{{}, 1};
    std::vector<Duration> gaps;

private:
    std::list<std::vector<std::byte>> packets_;
};

TEST_F(Recover, WithNothingMissingNothingIsAsked) {
    both(1, 3);
    EXPECT_FALSE(recovery.next_deadline(arbiter));
    EXPECT_TRUE(run_for(1h).empty());
}

TEST_F(Recover, WhatTheOtherLineCouldStillBringIsNotAskedFor) {
    both(1, 1);
    data(kA, 3, 1);
    EXPECT_TRUE(run_for(999us).empty());
    data(kB, 2, 1);
    EXPECT_TRUE(run_for(1h).empty());
    EXPECT_TRUE(gaps.empty());
}

TEST_F(Recover, ALineThatIsTooFarBehindIsNotWaitedFor) {
    both(1, 1);
    data(kA, 3, 1);
    const auto asked = run_for(1500us);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].first, 2u);
    EXPECT_EQ(asked[0].count, 1);
    EXPECT_THAT(asked[0].at, AllOf(Ge(1ms), Le(1500us)));
}

TEST_F(Recover, WhatAllHavePassedIsAskedForAfterAShortRandomDelay) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        arbiter = Arbiter({});
        recovery = Recovery({}, seed);
        now = kStart;
        both(1, 1);
        both(3, 1);
        const auto asked = run_for(500us);
        ASSERT_EQ(asked.size(), 1u) << seed;
        EXPECT_THAT(asked[0].at, AllOf(Ge(1ns), Le(500us)));
    }
}

TEST_F(Recover, LeavesThatLostTheSameAskAtDifferentTimes) {
    std::vector<Duration> times;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        arbiter = Arbiter({});
        recovery = Recovery({}, seed);
        now = kStart;
        both(1, 1);
        both(3, 1);
        times.push_back(run_for(500us).at(0).at);
    }
    // Each fifth of the time has its share.
    for (auto from = 0us; from < 500us; from += 100us) {
        const auto n =
            std::ranges::count_if(times, [&](Duration t) { return t > from && t <= from + 100us; });
        EXPECT_THAT(n, AllOf(Ge(8), Le(35))) << from.count();
    }
}

TEST_F(Recover, ReorderingOnALineIsWaitedForWhereItIsUsual) {
    use({.reordering = 200us, .request_delay = 0us});
    both(1, 1);
    both(3, 1);
    EXPECT_TRUE(run_for(199us).empty());
    EXPECT_EQ(run_for(1us).size(), 1u);
}

TEST_F(Recover, AnAnswerEndsIt) {
    both(1, 1);
    both(3, 1);
    EXPECT_EQ(run_for(500us).size(), 1u);
    data(Arbiter::kRepair, 2, 1);
    EXPECT_TRUE(run_for(1h).empty());
    EXPECT_TRUE(gaps.empty());
}

TEST_F(Recover, RetriesAreDoubledWithJitterUntilTheDeadline) {
    use({.request_delay = 0us, .retry_first = 2ms, .retry_most = 8ms, .deadline = 100ms});
    both(1, 1);
    both(3, 1);
    const auto asked = run_for(1h);
    Duration least = 2ms;
    for (std::size_t i = 1; i < asked.size(); ++i) {
        EXPECT_THAT(asked[i].at - asked[i - 1].at, AllOf(Ge(least), Le(least * 3 / 2))) << i;
        least = std::min<Duration>(least * 2, 8ms);
    }
    EXPECT_THAT(asked.size(), AllOf(Ge(9u), Le(15u)));
    EXPECT_LT(asked.back().at, 100ms);
    EXPECT_THAT(gaps, testing::ElementsAre(Duration(100ms)));
    EXPECT_EQ(recovery.counters().retries, asked.size() - 1);
    EXPECT_EQ(recovery.counters().given_up, 1u);
}

TEST_F(Recover, WithoutAServerTheDeadlineAloneCounts) {
    use({.request = false, .deadline = 5ms});
    both(1, 1);
    both(3, 1);
    EXPECT_TRUE(run_for(1h).empty());
    EXPECT_THAT(gaps, testing::ElementsAre(Duration(5ms)));
}

TEST_F(Recover, HolesBehindOneAnotherAreGivenUpEachInItsTime) {
    use({.request = false, .deadline = 5ms});
    both(1, 1);
    both(3, 1);
    now += 1ms;
    both(5, 1);
    run_for(1h);
    EXPECT_THAT(gaps, testing::ElementsAre(Duration(5ms), Duration(6ms)));
}

TEST_F(Recover, TheRestOfALargeHoleIsAskedForAtOnce) {
    use({.most_messages = 100});
    both(1, 1);
    both(302, 1);
    ASSERT_EQ(run_for(500us).size(), 1u);
    data(Arbiter::kRepair, 2, 60);  // what fits one packet
    auto asked = run_for(0us);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].first, 62u);
    EXPECT_EQ(asked[0].count, 100);
    data(Arbiter::kRepair, 62, 100);
    asked = run_for(0us);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].first, 162u);
    EXPECT_EQ(recovery.counters().retries, 0u);
}

TEST_F(Recover, WhatALineBringsOfAHoleIsNotAskedForMeanwhile) {
    both(1, 1);
    data(kA, 10, 1);
    for (std::uint64_t n = 2; n < 10; ++n) {
        EXPECT_TRUE(run_for(900us).empty());
        data(kB, n, 1);
    }
    EXPECT_FALSE(arbiter.hole());
}

TEST_F(Recover, ACatchUpGoesOnAsLongAsAnswersCome) {
    arbiter = Arbiter({.start = StartAt::sequence});
    data(kA, 1001, 1);
    for (std::uint64_t n = 1; n <= 1000; n += 10) {
        run_for(50ms);
        data(Arbiter::kRepair, n, 10);
    }
    EXPECT_TRUE(gaps.empty());
    EXPECT_EQ(arbiter.next_sequence(), 1002u);
}

TEST_F(Recover, ACatchUpIsPatientAndMoreThanOnceIsNot) {
    use({.deadline = 100ms, .catch_up_deadline = 3s});
    arbiter = Arbiter({.start = StartAt::sequence});
    data(kA, 1001, 1);
    data(kA, 1003, 1);
    const auto asked = run_for(1h);
    EXPECT_LT(asked.size(), 60u);
    EXPECT_THAT(gaps, testing::ElementsAre(Duration(3s), Duration(3100ms)));
}

TEST_F(Recover, WhoIsServedSlowlyAsksSlowly) {
    arbiter = Arbiter({.start = StartAt::sequence});
    data(kA, 100'001, 1);
    std::size_t asked = 0;
    Instant answer_at = now;
    for (std::uint64_t n = 1; n <= 100'000;) {
        const auto requests = run_for(100us);
        asked += requests.size();
        // One answer each millisecond; who asks sooner is not heard.
        if (requests.empty() || now < answer_at) continue;
        answer_at = now + 1ms;
        data(Arbiter::kRepair, n, 100);
        n += 100;
    }
    EXPECT_LT(asked, 1400u);
    EXPECT_LT(now - kStart, 2s);
    EXPECT_TRUE(gaps.empty());
}

TEST_F(Recover, WhatTheServerHasNotIsNotAskedForAgain) {
    both(1, 1);
    both(100, 1);
    recovery.history_begins(net::MoldSession::from("S1").value(), 50);
    const auto asked = run_for(500us);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].first, 50u);
    EXPECT_EQ(arbiter.lost(), 48u);
}

TEST_F(Recover, WhatAServerToldOfAnotherSessionDoesNotCount) {
    both(1, 1);
    both(100, 1);
    recovery.history_begins(net::MoldSession::from("S2").value(), 50);
    EXPECT_EQ(run_for(500us).at(0).first, 2u);
}

}  // namespace
}  // namespace joinleaf::dataplane
