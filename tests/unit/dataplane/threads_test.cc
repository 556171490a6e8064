// The queue between two threads; meant for ThreadSanitizer too.
#include <dataplane/published.h>
#include <dataplane/spsc_queue.h>
#include <gtest/gtest.h>
#include <joinleaf/histogram.h>

#include <array>
#include <cstdint>
#include <thread>
#include <tuple>

namespace joinleaf::dataplane {
namespace {

// Larger than a word, so that a torn element shows.
struct Item {
    std::uint64_t number = 0;
    std::uint64_t square = 0;
    std::uint64_t inverse = 0;
};

Item item(std::uint64_t number) { return {number, number * number, ~number}; }

class BetweenThreads : public testing::TestWithParam<std::tuple<std::size_t, std::size_t>> {};

TEST_P(BetweenThreads, EveryItemArrivesOnceWholeAndInOrder) {
    constexpr std::uint64_t kItems = 200'000;
    const auto [capacity, burst] = GetParam();
    SpscQueue<Item> queue(capacity);

    std::thread producer([&queue, burst = burst] {
        std::array<Item, 64> items;
        for (std::uint64_t next = 0; next < kItems;) {
            const auto count = std::min<std::uint64_t>(burst, kItems - next);
            for (std::uint64_t i = 0; i < count; ++i) items[i] = item(next + i);
            const std::size_t pushed = queue.push(std::span<const Item>(items).first(count));
            next += pushed;
            if (pushed == 0) std::this_thread::yield();
        }
    });

    std::array<Item, 64> items;
    std::uint64_t wrong = 0;
    for (std::uint64_t next = 0; next < kItems;) {
        const std::size_t popped = queue.pop(std::span(items).first(burst));
        for (std::size_t i = 0; i < popped; ++i, ++next) {
            const Item expected = item(next);
            wrong += items[i].number != expected.number || items[i].square != expected.square ||
                     items[i].inverse != expected.inverse;
        }
        if (popped == 0) std::this_thread::yield();
    }
    producer.join();
    EXPECT_EQ(wrong, 0u);
    EXPECT_TRUE(queue.empty());  // and nothing more
}

INSTANTIATE_TEST_SUITE_P(CapacityAndBurst, BetweenThreads,
                         testing::Combine(testing::Values<std::size_t>(2, 64, 1024),
                                          testing::Values<std::size_t>(1, 7, 64)));

// Whoever copies a histogram while it is written has one whole: its percentiles are of its count.
TEST(BetweenThreads, AHistogramIsCopiedWhileItIsWritten) {
    constexpr int kTimes = 200'000;
    Histogram histogram;
    std::thread writer([&histogram] {
        for (int i = 0; i < kTimes; ++i) histogram.record(Duration(1000 + i % 1000));
    });
    std::uint64_t before = 0;
    while (before < kTimes) {
        const Histogram copy = histogram;
        ASSERT_GE(copy.count(), before);
        before = copy.count();
        if (before == 0) continue;
        ASSERT_GE(copy.percentile(0), Duration(1000));
        ASSERT_LE(copy.percentile(1), Duration(1999));
    }
    writer.join();
    EXPECT_EQ(histogram.max(), Duration(1999));
}

// Eleven words and a half, all of one turn.
struct Record {
    std::array<std::uint64_t, 11> numbers{};
    std::uint32_t last = 0;
};

TEST(BetweenThreads, WhatIsPublishedIsReadWhole) {
    constexpr std::uint32_t kTurns = 100'000;
    Published<Record> published;
    EXPECT_EQ(published.read().last, 0u);
    std::thread writer([&published] {
        for (std::uint32_t turn = 1; turn <= kTurns; ++turn) {
            Record record;
            record.numbers.fill(turn);
            record.last = turn;
            published.publish(record);
        }
    });
    for (std::uint32_t before = 0; before < kTurns;) {
        const Record record = published.read();
        ASSERT_GE(record.last, before);
        for (const auto number : record.numbers) ASSERT_EQ(number, record.last);
        before = record.last;
    }
    writer.join();
}

}  // namespace
}  // namespace joinleaf::dataplane
