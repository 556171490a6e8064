#include <controlplane/event_queue.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace joinleaf {
namespace {

constexpr std::chrono::milliseconds kLongestPoll = std::chrono::hours(24);

}  // namespace

std::string_view name(EventType type) noexcept {
    switch (type) {
        case EventType::connect:
            return "connect";
        case EventType::accept:
            return "accept";
        case EventType::close:
            return "close";
        case EventType::talk:
            return "talk";
    }
    return "unknown";
}

EventQueue::Impl::Impl() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "event queue");
}

EventQueue::Impl::~Impl() { close(fd_); }

void EventQueue::Impl::put(const Event& event) noexcept {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    eventfd_write(fd_, 1);
}

std::optional<Event> EventQueue::Impl::take() noexcept {
    const std::lock_guard lock(mutex_);
    if (events_.empty()) return std::nullopt;
    const Event event = events_.front();
    events_.pop_front();
    eventfd_t one = 0;
    eventfd_read(fd_, &one);
    return event;
}

std::optional<Event> EventQueue::next() noexcept { return impl_ ? impl_->take() : std::nullopt; }

int EventQueue::fd() const noexcept { return impl_ ? impl_->fd() : -1; }

std::optional<Event> EventQueue::wait(std::chrono::milliseconds timeout) noexcept {
    if (!impl_) return std::nullopt;
    // Longer than any program runs, and far from the end of the clock.
    constexpr std::chrono::milliseconds kForEver = std::chrono::years(100);
    const auto deadline = std::chrono::steady_clock::now() +
                          std::clamp(timeout, std::chrono::milliseconds::zero(), kForEver);
    for (;;) {
        if (auto event = next()) return event;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return std::nullopt;
        pollfd waiting{.fd = impl_->fd(), .events = POLLIN, .revents = 0};
        poll(&waiting, 1, static_cast<int>(std::min(left, kLongestPoll).count()));
    }
}

}  // namespace joinleaf
