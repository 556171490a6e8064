// Half-open connections: whom to take, whom to hear, and who has to go.
#include <controlplane/admission_transport_impl.h>
#include <controlplane/tcp_socket.h>

namespace joinleaf::controlplane {
namespace {

constexpr Duration kWarnPause = std::chrono::seconds(1);

}  // namespace

bool AdmissionTransport::Impl::accept_one() {
    if (closed_ || !acceptor_.is_ready()) return false;
    const auto taken = acceptor_.take();
    if (!taken) {
        if (taken.error() == AdmissionAcceptor::Failure::out_of_files) out_of_files();
        if (taken.error() == AdmissionAcceptor::Failure::other) ++counters_.accept_errors;
        return taken.error() != AdmissionAcceptor::Failure::nothing;
    }
    ++counters_.accepted;
    asio::ip::tcp::socket socket(io_, asio::ip::tcp::v4(), taken->descriptor);
    if (!make_room()) {
        ++counters_.refused_full;
        forget_at_once(taken->descriptor);
        return true;
    }
    set_no_delay(taken->descriptor);
    const auto stage = options_.tls != nullptr ? Stage::handshaking : Stage::strange;
    const auto connection = std::make_shared<AdmissionConnection>(
        next_connection(), stage, std::move(socket), options_.max_message, options_.tls, true);
    connection->peer.endpoint = taken->peer;
    connections_.emplace(connection->id, connection);
    gate_.opened(connection->id, taken->peer.address, clock_now());
    await_read(connection);
    if (gate_.half_open() > options_.max_half_open) {
        evict_greediest();
    }
    return true;
}

/// A half-open connection less is a descriptor more; without one, those who wait have to.
void AdmissionTransport::Impl::out_of_files() {
    ++counters_.out_of_files;
    if (evict_greediest()) return;
    acceptor_.turn_one_away();
    accept_timer_.expires_after(options_.accept_pause);
    accept_timer_.async_wait([weak = weak_from_this()](const std::error_code& error) {
        const auto self = weak.lock();
        if (self != nullptr && !error && !self->closed_) self->acceptor_.resume();
    });
}

bool AdmissionTransport::Impl::make_room() {
    if (connections_.size() < options_.max_connections) return true;
    return evict_greediest();
}

/// False: there are no strangers. Who has spoken and was not heard yet does not count as silent.
bool AdmissionTransport::Impl::evict_greediest() {
    while (const auto stranger = gate_.greediest()) {
        const ConnectionPtr& connection = connections_.at(*stranger);
        if (!connection->spoke && has_octets(connection->socket.native_handle())) {
            if (!may_speak(*connection)) return true;
            continue;
        }
        ++counters_.half_open_evicted;
        evict(*stranger);
        return true;
    }
    return false;
}

/// A token of its address for the first octets of a stranger. False: it is gone.
bool AdmissionTransport::Impl::may_speak(AdmissionConnection& connection) {
    if (!connection.accepted || connection.spoke) return true;
    connection.spoke = true;
    if (gate_.spoke(connection.id, clock_now())) return true;
    ++counters_.address_too_fast;
    evict(connection.id);
    return false;
}

/// A flood of strangers must not become a flood of lines.
void AdmissionTransport::Impl::warn_of_tls(const AdmissionConnection& connection,
                                           std::string_view reason) {
    const Instant now = clock_now();
    if (now - warned_ < kWarnPause) return;
    warned_ = now;
    warn(fmt::format("TLS with {}:{} failed: {} ({} failures so far)",
                     connection.peer.endpoint.address.to_string(),
                     connection.peer.endpoint.port.value(), reason, counters_.tls_failed));
}

}  // namespace joinleaf::controlplane
