// The turns, and what is asked of the transport.
#include <controlplane/admission_transport_impl.h>
#include <controlplane/sockaddr.h>
#include <controlplane/tcp_socket.h>
#include <poll.h>
#include <sys/socket.h>
#include <asio/post.hpp>

#include <cerrno>

namespace joinleaf::controlplane {
namespace {

// Shares of a turn. Those who are known come first; a stranger's step may be a signature.
constexpr int kKnownSteps = 16;
constexpr int kAccepts = 16;
constexpr int kStrangerSteps = 1;

}  // namespace

void AdmissionTransport::Impl::schedule() {
    if (scheduled_ || closed_) return;
    scheduled_ = true;
    asio::post(io_, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->turn();
    });
}

void AdmissionTransport::Impl::turn() {
    scheduled_ = false;
    const Instant end = clock_now() + options_.turn;
    bool more = true;
    while (more && !closed_) {
        more = false;
        for (int i = 0; i < kKnownSteps && step_next(known_due_); ++i) more = true;
        for (int i = 0; i < kAccepts && accept_one(); ++i) more = true;
        for (int i = 0; i < kStrangerSteps && step_next(strangers_due_); ++i) more = true;
        if (more && clock_now() >= end) {
            schedule();
            break;
        }
    }
    if (!closed_) arm();
}

bool AdmissionTransport::Impl::step_next(std::deque<ConnectionPtr>& due) {
    if (closed_ || due.empty()) return false;
    const ConnectionPtr connection = std::move(due.front());
    due.pop_front();
    connection->scheduled = false;
    if (!connection->gone) step(connection);
    return true;
}

void AdmissionTransport::Impl::make_due(const ConnectionPtr& connection) {
    if (connection->scheduled) return;
    connection->scheduled = true;
    (connection->is_known() ? known_due_ : strangers_due_).push_back(connection);
    schedule();
}

// What is asked of the transport. Nothing is told from in here.

void AdmissionTransport::Impl::dial(ConnectionId id, ControlEndpoint to) {
    ++counters_.dialed;
    const bool room = make_room();
    const int descriptor =
        room ? ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    const int error = room ? errno : ENOBUFS;
    asio::ip::tcp::socket socket(io_);
    if (descriptor >= 0) socket.assign(asio::ip::tcp::v4(), descriptor);
    const auto connection = std::make_shared<AdmissionConnection>(
        id, Stage::dialing, std::move(socket), options_.max_message, options_.tls, false);
    connection->peer.endpoint = to;
    connections_.emplace(id, connection);
    set_deadline(*connection, options_.connect_within);
    const auto doom = [&](int reason) {
        connection->doomed = static_cast<std::errc>(reason);
        make_due(connection);
    };
    if (descriptor < 0) return doom(error);
    set_no_delay(descriptor);
    if (options_.dial_from) {
        const auto own = to_sockaddr(*options_.dial_from, 0);
        if (bind(descriptor, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
            return doom(errno);
        }
    }
    const auto other = to_sockaddr(to.address, to.port.value());
    if (connect(descriptor, reinterpret_cast<const sockaddr*>(&other), sizeof other) != 0 &&
        errno != EINPROGRESS) {
        return doom(errno);
    }
    await_write(connection);
}

Result<void> AdmissionTransport::Impl::send(ConnectionId id, const AdmissionMessage& message) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second->stage != Stage::open ||
        found->second->doomed) {
        return {};
    }
    const ConnectionPtr& connection = found->second;
    const auto frame = encode_frame(message);
    if (!frame) {
        ++counters_.unsendable;
        return failure(std::errc::invalid_argument);
    }
    if (connection->queue.rest().size() + frame->size() > options_.max_queued) {
        ++counters_.slow_readers;
        connection->doomed = std::errc::no_buffer_space;
    } else {
        ++counters_.messages_sent;
        connection->queue.push(*frame);
    }
    make_due(connection);
    return {};
}

void AdmissionTransport::Impl::hang_up(ConnectionId id) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second->stage == Stage::leaving) return;
    const ConnectionPtr connection = found->second;
    if (connection->stage == Stage::open && !connection->doomed) {
        leave(connection);
    } else {
        remove(id);
    }
}

bool AdmissionTransport::Impl::is_unread(ConnectionId id) const {
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second->stage == Stage::leaving) return false;
    AdmissionConnection& connection = *found->second;
    if (connection.scheduled) return true;
    if (!connection.socket.is_open()) return false;
    return has_come(connection.socket.native_handle(),
                    connection.stage == Stage::dialing ? POLLOUT : POLLIN);
}

AdmissionTransport::AdmissionTransport(asio::io_context& io, AdmissionTransportOptions options,
                                       AdmissionTransportEvents events)
    : impl_(std::make_shared<Impl>(io, std::move(options), std::move(events))) {}

AdmissionTransport::~AdmissionTransport() { impl_->close(); }

Result<void> AdmissionTransport::listen(ControlEndpoint at) { return impl_->listen(at); }
void AdmissionTransport::stop_listening() { impl_->stop_listening(); }
ConnectionId AdmissionTransport::next_connection() { return impl_->next_connection(); }
void AdmissionTransport::dial(ConnectionId connection, ControlEndpoint to) {
    impl_->dial(connection, to);
}
Result<void> AdmissionTransport::send(ConnectionId connection, const AdmissionMessage& message) {
    return impl_->send(connection, message);
}
void AdmissionTransport::use_tls(std::shared_ptr<const TlsContext> tls) {
    impl_->use_tls(std::move(tls));
}
bool AdmissionTransport::is_unread(ConnectionId connection) const {
    return impl_->is_unread(connection);
}
void AdmissionTransport::hang_up(ConnectionId connection) { impl_->hang_up(connection); }
const TransportCounters& AdmissionTransport::counters() const { return impl_->counters(); }
std::size_t AdmissionTransport::half_open_count() const { return impl_->half_open_count(); }
std::size_t AdmissionTransport::connection_count() const { return impl_->connection_count(); }

}  // namespace joinleaf::controlplane
