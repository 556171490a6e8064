#include <controlplane/admission_acceptor.h>
#include <controlplane/admission_connection.h>
#include <controlplane/admission_transport.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <array>
#include <cerrno>
#include <deque>
#include <set>
#include <unordered_map>
#include <utility>

namespace joinleaf::controlplane {
namespace {

using Stage = ConnectionStage;
using State = ByteStream::State;
using ConnectionPtr = std::shared_ptr<AdmissionConnection>;

// Shares of a turn. Those who are known come first; a stranger's step may be a signature.
constexpr int kKnownSteps = 16;
constexpr int kAccepts = 16;
constexpr int kStrangerSteps = 1;

constexpr std::size_t kReadOctets = 4096;  // of one connection before the next has its turn
constexpr int kExpiries = 64;              // at a stretch; thousands may be late at once
constexpr Duration kWarnPause = std::chrono::seconds(1);

Instant clock_now() { return std::chrono::steady_clock::now(); }

void set_no_delay(int descriptor) {
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// The kernel forgets the connection when it is closed: no TIME_WAIT for each of a flood.
void forget_at_once(int descriptor) {
    const linger nothing{.l_onoff = 1, .l_linger = 0};
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &nothing, sizeof nothing);
}

sockaddr_in to_sockaddr(Ipv4Address address, std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr.s_addr = htonl(address.value());
    out.sin_port = htons(port);
    return out;
}

int socket_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
    return error;
}

/// Whether one of `events` has come, an error or the end of the connection included.
bool has_come(int descriptor, short events) {
    pollfd one{.fd = descriptor, .events = events, .revents = 0};
    return poll(&one, 1, 0) == 1;
}

bool has_octets(int descriptor) {
    char octet = 0;
    return recv(descriptor, &octet, 1, MSG_PEEK) == 1;
}

}  // namespace

class AdmissionTransport::Impl : public std::enable_shared_from_this<Impl> {
public:
    Impl(asio::io_context& io, AdmissionTransportOptions options, AdmissionTransportEvents events)
        : io_(io),
          options_(std::move(options)),
          events_(std::move(events)),
          gate_(options_.strangers),
          acceptor_(io, [this] { schedule(); }),
          deadline_timer_(io),
          accept_timer_(io) {}

    void close() {
        closed_ = true;
        acceptor_.close();
        deadline_timer_.cancel();
        accept_timer_.cancel();
        for (const auto& [id, connection] : connections_) close_socket(*connection);
        connections_.clear();
    }

    Result<void> listen(ControlEndpoint at) {
        auto listening = acceptor_.listen(at);
        if (listening && options_.tls == nullptr && !at.address.is_loopback()) {
            warn(fmt::format(
                "listening on {}:{} without TLS: whoever reaches this port can read, change and "
                "forge admission; configure pre-shared keys or certificates",
                at.address.to_string(), at.port.value()));
        }
        return listening;
    }

    void stop_listening() {
        acceptor_.close();
        while (const auto stranger = gate_.greediest()) evict(*stranger);
    }

    ConnectionId next_connection() { return ConnectionId{++last_connection_}; }

    void dial(ConnectionId id, ControlEndpoint to);
    Result<void> send(ConnectionId id, const AdmissionMessage& message);
    void hang_up(ConnectionId id);

    void use_tls(std::shared_ptr<const TlsContext> tls) { options_.tls = std::move(tls); }
    [[nodiscard]] bool is_unread(ConnectionId id) const;

    [[nodiscard]] const TransportCounters& counters() const { return counters_; }
    [[nodiscard]] std::size_t half_open_count() const { return gate_.half_open(); }
    [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }

private:
    // The turn: what is due, a little of each, until the time is up.
    void schedule();
    void turn();
    bool step_next(std::deque<ConnectionPtr>& due);
    void make_due(const ConnectionPtr& connection);

    // Strangers.
    bool accept_one();
    void out_of_files();
    bool make_room();
    bool evict_greediest();
    bool may_speak(AdmissionConnection& connection);

    // One connection's step.
    void step(const ConnectionPtr& connection);
    void finish_dial(const ConnectionPtr& connection);
    void handshake(const ConnectionPtr& connection);
    void read(const ConnectionPtr& connection);
    bool take_in(const ConnectionPtr& connection, std::span<const std::byte> octets);
    bool take_message(const ConnectionPtr& connection, std::span<const std::byte> frame);
    void write(const ConnectionPtr& connection);
    void await_read(const ConnectionPtr& connection);
    void await_write(const ConnectionPtr& connection);

    // Its end.
    void lose(const ConnectionPtr& connection, std::errc reason);
    void refuse_version(const ConnectionPtr& connection);
    void leave(const ConnectionPtr& connection);
    void remove(ConnectionId id);
    void evict(ConnectionId stranger);
    static void close_socket(AdmissionConnection& connection);

    // Time.
    void set_deadline(AdmissionConnection& connection, Duration from_now);
    void drop_deadline(AdmissionConnection& connection);
    void arm();
    void expire();
    bool is_read_first(ConnectionPtr connection);

    void warn(std::string_view line) {
        if (events_.warn) events_.warn(line);
    }
    void warn_of_tls(const AdmissionConnection& connection, std::string_view reason);
    template <class... Args>
    void tell(const std::function<void(Args...)>& event, std::type_identity_t<Args>... args) {
        if (event && !closed_) event(std::forward<std::type_identity_t<Args>>(args)...);
    }

    asio::io_context& io_;
    AdmissionTransportOptions options_;
    AdmissionTransportEvents events_;
    TransportCounters counters_;
    Gatekeeper gate_;
    AdmissionAcceptor acceptor_;
    std::unordered_map<ConnectionId, ConnectionPtr> connections_;
    std::deque<ConnectionPtr> known_due_;
    std::deque<ConnectionPtr> strangers_due_;
    std::set<std::pair<Instant, ConnectionId>> deadlines_;  // of dials and of those who leave
    asio::steady_timer deadline_timer_;
    asio::steady_timer accept_timer_;
    Instant armed_{Instant::max()};
    Instant warned_{};
    std::uint64_t last_connection_ = 0;
    bool scheduled_ = false;
    bool closed_ = false;
    std::array<std::byte, kReadOctets> scratch_{};
};

// ---------------------------------------------------------------------------------------------
// The turn.

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

// ---------------------------------------------------------------------------------------------
// Strangers.

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

// ---------------------------------------------------------------------------------------------
// One connection's step.

void AdmissionTransport::Impl::step(const ConnectionPtr& connection) {
    if (connection->doomed) return lose(connection, *connection->doomed);
    if (connection->stage == Stage::dialing) {
        finish_dial(connection);
    } else if (connection->stage == Stage::handshaking) {
        handshake(connection);
    } else {
        if (connection->can_read) read(connection);
        if (!connection->gone) write(connection);
    }
}

void AdmissionTransport::Impl::finish_dial(const ConnectionPtr& connection) {
    const int error = socket_error(connection->socket.native_handle());
    if (error != 0) return lose(connection, static_cast<std::errc>(error));
    connection->stage = Stage::handshaking;
    handshake(connection);
}

void AdmissionTransport::Impl::handshake(const ConnectionPtr& connection) {
    if (connection->accepted && !connection->spoke) {
        if (!has_octets(connection->socket.native_handle())) {  // readable, and nothing to read
            ++counters_.half_open_gave_up;
            return remove(connection->id);
        }
        if (!may_speak(*connection)) return;
    }
    const auto outcome = connection->stream.handshake();
    if (outcome.state == State::want_read) return await_read(connection);
    if (outcome.state == State::want_write) return await_write(connection);
    if (outcome.state != State::done) {
        if (outcome.error == std::errc::permission_denied) {
            ++counters_.tls_failed;
            warn_of_tls(*connection, connection->stream.reason());
        } else if (connection->accepted) {
            ++counters_.half_open_gave_up;
        }
        return lose(connection, outcome.error);
    }
    auto identity = connection->stream.proven_identity();
    if (!identity) {
        ++counters_.tls_failed;
        warn_of_tls(*connection, "the peer is not who it should be");
        return lose(connection, std::errc::permission_denied);
    }
    connection->peer.identity = std::move(*identity);
    connection->can_read = true;
    if (connection->accepted) {
        connection->stage = Stage::strange;
        make_due(connection);
    } else {
        connection->stage = Stage::open;
        drop_deadline(*connection);
        ++counters_.connected;
        make_due(connection);
        tell(events_.connected, connection->id, connection->peer);
    }
}

void AdmissionTransport::Impl::read(const ConnectionPtr& connection) {
    const auto outcome = connection->stream.read(scratch_);
    switch (outcome.state) {
        case State::done: {
            if (!may_speak(*connection)) return;
            const auto octets = std::span<const std::byte>(scratch_).first(outcome.octets);
            if (connection->stage != Stage::leaving && !take_in(connection, octets)) return;
            if (outcome.octets == scratch_.size() || connection->stream.holds_octets()) {
                return make_due(connection);
            }
            connection->can_read = false;
            return await_read(connection);
        }
        case State::want_read:
            connection->can_read = false;
            return await_read(connection);
        case State::want_write:
            return await_write(connection);
        case State::ended:
            if (connection->stage == Stage::leaving && !connection->queue.empty()) {
                connection->peer_ended = true;  // and may still read
                connection->can_read = false;
                return;
            }
            if (connection->stage == Stage::strange) ++counters_.half_open_gave_up;
            return lose(connection, connection->reader.pending() == 0
                                        ? std::errc{}
                                        : std::errc::connection_reset);
        case State::failed:
            if (outcome.error == std::errc::permission_denied) {
                ++counters_.tls_failed;
                warn_of_tls(*connection, connection->stream.reason());
            } else if (connection->stage == Stage::strange) {
                ++counters_.half_open_gave_up;
            }
            return lose(connection, outcome.error);
    }
}

/// False: the connection is gone, or will be.
bool AdmissionTransport::Impl::take_in(const ConnectionPtr& connection,
                                       std::span<const std::byte> octets) {
    for (;;) {
        const auto frame = connection->reader.next(octets);
        if (!frame) {
            ++counters_.too_long;
            lose(connection, std::errc::protocol_error);
            return false;
        }
        if (!*frame) return true;
        if (!take_message(connection, **frame)) return false;
        if (closed_ || connection->gone || connection->doomed) return false;
        if (connection->stage == Stage::leaving) return true;  // the rest is not read any more
    }
}

bool AdmissionTransport::Impl::take_message(const ConnectionPtr& connection,
                                            std::span<const std::byte> frame) {
    auto message = decode(frame);
    if (!message) {
        if (message.error().kind == DecodeError::Kind::version) {
            refuse_version(connection);
        } else {
            ++counters_.bad_messages;
            lose(connection, std::errc::protocol_error);
        }
        return false;
    }
    ++counters_.messages_received;
    if (connection->stage == Stage::strange) {
        connection->stage = Stage::open;
        gate_.passed(connection->id);
        ++counters_.established;
        tell(events_.incoming, connection->id, connection->peer);
        if (closed_ || connection->stage != Stage::open) return true;
    }
    tell(events_.received, connection->id, std::move(*message));
    return true;
}

void AdmissionTransport::Impl::write(const ConnectionPtr& connection) {
    while (!connection->queue.empty()) {
        const auto outcome = connection->stream.write(connection->queue.rest());
        if (outcome.state == State::want_write) return await_write(connection);
        if (outcome.state == State::want_read) return await_read(connection);
        if (outcome.state != State::done) return lose(connection, outcome.error);
        connection->queue.written(outcome.octets);
    }
    if (connection->stage == Stage::leaving && !connection->ended) {
        connection->ended = true;
        connection->stream.end();
        if (connection->peer_ended) lose(connection, std::errc{});
    }
}

void AdmissionTransport::Impl::await_read(const ConnectionPtr& connection) {
    if (connection->waits_to_read) return;
    connection->waits_to_read = true;
    connection->socket.async_wait(asio::socket_base::wait_read,
                                  [weak = weak_from_this(), connection](const std::error_code&) {
                                      const auto self = weak.lock();
                                      if (self == nullptr || connection->gone) return;
                                      connection->waits_to_read = false;
                                      connection->can_read = true;
                                      self->make_due(connection);
                                  });
}

void AdmissionTransport::Impl::await_write(const ConnectionPtr& connection) {
    if (connection->waits_to_write) return;
    connection->waits_to_write = true;
    connection->socket.async_wait(asio::socket_base::wait_write,
                                  [weak = weak_from_this(), connection](const std::error_code&) {
                                      const auto self = weak.lock();
                                      if (self == nullptr || connection->gone) return;
                                      connection->waits_to_write = false;
                                      self->make_due(connection);
                                  });
}

// ---------------------------------------------------------------------------------------------
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

// ---------------------------------------------------------------------------------------------
// The end of a connection.

/// It is gone, and whoever knew of it is told.
void AdmissionTransport::Impl::lose(const ConnectionPtr& connection, std::errc reason) {
    const Stage stage = connection->stage;
    const ConnectionId id = connection->id;
    const bool dialed = !connection->accepted;
    if (stage == Stage::leaving && !connection->queue.empty()) ++counters_.linger_cut;
    remove(id);
    if (stage == Stage::open) {
        tell(events_.disconnected, id, reason);
    } else if (dialed && stage != Stage::leaving) {
        ++counters_.dial_failed;
        tell(events_.connect_failed, id,
             reason == std::errc{} ? std::errc::connection_reset : reason);
    }
}

void AdmissionTransport::Impl::refuse_version(const ConnectionPtr& connection) {
    ++counters_.wrong_version;
    const bool known = connection->stage == Stage::open;
    const auto frame = encode_frame(
        Refuse{.reason = std::errc::protocol_not_supported,
               .text = fmt::format("this side speaks version {} only", kAdmissionVersion)});
    connection->queue.push(*frame);
    gate_.passed(connection->id);
    leave(connection);
    if (known) {
        tell(events_.disconnected, connection->id, std::errc::protocol_not_supported);
    }
}

void AdmissionTransport::Impl::leave(const ConnectionPtr& connection) {
    connection->stage = Stage::leaving;
    set_deadline(*connection, options_.linger);
    await_read(connection);
    make_due(connection);
}

void AdmissionTransport::Impl::remove(ConnectionId id) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    const ConnectionPtr connection = std::move(found->second);
    connections_.erase(found);
    gate_.closed(id);
    drop_deadline(*connection);
    close_socket(*connection);
}

void AdmissionTransport::Impl::evict(ConnectionId id) {
    forget_at_once(connections_.at(id)->socket.native_handle());
    remove(id);
}

void AdmissionTransport::Impl::close_socket(AdmissionConnection& connection) {
    connection.gone = true;
    std::error_code ignored;  // there is nothing left to be done about it
    connection.socket.close(ignored);
}

// ---------------------------------------------------------------------------------------------
// Time.

void AdmissionTransport::Impl::set_deadline(AdmissionConnection& connection, Duration from_now) {
    drop_deadline(connection);
    connection.deadline = clock_now() + from_now;
    deadlines_.emplace(connection.deadline, connection.id);
    arm();
}

void AdmissionTransport::Impl::drop_deadline(AdmissionConnection& connection) {
    if (connection.deadline == Instant{}) return;
    deadlines_.erase({connection.deadline, connection.id});
    connection.deadline = {};
}

/// Sees to it that expire() runs at the next deadline. A timer that is early does no harm.
void AdmissionTransport::Impl::arm() {
    Instant next = gate_.next_deadline().value_or(Instant::max());
    if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
    if (next >= armed_) return;
    armed_ = next;
    deadline_timer_.expires_at(next);
    deadline_timer_.async_wait([weak = weak_from_this()](const std::error_code& error) {
        const auto self = weak.lock();
        if (self != nullptr && !error) self->expire();
    });
}

void AdmissionTransport::Impl::expire() {
    armed_ = Instant::max();
    const Instant now = clock_now();
    for (int i = 0; i < kExpiries; ++i) {
        const auto late = gate_.overdue(now);
        if (!late) break;
        const bool was_read = is_read_first(connections_.at(*late));
        if (closed_) return;
        if (was_read && gate_.overdue(now) != late) continue;
        ++counters_.half_open_too_late;
        evict(*late);
    }
    for (int i = 0; i < kExpiries && !closed_; ++i) {
        if (deadlines_.empty() || deadlines_.begin()->first > now) break;
        const ConnectionPtr connection = connections_.at(deadlines_.begin()->second);
        const bool was_read = is_read_first(connection);
        if (closed_) return;
        if (was_read && (connection->gone || connection->deadline == Instant{})) continue;
        lose(connection, std::errc::timed_out);
    }
    if (!closed_) arm();
}

/// This process may have been stopped while the deadline passed: what has come until now still
/// counts. One step; a handshake that wants more than that is too late.
bool AdmissionTransport::Impl::is_read_first(ConnectionPtr connection) {
    if (!is_unread(connection->id)) return false;
    connection->can_read = true;
    step(connection);
    return true;
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

// ---------------------------------------------------------------------------------------------

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
