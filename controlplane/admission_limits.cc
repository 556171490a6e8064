#include <controlplane/admission_limits.h>
#include <controlplane/admission_rules.h>
#include <controlplane/admission_text.h>

#include <algorithm>

namespace joinleaf::controlplane {
namespace {

using Kind = DecodeError::Kind;
using Outcome = tl::expected<void, DecodeError>;

tl::unexpected<DecodeError> out_of_range(std::string_view field) {
    return tl::unexpected(DecodeError{Kind::out_of_range, field});
}

Outcome check_text(std::string_view text, std::string_view field) {
    if (!is_admission_text(text)) return out_of_range(field);
    return {};
}

Outcome check_data(const UserData& data, std::string_view field) {
    if (data.size() > kMaxUserData) return out_of_range(field);
    return {};
}

Outcome check_flow(const FlowSpec& flow, std::string_view field) {
    if (!is_usable(flow)) return out_of_range(field);
    return {};
}

Outcome check_host(Ipv4Address address, std::string_view field) {
    if (!address.is_unicast()) return out_of_range(field);
    return {};
}

Outcome check_dead_after(std::chrono::milliseconds dead_after, std::string_view field) {
    if (dead_after < kMinDeadAfter || dead_after > kMaxDeadAfter) return out_of_range(field);
    return {};
}

Outcome check_offer(const SessionOffer& offer) {
    if (offer.scheme.control != Plane::rooted) return out_of_range("control_plane");
    if (offer.scheme.data > Plane::nonrooted) return out_of_range("data_plane");
    if (offer.framing > Framing::moldudp64) return out_of_range("framing");
    if (offer.fan_out > FanOut::replicate) return out_of_range("fan_out");
    if (!are_usable_lines(offer)) return out_of_range("also");
    if (!is_usable_repair(offer)) return out_of_range("repair");
    return check_host(offer.root_address, "root_address")
        .and_then([&] { return check_flow(offer.from_root, "from_root"); })
        .and_then([&] { return check_flow(offer.to_root, "to_root"); });
}

Outcome check_fields(const JoinRequest& m) {
    if (m.version != kAdmissionVersion) {
        return tl::unexpected(DecodeError{Kind::version, "version"});
    }
    if (m.direction > Direction::both) return out_of_range("direction");
    return check_text(m.name, "name")
        .and_then([&] { return check_host(m.data_address, "data_address"); })
        .and_then([&] { return check_flow(m.from_root, "from_root"); })
        .and_then([&] { return check_flow(m.to_root, "to_root"); })
        .and_then([&] { return check_data(m.caller_data, "caller_data"); });
}

Outcome check_fields(const Admit& m) {
    return check_offer(m.offer)
        .and_then([&] { return check_text(m.name, "name"); })
        .and_then([&] { return check_data(m.callee_data, "callee_data"); })
        .and_then([&] { return check_dead_after(m.dead_after, "dead_after_ms"); });
}

Outcome check_fields(const Invite& m) {
    if (m.version != kAdmissionVersion) {
        return tl::unexpected(DecodeError{Kind::version, "version"});
    }
    return check_text(m.name, "name")
        .and_then([&] { return check_offer(m.offer); })
        .and_then([&] { return check_data(m.caller_data, "caller_data"); })
        .and_then([&] { return check_dead_after(m.dead_after, "dead_after_ms"); });
}

Outcome check_fields(const AcceptInvite& m) {
    return check_text(m.name, "name")
        .and_then([&] { return check_host(m.data_address, "data_address"); })
        .and_then([&] { return check_data(m.callee_data, "callee_data"); });
}

Outcome check_fields(const Refuse& m) {
    if (m.reason == std::errc{}) return out_of_range("reason");
    return check_text(m.text, "text");
}

Outcome check_fields(const SideTalk& m) { return check_data(m.data, "data"); }

Outcome check_fields(const HistoryBegins& m) {
    const bool is_name = std::all_of(m.session.begin(), m.session.end(),
                                     [](char c) { return c >= ' ' && c <= '~'; });
    if (!is_name) return out_of_range("session");
    if (m.sequence == 0) return out_of_range("sequence");
    return {};
}

Outcome check_fields(const Confirm&) { return {}; }
Outcome check_fields(const Farewell&) { return {}; }
Outcome check_fields(const KeepAlive&) { return {}; }

}  // namespace

Outcome check(const AdmissionMessage& message) {
    return std::visit([](const auto& m) { return check_fields(m); }, message);
}

}  // namespace joinleaf::controlplane
