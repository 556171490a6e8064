// Requests go from the waiting room to the leaves, invitations straight there; a leaf becomes a
// member when it confirms.
#include <controlplane/admission_root.h>
#include <controlplane/admission_rules.h>

#include <algorithm>

namespace joinleaf::controlplane {
namespace {

[[nodiscard]] std::error_code code(std::errc reason) {
    return reason == std::errc{} ? std::error_code{} : std::make_error_code(reason);
}

/// What a leaf that is turned away is told: no more than it needs.
struct Told {
    std::errc reason;
    std::string_view text;
};
[[nodiscard]] Told told(RefusalReason reason) {
    switch (reason) {
        case RefusalReason::policy:
            return {std::errc::permission_denied, "not let in"};
        case RefusalReason::full:
            return {std::errc::connection_refused, "the session is full"};
        case RefusalReason::backlog:
            return {std::errc::connection_refused, "too many wait"};
        case RefusalReason::address:
            return {std::errc::address_not_available, "that data address is the root's"};
        case RefusalReason::flow:
            return {std::errc::operation_not_supported, "the session does not carry as much"};
        case RefusalReason::application:
            break;
    }
    return {std::errc::connection_refused, "rejected"};
}
[[nodiscard]] Refuse refusal(RefusalReason reason) {
    return {told(reason).reason, std::string(told(reason).text)};
}

[[nodiscard]] bool is_of_invitation(LeafStage stage) {
    return stage == LeafStage::dialing || stage == LeafStage::invited || stage == LeafStage::agreed;
}

}  // namespace

std::string_view name(LeafStage stage) noexcept {
    switch (stage) {
        case LeafStage::dialing:
            return "dialing";
        case LeafStage::invited:
            return "invited";
        case LeafStage::agreed:
            return "agreed";
        case LeafStage::admitted:
            return "admitted";
        case LeafStage::member:
            return "member";
    }
    return "unknown";
}

AdmissionRoot::AdmissionRoot(AdmissionRootOptions options)
    : options_(std::move(options)),
      room_({.first_message_within = options_.request_within, .max_silent = options_.max_silent}) {
    if (!is_usable(options_.dead_after) || !is_usable(options_.offer) ||
        options_.name.size() > kMaxName || options_.max_silent == 0) {
        throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                                "options of a root");
    }
}

// ---- Who asks to be let in (M6) ----

Result<void> AdmissionRoot::listen(std::size_t backlog) {
    if (closed_) return failure(std::errc::not_a_socket);
    return room_.listen(backlog);
}

void AdmissionRoot::incoming(ConnectionId connection, const Peer& peer, Instant now,
                             AdmissionActions& out) {
    room_.incoming(connection, peer, now, out);
}

void AdmissionRoot::first_message(ConnectionId connection, const AdmissionMessage& message,
                                  Instant now, AdmissionActions& out) {
    const auto* request = std::get_if<JoinRequest>(&message);
    if (request == nullptr) {
        ++counters_.violations;
        return room_.refuse(connection, std::errc::protocol_error, "not a request", out);
    }
    if (const Objection objection = object_to(*request)) {
        ++counters_.violations;
        return room_.refuse(connection, objection.reason, std::string(objection.text), out);
    }
    ++counters_.requests;
    PendingJoin join{.peer = room_.peer(connection),
                     .caller_data = request->caller_data,
                     .from_root = request->from_root,
                     .to_root = request->to_root};
    join.peer.name = request->name;
    join.peer.data_address = request->data_address;
    const auto refuse = [&](RefusalReason reason, std::string_view why) {
        const auto [error, text] = told(reason);
        room_.refuse(connection, error, std::string(text), out);
        turn_away(join.peer, reason, why, out);
    };
    if (!room_.has_room()) {  // M19
        return refuse(RefusalReason::backlog, "as many as the backlog allows wait to be accepted");
    }
    if (leaves_.size() + room_.waiting() >= options_.max_leaves) {
        return refuse(RefusalReason::full, "there are as many leaves as this root takes");
    }
    const auto offer = screened(join.peer, Acquaintance::by_name);
    if (!offer) return refuse(offer.error().reason, offer.error().why);
    if (!is_met(request->from_root, request->to_root, *offer)) {  // M15
        return refuse(RefusalReason::flow, "it demands more than the session carries");
    }
    room_.wait(connection, std::move(join), {*offer, options_.dead_after, request->direction}, now,
               out);
}

tl::expected<SessionOffer, Denial> AdmissionRoot::screened(const Peer& peer,
                                                           Acquaintance known) const {
    if (!options_.screen) return options_.offer;
    return options_.screen(peer, options_.offer, known);
}

void AdmissionRoot::turn_away(const Peer& peer, RefusalReason reason, std::string_view why,
                              AdmissionActions& out) {
    ++counters_.refused[static_cast<std::size_t>(reason)];
    out.emplace_back(LeafRefused{peer, reason, std::string(why)});
}

Result<RequestId> AdmissionRoot::oldest_request() {
    if (closed_) return failure(std::errc::not_a_socket);
    return room_.oldest();
}

Result<std::optional<LeafId>> AdmissionRoot::accept(const Condition& condition, Instant now,
                                                    AdmissionActions& out) {
    const Result<RequestId> request = oldest_request();
    if (!request) return tl::unexpected(request.error());
    return answer(*request, condition ? condition(*find(*request)) : Answer{}, now, out);
}

Result<std::optional<LeafId>> AdmissionRoot::answer(RequestId request, const Answer& answer,
                                                    Instant now, AdmissionActions& out) {
    if (closed_) return failure(std::errc::not_a_socket);
    if (!room_.is_listening()) return failure(std::errc::invalid_argument);
    if (find(request) != nullptr) {
        if (answer.verdict == Verdict::defer) return std::nullopt;
        if (answer.callee_data.size() > kMaxUserData) return failure(std::errc::message_size);
    }
    Result<Guest> guest = room_.take(request);
    if (!guest) return tl::unexpected(guest.error());
    const ConnectionId connection = guest->line.connection();
    if (answer.verdict == Verdict::reject) {
        ++counters_.refused[static_cast<std::size_t>(RefusalReason::application)];
        hang_up(connection, refusal(RefusalReason::application), out);
        return std::nullopt;
    }
    // Others may have been let in since it asked, and the policy may be another.
    if (const auto still = screened(guest->join.peer, Acquaintance::by_name); !still) {
        hang_up(connection, refusal(still.error().reason), out);
        turn_away(guest->join.peer, still.error().reason, still.error().why, out);
        return failure(std::errc::connection_refused);
    }
    return admit(std::move(*guest), answer.callee_data, now, out);
}

LeafId AdmissionRoot::admit(Guest guest, const UserData& callee_data, Instant now,
                            AdmissionActions& out) {
    SessionOffer& offer = guest.terms.offer;
    // It may have waited for long; the feed has gone on.
    if (offer.group == options_.offer.group) {
        offer.first_sequence = options_.offer.first_sequence;
        offer.repair = options_.offer.repair;
    }
    guest.line.agree(cadence(), patience(), now);
    const LeafId id = add({.line = guest.line,
                           .stage = LeafStage::admitted,
                           .peer = std::move(guest.join.peer),
                           .direction = guest.terms.direction,
                           .since = now,
                           .confirm_by = now + options_.confirm_within,
                           .has_repair = offer.repair.has_value()});
    Leaf& leaf = leaves_.at(id);
    out.emplace_back(LeafAdmitted{id, leaf.peer.data_address});
    leaf.line.send(Admit{offer, callee_data, options_.dead_after, options_.name}, now, out);
    return id;
}

// What a leaf lives by that may not have heard dead_after yet.
Duration AdmissionRoot::cadence() const {
    return std::min<Duration>(options_.dead_after, kWaitingDeadAfter);
}

// How long a leaf may be silent that does not know dead_after yet.
Duration AdmissionRoot::patience() const {
    return std::max<Duration>(options_.dead_after, kWaitingDeadAfter);
}

// ---- Who is invited (M5) ----

Result<LeafId> AdmissionRoot::invite(ConnectionId connection, ControlEndpoint leaf,
                                     UserData caller_data, Instant now, AdmissionActions& out) {
    if (closed_) return failure(std::errc::not_a_socket);
    if (invitation_) return failure(std::errc::connection_already_in_progress);
    if (!is_usable(leaf)) return failure(std::errc::address_not_available);
    if (caller_data.size() > kMaxUserData) return failure(std::errc::message_size);
    if (leaves_.size() + room_.waiting() >= options_.max_leaves) {
        return failure(std::errc::no_buffer_space);
    }
    ++counters_.invitations;
    const LeafId id = add({.line = Line(connection, kWaitingDeadAfter, now),
                           .stage = LeafStage::dialing,
                           .peer = {.endpoint = leaf},
                           .since = now,
                           .confirm_by = now + options_.answer_within});
    invitation_ = Invitation{id, std::move(caller_data), {}};
    out.emplace_back(Dial{connection, leaf});
    return id;
}

void AdmissionRoot::cancel_invite(LeafId leaf, AdmissionActions& out) {
    const auto at = leaves_.find(leaf);
    if (at == leaves_.end() || !is_of_invitation(at->second.stage)) return;
    part(at, std::errc{}, std::errc::operation_canceled, out);
}

void AdmissionRoot::connected(ConnectionId connection, const Peer& peer, Instant now,
                              AdmissionActions& out) {
    const auto at = of(connection);
    if (at == leaves_.end() || at->second.stage != LeafStage::dialing) return;
    Leaf& leaf = at->second;
    leaf.peer.identity = peer.identity;
    leaf.line.heard(now);
    enter(leaf, LeafStage::invited, now);
    const auto offer = screened(leaf.peer, Acquaintance::by_address);
    if (!offer) return deny(at, offer.error(), out);
    leaf.line.send(Invite{.name = options_.name,
                          .offer = *offer,
                          .caller_data = std::move(invitation_->caller_data),
                          .dead_after = options_.dead_after},
                   now, out);
    arm(at);
}

void AdmissionRoot::connect_failed(ConnectionId connection, std::errc reason,
                                   AdmissionActions& out) {
    disconnected(connection, reason, out);
}

void AdmissionRoot::agreed(Leaves::iterator at, const AcceptInvite& message, Instant now,
                           AdmissionActions& out) {
    if (object_to(message)) return violated(at, out);
    Leaf& leaf = at->second;
    leaf.peer.name = message.name;
    leaf.peer.data_address = message.data_address;
    // Now that it has said who it is.
    const auto offer = screened(leaf.peer, Acquaintance::by_name);
    if (!offer) return deny(at, offer.error(), out);
    invitation_->callee_data = message.callee_data;
    leaf.line.agree(cadence(), patience(), now);
    enter(leaf, LeafStage::agreed, now);
    leaf.has_repair = offer->repair.has_value();
    out.emplace_back(LeafAdmitted{at->first, leaf.peer.data_address});
    leaf.line.send(Admit{*offer, {}, options_.dead_after, options_.name}, now, out);
    arm(at);
}

// An invitation that the screen does not want.
void AdmissionRoot::deny(Leaves::iterator at, const Denial& denial, AdmissionActions& out) {
    const std::errc reason = told(denial.reason).reason;
    turn_away(at->second.peer, denial.reason, denial.why, out);
    part(at, reason, reason, out);
}

// ---- Who is there ----

void AdmissionRoot::received(ConnectionId connection, const AdmissionMessage& message, Instant now,
                             AdmissionActions& out) {
    if (room_.is_silent(connection)) return first_message(connection, message, now, out);
    if (room_.knows(connection)) return room_.received(connection, message, now, out);
    if (const auto at = of(connection); at != leaves_.end()) leaf_said(at, message, now, out);
}

void AdmissionRoot::leaf_said(Leaves::iterator at, const AdmissionMessage& message, Instant now,
                              AdmissionActions& out) {
    Leaf& leaf = at->second;
    const LeafStage stage = leaf.stage;
    leaf.line.heard(now);
    if (std::holds_alternative<KeepAlive>(message)) return;
    if (const auto* farewell = std::get_if<Farewell>(&message)) {
        out.emplace_back(HangUp{leaf.line.connection()});
        // That it was expelled is for this side to say.
        const bool is_theirs = farewell->reason != std::errc::connection_aborted;
        return gone(at, is_theirs ? farewell->reason : std::errc::connection_reset, out);
    }
    if (const auto* refuse = std::get_if<Refuse>(&message); refuse && stage != LeafStage::member) {
        out.emplace_back(HangUp{leaf.line.connection()});
        const bool said_why = refuse->reason != std::errc{};
        return gone(at, said_why ? refuse->reason : std::errc::connection_refused, out);
    }
    if (const auto* accept = std::get_if<AcceptInvite>(&message);
        accept && stage == LeafStage::invited) {
        return agreed(at, *accept, now, out);
    }
    if (std::holds_alternative<Confirm>(message) &&
        (stage == LeafStage::agreed || stage == LeafStage::admitted)) {
        return confirmed(at, now, out);
    }
    if (const auto* talk = std::get_if<SideTalk>(&message);
        talk && stage == LeafStage::member && talk->data.size() <= kMaxUserData) {
        out.emplace_back(LeafSaid{at->first, talk->data});
        return;
    }
    violated(at, out);
}

void AdmissionRoot::confirmed(Leaves::iterator at, Instant now, AdmissionActions& out) {
    Leaf& leaf = at->second;
    const bool was_invited = leaf.stage == LeafStage::agreed;
    ++counters_.members;
    leaf.line.agree(options_.dead_after, options_.dead_after, now);
    leaf.confirm_by = kNever;
    enter(leaf, LeafStage::member, now);
    arm(at);
    out.emplace_back(LeafConnected{at->first, leaf.peer.data_address});
    if (!was_invited) return;
    out.emplace_back(InvitationDone{at->first, {}, std::move(invitation_->callee_data)});
    invitation_.reset();
}

Result<void> AdmissionRoot::say(LeafId leaf, UserData data, Instant now, AdmissionActions& out) {
    const auto at = leaves_.find(leaf);
    if (at == leaves_.end() || at->second.stage != LeafStage::member) {
        return failure(std::errc::not_connected);
    }
    if (data.size() > kMaxUserData) return failure(std::errc::message_size);
    at->second.line.send(SideTalk{std::move(data)}, now, out);
    return {};
}

void AdmissionRoot::history_begins(LeafId leaf, const HistoryBegins& begins, Instant now,
                                   AdmissionActions& out) {
    const auto at = leaves_.find(leaf);
    if (at == leaves_.end() || at->second.stage != LeafStage::member) return;
    Leaf& known = at->second;
    if (!known.has_repair) return;
    if (known.history_told_at && now - *known.history_told_at < kTellEvery) return;
    known.history_told_at = now;
    known.line.send(HistoryBegins{begins}, now, out);
}

void AdmissionRoot::advance(Instant now, AdmissionActions& out, const Unread& unread) {
    room_.advance(now, out, unread);
    while (const auto due = deadlines_.due(now)) {
        const auto at = leaves_.find(*due);
        Leaf& leaf = at->second;
        const bool is_late = leaf.confirm_by <= now;
        if (is_late || (leaf.stage != LeafStage::dialing && leaf.line.is_silent(now))) {
            const Instant over = is_late ? leaf.confirm_by : leaf.line.silent_at();
            if (leaf.line.is_yet_to_be_read(unread, over, now)) {
                deadlines_.set(at->first, leaf.armed, now + kLookAgain);
                continue;
            }
            ++counters_.timed_out;
            part(at, std::errc::timed_out, std::errc::timed_out, out);
            continue;
        }
        leaf.line.keep_alive(now, out);
        arm(at);
    }
}

void AdmissionRoot::stalled(Duration time, Instant now) {
    room_.stalled(time, now);
    for (auto& [id, leaf] : leaves_) leaf.line.forgive(time, now);
}

std::optional<Instant> AdmissionRoot::next_deadline() const {
    const auto room = room_.next_deadline();
    const auto leaves = deadlines_.next();
    return room && leaves ? std::min(*room, *leaves) : room ? room : leaves;
}

// ---- Who goes (M4, M25) ----

void AdmissionRoot::expel(LeafId leaf, AdmissionActions& out) {
    const auto at = leaves_.find(leaf);
    if (at == leaves_.end()) return;
    if (is_of_invitation(at->second.stage)) return cancel_invite(leaf, out);
    part(at, std::errc::connection_aborted, std::errc::connection_aborted, out);
}

void AdmissionRoot::disconnected(ConnectionId connection, std::errc reason, AdmissionActions& out) {
    if (room_.knows(connection)) return room_.disconnected(connection, reason);
    const auto at = of(connection);
    if (at == leaves_.end()) return;
    gone(at, broken(reason), out);
}

void AdmissionRoot::close(AdmissionActions& out) {
    closed_ = true;
    room_.close(out);
    while (!leaves_.empty()) {
        const auto at = leaves_.begin();
        const bool pending = is_of_invitation(at->second.stage);
        part(at, std::errc{}, pending ? std::errc::operation_canceled : std::errc{}, out);
    }
}

void AdmissionRoot::violated(Leaves::iterator at, AdmissionActions& out) {
    ++counters_.violations;
    part(at, std::errc::protocol_error, std::errc::connection_reset, out);
}

void AdmissionRoot::part(Leaves::iterator at, std::errc told, std::errc reason,
                         AdmissionActions& out) {
    const ConnectionId connection = at->second.line.connection();
    if (at->second.stage == LeafStage::dialing) {
        out.emplace_back(HangUp{connection});
    } else {
        hang_up(connection, Farewell{told}, out);
    }
    gone(at, reason, out);
}

// The connection is over or on its way there: tells the application, and forgets.
void AdmissionRoot::gone(Leaves::iterator at, std::errc reason, AdmissionActions& out) {
    const Leaf& leaf = at->second;
    count_end(leaf.stage, reason);
    if (is_of_invitation(leaf.stage)) {
        out.emplace_back(InvitationDone{at->first, code(join_error(reason)), {}});
        invitation_.reset();
    } else {
        out.emplace_back(LeafClosed{at->first, leaf.peer.data_address, code(close_reason(reason))});
    }
    by_connection_.erase(leaf.line.connection());
    deadlines_.clear(at->first, at->second.armed);
    leaves_.erase(at);
}

// ---- Bookkeeping ----

void AdmissionRoot::count_end(LeafStage stage, std::errc reason) {
    if (stage == LeafStage::agreed || stage == LeafStage::admitted) ++counters_.unconfirmed;
    if (stage != LeafStage::member) return;
    if (reason == std::errc{}) {
        ++counters_.left;
    } else if (reason == std::errc::connection_aborted) {
        ++counters_.expelled;
    } else {
        ++counters_.lost;
    }
}

LeafId AdmissionRoot::add(Leaf leaf) {
    const LeafId id{++last_leaf_};
    by_connection_.emplace(leaf.line.connection(), id);
    arm(leaves_.emplace_hint(leaves_.end(), id, std::move(leaf)));
    return id;
}

// Being heard, and speaking, move the deadline on; it is found late then, looked at, and set anew.
void AdmissionRoot::arm(Leaves::iterator at) {
    Leaf& leaf = at->second;
    const Instant due = leaf.stage == LeafStage::dialing
                            ? leaf.confirm_by
                            : std::min(leaf.confirm_by, leaf.line.due());
    deadlines_.set(at->first, leaf.armed, due);
}

void AdmissionRoot::enter(Leaf& leaf, LeafStage stage, Instant now) {
    leaf.stage = stage;
    leaf.since = now;
}

AdmissionRoot::Leaves::iterator AdmissionRoot::of(ConnectionId connection) {
    const auto id = by_connection_.find(connection);
    return id == by_connection_.end() ? leaves_.end() : leaves_.find(id->second);
}

bool AdmissionRoot::is_member(LeafId leaf) const {
    const auto at = leaves_.find(leaf);
    return at != leaves_.end() && at->second.stage == LeafStage::member;
}

std::optional<LeafInfo> AdmissionRoot::leaf(LeafId leaf) const {
    const auto at = leaves_.find(leaf);
    if (at == leaves_.end()) return std::nullopt;
    const Leaf& known = at->second;
    return LeafInfo{leaf, known.stage, known.peer, known.direction, known.since};
}

std::vector<LeafInfo> AdmissionRoot::leaves() const {
    std::vector<LeafInfo> all;
    all.reserve(leaves_.size());
    for (const auto& [id, leaf] : leaves_) {
        all.push_back({id, leaf.stage, leaf.peer, leaf.direction, leaf.since});
    }
    return all;
}

std::vector<LeafInfo> AdmissionRoot::leaves_after(LeafId after, std::size_t limit) const {
    std::vector<LeafInfo> some;
    for (auto at = leaves_.upper_bound(after); at != leaves_.end() && some.size() < limit; ++at) {
        const auto& [id, leaf] = *at;
        some.push_back({id, leaf.stage, leaf.peer, leaf.direction, leaf.since});
    }
    return some;
}

std::vector<LeafInfo> AdmissionRoot::members() const {
    std::vector<LeafInfo> all = leaves();
    std::erase_if(all, [](const LeafInfo& leaf) { return leaf.stage != LeafStage::member; });
    return all;
}

}  // namespace joinleaf::controlplane
