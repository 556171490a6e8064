// When each message of a feed is due.
#include <apps/joinleaf/feed_files/pace.h>

#include <algorithm>

namespace joinleaf::app {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
/// Far from what a Duration cannot hold, and longer than anybody waits.
constexpr double kLongest = 1e18;

}  // namespace

Pace Pace::at_rate(std::uint64_t messages) noexcept {
    Pace pace;
    pace.kind_ = Kind::rate;
    pace.per_second_ = messages;
    return pace;
}

Pace Pace::recorded(double speed) noexcept {
    Pace pace;
    pace.kind_ = Kind::recorded;
    pace.speed_ = speed;
    return pace;
}

Duration Pace::wait(const FeedMessage& next, Instant now) noexcept {
    if (kind_ == Kind::unlimited) return Duration::zero();
    if (!began_) began_ = now;
    const Duration wait = *began_ + due_after_begin(next) - now;
    if (wait < -kMostBehind) {
        const Duration late = -kMostBehind - wait;
        behind_ += late;
        *began_ += late;
        return -kMostBehind;
    }
    return wait;
}

Duration Pace::due_after_begin(const FeedMessage& next) noexcept {
    if (kind_ == Kind::rate) {
        const std::uint64_t seconds = sent_ / per_second_;
        const std::uint64_t rest = sent_ % per_second_;
        // In two steps, so that neither product overflows: a rate is at most 1e9, or the rest less.
        return std::chrono::seconds(seconds) + Duration(rest * kSecond / per_second_);
    }
    if (next.recorded) {
        if (!first_) first_ = latest_ = *next.recorded;
        latest_ = std::max(latest_, *next.recorded);
    }
    const auto recorded = static_cast<double>((latest_ - first_.value_or(latest_)).count());
    return Duration(static_cast<Duration::rep>(std::min(recorded / speed_, kLongest)));
}

}  // namespace joinleaf::app
