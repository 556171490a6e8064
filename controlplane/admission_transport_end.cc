// The end of a connection, by what it did or by the time that it took.
#include <controlplane/admission_transport_impl.h>
#include <controlplane/tcp_socket.h>

namespace joinleaf::controlplane {
namespace {

constexpr int kExpiries = 64;  // at a stretch; thousands may be late at once

}  // namespace

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

}  // namespace joinleaf::controlplane
