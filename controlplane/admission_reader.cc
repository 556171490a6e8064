// Protocol Buffers to values. What a type cannot hold is refused here, the rest by check().
#include <controlplane/admission_rules.h>
#include <controlplane/admission_wire.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>

namespace joinleaf::controlplane {
namespace {

using Kind = DecodeError::Kind;

tl::unexpected<DecodeError> out_of_range(std::string_view field) {
    return tl::unexpected(DecodeError{Kind::out_of_range, field});
}

UserData get_data(const std::string& data) {
    const auto bytes = std::as_bytes(std::span(data));
    return UserData(bytes.begin(), bytes.end());
}

tl::expected<FlowSpec, DecodeError> get(const wire::FlowSpec& flow, std::string_view field) {
    // The value's own type is signed.
    if (flow.latency_us() > static_cast<std::uint64_t>(kMaxLatency.count())) {
        return out_of_range(field);
    }
    return FlowSpec{flow.bits_per_second(), flow.datagram_octets(),
                    std::chrono::microseconds(flow.latency_us())};
}

tl::expected<Plane, DecodeError> get(wire::Plane plane) {
    if (plane == wire::PLANE_ROOTED) return Plane::rooted;
    if (plane == wire::PLANE_NONROOTED) return Plane::nonrooted;
    return out_of_range("data_plane");
}

tl::expected<Framing, DecodeError> get(wire::Framing framing) {
    if (framing == wire::FRAMING_DATAGRAM) return Framing::datagram;
    if (framing == wire::FRAMING_MOLDUDP64) return Framing::moldudp64;
    return out_of_range("framing");
}

tl::expected<FanOut, DecodeError> get(wire::FanOut fan_out) {
    if (fan_out == wire::FAN_OUT_MULTICAST) return FanOut::multicast;
    if (fan_out == wire::FAN_OUT_REPLICATE) return FanOut::replicate;
    return out_of_range("fan_out");
}

tl::expected<Direction, DecodeError> get(wire::Direction direction) {
    if (direction == wire::DIRECTION_SENDER_ONLY) return Direction::sender_only;
    if (direction == wire::DIRECTION_RECEIVER_ONLY) return Direction::receiver_only;
    if (direction == wire::DIRECTION_BOTH) return Direction::both;
    return out_of_range("direction");
}

tl::expected<OfferedLine, DecodeError> get(const wire::Line& from) {
    const auto group = GroupAddress::from(Ipv4Address(from.group()));
    const auto port = UdpPort::from(from.port());
    if (!group || !port) return out_of_range("also");
    return OfferedLine{{*group, *port}, Ipv4Address(from.source())};
}

tl::expected<UdpEndpoint, DecodeError> get(const wire::Endpoint& from) {
    const auto port = UdpPort::from(from.port());
    if (!port) return out_of_range("repair");
    return UdpEndpoint{Ipv4Address(from.address()), *port};
}

tl::expected<SessionOffer, DecodeError> get(const wire::SessionOffer& from) {
    const auto plane = get(from.data_plane());
    if (!plane) return tl::unexpected(plane.error());
    const auto group = GroupAddress::from(Ipv4Address(from.group()));
    if (!group) return out_of_range("group");
    const auto port = UdpPort::from(from.port());
    if (!port) return out_of_range("port");
    const auto framing = get(from.framing());
    if (!framing) return tl::unexpected(framing.error());
    const auto fan_out = get(from.fan_out());
    if (!fan_out) return tl::unexpected(fan_out.error());
    if (from.scope() > 255) return out_of_range("scope");
    const auto from_root = get(from.from_root(), "from_root");
    if (!from_root) return tl::unexpected(from_root.error());
    const auto to_root = get(from.to_root(), "to_root");
    if (!to_root) return tl::unexpected(to_root.error());
    SessionOffer offer{.scheme = {Plane::rooted, *plane},
                       .group = {*group, *port},
                       .root_address = Ipv4Address(from.root_address()),
                       .framing = *framing,
                       .fan_out = *fan_out,
                       .scope = static_cast<std::uint8_t>(from.scope()),
                       .first_sequence = from.first_sequence(),
                       .from_root = *from_root,
                       .to_root = *to_root,
                       .also = {},
                       .repair = {}};
    // Not one more is looked at than may be.
    if (from.also_size() > static_cast<int>(kMaxFurtherLines)) return out_of_range("also");
    for (const auto& each : from.also()) {
        const auto line = get(each);
        if (!line) return tl::unexpected(line.error());
        offer.also.push_back(*line);
    }
    if (from.has_repair()) {
        const auto repair = get(from.repair());
        if (!repair) return tl::unexpected(repair.error());
        offer.repair = *repair;
    }
    return offer;
}

using Decoded = tl::expected<AdmissionMessage, DecodeError>;

Decoded get(const wire::JoinRequest& from) {
    if (from.version() != kAdmissionVersion) {
        return tl::unexpected(DecodeError{Kind::version, "version"});
    }
    const auto direction = get(from.direction());
    if (!direction) return tl::unexpected(direction.error());
    const auto from_root = get(from.from_root(), "from_root");
    if (!from_root) return tl::unexpected(from_root.error());
    const auto to_root = get(from.to_root(), "to_root");
    if (!to_root) return tl::unexpected(to_root.error());
    return JoinRequest{.version = from.version(),
                       .name = from.name(),
                       .data_address = Ipv4Address(from.data_address()),
                       .direction = *direction,
                       .from_root = *from_root,
                       .to_root = *to_root,
                       .caller_data = get_data(from.caller_data())};
}

Decoded get(const wire::Admit& from) {
    const auto offer = get(from.offer());
    if (!offer) return tl::unexpected(offer.error());
    return Admit{.offer = *offer,
                 .callee_data = get_data(from.callee_data()),
                 .dead_after = std::chrono::milliseconds(from.dead_after_ms()),
                 .name = from.name()};
}

Decoded get(const wire::Invite& from) {
    if (from.version() != kAdmissionVersion) {
        return tl::unexpected(DecodeError{Kind::version, "version"});
    }
    const auto offer = get(from.offer());
    if (!offer) return tl::unexpected(offer.error());
    return Invite{.version = from.version(),
                  .name = from.name(),
                  .offer = *offer,
                  .caller_data = get_data(from.caller_data()),
                  .dead_after = std::chrono::milliseconds(from.dead_after_ms())};
}

Decoded get(const wire::AcceptInvite& from) {
    return AcceptInvite{.name = from.name(),
                        .data_address = Ipv4Address(from.data_address()),
                        .callee_data = get_data(from.callee_data())};
}

Decoded get(const wire::Refuse& from) {
    return reason_of(from.reason(), "reason").map([&](std::errc reason) -> AdmissionMessage {
        return Refuse{.reason = reason, .text = from.text()};
    });
}

Decoded get(const wire::Farewell& from) {
    return reason_of(from.reason(), "reason").map([](std::errc reason) -> AdmissionMessage {
        return Farewell{.reason = reason};
    });
}

Decoded get(const wire::HistoryBegins& from) {
    HistoryBegins begins{.session = {}, .sequence = from.sequence()};
    if (from.session().size() != begins.session.size()) return out_of_range("session");
    std::copy(from.session().begin(), from.session().end(), begins.session.begin());
    return begins;
}

}  // namespace

Decoded from_wire(const wire::Message& from) {
    switch (from.kind_case()) {
        case wire::Message::kJoinRequest:
            return get(from.join_request());
        case wire::Message::kAdmit:
            return get(from.admit());
        case wire::Message::kInvite:
            return get(from.invite());
        case wire::Message::kAcceptInvite:
            return get(from.accept_invite());
        case wire::Message::kConfirm:
            return Confirm{};
        case wire::Message::kRefuse:
            return get(from.refuse());
        case wire::Message::kFarewell:
            return get(from.farewell());
        case wire::Message::kKeepAlive:
            return KeepAlive{};
        case wire::Message::kSideTalk:
            return SideTalk{.data = get_data(from.side_talk().data())};
        case wire::Message::kHistoryBegins:
            return get(from.history_begins());
        case wire::Message::KIND_NOT_SET:
            break;
    }
    return tl::unexpected(DecodeError{Kind::unknown_kind, "kind"});
}

}  // namespace joinleaf::controlplane
