#include <dataplane/port_clock.h>

#include <cmath>

namespace joinleaf::dataplane {
namespace {

// No clock drifts by a hundredth; to read one takes microseconds, and readings are at least
// milliseconds apart.
constexpr double kWasSet = 0.01;

double rate_between(const ClockReading& one, const ClockReading& other) noexcept {
    return static_cast<double>(static_cast<std::int64_t>(other.ticks - one.ticks)) /
           static_cast<double>((other.at - one.at) / Duration(1));
}

}  // namespace

void PortClock::read(ClockReading newest) noexcept {
    if (newest.at <= newest_.at) return;
    const double rate = rate_between(newest_, newest);
    if (rate <= 0 || (is_known() && std::abs(rate / ticks_per_ns_ - 1) > kWasSet)) {
        *this = PortClock(newest);
        return;
    }
    newest_ = newest;
    ticks_per_ns_ = rate_between(first_, newest);
}

}  // namespace joinleaf::dataplane
