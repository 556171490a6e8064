// The pace of what we send: a token bucket kept as one instant. Pure.
#pragma once

#include <joinleaf/clock.h>
#include <algorithm>
#include <cstdint>

namespace joinleaf::igmp {

/// `rate` messages a second, `burst` of them at once. A message may be sent on credit when it
/// belongs with one that had a token; the bucket then fills up later by as much.
class TokenBucket {
public:
    TokenBucket(double rate, std::uint32_t burst)
        : interval_(std::max<std::int64_t>(1, static_cast<std::int64_t>(1e9 / rate))),
          depth_(interval_ * (burst - 1)) {}

    /// When the next message may leave; in the past while tokens are left.
    [[nodiscard]] Instant ready_at() const { return empty_until_ - depth_; }
    [[nodiscard]] bool ready(Instant now) const { return ready_at() <= now; }
    void spend(std::size_t messages, Instant now) {
        if (messages == 0) return;
        empty_until_ =
            std::max(empty_until_, now) + interval_ * static_cast<std::int64_t>(messages);
    }

private:
    Duration interval_;
    Duration depth_;
    Instant empty_until_ = Instant::min() + depth_;  // the bucket is full from here on
};

}  // namespace joinleaf::igmp
