// How many packets may go out now: a token bucket in packets per second and, if wanted, in bits per
// second. Pure: time comes in. One owner.
#pragma once

#include <joinleaf/clock.h>
#include <algorithm>
#include <cassert>
#include <cstdint>
#include <limits>

namespace joinleaf::dataplane {

/// Whole tokens at an exact rate. Credit is counted in token-nanoseconds, 10^9 to a token, so that
/// no rate from 1 per second up is ever rounded.
class TokenBucket {
public:
    /// At most this many per second, or in one burst: keeps all products within 64 bits.
    static constexpr std::uint64_t kMaxRate = 1'000'000'000'000;
    static constexpr std::uint64_t kMaxBurst = 4'000'000'000;

    /// No limit.
    TokenBucket() = default;

    /// `rate` in tokens per second, 1 to kMaxRate; `burst`, 1 to kMaxBurst, is the most that
    /// gathers while nothing is taken. Starts with `initial` tokens.
    TokenBucket(std::uint64_t rate, std::uint64_t burst, std::uint64_t initial,
                Instant now) noexcept
        : rate_(rate),
          limit_(static_cast<std::int64_t>(burst * kToken)),
          credit_(static_cast<std::int64_t>(std::min(initial, burst) * kToken)),
          fill_time_(burst * kToken / rate + 1),
          last_(now) {
        assert(rate >= 1 && rate <= kMaxRate && burst >= 1 && burst <= kMaxBurst);
    }

    [[nodiscard]] bool is_limited() const noexcept { return rate_ != 0; }

    /// Tokens there are at `now`; none while there is debt. A `now` before an earlier one counts as
    /// that earlier one.
    [[nodiscard]] std::uint64_t available(Instant now) noexcept {
        if (rate_ == 0) return std::numeric_limits<std::uint64_t>::max();
        if (now > last_) {
            const auto elapsed = static_cast<std::uint64_t>((now - last_) / Duration(1));
            // So that the product fits: what fills the bucket, out of whatever debt, is enough.
            const std::uint64_t useful =
                elapsed < fill_time_ ? elapsed : std::min(elapsed, missing() / rate_ + 1);
            credit_ = useful * rate_ >= missing()
                          ? limit_
                          : credit_ + static_cast<std::int64_t>(useful * rate_);
            last_ = now;
        }
        return credit_ <= 0 ? 0 : static_cast<std::uint64_t>(credit_) / kToken;
    }
    /// When the `n`-th of the tokens that were available at the last look had come. Long ago where
    /// there is no limit.
    [[nodiscard]] Instant reached(std::uint64_t n) const noexcept {
        if (rate_ == 0) return Instant::min();
        const std::int64_t beyond = credit_ - static_cast<std::int64_t>(n * kToken);
        return last_ -
               Duration(std::max<std::int64_t>(beyond, 0) / static_cast<std::int64_t>(rate_));
    }
    /// Takes tokens. More than are available is a debt, of kMaxBurst at most, which is paid off
    /// before there are any again.
    void consume(std::uint64_t tokens) noexcept {
        if (rate_ == 0) return;
        assert(tokens <= kMaxBurst);
        credit_ -= static_cast<std::int64_t>(tokens * kToken);
    }

private:
    static constexpr std::uint64_t kToken = 1'000'000'000;

    [[nodiscard]] std::uint64_t missing() const noexcept {
        return static_cast<std::uint64_t>(limit_ - credit_);
    }

    std::uint64_t rate_ = 0;  // 0: no limit
    std::int64_t limit_ = 0;
    std::int64_t credit_ = 0;
    std::uint64_t fill_time_ = 0;  // ns in which an empty bucket fills
    Instant last_;
};

/// What a frame of `frame` octets takes of a wire: with padding, preamble, frame check sequence and
/// the gap to the next (IEEE 802.3).
[[nodiscard]] constexpr std::uint32_t octets_on_wire(std::uint32_t frame) noexcept {
    constexpr std::uint32_t kShortest = 60;
    constexpr std::uint32_t kAround = 8 + 4 + 12;
    return std::max(frame, kShortest) + kAround;
}

/// What a sender may send; 0 means no limit.
struct Pace {
    std::uint64_t packets_per_second = 0;
    std::uint64_t bits_per_second = 0;
    /// The most that may go out at once after a pause. To hold its rate, a sender must ask at least
    /// once in the time of a burst.
    std::uint32_t burst_packets = 64;
    std::uint32_t burst_octets = 256 * 1024;  ///< at least one frame
};

/// In any stretch of time t no more goes out than a burst and t times the rate.
class Pacer {
public:
    /// No limit.
    Pacer() = default;

    /// The first packet may go at once; a burst must be waited for, so that the rate holds from the
    /// first second on.
    Pacer(const Pace& pace, Instant now) noexcept {
        if (pace.packets_per_second != 0) {
            packets_ = TokenBucket(pace.packets_per_second, pace.burst_packets, 1, now);
        }
        if (pace.bits_per_second != 0) {
            bits_ = TokenBucket(pace.bits_per_second, std::uint64_t{pace.burst_octets} * 8, 0, now);
        }
    }

    [[nodiscard]] bool is_limited() const noexcept {
        return packets_.is_limited() || bits_.is_limited();
    }

    /// How many of `wanted` packets may go out now. `octets_each`, at least 1, is what the longest
    /// of them counts towards the bit rate.
    [[nodiscard]] std::uint32_t allowance(Instant now, std::uint32_t wanted,
                                          std::uint32_t octets_each) noexcept {
        if (!is_limited()) return wanted;
        const std::uint64_t packets = packets_.available(now);
        const std::uint64_t bits = bits_.available(now) / (std::uint64_t{octets_each} * 8);
        return static_cast<std::uint32_t>(std::min({std::uint64_t{wanted}, packets, bits}));
    }

    /// When the next `packets`-th of those that the last allowance was for is due, if they have
    /// `octets` together: what a port goes by that sends each at a time of its own.
    [[nodiscard]] Instant due(std::uint32_t packets, std::uint64_t octets) const noexcept {
        return std::max(packets_.reached(packets), bits_.reached(octets * 8));
    }

    /// Counts what has gone out: no more packets than the last allowance. More octets than that was
    /// for are taken from what comes next.
    void consume(std::uint32_t packets, std::uint64_t octets) noexcept {
        packets_.consume(packets);
        bits_.consume(std::min(octets * 8, TokenBucket::kMaxBurst));
    }

private:
    TokenBucket packets_;
    TokenBucket bits_;
};

}  // namespace joinleaf::dataplane
