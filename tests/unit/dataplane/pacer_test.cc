// The pacer with a clock that the test turns: exact rates, and never more than a burst.
#include <dataplane/pacer.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <chrono>
#include <deque>
#include <utility>
#include <vector>

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000h};

// Sends as much as it may, asking every `step`, for `duration`; returns what went out.
std::uint64_t greedy(Pacer& pacer, Duration step, Duration duration, std::uint32_t octets = 64) {
    std::uint64_t sent = 0;
    for (Instant now = kStart; now < kStart + duration; now += step) {
        const auto count = pacer.allowance(now, 1'000'000'000, octets);
        pacer.consume(count, std::uint64_t{count} * octets);
        sent += count;
    }
    return sent;
}

TEST(Pacer, WithoutALimitAllIsAllowed) {
    Pacer pacer;
    EXPECT_EQ(pacer.allowance(kStart, 0xffffffff, 1500), 0xffffffffu);
    pacer.consume(0xffffffff, 1500);
    EXPECT_EQ(pacer.allowance(kStart, 32, 64), 32u);
}

TEST(Pacer, TheFirstPacketGoesAtOnceAndTheNextInItsTime) {
    Pacer pacer({.packets_per_second = 10}, kStart);
    EXPECT_EQ(pacer.allowance(kStart, 32, 64), 1u);
    pacer.consume(1, 1 * 64u);
    EXPECT_EQ(pacer.allowance(kStart, 32, 64), 0u);
    EXPECT_EQ(pacer.allowance(kStart + 99'999'999ns, 32, 64), 0u);
    EXPECT_EQ(pacer.allowance(kStart + 100ms, 32, 64), 1u);
}

TEST(Pacer, HoldsItsRateOverTheFirstSecond) {
    struct Case {
        std::uint64_t rate;
        Duration step;
    };
    // Steps that fit no rate; a worker's turn takes microseconds, or a little more.
    for (const auto& [rate, step] : {Case{1, 997us},
                                     {2, 997us},
                                     {3, 997us},
                                     {7, 331us},
                                     {999, 331us},
                                     {1'000, 331us},
                                     {33'333, 331us},
                                     {1'000'000, 7'919ns},
                                     {14'880'952, 3'001ns},
                                     {100'000'000, 611ns}}) {
        Pacer pacer({.packets_per_second = rate, .burst_packets = 64}, kStart);
        const auto sent = static_cast<double>(greedy(pacer, step, 1s));
        EXPECT_NEAR(sent, static_cast<double>(rate), static_cast<double>(rate) * 0.01) << rate;
    }
}

// No rounding error gathers: after an hour the count is still exact.
TEST(Pacer, HoldsItsRateForHours) {
    for (const std::uint64_t rate : {3u, 7u, 333u}) {
        Pacer pacer({.packets_per_second = rate, .burst_packets = 8}, kStart);
        EXPECT_EQ(greedy(pacer, 1'000'003ns, 1h), rate * 3600) << rate;
    }
}

TEST(Pacer, HoldsABitRate) {
    for (const std::uint64_t rate : {1'000'000u, 100'000'000u, 4'000'000'000u}) {
        Pacer pacer({.bits_per_second = rate}, kStart);
        const auto bits = static_cast<double>(greedy(pacer, 50us, 1s, 1250) * 1250 * 8);
        EXPECT_NEAR(bits, static_cast<double>(rate), static_cast<double>(rate) * 0.01) << rate;
    }
}

TEST(Pacer, TheStricterOfBothLimitsHolds) {
    const Pace pace{.packets_per_second = 1000, .bits_per_second = 8'000'000};
    Pacer small(pace, kStart);
    EXPECT_EQ(greedy(small, 1ms, 1s, 100), 1000u);
    Pacer large(pace, kStart);
    EXPECT_NEAR(static_cast<double>(greedy(large, 1ms, 1s, 10'000)), 100.0, 1.0);
}

TEST(Pacer, APauseGivesABurstAndNoMore) {
    Pacer pacer({.packets_per_second = 1'000'000, .burst_packets = 40}, kStart);
    for (const auto pause : {1ms, 1000ms, 360'000'000ms}) {
        const Instant now = kStart + pause;
        EXPECT_EQ(pacer.allowance(now, 1000, 64), 40u);
        pacer.consume(40, 40 * 64u);
        EXPECT_EQ(pacer.allowance(now, 1000, 64), 0u);
    }
}

TEST(Pacer, NeverAllowsMoreThanIsWanted) {
    Pacer pacer({.packets_per_second = 1000, .burst_packets = 40}, kStart);
    EXPECT_EQ(pacer.allowance(kStart + 1s, 3, 64), 3u);
    EXPECT_EQ(pacer.allowance(kStart + 1s, 0, 64), 0u);
}

TEST(Pacer, WhatWasAllowedAndNotSentIsKept) {
    Pacer pacer({.packets_per_second = 10, .burst_packets = 4}, kStart);
    EXPECT_EQ(pacer.allowance(kStart + 1s, 32, 64), 4u);
    pacer.consume(1, 1 * 64u);
    EXPECT_EQ(pacer.allowance(kStart + 1s, 32, 64), 3u);
}

TEST(Pacer, AClockThatStandsOrGoesBackGivesNothing) {
    Pacer pacer({.packets_per_second = 1000, .burst_packets = 4}, kStart);
    pacer.consume(pacer.allowance(kStart, 32, 64), 64);
    EXPECT_EQ(pacer.allowance(kStart, 32, 64), 0u);
    EXPECT_EQ(pacer.allowance(kStart - 1h, 32, 64), 0u);
    EXPECT_EQ(pacer.allowance(kStart + 1ms, 32, 64), 1u);
}

// A datagram that becomes many frames is known too late: what it took beyond is paid off first.
TEST(Pacer, MoreThanAllowedIsTakenFromWhatComesNext) {
    Pacer pacer({.bits_per_second = 8'000'000, .burst_octets = 1000}, kStart);  // 1 octet a us
    EXPECT_EQ(pacer.allowance(kStart + 1ms, 32, 1000), 1u);
    pacer.consume(1, 5000);
    EXPECT_EQ(pacer.allowance(kStart + 1ms + 4999us, 32, 1000), 0u);
    EXPECT_EQ(pacer.allowance(kStart + 1ms + 4999us, 32, 1000), 0u);
    EXPECT_EQ(pacer.allowance(kStart + 1ms + 5000us, 32, 1000), 1u);
}

// What a port sends by that holds each packet until its time: asked ahead, at intervals that fit
// nothing, each packet is due in its place to the nanosecond.
TEST(Pacer, TellsWhenEachPacketIsDue) {
    for (const std::uint64_t rate : {1'000u, 33'333u, 1'000'000u, 14'880'952u}) {
        Pacer pacer({.packets_per_second = rate, .burst_packets = 64}, kStart);
        std::uint64_t sent = 0;
        Instant first{};
        for (Instant now = kStart; now < kStart + 10ms; now += 1'237ns) {
            const Instant horizon = now + 3us;
            const auto count = pacer.allowance(horizon, 1000, 64);
            for (std::uint32_t i = 1; i <= count; ++i, ++sent) {
                const Instant due = pacer.due(i, i * 64u);
                if (sent == 0) first = due;
                const double place = static_cast<double>(sent) * 1e9 / static_cast<double>(rate);
                ASSERT_NEAR(static_cast<double>((due - first).count()), place, 1.0) << rate;
                ASSERT_LE(due, horizon);
            }
            pacer.consume(count, count * 64u);
        }
        EXPECT_NEAR(static_cast<double>(sent), static_cast<double>(rate) / 100, 65) << rate;
    }
}

TEST(Pacer, TellsWhenEachPacketIsDueByItsBits) {
    Pacer pacer({.bits_per_second = 8'000'000, .burst_octets = 10'000}, kStart);  // 1 octet a us
    EXPECT_EQ(pacer.allowance(kStart + 3ms, 32, 1000), 3u);
    EXPECT_EQ(pacer.due(1, 400), kStart + 400us);
    EXPECT_EQ(pacer.due(2, 400 + 1000), kStart + 1400us);
    EXPECT_EQ(pacer.due(3, 400 + 1000 + 84), kStart + 1484us);
    pacer.consume(3, 1484);
    EXPECT_EQ(pacer.allowance(kStart + 3ms, 32, 1000), 1u);
    EXPECT_EQ(pacer.due(1, 1000), kStart + 2484us);
}

TEST(OctetsOnWire, CountPaddingAndWhatIsAroundTheFrame) {
    EXPECT_EQ(octets_on_wire(14), 84u);
    EXPECT_EQ(octets_on_wire(60), 84u);
    EXPECT_EQ(octets_on_wire(1514), 1538u);
}

TEST(TokenBucket, TheLimitsOfItsRangeDoNotOverflow) {
    TokenBucket fast(TokenBucket::kMaxRate, TokenBucket::kMaxBurst, 0, kStart);
    EXPECT_EQ(fast.available(kStart + 1ns), 1000u);
    EXPECT_EQ(fast.available(kStart + 24h * 365 * 100), TokenBucket::kMaxBurst);
    TokenBucket slow(1, TokenBucket::kMaxBurst, 0, kStart);
    EXPECT_EQ(slow.available(kStart + 999'999'999ns), 0u);
    EXPECT_EQ(slow.available(kStart + 1s), 1u);
    EXPECT_EQ(slow.available(kStart + 24h * 365 * 100), 24u * 3600 * 365 * 100);
}

// Whatever the pauses and the demands: in any stretch of time, a burst and the rate at most.
RC_GTEST_PROP(Pacer, NoStretchOfTimeHoldsMoreThanABurstAndItsShare, ()) {
    const auto rate = *rc::gen::inRange<std::uint64_t>(1, 100'000'001);
    const auto burst = *rc::gen::inRange<std::uint32_t>(1, 300);
    Pacer pacer({.packets_per_second = rate, .burst_packets = burst}, kStart);
    const auto steps = *rc::gen::container<std::vector<std::pair<std::uint32_t, std::uint32_t>>>(
        rc::gen::pair(rc::gen::inRange<std::uint32_t>(0, 2'000'000),
                      rc::gen::inRange<std::uint32_t>(0, 400)));
    std::deque<std::pair<Instant, std::uint32_t>> sent;
    Instant now = kStart;
    for (const auto& [pause, wanted] : steps) {
        now += Duration(pause);
        const auto count = pacer.allowance(now, wanted, 64);
        RC_ASSERT(count <= wanted);
        pacer.consume(count, count * 64u);
        sent.emplace_back(now, count);
        std::uint64_t sum = 0;
        for (auto it = sent.rbegin(); it != sent.rend(); ++it) {
            sum += it->second;
            const auto elapsed = static_cast<std::uint64_t>((now - it->first).count());
            RC_ASSERT(sum <= burst + (elapsed * rate + 999'999'999) / 1'000'000'000);
        }
    }
}

}  // namespace
}  // namespace joinleaf::dataplane
