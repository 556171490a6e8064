// Limits and meanings of what comes over an admission connection.
#include <controlplane/admission_rules.h>

#include <algorithm>

namespace joinleaf::controlplane {

bool are_usable_lines(const SessionOffer& offer) {
    if (offer.also.empty()) return true;
    if (offer.framing != Framing::moldudp64 || offer.fan_out != FanOut::multicast) return false;
    return offer.also.size() <= kMaxFurtherLines &&
           std::all_of(offer.also.begin(), offer.also.end(), [](const OfferedLine& line) {
               return line.source.is_unspecified() || line.source.is_unicast();
           });
}

bool is_usable_repair(const SessionOffer& offer) {
    if (!offer.repair) return true;
    const Ipv4Address address = offer.repair->address;
    return offer.framing == Framing::moldudp64 && (address.is_unicast() || address.is_loopback());
}

bool is_usable(const SessionOffer& offer) {
    if (offer.scheme.control != Plane::rooted) return false;
    if (!are_usable_lines(offer) || !is_usable_repair(offer)) return false;
    if (!is_usable(offer.from_root) || !is_usable(offer.to_root)) return false;
    if (offer.scheme.data == Plane::nonrooted) return offer.fan_out == FanOut::multicast;
    return offer.root_address.is_unicast();
}

namespace {

Objection object_to_leaf(std::string_view name, Ipv4Address data_address) {
    if (name.size() > kMaxName) return {std::errc::message_size, "the name is too long"};
    if (!data_address.is_unicast()) {
        return {std::errc::address_not_available, "the data address is not a host's"};
    }
    return {};
}

Objection object_to_session(const SessionOffer& offer, std::chrono::milliseconds dead_after) {
    if (!is_usable(dead_after)) return {std::errc::protocol_error, "dead_after is out of range"};
    if (!is_usable(offer))
        return {std::errc::protocol_error, "the offer is not of a rooted session"};
    return {};
}

Objection object_to_data(const UserData& data) {
    if (data.size() > kMaxUserData) return {std::errc::message_size, "user data are too long"};
    return {};
}

}  // namespace

Objection object_to(const JoinRequest& request) {
    if (request.version != kAdmissionVersion) {
        return {std::errc::protocol_not_supported, "this version is not spoken here"};
    }
    if (const Objection data = object_to_data(request.caller_data)) return data;
    return object_to_leaf(request.name, request.data_address);
}

Objection object_to(const Admit& admit) {
    if (admit.name.size() > kMaxName) return {std::errc::message_size, "the name is too long"};
    if (const Objection data = object_to_data(admit.callee_data)) return data;
    return object_to_session(admit.offer, admit.dead_after);
}

Objection object_to(const Invite& invite) {
    if (invite.version != kAdmissionVersion) {
        return {std::errc::protocol_not_supported, "this version is not spoken here"};
    }
    if (invite.name.size() > kMaxName) return {std::errc::message_size, "the name is too long"};
    if (const Objection data = object_to_data(invite.caller_data)) return data;
    return object_to_session(invite.offer, invite.dead_after);
}

Objection object_to(const AcceptInvite& accept) {
    if (const Objection data = object_to_data(accept.callee_data)) return data;
    return object_to_leaf(accept.name, accept.data_address);
}

Objection object_to_plane(std::optional<Plane> own, const SessionOffer& offer) {
    if (!own || offer.scheme.data == *own) return {};
    return {std::errc::operation_not_supported,
            *own == Plane::rooted
                ? "this leaf is for a rooted data plane, the session's is not"
                : "this leaf is for a nonrooted data plane, the session's is not"};
}

bool is_met(const FlowSpec& from_root, const FlowSpec& to_root, const SessionOffer& offer) {
    return from_root.is_met_by(offer.from_root) && to_root.is_met_by(offer.to_root);
}

std::errc broken(std::errc reason) {
    const bool is_said = reason == std::errc{} || reason == std::errc::connection_aborted;
    return is_said ? std::errc::connection_reset : reason;
}

std::errc close_reason(std::errc told) {
    const bool is_known = told == std::errc{} || told == std::errc::connection_aborted ||
                          told == std::errc::timed_out || told == std::errc::network_down ||
                          told == std::errc::operation_not_supported;
    return is_known ? told : std::errc::connection_reset;
}

std::errc join_error(std::errc told) {
    if (told == std::errc{}) return std::errc::connection_reset;
    return told == std::errc::host_unreachable ? std::errc::network_unreachable : told;
}

}  // namespace joinleaf::controlplane
