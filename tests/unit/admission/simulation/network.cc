// Events in the order of their time, then of their making.
#include "tests/unit/admission/simulation/network.h"

#include <fmt/format.h>

#include <ostream>

namespace joinleaf::controlplane::simulation {

namespace {

bool is_a_step(const AdmissionMessage& message) {
    return std::holds_alternative<JoinRequest>(message) || std::holds_alternative<Admit>(message) ||
           std::holds_alternative<Invite>(message) ||
           std::holds_alternative<AcceptInvite>(message) ||
           std::holds_alternative<Confirm>(message);
}

}  // namespace

// ---- Time ----

void Network::at(Instant when, std::function<void()> what) {
    events_.push({std::max(when, now_), ++last_event_, std::move(what)});
}

void Network::run_until(Instant end, const std::function<void()>& after_each) {
    while (!events_.empty() && events_.top().when <= end) {
        now_ = events_.top().when;
        const std::function<void()> what = events_.top().what;
        events_.pop();
        what();
        after_each();
    }
    now_ = end;
}

void Network::trace(const Process* process, const std::string& what) {
    if (trace_ == nullptr) return;
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(now_ - Instant(1h));
    *trace_ << fmt::format("{:12.6f}  {:10} {}\n", static_cast<double>(time.count()) / 1e6,
                           process != nullptr ? process->name : "network", what);
}

// ---- What processes do ----

void Network::dial(Process& from, ConnectionId id, const ControlEndpoint& to) {
    demand(!connections_.contains(id), "a connection number is used again");
    End end{.process = &from, .state = End::State::connecting};
    connections_.emplace(id, Connection{.ends = {end, End{}}});
    after(delay(), [=, this] { called(id, to); });
}

void Network::called(ConnectionId id, const ControlEndpoint& to) {
    Connection* connection = lookup(id);
    if (connection == nullptr || connection->ends[0].state != End::State::connecting) return;
    Process* target = nullptr;
    for (Process* process : processes_) {
        if (process->endpoint == to) target = process;
    }
    if (target == nullptr || (!target->is_alive && target->lost_power) ||
        (!is_quiet_ && chance_.percent(3))) {
        // No answer: the network says so, or nobody does.
        if (chance_.percent(50)) return;
        after(delay(), [=, this] { notice(id, 0, std::errc::network_unreachable); });
        return;
    }
    if (!target->is_alive || !target->is_listening()) {
        after(delay(), [=, this] { notice(id, 0, std::errc::connection_refused); });
        return;
    }
    const Instant there = now_ + delay();
    connection->ends[0].last_arrival = there;
    connection->ends[1] = {.process = target, .state = End::State::open, .last_arrival = now_};
    const ControlEndpoint caller = connection->ends[0].process->endpoint;
    target->post(id, [=, this] {
        const End* end = end_at(id, 1);
        if (end != nullptr && end->state == End::State::open) {
            end_at(id, 1)->heard = target->local_now();
            target->incoming(id, {.endpoint = caller});
        }
    });
    at(there, [=, this] {
        End* end = end_at(id, 0);
        if (end == nullptr || end->state != End::State::connecting) return;
        end->process->post(id, [=, this] {
            End* mine = end_at(id, 0);
            if (mine == nullptr || mine->state != End::State::connecting) return;
            mine->state = End::State::open;
            mine->heard = mine->process->local_now();
            mine->process->connected(id, {.endpoint = to});
        });
    });
}

void Network::send(Process& from, ConnectionId id, const AdmissionMessage& message) {
    Connection* connection = lookup(id);
    const End* own = end_of(from, id);
    demand(own != nullptr && own->state == End::State::open, "spoke on a connection it has not");
    if (std::holds_alternative<Admit>(message)) connection->admitted = true;
    if (is_a_step(message)) connection->turned_at = now_;
    const std::size_t to = connection->ends[0].process == &from ? 1 : 0;
    if (connection->ends[to].reset_on_arrival) {
        Process& lost = *connection->ends[to].process;
        if (!lost.is_alive) return;
        after(2 * kMaxDelay, [=, this] { notice(id, 1 - to, std::errc::connection_reset); });
        return;
    }
    arrive(id, to, [this, id, message](End& end) {
        end.heard = end.process->local_now();
        if (const auto* farewell = std::get_if<Farewell>(&message)) end.farewell = farewell->reason;
        if (const auto* refuse = std::get_if<Refuse>(&message)) end.refuse = refuse->reason;
        if (is_a_step(message)) lookup(id)->turned_at = now_;
        end.process->received(id, message);
    });
}

void Network::hang_up(Process& from, ConnectionId id) {
    Connection* connection = lookup(id);
    const End* own = end_of(from, id);
    demand(own != nullptr && own->is_held(), "hung up a connection it has not");
    const std::size_t side = connection->ends[0].process == &from ? 0 : 1;
    end_arrives(id, 1 - side, std::errc{});
    close(id, side);
}

// `what` happens at the end on `side`, after all that is on its way there.
void Network::arrive(ConnectionId id, std::size_t side, std::function<void(End&)> what) {
    End& end = connections_.at(id).ends[side];
    if (end.process == nullptr) return;
    end.last_arrival = std::max(end.last_arrival, std::max(now_, end.stalled_until) + delay());
    at(end.last_arrival, [=, this] {
        const End* there = end_at(id, side);
        if (there == nullptr || !there->is_held() || there->deaf) return;
        there->process->post(id, [=, this] {
            End* still = end_at(id, side);
            if (still != nullptr && still->state == End::State::open) what(*still);
        });
    });
}

void Network::end_arrives(ConnectionId id, std::size_t side, std::errc reason) {
    arrive(id, side, [=, this](End&) { notice(id, side, reason); });
}

// The end on `side` finds out that the connection is over.
void Network::notice(ConnectionId id, std::size_t side, std::errc reason) {
    const End* end = end_at(id, side);
    if (end == nullptr || !end->is_held()) return;
    end->process->post(id, [=, this] {
        End* still = end_at(id, side);
        if (still == nullptr || !still->is_held()) return;
        Process& process = *still->process;
        const bool was_connecting = still->state == End::State::connecting;
        still->broke = true;
        still->state = End::State::closed;
        still->closed_at = now_;
        process.disconnected(id, reason, was_connecting);
        close(id, side);
    });
}

void Network::close(ConnectionId id, std::size_t side) {
    const auto at = connections_.find(id);
    End& end = at->second.ends[side];
    if (end.state != End::State::closed) {
        end.state = End::State::closed;
        end.closed_at = now_;
    }
    if (!at->second.ends[1 - side].is_held()) connections_.erase(at);
}

// ---- What befalls them ----

void Network::lose(ConnectionId id) {
    trace(nullptr, fmt::format("loses {}", static_cast<std::uint64_t>(id)));
    Connection& connection = connections_.at(id);
    for (std::size_t side = 0; side < 2; ++side) {
        connection.ends[side].deaf = true;
        if (!connection.ends[side].is_held() || chance_.percent(40)) continue;
        const auto reason =
            chance_.one_of({std::errc{}, std::errc::connection_reset, std::errc::timed_out});
        after(chance_.between(0s, 5s), [=, this] { notice(id, side, reason); });
    }
}

void Network::stall(ConnectionId id, std::size_t side, Duration time) {
    trace(nullptr, fmt::format("stalls {} towards end {}", static_cast<std::uint64_t>(id), side));
    Instant& until = connections_.at(id).ends[side].stalled_until;
    until = std::max(until, now_ + time);
}

void Network::crashed(Process& process, bool with_power) {
    std::vector<std::pair<ConnectionId, std::size_t>> lost;
    for (const auto& [id, connection] : connections_) {
        for (std::size_t side = 0; side < 2; ++side) {
            const End& end = connection.ends[side];
            if (end.process == &process && end.is_held()) lost.emplace_back(id, side);
        }
    }
    for (const auto& [id, side] : lost) {
        if (with_power) {
            connections_.at(id).ends[side].reset_on_arrival = true;
        } else {
            end_arrives(id, 1 - side, chance_.one_of({std::errc{}, std::errc::connection_reset}));
        }
        close(id, side);
    }
}

// ---- What is seen ----

Connection* Network::lookup(ConnectionId id) {
    const auto at = connections_.find(id);
    return at == connections_.end() ? nullptr : &at->second;
}

const Connection* Network::find(ConnectionId id) const {
    const auto at = connections_.find(id);
    return at == connections_.end() ? nullptr : &at->second;
}

End* Network::end_at(ConnectionId id, std::size_t side) {
    Connection* connection = lookup(id);
    return connection == nullptr ? nullptr : &connection->ends[side];
}

const End* Network::end_of(const Process& process, ConnectionId id) const {
    const Connection* connection = find(id);
    if (connection == nullptr) return nullptr;
    for (const End& end : connection->ends) {
        if (end.process == &process) return &end;
    }
    return nullptr;
}

const End* Network::other_end(const Process& process, ConnectionId id) const {
    const Connection* connection = find(id);
    if (connection == nullptr) return nullptr;
    return &connection->ends[connection->ends[0].process == &process ? 1 : 0];
}

// ---- Processes ----

void Process::post(std::optional<ConnectionId> on, std::function<void()> what) {
    if (!is_alive) return;
    if (is_frozen) {
        mailbox_.push_back({on, std::move(what)});
    } else {
        what();
    }
}

bool Process::has_unread(ConnectionId id) const {
    return std::any_of(mailbox_.begin(), mailbox_.end(),
                       [id](const Mail& mail) { return mail.on == id; });
}

void Process::freeze(Duration time) {
    if (!is_running()) return;
    network.trace(this, "freezes");
    is_frozen = true;
    frozen_at = network.now();
    network.after(time, [this, nap = ++nap_] {
        if (nap == nap_) thaw();
    });
}

// What came meanwhile is dealt with before or after the timer, as it happens.
void Process::thaw() {
    if (!is_alive || !is_frozen) return;
    network.trace(this, "thaws");
    is_frozen = false;
    ++nap_;
    thawed_at = network.now();
    if (chance.percent(50)) stalled(thawed_at - frozen_at);
    if (chance.percent(50)) advance();
    while (!mailbox_.empty()) {
        const Mail mail = std::move(mailbox_.front());
        mailbox_.pop_front();
        mail.what();
    }
    advance();
    arm();
}

void Process::crash(bool with_power) {
    if (!is_alive) return;
    network.trace(this, with_power ? "loses power" : "is killed");
    is_alive = false;
    is_frozen = false;
    lost_power = with_power;
    ++life_;
    ++nap_;
    wake_at_.reset();
    mailbox_.clear();
    die();
    network.crashed(*this, with_power);
}

void Process::restart() {
    if (is_alive) return;
    network.trace(this, "starts again");
    is_alive = true;
    thawed_at = network.now();
    start();
}

void Process::jump(Duration time) {
    if (!is_alive) return;
    network.trace(this, "has its clock jump");
    offset += time;
    wake_at_.reset();
    arm();
}

void Process::arm() {
    if (!is_alive) return;
    const std::optional<Instant> due = next_deadline();
    if (!due) return;
    const Instant wake = std::max(*due - offset, network.now());
    if (wake_at_ && *wake_at_ <= wake) return;
    wake_at_ = wake;
    network.at(wake + chance.between(Duration(0), kMaxLateness), [this, wake, life = life_] {
        if (life != life_ || wake_at_ != wake) return;
        wake_at_.reset();
        if (!is_running()) return;
        advance();
        arm();
    });
}

}  // namespace joinleaf::controlplane::simulation
