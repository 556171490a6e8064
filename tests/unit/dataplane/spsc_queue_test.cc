// The queue on one thread: what fits, what comes out, and in what order.
#include <dataplane/spsc_queue.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <numeric>
#include <utility>
#include <vector>

namespace joinleaf::dataplane {
namespace {

using testing::ElementsAre;

std::vector<int> pop_all(SpscQueue<int>& queue) {
    std::vector<int> out(queue.capacity());
    out.resize(queue.pop(std::span(out)));
    return out;
}

TEST(SpscQueue, RoomIsTheNextPowerOfTwo) {
    EXPECT_EQ(SpscQueue<int>(0).capacity(), 1u);
    EXPECT_EQ(SpscQueue<int>(1).capacity(), 1u);
    EXPECT_EQ(SpscQueue<int>(5).capacity(), 8u);
    EXPECT_EQ(SpscQueue<int>(1024).capacity(), 1024u);
}

TEST(SpscQueue, FirstInFirstOut) {
    SpscQueue<int> queue(4);
    EXPECT_TRUE(queue.empty());
    EXPECT_TRUE(queue.push(1));
    EXPECT_TRUE(queue.push(2));
    EXPECT_EQ(queue.size(), 2u);
    int out = 0;
    EXPECT_TRUE(queue.pop(out));
    EXPECT_EQ(out, 1);
    EXPECT_TRUE(queue.pop(out));
    EXPECT_EQ(out, 2);
    EXPECT_FALSE(queue.pop(out));
    EXPECT_EQ(out, 2);
    EXPECT_TRUE(queue.empty());
}

TEST(SpscQueue, AFullQueueTakesWhatFitsAndNoMore) {
    SpscQueue<int> queue(4);
    const std::vector<int> six{1, 2, 3, 4, 5, 6};
    EXPECT_EQ(queue.push(std::span(six)), 4u);
    EXPECT_FALSE(queue.push(7));
    EXPECT_THAT(pop_all(queue), ElementsAre(1, 2, 3, 4));
    EXPECT_TRUE(queue.empty());
}

TEST(SpscQueue, ABurstWrapsAroundTheEnd) {
    SpscQueue<int> queue(4);
    const std::vector<int> three{1, 2, 3};
    ASSERT_EQ(queue.push(std::span(three)), 3u);
    ASSERT_EQ(pop_all(queue).size(), 3u);
    const std::vector<int> four{4, 5, 6, 7};
    EXPECT_EQ(queue.push(std::span(four)), 4u);
    EXPECT_THAT(pop_all(queue), ElementsAre(4, 5, 6, 7));
}

TEST(SpscQueue, AnEmptyBurstChangesNothing) {
    SpscQueue<int> queue(2);
    EXPECT_EQ(queue.push(std::span<const int>()), 0u);
    EXPECT_EQ(queue.pop(std::span<int>()), 0u);
    EXPECT_TRUE(queue.empty());
}

// Positive: push a burst of that size; otherwise: pop one of that size.
RC_GTEST_PROP(SpscQueue, BehavesLikeADeque, (const std::vector<signed char>& steps)) {
    SpscQueue<int> queue(*rc::gen::element<std::size_t>(1, 2, 8, 64));
    std::deque<int> model;
    int next = 0;
    for (const int step : steps) {
        if (step > 0) {
            std::vector<int> burst(static_cast<std::size_t>(step));
            std::iota(burst.begin(), burst.end(), next);
            const std::size_t pushed = queue.push(std::span(std::as_const(burst)));
            RC_ASSERT(pushed == std::min(burst.size(), queue.capacity() - model.size()));
            model.insert(model.end(), burst.begin(),
                         burst.begin() + static_cast<std::ptrdiff_t>(pushed));
            next += static_cast<int>(pushed);
        } else {
            std::vector<int> out(static_cast<std::size_t>(-step));
            const std::size_t popped = queue.pop(std::span(out));
            RC_ASSERT(popped == std::min(out.size(), model.size()));
            for (std::size_t i = 0; i < popped; ++i) {
                RC_ASSERT(out[i] == model.front());
                model.pop_front();
            }
        }
        RC_ASSERT(queue.size() == model.size());
    }
}

}  // namespace
}  // namespace joinleaf::dataplane
