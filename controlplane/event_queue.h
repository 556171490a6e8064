// The queue behind EventQueue: the control thread puts in, applications take out.
#pragma once

#include <joinleaf/event.h>
#include <deque>
#include <mutex>

namespace joinleaf {

class EventQueue::Impl {
public:
    /// Errors: throws std::system_error when the process has no file descriptor left.
    Impl();
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void put(const Event& event) noexcept;
    [[nodiscard]] std::optional<Event> take() noexcept;
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    int fd_;  ///< an eventfd that counts the events waiting
    std::mutex mutex_;
    std::deque<Event> events_;
};

}  // namespace joinleaf
