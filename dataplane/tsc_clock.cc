#include <dataplane/tsc_clock.h>

#include <algorithm>
#include <chrono>

namespace joinleaf::dataplane {
namespace {

constexpr Duration kCalibration = std::chrono::milliseconds(5);
constexpr int kTries = 4;
constexpr Duration kAnchorEvery = std::chrono::milliseconds(100);

}  // namespace

// A thread that is interrupted between the two readings pairs moments far apart, and the clock
// would be off by as much until the next anchor: of a few tries the closest is taken.
TscClock::Pair TscClock::read_both() noexcept {
    Pair best;
    std::uint64_t closest = UINT64_MAX;
    for (int i = 0; i < kTries; ++i) {
        const std::uint64_t before = __rdtsc();
        const Instant instant = std::chrono::steady_clock::now();
        const std::uint64_t apart = __rdtsc() - before;
        if (apart >= closest) continue;
        closest = apart;
        best = {.instant = instant, .ticks = before + apart / 2};
    }
    return best;
}

TscClock::TscClock() : start_(read_both()), anchor_(start_), last_(start_.instant) {
    while (std::chrono::steady_clock::now() - start_.instant < kCalibration) {
    }
    reanchor();
}

void TscClock::reanchor() noexcept {
    anchor_ = read_both();
    const auto elapsed = static_cast<std::uint64_t>((anchor_.instant - start_.instant).count());
    const std::uint64_t ticks = anchor_.ticks - start_.ticks;
    multiplier_ =
        static_cast<std::uint64_t>((static_cast<Wide>(elapsed) << 32) / (ticks == 0 ? 1 : ticks));
    reanchor_after_ = static_cast<std::uint64_t>((static_cast<Wide>(kAnchorEvery.count()) << 32) /
                                                 (multiplier_ == 0 ? 1 : multiplier_));
    last_ = std::max(last_, anchor_.instant);
}

}  // namespace joinleaf::dataplane
