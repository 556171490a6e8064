// The histogram against a sorted list of the same times.
#include <gtest/gtest.h>
#include <joinleaf/histogram.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;

// The nearest rank, by sorting.
std::int64_t sorted_percentile(std::vector<std::int64_t> values, double part) {
    std::ranges::sort(values);
    const auto rank = static_cast<std::size_t>(
        std::max(1.0, std::ceil(part * static_cast<double>(values.size()))));
    return values[rank - 1];
}

bool agrees(const std::vector<std::int64_t>& values) {
    Histogram histogram;
    for (const auto value : values) histogram.record(Duration(value));
    for (const double part : {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
        const auto exact = sorted_percentile(values, part);
        const auto told = histogram.percentile(part).count();
        const auto slack = static_cast<double>(exact) * Histogram::kRelativeError;
        if (told < exact || static_cast<double>(told - exact) > slack) return false;
    }
    return histogram.count() == values.size() &&
           histogram.max().count() == *std::ranges::max_element(values) &&
           histogram.min().count() == *std::ranges::min_element(values);
}

TEST(Histogram, OfNothingIsZero) {
    const Histogram histogram;
    EXPECT_EQ(histogram.count(), 0u);
    EXPECT_EQ(histogram.percentile(0.5), 0ns);
    EXPECT_EQ(histogram.min(), 0ns);
    EXPECT_EQ(histogram.max(), 0ns);
    EXPECT_EQ(histogram.mean(), 0ns);
}

TEST(Histogram, SmallTimesAreExact) {
    for (int n = 1; n <= 128; ++n) {
        Histogram histogram;
        for (int i = 0; i < n; ++i) histogram.record(Duration(i));
        EXPECT_EQ(histogram.percentile(0.5).count(), (n + 1) / 2 - 1) << n;
    }
}

TEST(Histogram, ATimeBeforeZeroCountsAsZero) {
    Histogram histogram;
    histogram.record(-5ns);
    EXPECT_EQ(histogram.count(), 1u);
    EXPECT_EQ(histogram.max(), 0ns);
}

TEST(Histogram, AgreesWithASortedListOfLatencies) {
    std::mt19937_64 random(1);
    std::lognormal_distribution<double> latency(10, 1.5);  // microseconds, with a long tail
    std::vector<std::int64_t> values(100'000);
    for (auto& value : values) value = static_cast<std::int64_t>(latency(random));
    EXPECT_TRUE(agrees(values));
}

TEST(Histogram, AgreesAtEveryPowerOfTwo) {
    for (unsigned bit = 0; bit < 63; ++bit) {
        const auto value = std::int64_t{1} << bit;
        EXPECT_TRUE(agrees({value - 1, value, value + 1})) << bit;
    }
    EXPECT_TRUE(agrees({std::numeric_limits<std::int64_t>::max()}));
}

TEST(Histogram, TwoMergedAreAsOneOfBoth) {
    Histogram a, b, both;
    std::mt19937_64 random(2);
    for (int i = 0; i < 1000; ++i) {
        const Duration time(static_cast<std::int64_t>(random() % 1'000'000));
        (i % 3 == 0 ? a : b).record(time);
        both.record(time);
    }
    a.merge(b);
    EXPECT_EQ(a.count(), both.count());
    EXPECT_EQ(a.mean(), both.mean());
    EXPECT_EQ(a.min(), both.min());
    EXPECT_EQ(a.max(), both.max());
    for (const double part : {0.01, 0.5, 0.99}) {
        EXPECT_EQ(a.percentile(part), both.percentile(part));
    }
}

TEST(Histogram, ACopyIsTheSame) {
    Histogram original;
    for (const int ns : {3, 70'000, 5'000'000}) original.record(Duration(ns));
    const Histogram copy = original;
    original.record(1h);
    EXPECT_EQ(copy.count(), 3u);
    EXPECT_EQ(copy.min(), 3ns);
    EXPECT_EQ(copy.max(), 5ms);
    EXPECT_EQ(copy.mean(), Duration(5'070'003 / 3));
    const Histogram nothing = Histogram();
    EXPECT_EQ(nothing.count(), 0u);
    EXPECT_EQ(nothing.max(), 0ns);
}

RC_GTEST_PROP(Histogram, AgreesWithASortedListOfAnything, (const std::vector<std::uint64_t>& any)) {
    RC_PRE(!any.empty());
    std::vector<std::int64_t> values;
    // Of every magnitude: the lowest bits say how far the rest is shifted.
    for (const auto value : any) {
        values.push_back(static_cast<std::int64_t>((value >> 1) >> (value % 63)));
    }
    RC_ASSERT(agrees(values));
}

}  // namespace
}  // namespace joinleaf::dataplane
