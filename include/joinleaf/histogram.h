// How times are spread, from a nanosecond to centuries, within 1.6 % and in constant memory.
#pragma once

#include <joinleaf/api.h>
#include <joinleaf/clock.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace JOINLEAF_API joinleaf {

/// Log-linear: times below 128 ns are counted one by one, and each power of two above is cut into
/// 64 equal steps. One thread writes. Any other may copy it meanwhile and read the copy, which has
/// each time that was recorded before the copying began, and some of those during it.
class Histogram {
public:
    /// What a percentile may be above the true value, at most, as a part of it.
    static constexpr double kRelativeError = 1.0 / 64;

    Histogram() = default;
    Histogram(const Histogram& other) noexcept { *this = other; }
    Histogram& operator=(const Histogram& other) noexcept;
    ~Histogram() = default;

    /// A time before zero counts as zero.
    void record(Duration time) noexcept {
        const auto value = static_cast<std::uint64_t>(std::max<Duration::rep>(time.count(), 0));
        add(counts_[index_of(value)], 1);
        add(count_, 1);
        add(sum_, value);
        if (value < of(least_)) set(least_, value);
        if (value > of(most_)) set(most_, value);
    }
    void merge(const Histogram& other) noexcept;

    [[nodiscard]] std::uint64_t count() const noexcept { return of(count_); }
    /// Exact, as is max(); zero when nothing was recorded.
    [[nodiscard]] Duration min() const noexcept { return time(count() == 0 ? 0 : of(least_)); }
    [[nodiscard]] Duration max() const noexcept { return time(of(most_)); }
    [[nodiscard]] Duration mean() const noexcept {
        return time(count() == 0 ? 0 : of(sum_) / count());
    }

    /// The time that `part` (0 to 1; 0.99 for p99) of all recorded ones did not exceed: not below
    /// the true one, and above it by kRelativeError at most. Zero when nothing was recorded.
    [[nodiscard]] Duration percentile(double part) const noexcept;

private:
    static constexpr unsigned kStepBits = 6;
    static constexpr std::uint64_t kSteps = 1 << kStepBits;
    static constexpr std::size_t kBuckets = (64 - kStepBits + 1) << kStepBits;

    // With one writer a relaxed load and store do, and cost what plain ones would.
    using Count = std::atomic<std::uint64_t>;
    static std::uint64_t of(const Count& count) noexcept {
        return count.load(std::memory_order_relaxed);
    }
    static void set(Count& count, std::uint64_t value) noexcept {
        count.store(value, std::memory_order_relaxed);
    }
    static void add(Count& count, std::uint64_t more) noexcept { set(count, of(count) + more); }

    static constexpr std::size_t index_of(std::uint64_t value) noexcept {
        if (value < kSteps) return value;
        const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kStepBits;
        return (std::size_t{shift} << kStepBits) + (value >> shift);
    }
    /// The greatest value of a bucket.
    static constexpr std::uint64_t upper_end(std::size_t index) noexcept {
        if (index < 2 * kSteps) return index;
        const std::size_t shift = (index >> kStepBits) - 1;
        return (((index & (kSteps - 1)) + kSteps + 1) << shift) - 1;
    }
    static constexpr Duration time(std::uint64_t value) noexcept {
        return Duration(static_cast<Duration::rep>(value));
    }

    std::array<Count, kBuckets> counts_{};
    Count count_ = 0;
    Count sum_ = 0;
    Count least_ = ~std::uint64_t{0};
    Count most_ = 0;
};

}  // namespace joinleaf
