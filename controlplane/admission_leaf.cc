// idle -> dialing -> asked -> joining -> connected, and from anywhere back to idle. Who was invited
// begins as one who has asked: it waits for the root's Admit.
#include <controlplane/admission_leaf.h>
#include <controlplane/admission_rules.h>

#include <algorithm>

namespace joinleaf::controlplane {
namespace {

[[nodiscard]] std::error_code code(std::errc reason) {
    return reason == std::errc{} ? std::error_code{} : std::make_error_code(reason);
}

}  // namespace

AdmissionLeaf::AdmissionLeaf(AdmissionLeafOptions options) : options_(std::move(options)) {
    if (options_.name.size() > kMaxName || !options_.data_address.is_unicast()) {
        throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                                "options of a leaf");
    }
}

AdmissionLeaf::AdmissionLeaf(AdmissionLeafOptions options, Guest invitation, UserData callee_data,
                             Instant now, AdmissionActions& out)
    : options_(std::move(options)),
      stage_(Stage::asked),
      line_(invitation.line),
      answer_by_(now + options_.answer_within),
      request_{.direction = invitation.terms.direction,
               .from_root = invitation.join.from_root,
               .to_root = invitation.join.to_root,
               .caller_data = {}},
      root_(std::move(invitation.join.peer)) {
    line_->agree(kWaitingDeadAfter, kWaitingDeadAfter, now);
    line_->send(AcceptInvite{options_.name, options_.data_address, std::move(callee_data)}, now,
                out);
}

Result<void> AdmissionLeaf::request(ConnectionId connection, ControlEndpoint root,
                                    LeafRequest request, Instant now, AdmissionActions& out) {
    if (closed_) return failure(std::errc::not_a_socket);
    if (is_pending()) return failure(std::errc::connection_already_in_progress);
    if (is_connected()) return failure(std::errc::already_connected);
    if (!is_usable(root)) return failure(std::errc::address_not_available);
    if (request.caller_data.size() > kMaxUserData) return failure(std::errc::message_size);
    if (!is_usable(request.from_root) || !is_usable(request.to_root)) {
        return failure(std::errc::invalid_argument);
    }
    stage_ = Stage::dialing;
    line_.emplace(connection, kWaitingDeadAfter, now);
    answer_by_ = now + options_.answer_within;
    request_ = std::move(request);
    callee_data_.clear();
    root_ = {.endpoint = root};
    out.emplace_back(Dial{connection, root});
    return {};
}

void AdmissionLeaf::connected(ConnectionId connection, const Peer& peer, Instant now,
                              AdmissionActions& out) {
    if (stage_ != Stage::dialing || connection != line_->connection()) return;
    stage_ = Stage::asked;
    root_.identity = peer.identity;
    line_->heard(now);
    line_->send(JoinRequest{.name = options_.name,
                            .data_address = options_.data_address,
                            .direction = request_.direction,
                            .from_root = request_.from_root,
                            .to_root = request_.to_root,
                            .caller_data = std::move(request_.caller_data)},
                now, out);
}

void AdmissionLeaf::connect_failed(ConnectionId connection, std::errc reason, Instant now,
                                   AdmissionActions& out) {
    disconnected(connection, reason, now, out);
}

void AdmissionLeaf::received(ConnectionId connection, const AdmissionMessage& message, Instant now,
                             AdmissionActions& out) {
    if (this->connection() != connection || stage_ == Stage::dialing) return;
    line_->heard(now);
    root_said(message, now, out);
}

void AdmissionLeaf::root_said(const AdmissionMessage& message, Instant now, AdmissionActions& out) {
    if (std::holds_alternative<KeepAlive>(message)) return;
    if (const auto* farewell = std::get_if<Farewell>(&message)) {
        out.emplace_back(HangUp{line_->connection()});
        return end(farewell->reason, now, out);
    }
    if (const auto* refuse = std::get_if<Refuse>(&message); refuse && stage_ == Stage::asked) {
        out.emplace_back(HangUp{line_->connection()});
        const bool said_why = refuse->reason != std::errc{};
        return end(said_why ? refuse->reason : std::errc::connection_refused, now, out);
    }
    if (const auto* admit = std::get_if<Admit>(&message); admit && stage_ == Stage::asked) {
        return admitted(*admit, now, out);
    }
    if (const auto* talk = std::get_if<SideTalk>(&message);
        talk && is_connected() && talk->data.size() <= kMaxUserData) {
        out.emplace_back(RootSaid{talk->data});
        return;
    }
    if (const auto* begins = std::get_if<HistoryBegins>(&message);
        begins && is_connected() && terms_.offer.repair) {
        out.emplace_back(HistoryTold{*begins});
        return;
    }
    part(Farewell{std::errc::protocol_error}, std::errc::connection_reset, now, out);
}

void AdmissionLeaf::admitted(const Admit& message, Instant now, AdmissionActions& out) {
    if (const Objection objection = object_to(message)) {
        return part(Refuse{objection.reason, std::string(objection.text)}, objection.reason, now,
                    out);
    }
    if (const Objection objection = object_to_plane(options_.data_plane, message.offer)) {
        return part(Refuse{objection.reason, std::string(objection.text)}, objection.reason, now,
                    out);
    }
    if (!is_met(request_.from_root, request_.to_root, message.offer)) {  // M15
        return part(Refuse{std::errc::operation_not_supported, "the offer is less than was asked"},
                    std::errc::operation_not_supported, now, out);
    }
    terms_ = {message.offer, message.dead_after, request_.direction};
    callee_data_ = message.callee_data;
    root_.name = message.name;
    join_group(now, out);
}

void AdmissionLeaf::join_group(Instant now, AdmissionActions& out) {
    stage_ = Stage::joining;
    root_.data_address = terms_.offer.root_address;
    line_->agree(terms_.dead_after, terms_.dead_after, now);
    out.emplace_back(JoinGroup{terms_.offer});
}

void AdmissionLeaf::group_joined(Instant at, std::error_code error, Instant now,
                                 AdmissionActions& out) {
    if (stage_ != Stage::joining) return;
    if (error) {
        const auto reason = static_cast<std::errc>(error.default_error_condition().value());
        return part(Refuse{reason, "the group could not be joined"}, reason, now, out);
    }
    stage_ = Stage::connected;
    line_->send(Confirm{}, now, out);
    out.emplace_back(JoinDone{{}, std::move(callee_data_), at});
    callee_data_ = {};
}

void AdmissionLeaf::disconnected(ConnectionId connection, std::errc reason, Instant now,
                                 AdmissionActions& out) {
    if (this->connection() != connection) return;
    end(broken(reason), now, out);
}

void AdmissionLeaf::link_down(Instant now, AdmissionActions& out) {
    if (stage_ == Stage::idle) return;
    part(Farewell{std::errc::network_down}, std::errc::network_down, now, out);
}

Result<void> AdmissionLeaf::say(UserData data, Instant now, AdmissionActions& out) {
    if (!is_connected()) return failure(std::errc::not_connected);
    if (data.size() > kMaxUserData) return failure(std::errc::message_size);
    line_->send(SideTalk{std::move(data)}, now, out);
    return {};
}

void AdmissionLeaf::close(Instant now, AdmissionActions& out) {
    closed_ = true;
    if (stage_ == Stage::idle) return;
    part(Farewell{}, std::errc::operation_canceled, now, out);
}

void AdmissionLeaf::advance(Instant now, AdmissionActions& out, const Unread& unread) {
    if (stage_ == Stage::idle) return;
    const bool is_late = is_pending() && answer_by_ <= now;
    if (is_late || (stage_ != Stage::dialing && line_->is_silent(now))) {
        if (line_->is_yet_to_be_read(unread, is_late ? answer_by_ : line_->silent_at(), now)) {
            look_again_ = now + kLookAgain;
            return;
        }
        return part(Farewell{std::errc::timed_out}, std::errc::timed_out, now, out);
    }
    if (stage_ != Stage::dialing) line_->keep_alive(now, out);
}

std::optional<Instant> AdmissionLeaf::next_deadline() const {
    switch (stage_) {
        case Stage::idle:
            return std::nullopt;
        case Stage::dialing:
            return std::max(answer_by_, look_again_);
        case Stage::connected:
            return std::max(line_->due(), look_again_);
        default:
            return std::max(std::min(answer_by_, line_->due()), look_again_);
    }
}

std::optional<ConnectionId> AdmissionLeaf::connection() const {
    if (!line_) return std::nullopt;
    return line_->connection();
}

void AdmissionLeaf::part(AdmissionMessage&& last_words, std::errc reason, Instant now,
                         AdmissionActions& out) {
    if (stage_ == Stage::dialing) {
        out.emplace_back(HangUp{line_->connection()});
    } else {
        hang_up(line_->connection(), std::move(last_words), out);
    }
    end(reason, now, out);
}

// The connection is over or on its way there: stops delivery, then tells the application (M25).
void AdmissionLeaf::end(std::errc reason, Instant now, AdmissionActions& out) {
    const bool was_connected = is_connected();
    if (is_in_group()) out.emplace_back(LeaveGroup{});
    stage_ = Stage::idle;
    line_.reset();
    look_again_ = {};
    request_ = {};
    if (!was_connected) {
        out.emplace_back(JoinDone{code(join_error(reason)), {}, now});
    } else if (!closed_) {
        out.emplace_back(SessionClosed{code(close_reason(reason))});
    }
}

}  // namespace joinleaf::controlplane
