// A worker's tally, and what others see of it.
#include <dataplane/counters.h>
#include <gtest/gtest.h>

namespace joinleaf::dataplane {
namespace {

TEST(Tally, CountsEachThingUnderItsOwnName) {
    Tally tally;
    PublishedTally published;
    std::uint64_t n = 1;
    for (std::size_t i = 0; i < kCountCount; ++i) tally.add(static_cast<Count>(i), n++);
    for (std::size_t i = 0; i < kDropReasonCount; ++i) tally.drop(static_cast<DropReason>(i), n++);
    published.publish(tally);
    n = 1;
    for (std::size_t i = 0; i < kCountCount; ++i) {
        EXPECT_EQ(published.get(static_cast<Count>(i)), n++);
    }
    for (std::size_t i = 0; i < kDropReasonCount; ++i) {
        EXPECT_EQ(published.get(static_cast<DropReason>(i)), n++);
    }
}

TEST(Tally, IsSeenAsItWasWhenItWasPublished) {
    Tally tally;
    PublishedTally published;
    tally.drop(DropReason::fragment);
    EXPECT_EQ(published.get(DropReason::fragment), 0u);
    published.publish(tally);
    EXPECT_EQ(published.get(DropReason::fragment), 1u);
    tally.drop(DropReason::fragment, 5);
    EXPECT_EQ(published.get(DropReason::fragment), 1u);
    published.publish(tally);
    EXPECT_EQ(published.get(DropReason::fragment), 6u);
}

TEST(Bump, AddsWithoutALock) {
    std::atomic<std::uint64_t> counter{0};
    bump(counter);
    bump(counter, 41);
    EXPECT_EQ(counter, 42u);
}

}  // namespace
}  // namespace joinleaf::dataplane
