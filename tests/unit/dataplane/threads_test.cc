// What goes between two threads: the queue, a recording, what is published; meant for
// ThreadSanitizer too.
#include <dataplane/lent_recording.h>
#include <dataplane/published.h>
#include <dataplane/spsc_queue.h>
#include <gtest/gtest.h>
#include <joinleaf/histogram.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
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

// A worker that never waits writes numbers; the other thread reads each recording while the worker
// is in the next one. Rings that are large enough lose nothing.
TEST(LentRecordings, AreReadWholeWhileTheWorkerGoesOn) {
    constexpr std::uint64_t kPackets = 100'000;
    struct Replace {
        Recording* fresh;
        std::size_t after;
    };
    SpscQueue<Replace> commands(16);
    std::array<Recording, 2> recordings{Recording(kPackets, 8), Recording(kPackets, 8)};
    LentRecording lent;
    lent.use(&recordings[0]);
    std::atomic<bool> all_written{false};

    std::thread worker([&] {
        for (std::uint64_t number = 0; number < kPackets || !commands.empty();) {
            for (Replace command; commands.pop(command);) {
                lent.replace(*command.fresh, command.after);
            }
            if (number == kPackets) continue;
            const auto place = lent->append(Instant(Duration(number)), Way::in, 8);
            std::memcpy(place.data(), &number, sizeof number);
            ++number;
            lent.give_back_if_due();
        }
        all_written = true;
    });

    std::uint64_t next = 0;
    std::uint64_t wrong = 0;
    std::size_t lent_out = 0;
    const auto read_the_other = [&](std::size_t after) {
        Recording& fresh = recordings[1 - lent_out];
        fresh.clear();
        while (!commands.push({&fresh, after})) std::this_thread::yield();
        Recording* back = nullptr;
        while (back == nullptr && !all_written) {
            back = lent.take_back();
            std::this_thread::yield();
        }
        if (back == nullptr) back = lent.take_back();
        if (back == nullptr) return false;
        lent_out = 1 - lent_out;
        for (auto position = back->begin(); position != back->end(); ++position, ++next) {
            const auto [what, octets] = (*back)[position];
            std::uint64_t number = 0;
            std::memcpy(&number, octets.data(), sizeof number);
            wrong += number != next || what.at != Instant(Duration(next));
        }
        return true;
    };
    for (std::size_t after = 0; !all_written; after = (after + 7) % 100) {
        if (!read_the_other(after)) break;
    }
    worker.join();
    Recording& last = recordings[lent_out];
    EXPECT_EQ(next + last.end(), kPackets);
    EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace joinleaf::dataplane
