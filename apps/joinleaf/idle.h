// How an application thread waits for a queue that has no file descriptor: it yields, then sleeps
// longer and longer, so that an idle program costs next to no CPU.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace joinleaf::app {

class Idle {
public:
    explicit Idle(std::chrono::microseconds longest = std::chrono::microseconds(1000),
                  int yields = 16)
        : longest_(longest), yields_(yields) {}

    /// There was work.
    void reset() noexcept {
        turns_ = 0;
        sleep_ = kShortest;
    }
    /// There was none.
    void wait() {
        if (turns_ < yields_) {
            ++turns_;
            std::this_thread::yield();
            return;
        }
        std::this_thread::sleep_for(sleep_);
        sleep_ = std::min(sleep_ * 2, longest_);
    }

private:
    static constexpr std::chrono::microseconds kShortest{20};
    std::chrono::microseconds longest_;
    int yields_;
    std::chrono::microseconds sleep_ = kShortest;
    int turns_ = 0;
};

}  // namespace joinleaf::app
