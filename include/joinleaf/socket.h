// A multipoint socket: roles, join_leaf, scope, loopback, events. Rules M1 to M26.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/api.h>
#include <joinleaf/error.h>
#include <joinleaf/event.h>
#include <joinleaf/receiver.h>
#include <joinleaf/scheme.h>
#include <joinleaf/sender.h>
#include <joinleaf/session.h>
#include <joinleaf/source_filter.h>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace JOINLEAF_API joinleaf {

/// JL_SENDER_ONLY, JL_RECEIVER_ONLY, JL_BOTH (M8).
enum class Direction : std::uint8_t { sender_only, receiver_only, both };

/// Files for TLS 1.3 on admission connections; all empty: plain TCP. Either pre-shared keys, or a
/// certificate on each side.
struct TlsFiles {
    std::string psk;           ///< lines of IDENTITY:HEXKEY
    std::string psk_identity;  ///< which of them to show when connecting; empty: the only one
    std::string certificate;   ///< PEM, with its chain
    std::string key;           ///< PEM
    std::string ca;            ///< PEM: whose certificates are believed
    std::string peer_name;     ///< a name the listener's certificate must hold; empty: any
};

/// How a socket of a scheme with a rooted control plane takes part in admission.
struct AdmissionOptions {
    std::string name;  ///< how it calls itself; shown to the other side, proves nothing
    TlsFiles tls;
    // A root's.
    /// Group, framing, fan-out, scope and flows; root_address is filled in if unset.
    SessionOffer session;
    std::chrono::milliseconds dead_after{3000};  ///< silence after which a leaf is gone (M4, M25)
    std::size_t max_leaves = 16384;
    std::string policy;  ///< a TOML file of who gets in, asked before the application; empty: all
    /// Told of whom the root has turned away before its application was asked (the policy,
    /// max_leaves, the backlog, M15), and why. A flood of them is told in part, with how many were
    /// not; AdmissionStatus::refused counts all. On the control thread: it must not block, nor call
    /// this library.
    std::function<void(const Peer&, std::string_view why)> refused;
    /// A leaf's: it takes part in sessions of either data plane, whatever the scheme says that it
    /// was opened with; for programs that leave that to the root. If not, a session of the other
    /// data plane is operation_not_supported.
    bool any_data_plane = false;
    /// Closing does not overtake data: what was handed to the Sender leaves first, for at most this
    /// long, and then the other side is told. What has not left by then is dropped and counted as
    /// sender_closed. Zero: nothing is waited for. Roots and leaves.
    std::chrono::milliseconds linger{500};
};

struct SocketOptions {
    Scheme scheme = kAnySource;
    ControlRole control_role = ControlRole::leaf;
    DataRole data_role = DataRole::leaf;
    std::size_t port = 0;  ///< index into RuntimeOptions::ports
    /// Which of the port's queues this socket is at home on: whose worker delivers to it and sends
    /// for it. Unset: that of `receiver`, else the sockets are spread over the queues in turn.
    std::optional<std::size_t> queue;
    /// The application's own number for this socket; comes back with events and datagrams.
    std::uint64_t cookie = 0;
    /// Where received datagrams go: `handler` on the worker when it is set, else `receiver`.
    InlineHandler handler{};
    const Receiver* receiver = nullptr;
    SenderOptions sender{};
    AdmissionOptions admission{};
};

/// What goes with a request for admittance, or with an invitation (M8, M14, M15).
struct AdmissionRequest {
    Direction direction = Direction::both;
    FlowSpec from_root;
    FlowSpec to_root;
    UserData caller_data;
};

struct JoinOptions {
    Direction direction = Direction::both;
    /// Which sources to receive. In 232.0.0.0/8 and in the source-specific scheme: an include list.
    SourceFilter sources = SourceFilter::any();
};

class FeedPublisher;
struct FeedPublisherOptions;

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

    /// M5, M6, with a rooted control plane: a root invites the leaf that listens at `peer`, a leaf
    /// asks the root that listens at `peer` for admittance. From a root the socket returned stands
    /// for that leaf: not for data, but for FD_CLOSE, expulsion by close(), and say(). Blocking and
    /// nonblocking as above.
    /// Errors: connection_refused (rejected, no room, or nobody listens), timed_out,
    /// permission_denied (policy, TLS), address_not_available, operation_not_supported (the flow
    /// cannot be met, M15, or the root's data plane is another: see any_data_plane),
    /// message_size (M14), and as above.
    Result<Socket> join_leaf(const ControlEndpoint& peer, const AdmissionRequest& request = {});

    /// M13: takes requests (a root) or invitations (a leaf) at `local`, at most `backlog` pending
    /// ones (M19). FD_ACCEPT tells of each. Called again with the same `local` it changes the
    /// backlog.
    /// Errors: invalid_argument (no backlog, or it listens elsewhere already), address_in_use,
    /// address_not_available, operation_not_supported.
    Result<void> listen(const ControlEndpoint& local, std::size_t backlog = 16);
    /// M16 to M18: the oldest pending one. `condition` is asked on the calling thread. At a root:
    /// the socket that stands for the leaf; its FD_CONNECT comes when the leaf has confirmed that
    /// it receives. At a leaf: the socket that receives the session's data, connected when its
    /// FD_CONNECT has come (blocking: when this returns). Errors: operation_would_block (nothing
    /// pending, or deferred), connection_refused (the condition rejected it, or the policy does not
    /// let it in any more; others may be pending), connection_reset (withdrawn), permission_denied
    /// (timed out), invalid_argument (no listen).
    Result<Socket> accept(const Condition& condition = {});
    /// Reads the files of AdmissionOptions::policy and ::tls again. What they say holds for whoever
    /// asks, is invited or connects from now on, and for those who wait for accept(). Leaves that
    /// are in stay, also those that would not be let in now, and count for the new policy's
    /// max_leaves: expelling is the application's. With an error in any of the files all stay as
    /// they were, and RuntimeOptions::log has the sentence that names it. Sockets that share a
    /// listening leaf's connections share its TLS.
    /// Errors: invalid_argument (a file), operation_not_supported (a nonrooted control plane, or a
    /// socket that stands for a leaf), not_a_socket.
    Result<void> reload_admission();
    /// The same with the files that `names` has in policy and tls, of which all else is not looked
    /// at; the other call goes on reading those of the options that the socket was opened with.
    /// Errors: also operation_not_supported (a policy or TLS where there was none, or none where
    /// there was).
    Result<void> reload_admission(const AdmissionOptions& names);
    /// M14: the callee data of a join that has completed; the caller data of an accepted one.
    [[nodiscard]] Result<UserData> peer_data() const;
    /// Who is on the other end of a socket that join_leaf or accept gave.
    [[nodiscard]] Result<Peer> peer() const;
    /// What the root says of the session that this socket is in: where its data goes, and how. Of a
    /// root its own. Errors: not_connected, not_a_socket.
    [[nodiscard]] Result<SessionOffer> session() const;
    /// Of a leaf that was offered a repair server (SessionOffer::repair): what the root said last
    /// of where its history begins, because the leaf, or another at its address, has asked that
    /// server for what is older. None: nothing was said in this session yet, or it is just being
    /// changed. For a loop that must not wait: no lock, no system call, and it may be asked all the
    /// time; it does not change by being read.
    [[nodiscard]] std::optional<HistoryBegins> history_begins() const noexcept;
    /// M9: side talk between a root and one leaf, in order, each way. Errors: not_connected,
    /// message_size.
    Result<void> say(const UserData& data);
    /// What the other side said, oldest first; FD_READ (EventType::talk) tells of each.
    [[nodiscard]] std::optional<UserData> hear();

    /// Replaces the sources that a joined socket receives (RFC 9776 §2); takes effect on delivery
    /// at once and is reported to the querier.
    Result<void> set_sources(const SourceFilter& sources);

    /// M23, SIO_MULTICAST_SCOPE: 0 this host only, 1 (default) crosses no router, n crosses n-1.
    /// What is handed over after this has returned goes no farther.
    Result<void> set_scope(std::uint8_t scope);
    /// M24, SIO_MULTIPOINT_LOOPBACK: whether this d_leaf also receives what it sends itself.
    /// Default off. operation_not_supported where the data plane is rooted.
    Result<void> set_loopback(bool on);
    /// Another pace than SenderOptions gave, each 0 for no limit. Holds for what leaves after this
    /// has returned, and for later joins of this socket. Errors: invalid_argument (more than
    /// 10^12 a second), not_a_socket.
    Result<void> set_rate(std::uint64_t packets_per_second, std::uint64_t bits_per_second);
    Result<void> set_nonblocking(bool on);
    /// Events in `mask` go to `queue` from now on (WSAEventSelect); inherited by sockets that come
    /// out of join_leaf and accept (M10).
    Result<void> select(const EventQueue& queue, EventMask mask = kAllEvents);

    /// The queue to the worker. One per socket. Errors: not_connected before a join that may send,
    /// no_buffer_space (too many senders on the port), operation_not_supported (an inline source,
    /// or a sequenced feed).
    Result<Sender> sender();
    /// The sequenced feed that a socket of framing moldudp64 sends in place of datagrams. It begins
    /// with this call, with a heartbeat. Once per socket. Errors: not_connected before a join that
    /// may send, operation_not_supported (another framing), device_or_resource_busy (it has one),
    /// invalid_argument (options), not_enough_memory, no_buffer_space (too many senders on a port,
    /// or fewer buffers than the ports of all lines may hold at a time), address_in_use,
    /// address_not_available, permission_denied (the repair server's endpoint).
    Result<FeedPublisher> feed_publisher(const FeedPublisherOptions& options);

    /// When the join completed: the time stamp of the burst that carried the report (M7).
    [[nodiscard]] Result<Instant> connected_at() const;
    [[nodiscard]] SocketId id() const noexcept;

    /// Leaves the group (M26) and ends the socket; cancels a pending join (M11). In a rooted
    /// session it lets out first what the Sender was handed (AdmissionOptions::linger). When it
    /// returns, the socket's handler and inline source are no longer called; so it must not be
    /// called by them. Idempotent.
    void close();

    class Impl;
    explicit Socket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    explicit operator bool() const noexcept { return impl_ != nullptr; }

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace joinleaf
