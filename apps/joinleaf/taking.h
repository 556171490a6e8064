// One turn of whoever takes from queues and writes: take, ask whether to end, rest, and do not hold
// back what is written for too long.
#pragma once

#include <apps/joinleaf/idle.h>
#include <joinleaf/clock.h>

#include <chrono>
#include <string_view>

namespace joinleaf::app {

/// One thread.
class Taking {
public:
    explicit Taking(Idle idle = Idle()) : idle_(idle) {}

    /// `take_burst()` says whether there was anything, `should_stop(now)` why to end; empty: it
    /// goes on. `sink` has waiting() octets, and flush(). Returns the reason to end.
    template <class Sink, class TakeBurst, class ShouldStop>
    std::string_view turn(Sink& sink, TakeBurst take_burst, ShouldStop&& should_stop) {
        const bool took = take_burst();
        const Instant now = Instant::clock::now();
        if (const std::string_view reason = should_stop(now); !reason.empty()) return reason;
        if (took) {
            idle_.reset();
        } else {
            idle_.wait();
        }
        if (sink.waiting() == 0) {
            held_since_ = now;
        } else if (now - held_since_ > kLongestHeldBack) {
            sink.flush();
        }
        return {};
    }

private:
    /// Of a stream too thin to fill the output's buffer: how long it is held back.
    static constexpr auto kLongestHeldBack = std::chrono::milliseconds(100);

    Idle idle_;
    Instant held_since_{};
};

}  // namespace joinleaf::app
