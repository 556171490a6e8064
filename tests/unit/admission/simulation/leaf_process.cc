#include "tests/unit/admission/simulation/leaf_process.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/unit/admission/describe.h"

namespace joinleaf::controlplane::simulation {

LeafProcess::LeafProcess(Machine machine, Ipv4Address data_address, const Times& times)
    : Process(std::move(machine)),
      times_(times),
      options_{.name = name, .data_address = data_address, .answer_within = times.answer_within} {}

void LeafProcess::start() {}

void LeafProcess::die() {
    listener_.reset();
    sockets_.clear();
    backlog_ = 0;
    may_wait_ = 0;
}

// ---- What the network tells ----

LeafProcess::Socket* LeafProcess::socket_on(ConnectionId id) {
    for (const auto& socket : sockets_) {
        if (socket->logic.connection() == id) return socket.get();
    }
    return nullptr;
}

void LeafProcess::incoming(ConnectionId id, const Peer& peer) {
    if (listener_ == nullptr) return network.hang_up(*this, id);
    listener_->incoming(id, peer, local_now(), actions_);
    carry_out(nullptr);
}

void LeafProcess::connected(ConnectionId id, const Peer& peer) {
    Socket* socket = socket_on(id);
    demand(socket != nullptr, "a leaf forgets whom it dialled");
    socket->logic.connected(id, peer, local_now(), actions_);
    carry_out(socket);
}

void LeafProcess::received(ConnectionId id, const AdmissionMessage& message) {
    Socket* socket = socket_on(id);
    if (socket != nullptr) {
        socket->logic.received(id, message, local_now(), actions_);
    } else {
        demand(listener_ != nullptr, "a connection of nobody");
        listener_->received(id, message, local_now(), actions_);
    }
    carry_out(socket);
}

void LeafProcess::disconnected(ConnectionId id, std::errc reason, bool was_connecting) {
    Socket* socket = socket_on(id);
    if (socket == nullptr) {
        demand(listener_ != nullptr, "a connection of nobody");
        listener_->disconnected(id, reason);
    } else if (was_connecting) {
        socket->logic.connect_failed(id, reason, local_now(), actions_);
    } else {
        socket->logic.disconnected(id, reason, local_now(), actions_);
    }
    carry_out(socket);
}

void LeafProcess::advance() {
    const Unread unread = [this](ConnectionId id) { return has_unread(id); };
    if (listener_ != nullptr) {
        listener_->advance(local_now(), actions_, unread);
        carry_out(nullptr);
    }
    for (const auto& socket : sockets_) {
        socket->logic.advance(local_now(), actions_, unread);
        carry_out(socket.get());
    }
}

void LeafProcess::stalled(Duration time) {
    if (listener_ != nullptr) listener_->stalled(time, local_now());
    for (const auto& socket : sockets_) socket->logic.stalled(time, local_now());
}

std::optional<Instant> LeafProcess::next_deadline() const {
    std::optional<Instant> first = listener_ == nullptr ? std::nullopt : listener_->next_deadline();
    for (const auto& socket : sockets_) {
        const auto due = socket->logic.next_deadline();
        if (due && (!first || *due < *first)) first = due;
    }
    return first;
}

bool LeafProcess::is_listening() const { return listener_ != nullptr; }

// ---- The application ----

void LeafProcess::listen(std::size_t backlog) {
    if (!is_running()) return;
    network.trace(this, fmt::format("listens for {}", backlog));
    if (listener_ == nullptr) {
        listener_ = std::make_unique<AdmissionListener>(
            AdmissionListenerOptions{.leaf = options_,
                                     .limits = {.first_message_within = times_.request_within,
                                                .max_silent = 1 + chance.below(4)}});
    }
    demand(listener_->listen(backlog).has_value(), "listen fails");
    backlog_ = backlog;
    may_wait_ = std::max(backlog, listener_->pending_count());
}

void LeafProcess::close_listener() {
    if (!is_running() || listener_ == nullptr) return;
    network.trace(this, "listens no more");
    listener_->close(actions_);
    carry_out(nullptr);
    demand(listener_->pending_count() == 0 && listener_->silent_count() == 0 &&
               !listener_->next_deadline(),
           "a closed listener holds something");
    listener_.reset();
}

std::error_code LeafProcess::accept(Verdict verdict) {
    if (!is_running() || listener_ == nullptr) return {};
    auto leaf = listener_->accept(
        [&](const PendingJoin&) {
            return Answer{verdict, {}};
        },
        local_now(), actions_);
    network.trace(this, fmt::format("accept: {}", leaf ? "ok" : test::describe(leaf.error())));
    if (!leaf) {
        demand(actions_.empty(), "a failed accept acts");
        return leaf.error();
    }
    demand(leaf->has_value() == (verdict == Verdict::accept), "accept does not do as told");
    Socket* socket = nullptr;
    if (*leaf) {
        sockets_.push_back(std::make_unique<Socket>(Socket{.logic = std::move(**leaf)}));
        socket = sockets_.back().get();
        socket->line = socket->logic.connection().value();
        socket->is_pending = true;
        socket->since = network.now();
        socket->local_since = local_now();
    }
    carry_out(socket);
    return {};
}

LeafProcess::Socket* LeafProcess::open() {
    if (!is_running()) return nullptr;
    sockets_.push_back(std::make_unique<Socket>(Socket{.logic = AdmissionLeaf(options_)}));
    return sockets_.back().get();
}

void LeafProcess::request(Socket& socket, const ControlEndpoint& root) {
    if (!is_running()) return;
    const ConnectionId line = network.new_connection();
    const auto asked = socket.logic.request(line, root, {}, local_now(), actions_);
    network.trace(this, fmt::format("request: {}", asked ? "ok" : test::describe(asked.error())));
    if (socket.is_pending) {
        return demand(asked == failure(std::errc::connection_already_in_progress),
                      "M12: two joins at once");
    }
    if (socket.is_connected) {
        return demand(asked == failure(std::errc::already_connected), "M12: a join once connected");
    }
    demand(asked.has_value(), "request fails");
    socket.line = line;
    socket.is_pending = true;
    socket.since = network.now();
    socket.local_since = local_now();
    socket.group_failed = false;
    carry_out(&socket);
}

void LeafProcess::close(Socket& socket) {
    if (!is_running()) return;
    network.trace(this, "closes a socket");
    socket.closing = true;
    socket.logic.close(local_now(), actions_);
    carry_out(&socket);
    demand(!socket.is_pending && !socket.is_in_group && !socket.logic.connection() &&
               !socket.logic.next_deadline(),
           "a closed leaf holds something");
    std::erase_if(sockets_, [&](const auto& each) { return each.get() == &socket; });
}

void LeafProcess::link_down(Socket& socket) {
    if (!is_running()) return;
    network.trace(this, "loses its data link");
    socket.link_down = true;
    socket.logic.link_down(local_now(), actions_);
    carry_out(&socket);
    socket.link_down = false;
    demand(!socket.is_pending && !socket.is_connected, "a leaf without a link stays");
}

void LeafProcess::say(Socket& socket) {
    if (!is_running()) return;
    const bool said = socket.logic.say(test::bytes("psst"), local_now(), actions_).has_value();
    demand(said == socket.is_connected, "side talk without a session");
    carry_out(&socket);
}

// ---- What the logic wants ----

void LeafProcess::carry_out(Socket* socket) {
    const AdmissionActions actions = std::exchange(actions_, {});
    for (const AdmissionAction& action : actions) {
        if (network.is_traced()) network.trace(this, test::describe(action));
        if (const auto* transmit = std::get_if<Transmit>(&action)) {
            demand(socket == nullptr || socket->line == transmit->connection, "not its connection");
            network.send(*this, transmit->connection, transmit->message);
        } else if (const auto* hang_up = std::get_if<HangUp>(&action)) {
            demand(socket == nullptr || socket->line == hang_up->connection, "not its connection");
            network.hang_up(*this, hang_up->connection);
        } else if (std::holds_alternative<RequestPending>(action)) {
            demand(listener_->pending_count() <= backlog_, "M19: one past the backlog waits");
            continue;
        } else {
            demand(socket != nullptr, "a listener that joins");
        }
        if (const auto* dial = std::get_if<Dial>(&action)) {
            network.dial(*this, dial->connection, dial->to);
        } else if (std::holds_alternative<JoinGroup>(action)) {
            join_group(*socket);
        } else if (std::holds_alternative<LeaveGroup>(action)) {
            demand(socket->is_in_group, "leaves a group that it is not in");
            socket->is_in_group = false;
        } else if (std::holds_alternative<HistoryTold>(action)) {
            demand(socket->is_connected && socket->logic.offer().repair.has_value(),
                   "hears of a history that it cannot have");
        } else if (const auto* done = std::get_if<JoinDone>(&action)) {
            demand(socket->is_pending, "a join ends twice");
            socket->is_pending = false;
            socket->is_connected = !done->error;
            demand(socket->is_in_group == socket->is_connected, "joined, and in no group?");
            if (done->error)
                check_reason(*socket, static_cast<std::errc>(done->error.value()), true);
        } else if (const auto* closed = std::get_if<SessionClosed>(&action)) {
            demand(socket->is_connected && !socket->is_in_group, "closed without a session");
            socket->is_connected = false;
            ++socket->closed;
            check_reason(*socket, static_cast<std::errc>(closed->reason.value()), false);
        }
    }
    if (socket != nullptr && socket->closing) socket->is_connected = false;
    arm();
}

// The report leaves soon, late, or not at all.
void LeafProcess::join_group(Socket& socket) {
    demand(!socket.is_in_group, "joins twice");
    const Connection* connection = network.find(socket.line);
    demand(connection != nullptr && (connection->admitted ||
                                     !network.other_end(*this, socket.line)->process->is_honest()),
           "joins, but was not admitted");
    socket.is_in_group = true;
    socket.in_group_since = network.now();
    socket.join = ++joins_;
    const bool may_fail = !network.is_quiet();
    if (may_fail && chance.percent(3)) return;
    const Duration takes =
        !may_fail || chance.percent(90) ? chance.between(0s, 30ms) : chance.between(0s, 5s);
    const bool fails = may_fail && chance.percent(5);
    network.after(takes, [this, which = &socket, join = socket.join, fails] {
        post(std::nullopt, [this, which, join, fails] {
            const bool is_there =
                std::any_of(sockets_.begin(), sockets_.end(),
                            [&](const auto& each) { return each.get() == which; });
            if (!is_there || which->join != join || !which->is_in_group) return;
            which->group_failed = fails;
            which->logic.group_joined(
                local_now(),
                fails ? std::make_error_code(std::errc::network_down) : std::error_code{},
                local_now(), actions_);
            carry_out(which);
        });
    });
}

// FD_CONNECT and FD_CLOSE tell the truth.
void LeafProcess::check_reason(const Socket& socket, std::errc reason, bool was_pending) const {
    if (reason == std::errc::operation_canceled) {
        return demand(socket.closing, "nobody has cancelled");
    }
    if (socket.link_down || socket.group_failed) {
        return demand(reason == std::errc::network_down, "another reason than the link");
    }
    const End* end = network.end_of(*this, socket.line);
    if (end == nullptr || end->broke) return;
    const auto told = end->refuse ? end->refuse : end->farewell;
    if (told) {
        const bool is_known =
            *told == reason || *told == std::errc{} || reason == std::errc::connection_reset;
        return demand(is_known, "another reason than was told");
    }
    // A stranger breaks the rules, or has dead_after its own way.
    if (!network.other_end(*this, socket.line)->process->is_honest()) return;
    demand(reason == std::errc::timed_out, "a session ends for nothing");
    demand(!has_unread(socket.line), "a root whose words wait is taken for dead");
    const bool is_late = was_pending && local_now() - socket.local_since >= times_.answer_within;
    const Duration patience = std::min<Duration>(times_.dead_after, kWaitingDeadAfter);
    demand(is_late || local_now() - end->heard >= patience,
           "a root that was heard is taken for dead");
}

// ---- What holds at every moment ----

bool LeafProcess::is_connected_on(ConnectionId id) const {
    return std::any_of(sockets_.begin(), sockets_.end(), [&](const auto& socket) {
        return socket->is_connected && socket->logic.connection() == id;
    });
}

void LeafProcess::check() const {
    std::size_t held = 0;
    for (const auto& connection : network.connections()) {
        for (const End& end : connection.second.ends) {
            held += end.process == this && end.is_held() ? 1 : 0;
        }
    }
    std::size_t meant = 0;
    if (listener_ != nullptr) {
        meant += listener_->pending_count() + listener_->silent_count();
        demand(listener_->pending_count() <= may_wait_, "M19: more wait than the backlog");
    }
    for (const auto& socket : sockets_) {
        const AdmissionLeaf& logic = socket->logic;
        demand(logic.is_pending() == socket->is_pending, "M11: a join without its one event");
        demand(logic.is_connected() == socket->is_connected, "who is connected?");
        demand(logic.is_in_group() == socket->is_in_group, "who is in the group?");
        if (!logic.connection()) {
            demand(!socket->is_pending && !socket->is_in_group, "in a session without connection");
            continue;
        }
        ++meant;
        const End* own = network.end_of(*this, socket->line);
        demand(own != nullptr && own->is_held(), "a leaf without a connection");
        if (!is_running()) continue;  // a frozen process delivers nothing
        if (socket->is_pending) {
            demand(
                network.now() <= std::max(socket->since + times_.answer_within, thawed_at) + kSlack,
                "M11: a join that never ends");
        }
        const End* root = network.other_end(*this, socket->line);
        if (!socket->is_in_group || root->state != End::State::closed) continue;
        const Instant last_heard =
            std::max({root->closed_at, own->stalled_until, thawed_at, socket->in_group_since});
        demand(network.now() <= last_heard + times_.dead_after + kSlack,
               "M4, M25: delivers, and is not admitted any more");
    }
    demand(is_frozen ? held >= meant : held == meant, "the leaf leaks a connection");
}

}  // namespace joinleaf::controlplane::simulation
