// An admission transport, and whom each of its connections belongs to.
#pragma once

#include <controlplane/admission_transport.h>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <unordered_map>

namespace joinleaf::controlplane {

/// Who is told what happens to a connection.
class ConnectionOwner {
public:
    virtual ~ConnectionOwner() = default;
    virtual void connected(ConnectionId connection, const Peer& peer) = 0;
    virtual void connect_failed(ConnectionId connection, std::errc reason) = 0;
    virtual void received(ConnectionId connection, const AdmissionMessage& message) = 0;
    virtual void disconnected(ConnectionId connection, std::errc reason) = 0;
};

/// Control thread only. Shared by a listening socket and those that were accepted from it; the
/// connections of an owner that is gone are hung up.
class AdmissionHub {
public:
    using Incoming = std::function<void(ConnectionId, const Peer&)>;

    /// `incoming` is asked to assign() an owner, before anything else is told of a connection.
    AdmissionHub(asio::io_context& io, AdmissionTransportOptions options, Incoming incoming,
                 std::function<void(std::string_view)> warn);

    /// To be called by each who gives the hub up, control thread: the last words of its connections
    /// are still written, for as long as the transport lets them linger.
    static void let_out(std::shared_ptr<AdmissionHub> hub);

    Result<void> listen(ControlEndpoint at) { return transport_.listen(at); }
    void stop_listening() { transport_.stop_listening(); }

    [[nodiscard]] ConnectionId next_connection() { return transport_.next_connection(); }
    void assign(ConnectionId connection, std::weak_ptr<ConnectionOwner> owner);

    void dial(const Dial& action) { transport_.dial(action.connection, action.to); }
    void transmit(const Transmit& action);
    void hang_up(const HangUp& action);

    void use_tls(std::shared_ptr<const TlsContext> tls) { transport_.use_tls(std::move(tls)); }
    [[nodiscard]] bool is_unread(ConnectionId connection) const {
        return transport_.is_unread(connection);
    }

    [[nodiscard]] const TransportCounters& counters() const { return transport_.counters(); }

private:
    template <class Tell>
    void tell(ConnectionId connection, Tell&& what);

    std::unordered_map<ConnectionId, std::weak_ptr<ConnectionOwner>> owners_;
    asio::steady_timer look_again_;
    AdmissionTransport transport_;
};

}  // namespace joinleaf::controlplane
