// Ranges against a set of single numbers.
#include <dataplane/sequence_ranges.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace joinleaf::dataplane {
namespace {

TEST(SequenceRanges, ATakenPartIsGoneAndBothSidesStay) {
    SequenceRanges ranges(4);
    ranges.add({10, 20});
    EXPECT_EQ(ranges.take({12, 15}), (SequenceRange{12, 15}));
    EXPECT_EQ(ranges.take({12, 15}), std::nullopt);
    EXPECT_EQ(ranges.take({0, 100}), (SequenceRange{10, 12}));
    EXPECT_EQ(ranges.take({0, 100}), (SequenceRange{15, 20}));
    EXPECT_TRUE(ranges.empty());
}

TEST(SequenceRanges, TheOldestIsForgottenWhenThereAreTooMany) {
    SequenceRanges ranges(2);
    ranges.add({1, 2});
    ranges.add({3, 4});
    ranges.add({5, 6});
    EXPECT_EQ(ranges.take({1, 100}), (SequenceRange{3, 4}));
}

TEST(SequenceRanges, OneThatBecomesTwoMayPushTheOldestOut) {
    SequenceRanges ranges(2);
    ranges.add({1, 2});
    ranges.add({10, 20});
    EXPECT_EQ(ranges.take({12, 15}), (SequenceRange{12, 15}));
    EXPECT_EQ(ranges.take({1, 100}), (SequenceRange{10, 12}));
    EXPECT_EQ(ranges.take({1, 100}), (SequenceRange{15, 20}));
}

TEST(SequenceRanges, WithoutRoomNothingIsRemembered) {
    SequenceRanges ranges(0);
    ranges.add({1, 2});
    EXPECT_TRUE(ranges.empty());
}

RC_GTEST_PROP(SequenceRangesProperty, AreAsASetOfNumbers, ()) {
    SequenceRanges ranges(1000);
    std::set<std::uint64_t> model;
    std::uint64_t end = 0;
    const auto steps = *rc::gen::container<std::vector<std::pair<bool, SequenceRange>>>(
        rc::gen::pair(rc::gen::arbitrary<bool>(),
                      rc::gen::map(rc::gen::pair(rc::gen::inRange<std::uint64_t>(0, 10),
                                                 rc::gen::inRange<std::uint64_t>(1, 10)),
                                   [](auto p) {
                                       return SequenceRange{p.first, p.second};
                                   })));
    for (const auto& [adds, numbers] : steps) {
        if (adds) {  // so far behind the last, and so many
            const SequenceRange range{end + numbers.first, end + numbers.first + numbers.end};
            ranges.add(range);
            for (auto n = range.first; n < range.end; ++n) model.insert(n);
            end = range.end;
            continue;
        }
        const auto first = numbers.first * end / 10;
        const SequenceRange wanted{first, first + numbers.end};
        const auto at = model.lower_bound(wanted.first);
        const bool there = at != model.end() && *at < wanted.end;
        const auto taken = ranges.take(wanted);
        RC_ASSERT(taken.has_value() == there);
        if (!taken) continue;
        RC_ASSERT(taken->first == *at && taken->first < taken->end && taken->end <= wanted.end);
        for (auto n = taken->first; n < taken->end; ++n) RC_ASSERT(model.erase(n) == 1u);
        // As much as hangs together.
        RC_ASSERT(taken->end == wanted.end || !model.contains(taken->end));
    }
    RC_ASSERT(ranges.empty() == model.empty());
}

}  // namespace
}  // namespace joinleaf::dataplane
