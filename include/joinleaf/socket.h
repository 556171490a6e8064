// A multipoint socket: roles, join_leaf, scope, loopback, events. Rules M1 to M26.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/error.h>
#include <joinleaf/event.h>
#include <joinleaf/receiver.h>
#include <joinleaf/scheme.h>
#include <joinleaf/sender.h>
#include <joinleaf/source_filter.h>
#include <cstdint>
#include <memory>
#include <optional>

namespace joinleaf {

/// JL_SENDER_ONLY, JL_RECEIVER_ONLY, JL_BOTH (M8).
enum class Direction : std::uint8_t { sender_only, receiver_only, both };

struct SocketOptions {
    Scheme scheme = kAnySource;
    ControlRole control_role = ControlRole::leaf;
    DataRole data_role = DataRole::leaf;
    std::size_t port = 0;  ///< index into RuntimeOptions::ports
    /// The application's own number for this socket; comes back with events and datagrams.
    std::uint64_t cookie = 0;
    /// Where received datagrams go: `handler` on the worker when it is set, else `receiver`.
    InlineHandler handler{};
    const Receiver* receiver = nullptr;
    SenderOptions sender{};
};

struct JoinOptions {
    Direction direction = Direction::both;
    /// Which sources to receive. In 232.0.0.0/8 and in the source-specific scheme: an include list.
    SourceFilter sources = SourceFilter::any();
};

/// A handle; copies name the same socket. All functions may be called from any thread and are
/// carried out by the control thread; those that return Result wait for its answer. The socket
/// closes with close() or when the last handle is gone.
class Socket {
public:
    Socket() = default;

    /// M7: joins the group as `options` says. Blocking (the default): returns when the IGMP report
    /// has been handed to the wire. Nonblocking: returns at once, and FD_CONNECT tells the result.
    /// From a c_leaf the socket returned is this one (M9).
    /// Errors: invalid_argument (group or sources unusable, e.g. any-source in 232/8),
    /// connection_already_in_progress, already_connected (M12), no_buffer_space (limits),
    /// network_down (the port has no link), timed_out, operation_not_supported, not_a_socket.
    Result<Socket> join_leaf(GroupEndpoint group, const JoinOptions& options = {});

    /// Replaces the sources that a joined socket receives (RFC 9776 §2); takes effect on delivery
    /// at once and is reported to the querier.
    Result<void> set_sources(const SourceFilter& sources);

    /// M23, SIO_MULTICAST_SCOPE: 0 this host only, 1 (default) crosses no router, n crosses n-1.
    Result<void> set_scope(std::uint8_t scope);
    /// M24, SIO_MULTIPOINT_LOOPBACK: whether this d_leaf also receives what it sends itself.
    /// Default off. operation_not_supported where the data plane is rooted.
    Result<void> set_loopback(bool on);
    Result<void> set_nonblocking(bool on);
    /// Events in `mask` go to `queue` from now on (WSAEventSelect); inherited by sockets that come
    /// out of join_leaf and accept (M10).
    Result<void> select(const EventQueue& queue, EventMask mask = kAllEvents);

    /// The queue to the worker. One per socket. Errors: not_connected before a join that may send,
    /// no_buffer_space (too many senders on the port), operation_not_supported (an inline source).
    Result<Sender> sender();

    /// When the join completed: the time stamp of the burst that carried the report (M7).
    [[nodiscard]] Result<Instant> connected_at() const;
    [[nodiscard]] SocketId id() const noexcept;

    /// Leaves the group (M26) and ends the socket; cancels a pending join (M11). When it returns,
    /// the socket's handler and inline source are no longer called; so it must not be called by
    /// them. Idempotent.
    void close();

    class Impl;
    explicit Socket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    explicit operator bool() const noexcept { return impl_ != nullptr; }

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace joinleaf
