// The window against a sorted list.
#include <dataplane/hold_window.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace joinleaf::dataplane {
namespace {

HeldPacket packet(std::uint64_t first, std::uint32_t count) {
    return {.first = first, .messages = net::MoldMessages(nullptr, count)};
}

TEST(HoldWindow, HoldsNoMoreThanItsCapacity) {
    HoldWindow window(3);
    EXPECT_EQ(window.capacity(), 4u);
    for (std::uint64_t n = 0; n < 4; ++n) {
        EXPECT_FALSE(window.full());
        window.insert(packet(10 - n, 1));
    }
    EXPECT_TRUE(window.full());
    EXPECT_EQ(window.pop_front().first, 7u);
    EXPECT_EQ(window.size(), 3u);
}

TEST(HoldWindow, HoldsWhatOnePacketHasAllOf) {
    HoldWindow window(8);
    window.insert(packet(10, 5));
    window.insert(packet(20, 5));
    EXPECT_TRUE(window.holds(10, 15));
    EXPECT_TRUE(window.holds(12, 13));
    EXPECT_TRUE(window.holds(24, 25));
    EXPECT_FALSE(window.holds(9, 11));
    EXPECT_FALSE(window.holds(14, 16));
    EXPECT_FALSE(window.holds(15, 16));
    EXPECT_FALSE(window.holds(25, 26));
}

RC_GTEST_PROP(HoldWindowProperty, IsAsASortedList, ()) {
    HoldWindow window(*rc::gen::inRange<std::size_t>(1, 32));
    std::vector<std::uint64_t> model;
    const auto steps =
        *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 100));
    for (const auto first : steps) {
        if (window.full() || (first % 3 == 0 && !window.empty())) {
            RC_ASSERT(window.front().first == model.front());
            RC_ASSERT(window.pop_front().first == model.front());
            model.erase(model.begin());
        } else {
            window.insert(packet(first, 1));
            model.insert(std::ranges::upper_bound(model, first), first);
        }
        RC_ASSERT(window.size() == model.size());
        for (std::uint64_t n = 0; n < 100; ++n) {
            RC_ASSERT(window.holds(n, n + 1) == std::ranges::binary_search(model, n));
        }
    }
}

}  // namespace
}  // namespace joinleaf::dataplane
