#include <dataplane/tsc_clock.h>

#include <chrono>

namespace joinleaf::dataplane {
namespace {

constexpr Duration kCalibration = std::chrono::milliseconds(5);
constexpr Duration kAnchorEvery = std::chrono::milliseconds(100);

}  // namespace

TscClock::TscClock()
    : start_(std::chrono::steady_clock::now()),
      start_ticks_(__rdtsc()),
      anchor_(start_),
      anchor_ticks_(start_ticks_),
      last_(start_) {
    while (std::chrono::steady_clock::now() - start_ < kCalibration) {
    }
    reanchor();
}

void TscClock::reanchor() noexcept {
    anchor_ = std::chrono::steady_clock::now();
    anchor_ticks_ = __rdtsc();
    const auto elapsed = static_cast<std::uint64_t>((anchor_ - start_).count());
    const std::uint64_t ticks = anchor_ticks_ - start_ticks_;
    multiplier_ =
        static_cast<std::uint64_t>((static_cast<Wide>(elapsed) << 32) / (ticks == 0 ? 1 : ticks));
    reanchor_after_ = static_cast<std::uint64_t>((static_cast<Wide>(kAnchorEvery.count()) << 32) /
                                                 (multiplier_ == 0 ? 1 : multiplier_));
    if (anchor_ > last_) last_ = anchor_;
}

}  // namespace joinleaf::dataplane
