// Which messages of a feed are missing: exact ranges, however they come and go.
#include <apps/joinleaf/missing.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace joinleaf::app {
namespace {

using Range = Missing::Range;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(Missing, IsNothingAtFirst) {
    Missing missing;
    missing.begin_session("A");
    EXPECT_TRUE(missing.empty());
    EXPECT_THAT(missing.ranges(), IsEmpty());
}

TEST(Missing, RangesThatTouchAreOne) {
    Missing missing;
    missing.begin_session("A");
    missing.add(5, 2);
    missing.add(7, 1);
    missing.add(9, 1);
    EXPECT_THAT(missing.ranges(), ElementsAre(Range{"A", 5, 3}, Range{"A", 9, 1}));
    EXPECT_EQ(missing.messages(), 4u);
}

TEST(Missing, SessionsAreApart) {
    Missing missing;
    missing.begin_session("A");
    missing.add(5, 1);
    missing.begin_session("B");
    missing.add(6, 1);
    EXPECT_THAT(missing.ranges(), ElementsAre(Range{"A", 5, 1}, Range{"B", 6, 1}));
}

TEST(Missing, SessionsThatLackNothingTakeNoMemory) {
    Missing missing;
    for (int i = 0; i < 1000; ++i) {
        missing.begin_session("A");
        missing.add(1, 1);
        missing.begin_session("B");
        missing.add(1, 1);
        missing.remove(1, 1);
    }
    missing.begin_session("C");
    missing.add(7, 1);
    const auto ranges = missing.ranges();
    EXPECT_EQ(ranges.size(), 1001u);
    EXPECT_EQ(ranges.back(), (Range{"C", 7, 1}));
    EXPECT_EQ(missing.messages(), 1001u);
}

TEST(Missing, WhatComesLateIsMissingNoMore) {
    Missing missing;
    missing.begin_session("A");
    missing.add(10, 10);
    missing.add(30, 2);
    missing.remove(13, 2);
    EXPECT_THAT(missing.ranges(),
                ElementsAre(Range{"A", 10, 3}, Range{"A", 15, 5}, Range{"A", 30, 2}));
    missing.remove(10, 3);
    missing.remove(18, 2);
    EXPECT_THAT(missing.ranges(), ElementsAre(Range{"A", 15, 3}, Range{"A", 30, 2}));
    EXPECT_EQ(missing.messages(), 5u);
    missing.remove(15, 3);
    missing.remove(30, 2);
    EXPECT_TRUE(missing.empty());
}

TEST(Missing, WhatIsNotKeptIsCounted) {
    Missing missing;
    missing.begin_session("A");
    for (std::uint64_t i = 0; i < Missing::kMostKept + 5; ++i) missing.add(1 + 2 * i, 1);
    EXPECT_EQ(missing.ranges().size(), Missing::kMostKept);
    EXPECT_EQ(missing.messages(), Missing::kMostKept + 5);
    EXPECT_EQ(missing.messages_not_kept(), 5u);
    missing.remove(1 + 2 * (Missing::kMostKept + 1), 1);
    EXPECT_EQ(missing.messages_not_kept(), 4u);
    EXPECT_EQ(missing.messages(), Missing::kMostKept + 4);
}

RC_GTEST_PROP(Missing, IsExact, (const std::vector<std::uint8_t>& steps)) {
    Missing missing;
    missing.begin_session("A");
    std::set<std::uint64_t> expected;
    std::uint64_t next = 1;
    for (const auto step : steps) {
        const std::uint64_t count = 1 + step % 8;
        if (step % 3 == 0 && !expected.empty()) {
            const std::uint64_t number =
                *std::next(expected.begin(), static_cast<std::ptrdiff_t>(step % expected.size()));
            expected.erase(number);
            missing.remove(number, 1);
        } else {
            if (step % 2 == 0) next += count;
            for (std::uint64_t i = 0; i < count; ++i) expected.insert(next + i);
            missing.add(next, count);
            next += count;
        }
    }
    std::set<std::uint64_t> told;
    for (const auto& range : missing.ranges()) {
        for (std::uint64_t i = 0; i < range.count; ++i) told.insert(range.first + i);
    }
    RC_ASSERT(told == expected);
    RC_ASSERT(missing.messages() == expected.size());
    RC_ASSERT(missing.messages_not_kept() == 0u);
}

}  // namespace
}  // namespace joinleaf::app
