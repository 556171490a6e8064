// A seat for each connection, a place in the queue for each request.
#include <controlplane/waiting_room.h>

#include <algorithm>
#include <cassert>

namespace joinleaf::controlplane {

Result<void> WaitingRoom::listen(std::size_t backlog) {
    if (backlog == 0) return failure(std::errc::invalid_argument);
    backlog_ = backlog;
    return {};
}

void WaitingRoom::incoming(ConnectionId connection, const Peer& peer, Instant now,
                           AdmissionActions& out) {
    if (!is_listening()) {
        return hang_up(connection, Refuse{.text = "not listening"}, out);
    }
    if (silent_.size() >= limits_.max_silent) {
        refuse(silent_.front(), std::errc::connection_refused, "too many connections", out);
    }
    silent_.push_back(connection);
    const auto [at, inserted] =
        seats_.emplace(connection, Seat{.line = Line(connection, kWaitingDeadAfter, now),
                                        .peer = peer,
                                        .first_message_by = now + limits_.first_message_within,
                                        .silent_place = std::prev(silent_.end())});
    assert(inserted);  // connection numbers are never used again
    arm(connection, at->second);
}

bool WaitingRoom::is_silent(ConnectionId connection) const {
    const auto seat = seats_.find(connection);
    return seat != seats_.end() && !seat->second.request;
}

const Peer& WaitingRoom::peer(ConnectionId connection) const { return seats_.at(connection).peer; }

void WaitingRoom::wait(ConnectionId connection, PendingJoin join, Terms terms, Instant now,
                       AdmissionActions& out) {
    assert(has_room() && is_silent(connection));
    if (queue_.size() >= backlog_) drop_oldest_mark();
    Seat& seat = seats_.at(connection);
    silent_.erase(seat.silent_place);
    seat.request = RequestId{++last_request_};
    seat.line.heard(now);
    queue_.emplace(*seat.request, Place{connection, std::move(join), std::move(terms), {}});
    ++waiting_;
    arm(connection, seat);
    out.emplace_back(RequestPending{});
}

void WaitingRoom::drop_oldest_mark() {
    const auto mark = std::find_if(queue_.begin(), queue_.end(),
                                   [](const auto& place) { return bool(place.second.ended); });
    if (mark != queue_.end()) queue_.erase(mark);
}

void WaitingRoom::refuse(ConnectionId connection, std::errc reason, std::string text,
                         AdmissionActions& out) {
    end(connection, std::errc::connection_reset);
    hang_up(connection, Refuse{reason, std::move(text)}, out);
}

void WaitingRoom::received(ConnectionId connection, const AdmissionMessage& message, Instant now,
                           AdmissionActions& out) {
    if (std::holds_alternative<KeepAlive>(message)) {
        seats_.at(connection).line.heard(now);
    } else if (const auto* farewell = std::get_if<Farewell>(&message)) {
        end(connection, farewell->reason);
        out.emplace_back(HangUp{connection});
    } else {
        refuse(connection, std::errc::protocol_error, "not while an answer is awaited", out);
    }
}

void WaitingRoom::disconnected(ConnectionId connection, std::errc reason) {
    end(connection, reason);
}

// The connection is over; a request that came on it becomes a mark.
void WaitingRoom::end(ConnectionId connection, std::errc how) {
    if (const auto request = seats_.at(connection).request) {
        Place& place = queue_.at(*request);
        place.join = {};
        place.terms = {};
        place.ended =
            std::make_error_code(how == std::errc::timed_out ? std::errc::permission_denied
                                                             : std::errc::connection_reset);
        --waiting_;
    }
    leave(connection);
}

void WaitingRoom::leave(ConnectionId connection) {
    const auto seat = seats_.find(connection);
    if (!seat->second.request) silent_.erase(seat->second.silent_place);
    deadlines_.clear(connection, seat->second.armed);
    seats_.erase(seat);
}

Result<RequestId> WaitingRoom::oldest() {
    if (!is_listening()) return failure(std::errc::invalid_argument);
    if (queue_.empty()) return failure(std::errc::operation_would_block);
    const auto first = queue_.begin();
    if (const std::error_code ended = first->second.ended) {
        queue_.erase(first);
        return tl::unexpected(ended);
    }
    return first->first;
}

const PendingJoin* WaitingRoom::find(RequestId request) const {
    const auto place = queue_.find(request);
    return place == queue_.end() || place->second.ended ? nullptr : &place->second.join;
}

Result<Guest> WaitingRoom::take(RequestId request) {
    const auto at = queue_.find(request);
    if (at == queue_.end()) return failure(std::errc::connection_reset);
    Place place = std::move(at->second);
    queue_.erase(at);
    if (place.ended) return tl::unexpected(place.ended);
    --waiting_;
    Guest guest{seats_.at(place.connection).line, std::move(place.join), std::move(place.terms)};
    leave(place.connection);
    return guest;
}

void WaitingRoom::close(AdmissionActions& out) {
    std::vector<ConnectionId> all;
    for (const auto& seat : seats_) all.push_back(seat.first);
    std::sort(all.begin(), all.end());
    for (const ConnectionId connection : all) {
        refuse(connection, std::errc::connection_refused, "closed", out);
    }
    queue_.clear();
    backlog_ = 0;
}

void WaitingRoom::advance(Instant now, AdmissionActions& out, const Unread& unread) {
    while (const auto due = deadlines_.due(now)) {
        Seat& seat = seats_.at(*due);
        const Instant over = seat.request ? seat.line.silent_at() : seat.first_message_by;
        if (over <= now) {
            if (seat.line.is_yet_to_be_read(unread, over, now)) {
                deadlines_.set(*due, seat.armed, now + kLookAgain);
                continue;
            }
            end(*due, std::errc::timed_out);
            hang_up(*due, Refuse{std::errc::timed_out, "nothing heard"}, out);
            continue;
        }
        seat.line.keep_alive(now, out);
        arm(*due, seat);
    }
}

void WaitingRoom::stalled(Duration time, Instant now) {
    for (auto& [connection, seat] : seats_) seat.line.forgive(time, now);
}

void WaitingRoom::arm(ConnectionId connection, Seat& seat) {
    deadlines_.set(connection, seat.armed, seat.request ? seat.line.due() : seat.first_message_by);
}

}  // namespace joinleaf::controlplane
