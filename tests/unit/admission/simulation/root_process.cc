#include "tests/unit/admission/simulation/root_process.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/unit/admission/describe.h"

namespace joinleaf::controlplane::simulation {
namespace {

std::errc reason_of(const std::error_code& error) { return static_cast<std::errc>(error.value()); }

// What FD_CLOSE may say because the leaf said it.
bool is_reason(std::errc told) {
    return told == std::errc{} || told == std::errc::timed_out || told == std::errc::network_down;
}

}  // namespace

RootProcess::RootProcess(Machine machine, Ipv4Address data_address, const Times& times)
    : Process(std::move(machine)), times_(times) {
    options_.name = name;
    options_.offer.root_address = data_address;
    if (chance.percent(50)) {
        options_.offer.framing = Framing::moldudp64;
        options_.offer.repair = {data_address, UdpPort::of(6000)};
    }
    options_.dead_after = times.dead_after;
    options_.answer_within = times.answer_within;
    options_.confirm_within = times.confirm_within;
    options_.request_within = times.request_within;
    options_.max_leaves = 3 + chance.below(8);
    options_.max_silent = 1 + chance.below(4);
    start();
}

void RootProcess::start() { logic_ = std::make_unique<AdmissionRoot>(options_); }

void RootProcess::die() {
    logic_.reset();
    known_.clear();
    asked_.clear();
    ++life_;
    inviting_.reset();
    backlog_ = 0;
    may_wait_ = 0;
}

// ---- What the network tells ----

void RootProcess::incoming(ConnectionId id, const Peer& peer) {
    logic_->incoming(id, peer, local_now(), actions_);
    carry_out();  // may push out another that has said nothing
}

void RootProcess::connected(ConnectionId id, const Peer& peer) {
    logic_->connected(id, peer, local_now(), actions_);
    carry_out(id);
}

void RootProcess::received(ConnectionId id, const AdmissionMessage& message) {
    logic_->received(id, message, local_now(), actions_);
    carry_out(id);
}

void RootProcess::disconnected(ConnectionId id, std::errc reason, bool was_connecting) {
    if (was_connecting) {
        logic_->connect_failed(id, reason, actions_);
    } else {
        logic_->disconnected(id, reason, actions_);
    }
    carry_out(id);
}

void RootProcess::advance() {
    if (logic_ == nullptr) return;
    logic_->advance(local_now(), actions_, [this](ConnectionId id) { return has_unread(id); });
    carry_out();
}

void RootProcess::stalled(Duration time) {
    if (logic_ != nullptr) logic_->stalled(time, local_now());
}

std::optional<Instant> RootProcess::next_deadline() const {
    return logic_ == nullptr ? std::nullopt : logic_->next_deadline();
}

bool RootProcess::is_listening() const { return logic_ != nullptr && logic_->is_listening(); }

// ---- The application ----

void RootProcess::listen(std::size_t backlog) {
    if (!is_running()) return;
    if (logic_ == nullptr) start();
    network.trace(this, fmt::format("listens for {}", backlog));
    demand(logic_->listen(backlog).has_value(), "listen fails");
    backlog_ = backlog;
    may_wait_ = std::max(backlog, logic_->pending_count());
}

std::error_code RootProcess::accept(Verdict verdict) {
    if (!is_running() || logic_ == nullptr) return {};
    const std::size_t waited = logic_->pending_count();
    const Accepted leaf = logic_->accept(
        [&](const PendingJoin&) {
            return Answer{verdict, {}};
        },
        local_now(), actions_);
    answered(leaf, verdict, waited);
    return leaf ? std::error_code() : leaf.error();
}

void RootProcess::accept_slowly(Verdict verdict) {
    if (!is_running() || logic_ == nullptr) return;
    const Result<RequestId> request = logic_->oldest_request();
    if (!request) return;
    network.after(chance.between(0s, 500ms), [=, this, life = life_] {
        post(std::nullopt, [=, this] {
            if (life != life_) return;
            const std::size_t waited = logic_->pending_count();
            answered(logic_->answer(*request, {verdict, {}}, local_now(), actions_), verdict,
                     waited);
        });
    });
}

void RootProcess::answered(const Accepted& leaf, Verdict verdict, std::size_t waited) {
    network.trace(this, fmt::format("accept: {}", leaf ? "ok" : test::describe(leaf.error())));
    if (!leaf) {
        return demand(actions_.empty() && logic_->pending_count() == waited,
                      "a failed accept acts");
    }
    demand(leaf->has_value() == (verdict == Verdict::accept), "accept does not do as told");
    demand(logic_->pending_count() == waited - (verdict == Verdict::defer ? 0 : 1),
           "accept loses or keeps a request");
    if (verdict == Verdict::defer)
        return demand(actions_.empty(), "a deferred request is answered");
    const auto answer = std::find_if(actions_.begin(), actions_.end(), [](const auto& action) {
        return std::holds_alternative<Transmit>(action);
    });
    demand(answer != actions_.end(), "accept says nothing to the leaf");
    const ConnectionId line = std::get<Transmit>(*answer).connection;
    std::erase_if(asked_, [this](ConnectionId id) {
        const End* end = network.end_of(*this, id);
        return end == nullptr || !end->is_held();
    });
    demand(!asked_.empty() && asked_.front() == line, "M16: not the oldest");
    asked_.erase(asked_.begin());
    if (*leaf) {
        const Known known{.line = line, .since = network.now(), .local_since = local_now()};
        demand(known_.emplace(**leaf, known).second, "a leaf's number is used again");
    }
    carry_out(line);
}

void RootProcess::expel(LeafId leaf) {
    if (!is_running() || logic_ == nullptr) return;
    network.trace(this, fmt::format("expels leaf {}", static_cast<std::uint64_t>(leaf)));
    const ConnectionId line = known_.at(leaf).line;
    expelling_ = leaf;
    logic_->expel(leaf, actions_);
    carry_out(line);
    expelling_.reset();
    demand(!known_.contains(leaf), "an expelled leaf stays");
}

void RootProcess::invite(const ControlEndpoint& leaf) {
    if (!is_running() || logic_ == nullptr) return;
    const ConnectionId line = network.new_connection();
    const bool was_full = is_full();
    const auto id = logic_->invite(line, leaf, {}, local_now(), actions_);
    network.trace(this, fmt::format("invite: {}", id ? "ok" : test::describe(id.error())));
    if (inviting_) {
        demand(id == failure(std::errc::connection_already_in_progress), "M12: two invitations");
        return;
    }
    if (was_full) {
        demand(id == failure(std::errc::no_buffer_space), "invites past its limit");
        return;
    }
    demand(id.has_value(), "invite fails");
    known_.emplace(
        *id,
        Known{
            .line = line, .is_invited = true, .since = network.now(), .local_since = local_now()});
    inviting_ = *id;
    carry_out(line);
}

void RootProcess::cancel_invite() {
    if (!is_running() || !inviting_) return;
    const LeafId leaf = *inviting_;
    network.trace(this, "cancels its invitation");
    cancelling_ = leaf;
    const ConnectionId line = known_.at(leaf).line;
    logic_->cancel_invite(leaf, actions_);
    carry_out(line);
    cancelling_.reset();
    demand(!inviting_, "a cancelled invitation goes on");
}

void RootProcess::say(LeafId leaf) {
    if (!is_running() || logic_ == nullptr) return;
    const bool said = logic_->say(leaf, test::bytes("hear"), local_now(), actions_).has_value();
    demand(said == known_.at(leaf).is_member, "side talk with no member");
    carry_out(known_.at(leaf).line);
}

void RootProcess::tell_history(LeafId leaf) {
    if (!is_running() || logic_ == nullptr) return;
    const bool may_hear = known_.at(leaf).is_member && options_.offer.repair.has_value();
    logic_->history_begins(leaf, {{}, 1}, local_now(), actions_);
    demand(may_hear || actions_.empty(), "who cannot hear it is told where the history begins");
    carry_out(known_.at(leaf).line);
}

void RootProcess::close() {
    if (!is_running() || logic_ == nullptr) return;
    network.trace(this, "closes");
    closing_ = true;
    logic_->close(actions_);
    carry_out();
    closing_ = false;
    demand(known_.empty() && !inviting_, "a leaf outlives its root");
    demand(logic_->leaf_count() == 0 && logic_->pending_count() == 0 &&
               logic_->silent_count() == 0 && !logic_->next_deadline(),
           "a closed root holds something");
    check();
    die();
}

// ---- What the logic wants ----

void RootProcess::carry_out(std::optional<ConnectionId> only) {
    const AdmissionActions actions = std::exchange(actions_, {});
    const auto about = [&](ConnectionId line) {
        demand(!only || *only == line, "what happens to one leaf touches another");
    };
    for (const AdmissionAction& action : actions) {
        if (network.is_traced()) network.trace(this, test::describe(action));
        if (const auto* dial = std::get_if<Dial>(&action)) {
            about(dial->connection);
            network.dial(*this, dial->connection, dial->to);
        } else if (const auto* transmit = std::get_if<Transmit>(&action)) {
            about(transmit->connection);
            network.send(*this, transmit->connection, transmit->message);
            if (std::holds_alternative<Admit>(transmit->message)) {
                demand(std::any_of(known_.begin(), known_.end(),
                                   [&](const auto& leaf) {
                                       return leaf.second.line == transmit->connection &&
                                              leaf.second.is_admitted;
                                   }),
                       "told to join, and its data is not taken");
            }
        } else if (const auto* hang_up = std::get_if<HangUp>(&action)) {
            about(hang_up->connection);
            network.hang_up(*this, hang_up->connection);
        } else if (const auto* done = std::get_if<InvitationDone>(&action)) {
            about(known_.at(done->leaf).line);
            demand(inviting_ == done->leaf, "an invitation ends twice");
            if (done->error) {
                ended(done->leaf, reason_of(done->error), true);
            } else {
                demand(known_.at(done->leaf).is_member, "invited with success, but no member");
                known_.at(done->leaf).is_invited = false;
            }
            inviting_.reset();
        } else if (const auto* admitted = std::get_if<LeafAdmitted>(&action)) {
            Known& leaf = known_.at(admitted->leaf);
            about(leaf.line);
            demand(!leaf.is_admitted && !leaf.is_member, "admitted twice");
            leaf.is_admitted = true;
        } else if (const auto* joined = std::get_if<LeafConnected>(&action)) {
            Known& leaf = known_.at(joined->leaf);
            about(leaf.line);
            demand(!leaf.is_member, "connected twice");
            demand(leaf.is_admitted, "connected, and its data is not taken");
            leaf.is_member = true;
        } else if (std::holds_alternative<RequestPending>(action)) {
            demand(logic_->pending_count() <= backlog_, "M19: one past the backlog waits");
            asked_.push_back(only.value());
        } else if (const auto* closed = std::get_if<LeafClosed>(&action)) {
            about(known_.at(closed->leaf).line);
            ended(closed->leaf, reason_of(closed->reason), false);
        }
    }
    arm();
}

void RootProcess::ended(LeafId leaf, std::errc reason, bool by_invitation) {
    const auto at = known_.find(leaf);
    demand(at != known_.end(), "a leaf ends twice");
    demand(at->second.is_invited == by_invitation, "the wrong event ends a leaf");
    demand(!(by_invitation && at->second.is_member), "a failed invitation was a member");
    check_reason(at->second, leaf, reason);
    known_.erase(at);
}

// FD_CLOSE and FD_CONNECT tell the truth.
void RootProcess::check_reason(const Known& leaf, LeafId id, std::errc reason) const {
    if (reason == std::errc::connection_aborted && expelling_ == id) return;
    if (reason == std::errc::operation_canceled) {
        return demand(cancelling_ == id || expelling_ == id || closing_, "nobody has cancelled");
    }
    if (reason == std::errc{} && closing_) return;
    const End* end = network.end_of(*this, leaf.line);
    // The connection has gone at both ends: it broke, or the other side had hung up already.
    if (end == nullptr || end->broke || end->refuse) return;
    if (end->farewell) {
        const bool is_no_reason =
            leaf.is_invited ? *end->farewell == std::errc{} : !is_reason(*end->farewell);
        return demand(
            *end->farewell == reason || (is_no_reason && reason == std::errc::connection_reset),
            "another reason than was told");
    }
    const bool is_violated = !network.other_end(*this, leaf.line)->process->is_honest();
    if (reason == std::errc::connection_reset && is_violated) return;
    demand(reason == std::errc::timed_out, "a leaf ends for nothing");
    demand(!has_unread(leaf.line), "a leaf whose words wait is taken for dead");
    const Duration silence = local_now() - end->heard;
    const Duration patience =
        leaf.is_member ? Duration(times_.dead_after) : std::min<Duration>(times_.dead_after, 3s);
    const Duration limit = leaf.is_invited ? times_.answer_within : times_.confirm_within;
    const bool is_late = !leaf.is_member && local_now() - leaf.local_since >= limit;
    demand(silence >= patience || is_late, "a leaf that was heard is taken for dead");
}

// ---- What holds at every moment ----

std::vector<LeafId> RootProcess::leaves() const {
    std::vector<LeafId> all;
    for (const auto& leaf : known_) all.push_back(leaf.first);
    return all;
}

std::optional<LeafId> RootProcess::member_on(ConnectionId id) const {
    for (const auto& [leaf, known] : known_) {
        if (known.line == id && known.is_member) return leaf;
    }
    return std::nullopt;
}

bool RootProcess::is_full() const {
    return logic_->leaf_count() + logic_->pending_count() >= options_.max_leaves;
}

void RootProcess::check() const {
    std::size_t held = 0;
    for (const auto& connection : network.connections()) {
        for (const End& end : connection.second.ends) {
            held += end.process == this && end.is_held() ? 1 : 0;
        }
    }
    if (logic_ == nullptr) return demand(held == 0, "a dead root holds a connection");
    demand(logic_->leaf_count() == known_.size(), "root and application disagree on the leaves");
    // A connection that a running process has not been told of yet is the mailbox's.
    const std::size_t meant =
        logic_->leaf_count() + logic_->pending_count() + logic_->silent_count();
    demand(is_frozen ? held >= meant : held == meant, "the root leaks a connection");
    if (logic_->pending_count() > may_wait_) throw Violation{"M19: more wait than the backlog"};
    demand(logic_->silent_count() <= options_.max_silent, "too many silent connections");
    demand(logic_->leaf_count() + logic_->pending_count() <= options_.max_leaves,
           "too many leaves");
    demand(logic_->is_inviting() == inviting_.has_value(), "root and application on inviting");
    for (const auto& [id, leaf] : known_) {
        demand(logic_->is_member(id) == leaf.is_member, "who is a member?");
        const End* end = network.end_of(*this, leaf.line);
        demand(end != nullptr && end->is_held(), "a leaf without a connection");
        if (leaf.is_member || !is_running()) continue;
        const Duration limit = leaf.is_invited ? times_.answer_within : times_.confirm_within;
        demand(network.now() <= std::max(leaf.since + limit, thawed_at) + kSlack,
               "M17: a half-open leaf");
    }
}

void RootProcess::check_agreement(const std::function<bool(ConnectionId)>& is_connected) const {
    for (const auto& leaf : known_) {
        const End* other = network.other_end(*this, leaf.second.line);
        if (!leaf.second.is_member || !other->process->is_honest()) continue;
        demand(is_connected(leaf.second.line), "a member that knows nothing of it");
    }
}

}  // namespace joinleaf::controlplane::simulation
