// The worker's clock: the time stamp counter, tied to CLOCK_MONOTONIC again and again.
#pragma once

#include <x86intrin.h>

#include <joinleaf/clock.h>
#include <cstdint>

namespace joinleaf::dataplane {

/// Wide enough for the product of two 64-bit numbers.
__extension__ using Wide = unsigned __int128;

/// Reads cost about 12 ns. Re-anchored ten times a second, so that it neither drifts away from
/// steady_clock nor depends on anybody's idea of the counter's frequency. One owner; never goes
/// backwards.
class TscClock {
public:
    TscClock();

    [[nodiscard]] Instant now() noexcept {
        const std::uint64_t ticks = __rdtsc() - anchor_.ticks;
        if (ticks > reanchor_after_) [[unlikely]] {
            reanchor();
            return last_;
        }
        const Instant read = anchor_.instant + Duration(scale(ticks));
        if (read > last_) last_ = read;
        return last_;
    }

private:
    /// The two clocks at one moment.
    struct Pair {
        Instant instant;
        std::uint64_t ticks = 0;
    };
    [[nodiscard]] static Pair read_both() noexcept;
    [[nodiscard]] std::int64_t scale(std::uint64_t ticks) const noexcept {
        return static_cast<std::int64_t>(static_cast<Wide>(ticks) * multiplier_ >> 32);
    }
    void reanchor() noexcept;

    Pair start_;
    Pair anchor_;
    std::uint64_t multiplier_ = 0;  ///< nanoseconds per tick, 32.32 fixed point
    std::uint64_t reanchor_after_ = 0;
    Instant last_;
};

}  // namespace joinleaf::dataplane
