// How a recording goes from the control thread to a worker and back, so that neither waits for the
// other and nothing is read while it is written. Pure.
#pragma once

#include <dataplane/recording.h>

#include <atomic>
#include <cstdint>
#include <utility>

namespace joinleaf::dataplane {

/// The recording that a worker writes into. When it is to be read the control thread gives another
/// one in its place, by command, and gets the first back.
class LentRecording {
public:
    /// Before the worker runs, or between its turns by whoever turns it. Null, as it is at first:
    /// nothing is recorded.
    void use(Recording* recording) noexcept { now_ = recording; }

    // The worker.
    explicit operator bool() const noexcept { return now_ != nullptr; }
    Recording& operator*() const noexcept { return *now_; }
    Recording* operator->() const noexcept { return now_; }

    /// By command: `fresh` takes its place when `after` more packets have been recorded. The
    /// control thread has it lent until it is itself replaced, and must have taken back what was
    /// replaced before. The same `fresh` once more only says anew after how many.
    void replace(Recording& fresh, std::size_t after) noexcept {
        if (now_ == &fresh) return;  // done already
        fresh_ = &fresh;
        until_ = now_->end() + after;
        give_back_if_due();
    }
    /// Now and then, where nothing that was recorded is still to be changed.
    void give_back_if_due() noexcept {
        if (fresh_ == nullptr || now_->end() < until_) return;
        given_back_.store(std::exchange(now_, std::exchange(fresh_, nullptr)),
                          std::memory_order_release);
    }

    // The control thread.
    /// What was replaced, once. Null: the worker still writes into it.
    [[nodiscard]] Recording* take_back() noexcept {
        return given_back_.exchange(nullptr, std::memory_order_acquire);
    }

private:
    Recording* now_ = nullptr;
    Recording* fresh_ = nullptr;
    std::uint64_t until_ = 0;  ///< this position `fresh_` waits
    std::atomic<Recording*> given_back_{nullptr};
};

}  // namespace joinleaf::dataplane
