// Admission connections: TCP, or TLS 1.3 over TCP, that carry admission messages. It makes and
// takes connections, keeps strangers from doing harm, and tells what happens; what any of it means
// is for AdmissionRoot and AdmissionLeaf to know.
#pragma once

#include <controlplane/admission_actions.h>
#include <controlplane/admission_codec.h>
#include <controlplane/gatekeeper.h>
#include <controlplane/tls.h>
#include <controlplane/transport_counters.h>
#include <asio/io_context.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace joinleaf::controlplane {

struct AdmissionTransportOptions {
    /// None: plain TCP.
    std::shared_ptr<const TlsContext> tls;
    /// The address that connections are made from; none: the kernel's choice.
    std::optional<Ipv4Address> dial_from;

    GatekeeperOptions strangers;          ///< deadline and token buckets of half-open connections
    std::size_t max_half_open = 1024;     ///< accepted, and no whole first message yet
    std::size_t max_connections = 16384;  ///< of all kinds
    std::size_t max_message = kMaxAdmissionMessage;
    std::size_t max_queued = 64 * 1024;  ///< octets a connection may have waiting to be written
    Duration connect_within = std::chrono::seconds(3);      ///< a dial, TLS included
    Duration linger = std::chrono::seconds(1);              ///< hang_up: to write what is queued
    Duration accept_pause = std::chrono::milliseconds(50);  ///< when descriptors have run out
    /// What the transport may do at a stretch before others on the io_context have their turn; one
    /// cryptographic step may go past it.
    Duration turn = std::chrono::milliseconds(1);
};

/// What the transport tells. Called on the io_context, never from inside a call to the transport;
/// they may call it, and may destroy it.
struct AdmissionTransportEvents {
    /// A stranger has sent a good first message, TLS included; received() follows with it. Not a
    /// word is said of connections that do not come so far. `peer` has endpoint and identity.
    std::function<void(ConnectionId, const Peer&)> incoming;
    /// dial() has succeeded, TLS included. In TLS 1.3 the other side may still turn down our key or
    /// certificate: disconnected() with permission_denied.
    std::function<void(ConnectionId, const Peer&)> connected;
    /// dial() has failed: connection_refused, network_unreachable, host_unreachable, timed_out,
    /// permission_denied (TLS), too_many_files_open ...
    std::function<void(ConnectionId, std::errc)> connect_failed;
    std::function<void(ConnectionId, AdmissionMessage)> received;
    /// After incoming() or connected(), unless hang_up() came first. 0: the peer has ended the
    /// connection; connection_reset: it broke; protocol_error: it sent what is no message;
    /// protocol_not_supported: it speaks another version; no_buffer_space: it does not read;
    /// permission_denied: it turned down our key or certificate.
    std::function<void(ConnectionId, std::errc)> disconnected;
    /// One line for the operator; from listen() too.
    std::function<void(std::string_view)> warn;
};

/// All functions, and the destructor, on the thread that runs the io_context. Numbers that are
/// unknown, or known no more, are ignored: the other side may have been faster.
class AdmissionTransport {
public:
    AdmissionTransport(asio::io_context& io, AdmissionTransportOptions options,
                       AdmissionTransportEvents events);
    /// Closes all at once; what is still queued is lost. Nothing is told any more.
    ~AdmissionTransport();
    AdmissionTransport(const AdmissionTransport&) = delete;
    AdmissionTransport& operator=(const AdmissionTransport&) = delete;

    /// Warns when others than this host can reach `at` and there is no TLS. May be called again for
    /// further endpoints. Errors: address_in_use, address_not_available, permission_denied ...
    Result<void> listen(ControlEndpoint at);
    /// Half-open connections go, established ones stay.
    void stop_listening();

    /// A number for dial(): never given before, and never again.
    [[nodiscard]] ConnectionId next_connection();
    /// `connection` is from next_connection(). connected() or connect_failed() follows.
    void dial(ConnectionId connection, ControlEndpoint to);
    /// Queues. Error: invalid_argument, and nothing is sent, when `message` breaks a limit of
    /// admission.proto. A peer that lets more than max_queued wait is disconnected.
    Result<void> send(ConnectionId connection, const AdmissionMessage& message);
    /// Ends the connection when what is queued has been written, at the latest after linger; or the
    /// dial. Nothing more is told about it.
    void hang_up(ConnectionId connection);

    /// Connections that are taken or made from now on use it; none: plain TCP.
    void use_tls(std::shared_ptr<const TlsContext> tls);
    /// Whether something that the other side has said or done has not been told yet: octets, the
    /// connection's end, or that a dial has got through. Asks the kernel.
    [[nodiscard]] bool is_unread(ConnectionId connection) const;

    [[nodiscard]] const TransportCounters& counters() const;
    [[nodiscard]] std::size_t half_open_count() const;
    /// Of all kinds, including those that hang_up() has not ended yet.
    [[nodiscard]] std::size_t connection_count() const;

private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace joinleaf::controlplane
