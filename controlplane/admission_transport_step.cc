// A step of one connection: its dial, its handshake, what it reads and writes.
#include <controlplane/admission_transport_impl.h>
#include <controlplane/tcp_socket.h>

namespace joinleaf::controlplane {

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

}  // namespace joinleaf::controlplane
