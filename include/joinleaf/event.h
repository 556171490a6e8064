// What happened to a socket, and a queue of it with a file descriptor to poll.
#pragma once

#include <joinleaf/api.h>
#include <joinleaf/clock.h>
#include <joinleaf/receiver.h>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

namespace JOINLEAF_API joinleaf {

enum class EventType : std::uint8_t {
    connect = 1,  ///< FD_CONNECT: a join completed or failed (M7, M11)
    accept = 2,   ///< FD_ACCEPT: a request or an invitation is pending (M5, M6)
    /// FD_CLOSE: the session or the other end is gone (M4, M25). Event::error says why; none: the
    /// other side closed in good order; connection_aborted: expelled by the root; timed_out:
    /// nothing heard for dead_after; connection_reset: the connection broke; network_down: the
    /// leaf's data port lost its link; operation_not_supported: the leaf that was let in cannot
    /// take part in such a session.
    close = 4,
    talk = 8,  ///< FD_READ: the other end of an admission has said something (M9)
};
using EventMask = std::uint8_t;

[[nodiscard]] constexpr EventMask operator|(EventType a, EventType b) {
    return static_cast<EventMask>(static_cast<EventMask>(a) | static_cast<EventMask>(b));
}
[[nodiscard]] constexpr EventMask operator|(EventMask a, EventType b) {
    return static_cast<EventMask>(a | static_cast<EventMask>(b));
}
inline constexpr EventMask kAllEvents =
    EventType::connect | EventType::accept | EventType::close | EventType::talk;

[[nodiscard]] std::string_view name(EventType type) noexcept;

struct Event {
    EventType type{};
    SocketId socket{};
    std::uint64_t cookie = 0;  ///< SocketOptions::cookie
    std::error_code error;     ///< empty: success
    /// When it happened. For the connect of a nonrooted join: the time stamp of the transmit burst
    /// that took the IGMP report (M7), or of the call when nothing had to be sent.
    Instant at{};
};

/// Events of the sockets that selected it, oldest first. Any thread may take events; the file
/// descriptor is readable while one waits.
class EventQueue {
public:
    EventQueue() = default;

    [[nodiscard]] std::optional<Event> next() noexcept;
    /// Waits up to `timeout` for an event.
    [[nodiscard]] std::optional<Event> wait(std::chrono::milliseconds timeout) noexcept;
    /// For poll(2), epoll(7) or an event loop; owned by the queue; level-triggered.
    [[nodiscard]] int fd() const noexcept;

    class Impl;
    explicit EventQueue(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    [[nodiscard]] const std::shared_ptr<Impl>& impl() const noexcept { return impl_; }

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace joinleaf
