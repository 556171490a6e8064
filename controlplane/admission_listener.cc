// The first message has to be an invitation that this leaf can agree to; the rest is waiting.
#include <controlplane/admission_listener.h>
#include <controlplane/admission_rules.h>

namespace joinleaf::controlplane {

AdmissionListener::AdmissionListener(AdmissionListenerOptions options)
    : options_(std::move(options)), room_(options_.limits) {
    if (options_.leaf.name.size() > kMaxName || !options_.leaf.data_address.is_unicast() ||
        options_.limits.max_silent == 0) {
        throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                                "options of a listening leaf");
    }
}

Result<void> AdmissionListener::listen(std::size_t backlog) {
    if (closed_) return failure(std::errc::not_a_socket);
    return room_.listen(backlog);
}

void AdmissionListener::incoming(ConnectionId connection, const Peer& peer, Instant now,
                                 AdmissionActions& out) {
    room_.incoming(connection, peer, now, out);
}

void AdmissionListener::received(ConnectionId connection, const AdmissionMessage& message,
                                 Instant now, AdmissionActions& out) {
    if (!room_.knows(connection)) return;
    if (!room_.is_silent(connection)) return room_.received(connection, message, now, out);
    const auto* invite = std::get_if<Invite>(&message);
    if (invite == nullptr) {  // M13
        return room_.refuse(connection, std::errc::operation_not_supported,
                            "only invitations are accepted here", out);
    }
    if (const Objection objection = object_to(*invite)) {
        return room_.refuse(connection, objection.reason, std::string(objection.text), out);
    }
    if (const Objection objection = object_to_plane(options_.leaf.data_plane, invite->offer)) {
        return room_.refuse(connection, objection.reason, std::string(objection.text), out);
    }
    if (!is_met(options_.from_root, options_.to_root, invite->offer)) {  // M15
        return room_.refuse(connection, std::errc::operation_not_supported,
                            "the session does not carry as much as this leaf needs", out);
    }
    if (!room_.has_room()) {  // M19
        return room_.refuse(connection, std::errc::connection_refused, "too many wait", out);
    }
    PendingJoin join{.peer = room_.peer(connection),
                     .caller_data = invite->caller_data,
                     .from_root = options_.from_root,
                     .to_root = options_.to_root,
                     .offer = invite->offer};
    join.peer.name = invite->name;
    join.peer.data_address = invite->offer.root_address;
    room_.wait(connection, std::move(join), {invite->offer, invite->dead_after, options_.direction},
               now, out);
}

void AdmissionListener::disconnected(ConnectionId connection, std::errc reason) {
    if (room_.knows(connection)) room_.disconnected(connection, reason);
}

Result<RequestId> AdmissionListener::oldest_request() {
    if (closed_) return failure(std::errc::not_a_socket);
    return room_.oldest();
}

Result<std::optional<AdmissionLeaf>> AdmissionListener::accept(const Condition& condition,
                                                               Instant now, AdmissionActions& out) {
    const Result<RequestId> request = oldest_request();
    if (!request) return tl::unexpected(request.error());
    return answer(*request, condition ? condition(*find(*request)) : Answer{}, now, out);
}

Result<std::optional<AdmissionLeaf>> AdmissionListener::answer(RequestId request,
                                                               const Answer& answer, Instant now,
                                                               AdmissionActions& out) {
    if (closed_) return failure(std::errc::not_a_socket);
    if (!room_.is_listening()) return failure(std::errc::invalid_argument);
    if (find(request) != nullptr) {
        if (answer.verdict == Verdict::defer) return std::nullopt;
        if (answer.callee_data.size() > kMaxUserData) return failure(std::errc::message_size);
    }
    Result<Guest> guest = room_.take(request);
    if (!guest) return tl::unexpected(guest.error());
    if (answer.verdict == Verdict::reject) {
        hang_up(guest->line.connection(), Refuse{.text = "rejected"}, out);
        return std::nullopt;
    }
    return AdmissionLeaf(options_.leaf, std::move(*guest), answer.callee_data, now, out);
}

void AdmissionListener::close(AdmissionActions& out) {
    closed_ = true;
    room_.close(out);
}

void AdmissionListener::advance(Instant now, AdmissionActions& out, const Unread& unread) {
    room_.advance(now, out, unread);
}

}  // namespace joinleaf::controlplane
