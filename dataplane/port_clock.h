// The clock of a port that sends each frame at a time of its own, tied to ours. Pure: readings of
// the two come in. One owner; copied to who needs it.
#pragma once

#include <joinleaf/clock.h>
#include <cstdint>

namespace joinleaf::dataplane {

/// Both clocks at one moment.
struct ClockReading {
    Instant at{};
    std::uint64_t ticks = 0;
};

/// Nobody says how fast a port's clock runs, and it drifts: the rate is measured between the first
/// reading and the newest, so that it becomes the more exact the longer the port runs, and times
/// are told from the newest one on. A clock that was set (by PTP, say) is measured anew.
class PortClock {
public:
    PortClock() = default;
    explicit PortClock(ClockReading first) : first_(first), newest_(first) {}

    /// A later reading; one that is not later changes nothing.
    void read(ClockReading newest) noexcept;

    /// Whether there have been readings enough to tell the time since the clock was last set.
    [[nodiscard]] bool is_known() const noexcept { return ticks_per_ns_ != 0; }

    /// What the port's clock shows at an instant around the newest reading.
    [[nodiscard]] std::uint64_t ticks_at(Instant at) const noexcept {
        const auto ns = static_cast<double>((at - newest_.at) / Duration(1));
        return newest_.ticks +
               static_cast<std::uint64_t>(static_cast<std::int64_t>(ns * ticks_per_ns_));
    }

private:
    ClockReading first_;
    ClockReading newest_;
    double ticks_per_ns_ = 0;
};

}  // namespace joinleaf::dataplane
