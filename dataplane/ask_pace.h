// How fast a repair server is asked for the rest of what is missing, learnt from its silence: it
// has a limit that it does not tell. Pure.
#pragma once

#include <joinleaf/clock.h>
#include <algorithm>
#include <chrono>

namespace joinleaf::dataplane {

/// The interval between requests of which each goes on where the last answer ended. It grows by a
/// third with each that is not answered and shrinks with each that is, by more the longer it is:
/// leaves that share a limit come to have alike of it. One owner.
class AskPace {
public:
    /// `most`: no interval is longer, nor than a second.
    explicit AskPace(Duration most) noexcept : most_(std::min<Duration>(most, kLongest)) {}

    /// Zero until a request has gone unanswered.
    [[nodiscard]] Duration interval() const noexcept { return interval_; }

    /// `was_waited`: the interval was longer than the answer took. Where it was not, nothing is
    /// known of faster ones, and it stays as it is: near what is true, for when silence comes.
    void answered(bool was_waited) noexcept {
        if (!was_waited) return;
        // A sixty-fourth and kSteps more of them per second.
        const Duration faster = interval_ * 64 / 65;
        interval_ = faster * kSecond / (kSecond + faster.count() * kSteps);
        if (interval_ < kShortest) interval_ = Duration::zero();
    }
    void unanswered() noexcept {
        interval_ = std::min(std::max<Duration>(interval_ * 4 / 3, kFirst), most_);
    }

private:
    static constexpr Duration::rep kSecond = Duration(std::chrono::seconds(1)).count();
    static constexpr Duration::rep kSteps = 20;
    static constexpr Duration kLongest = std::chrono::seconds(1);
    static constexpr Duration kFirst = std::chrono::microseconds(100);
    static constexpr Duration kShortest = std::chrono::microseconds(10);

    Duration most_;
    Duration interval_{};
};

}  // namespace joinleaf::dataplane
