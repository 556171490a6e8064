#include <controlplane/admission_codec.h>
#include <net/big_endian.h>

#include <algorithm>
#include <array>
#include <utility>

#include "admission.pb.h"

namespace joinleaf::controlplane {
namespace {

using Kind = DecodeError::Kind;
using Outcome = tl::expected<void, DecodeError>;

tl::unexpected<DecodeError> out_of_range(std::string_view field) {
    return tl::unexpected(DecodeError{Kind::out_of_range, field});
}

// Reasons by number.

constexpr std::array kReasons{
    std::pair{wire::REASON_GOOD_ORDER, std::errc{}},
    std::pair{wire::REASON_OTHER, std::errc::io_error},
    std::pair{wire::REASON_ADDRESS_IN_USE, std::errc::address_in_use},
    std::pair{wire::REASON_ADDRESS_NOT_AVAILABLE, std::errc::address_not_available},
    std::pair{wire::REASON_ADDRESS_FAMILY_NOT_SUPPORTED, std::errc::address_family_not_supported},
    std::pair{wire::REASON_CONNECTION_ALREADY_IN_PROGRESS,
              std::errc::connection_already_in_progress},
    std::pair{wire::REASON_CONNECTION_REFUSED, std::errc::connection_refused},
    std::pair{wire::REASON_CONNECTION_RESET, std::errc::connection_reset},
    std::pair{wire::REASON_INVALID_ARGUMENT, std::errc::invalid_argument},
    std::pair{wire::REASON_ALREADY_CONNECTED, std::errc::already_connected},
    std::pair{wire::REASON_NETWORK_DOWN, std::errc::network_down},
    std::pair{wire::REASON_NETWORK_UNREACHABLE, std::errc::network_unreachable},
    std::pair{wire::REASON_NO_BUFFER_SPACE, std::errc::no_buffer_space},
    std::pair{wire::REASON_NOT_A_SOCKET, std::errc::not_a_socket},
    std::pair{wire::REASON_OPERATION_NOT_SUPPORTED, std::errc::operation_not_supported},
    std::pair{wire::REASON_TIMED_OUT, std::errc::timed_out},
    std::pair{wire::REASON_OPERATION_WOULD_BLOCK, std::errc::operation_would_block},
    std::pair{wire::REASON_MESSAGE_SIZE, std::errc::message_size},
    std::pair{wire::REASON_PERMISSION_DENIED, std::errc::permission_denied},
    std::pair{wire::REASON_CONNECTION_ABORTED, std::errc::connection_aborted},
    std::pair{wire::REASON_OPERATION_CANCELED, std::errc::operation_canceled},
    std::pair{wire::REASON_PROTOCOL_ERROR, std::errc::protocol_error},
    std::pair{wire::REASON_PROTOCOL_NOT_SUPPORTED, std::errc::protocol_not_supported},
    std::pair{wire::REASON_HOST_UNREACHABLE, std::errc::host_unreachable},
};

wire::Reason to_wire(std::errc reason) {
    const auto* const found = std::find_if(kReasons.begin(), kReasons.end(),
                                           [&](const auto& row) { return row.second == reason; });
    return found == kReasons.end() ? wire::REASON_OTHER : found->first;
}

tl::expected<std::errc, DecodeError> from_wire(wire::Reason reason, std::string_view field) {
    const auto* const found = std::find_if(kReasons.begin(), kReasons.end(),
                                           [&](const auto& row) { return row.first == reason; });
    if (found == kReasons.end()) return out_of_range(field);
    return found->second;
}

// What each field may hold. Asked of what was read and of what is about to be written.

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
    return check_host(offer.root_address, "root_address")
        .and_then([&] { return check_flow(offer.from_root, "from_root"); })
        .and_then([&] { return check_flow(offer.to_root, "to_root"); });
}

Outcome check(const JoinRequest& m) {
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

Outcome check(const Admit& m) {
    return check_offer(m.offer)
        .and_then([&] { return check_text(m.name, "name"); })
        .and_then([&] { return check_data(m.callee_data, "callee_data"); })
        .and_then([&] { return check_dead_after(m.dead_after, "dead_after_ms"); });
}

Outcome check(const Invite& m) {
    if (m.version != kAdmissionVersion) {
        return tl::unexpected(DecodeError{Kind::version, "version"});
    }
    return check_text(m.name, "name")
        .and_then([&] { return check_offer(m.offer); })
        .and_then([&] { return check_data(m.caller_data, "caller_data"); })
        .and_then([&] { return check_dead_after(m.dead_after, "dead_after_ms"); });
}

Outcome check(const AcceptInvite& m) {
    return check_text(m.name, "name")
        .and_then([&] { return check_host(m.data_address, "data_address"); })
        .and_then([&] { return check_data(m.callee_data, "callee_data"); });
}

Outcome check(const Refuse& m) {
    if (m.reason == std::errc{}) return out_of_range("reason");
    return check_text(m.text, "text");
}

Outcome check(const SideTalk& m) { return check_data(m.data, "data"); }

Outcome check(const Confirm&) { return {}; }
Outcome check(const Farewell&) { return {}; }
Outcome check(const KeepAlive&) { return {}; }

// Values to Protocol Buffers.

std::string to_string(const UserData& data) {
    std::string out(data.size(), '\0');
    std::transform(data.begin(), data.end(), out.begin(),
                   [](std::byte b) { return static_cast<char>(b); });
    return out;
}

void put(const FlowSpec& flow, wire::FlowSpec& out) {
    out.set_bits_per_second(flow.bits_per_second);
    out.set_datagram_octets(flow.datagram_octets);
    out.set_latency_us(static_cast<std::uint64_t>(flow.latency.count()));
}

void put(const SessionOffer& offer, wire::SessionOffer& out) {
    out.set_data_plane(offer.scheme.data == Plane::rooted ? wire::PLANE_ROOTED
                                                          : wire::PLANE_NONROOTED);
    out.set_group(offer.group.group.value());
    out.set_port(offer.group.port.value());
    out.set_root_address(offer.root_address.value());
    out.set_framing(offer.framing == Framing::datagram ? wire::FRAMING_DATAGRAM
                                                       : wire::FRAMING_MOLDUDP64);
    out.set_fan_out(offer.fan_out == FanOut::multicast ? wire::FAN_OUT_MULTICAST
                                                       : wire::FAN_OUT_REPLICATE);
    out.set_scope(offer.scope);
    out.set_first_sequence(offer.first_sequence);
    put(offer.from_root, *out.mutable_from_root());
    put(offer.to_root, *out.mutable_to_root());
}

std::uint32_t to_wire(std::chrono::milliseconds dead_after) {
    return static_cast<std::uint32_t>(dead_after.count());
}

wire::Direction to_wire(Direction direction) {
    switch (direction) {
        case Direction::sender_only:
            return wire::DIRECTION_SENDER_ONLY;
        case Direction::receiver_only:
            return wire::DIRECTION_RECEIVER_ONLY;
        case Direction::both:
            return wire::DIRECTION_BOTH;
    }
    return wire::DIRECTION_UNSPECIFIED;
}

void put(const JoinRequest& m, wire::Message& out) {
    auto& to = *out.mutable_join_request();
    to.set_version(m.version);
    to.set_name(m.name);
    to.set_data_address(m.data_address.value());
    to.set_direction(to_wire(m.direction));
    put(m.from_root, *to.mutable_from_root());
    put(m.to_root, *to.mutable_to_root());
    to.set_caller_data(to_string(m.caller_data));
}

void put(const Admit& m, wire::Message& out) {
    auto& to = *out.mutable_admit();
    put(m.offer, *to.mutable_offer());
    to.set_callee_data(to_string(m.callee_data));
    to.set_dead_after_ms(to_wire(m.dead_after));
    to.set_name(m.name);
}

void put(const Invite& m, wire::Message& out) {
    auto& to = *out.mutable_invite();
    to.set_version(m.version);
    to.set_name(m.name);
    put(m.offer, *to.mutable_offer());
    to.set_caller_data(to_string(m.caller_data));
    to.set_dead_after_ms(to_wire(m.dead_after));
}

void put(const AcceptInvite& m, wire::Message& out) {
    auto& to = *out.mutable_accept_invite();
    to.set_name(m.name);
    to.set_data_address(m.data_address.value());
    to.set_callee_data(to_string(m.callee_data));
}

void put(const Confirm&, wire::Message& out) { out.mutable_confirm(); }

void put(const Refuse& m, wire::Message& out) {
    out.mutable_refuse()->set_reason(to_wire(m.reason));
    out.mutable_refuse()->set_text(m.text);
}

void put(const Farewell& m, wire::Message& out) {
    out.mutable_farewell()->set_reason(to_wire(m.reason));
}

void put(const KeepAlive&, wire::Message& out) { out.mutable_keep_alive(); }

void put(const SideTalk& m, wire::Message& out) {
    out.mutable_side_talk()->set_data(to_string(m.data));
}

tl::expected<wire::Message, DecodeError> to_wire(const AdmissionMessage& message) {
    wire::Message out;
    const auto checked = std::visit(
        [&](const auto& m) {
            Outcome outcome = check(m);
            if (outcome) put(m, out);
            return outcome;
        },
        message);
    if (!checked) return tl::unexpected(checked.error());
    return out;
}

// Protocol Buffers to values. What a type cannot hold is refused here, the rest by check().

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
    return SessionOffer{.scheme = {Plane::rooted, *plane},
                        .group = {*group, *port},
                        .root_address = Ipv4Address(from.root_address()),
                        .framing = *framing,
                        .fan_out = *fan_out,
                        .scope = static_cast<std::uint8_t>(from.scope()),
                        .first_sequence = from.first_sequence(),
                        .from_root = *from_root,
                        .to_root = *to_root};
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
    return from_wire(from.reason(), "reason").map([&](std::errc reason) -> AdmissionMessage {
        return Refuse{.reason = reason, .text = from.text()};
    });
}

Decoded get(const wire::Farewell& from) {
    return from_wire(from.reason(), "reason").map([](std::errc reason) -> AdmissionMessage {
        return Farewell{.reason = reason};
    });
}

Decoded get(const wire::Message& from) {
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
        case wire::Message::KIND_NOT_SET:
            break;
    }
    return tl::unexpected(DecodeError{Kind::unknown_kind, "kind"});
}

}  // namespace

std::string DecodeError::to_string() const {
    switch (kind) {
        case Kind::malformed:
            return "not a Protocol Buffers message";
        case Kind::unknown_kind:
            return "a message of an unknown kind";
        case Kind::version:
            return "a message of another protocol version";
        case Kind::out_of_range:
            return "the field " + std::string(field) + " is missing or out of range";
        case Kind::too_long:
            return "a message longer than the limit";
    }
    return {};
}

tl::expected<std::vector<std::byte>, DecodeError> encode(const AdmissionMessage& message) {
    const auto wire = to_wire(message);
    if (!wire) return tl::unexpected(wire.error());
    std::vector<std::byte> out(wire->ByteSizeLong());
    wire->SerializeToArray(out.data(), static_cast<int>(out.size()));
    return out;
}

tl::expected<std::vector<std::byte>, DecodeError> encode_frame(const AdmissionMessage& message) {
    const auto wire = to_wire(message);
    if (!wire) return tl::unexpected(wire.error());
    const std::size_t length = wire->ByteSizeLong();
    std::vector<std::byte> out(kFrameHeader + length);
    net::store(out.data(), net::BigEndian<std::uint32_t>(static_cast<std::uint32_t>(length)));
    wire->SerializeToArray(out.data() + kFrameHeader, static_cast<int>(length));
    return out;
}

tl::expected<AdmissionMessage, DecodeError> decode(std::span<const std::byte> bytes) {
    if (bytes.size() > kMaxAdmissionMessage) return tl::unexpected(DecodeError{Kind::too_long, {}});
    wire::Message wire;
    if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return tl::unexpected(DecodeError{Kind::malformed, {}});
    }
    auto message = get(wire);
    if (!message) return message;
    const auto checked = std::visit([](const auto& m) { return check(m); }, *message);
    if (!checked) return tl::unexpected(checked.error());
    return message;
}

bool is_admission_text(std::string_view text) {
    if (text.size() > kMaxAdmissionText) return false;
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        // RFC 3629 §3: how many octets follow the first, and the least that many octets encode.
        const unsigned char first = octet(i++);
        std::uint32_t point = first;
        std::size_t following = 0;
        std::uint32_t least = 0;
        if (first >= 0xf0 && first <= 0xf4) {
            following = 3, least = 0x10000, point = first & 0x07u;
        } else if (first >= 0xe0 && first < 0xf0) {
            following = 2, least = 0x800, point = first & 0x0fu;
        } else if (first >= 0xc2 && first < 0xe0) {
            following = 1, least = 0x80, point = first & 0x1fu;
        } else if (first >= 0x80) {
            return false;
        }
        if (text.size() - i < following) return false;
        for (; following > 0; --following) {
            const unsigned char next = octet(i++);
            if ((next & 0xc0u) != 0x80) return false;
            point = point << 6 | (next & 0x3fu);
        }
        const auto in = [&](std::uint32_t from, std::uint32_t to) {
            return from <= point && point <= to;
        };
        if (point < least || point > 0x10ffff || in(0xd800, 0xdfff)) return false;
        if (in(0, 0x1f) || in(0x7f, 0x9f)) return false;             // control characters
        if (in(0x2028, 0x202e) || in(0x2066, 0x2069)) return false;  // separators, directions
        if (in(0x200e, 0x200f) || point == 0xfeff) return false;  // direction and byte order marks
        if ((point & 0xfffe) == 0xfffe || in(0xfdd0, 0xfdef)) return false;  // no characters
    }
    return true;
}

tl::expected<std::optional<std::span<const std::byte>>, DecodeError> FrameReader::next(
    std::span<const std::byte>& bytes) {
    if (whole_) {
        partial_ = {};  // rarely needed, and there are thousands of readers
        whole_ = false;
    }
    const auto take = [&](std::size_t wanted) {
        if (partial_.size() >= wanted) return;
        const auto some = bytes.first(std::min(wanted - partial_.size(), bytes.size()));
        partial_.insert(partial_.end(), some.begin(), some.end());
        bytes = bytes.subspan(some.size());
    };
    const auto length_at = [](const std::byte* header) -> std::size_t {
        return net::load<net::BigEndian<std::uint32_t>>(header);
    };
    const auto too_long = tl::unexpected(DecodeError{Kind::too_long, {}});

    if (partial_.empty() && bytes.size() >= kFrameHeader) {
        const std::size_t length = length_at(bytes.data());
        if (length > max_message_) return too_long;
        if (bytes.size() - kFrameHeader >= length) {  // whole as it stands: nothing to copy
            const auto frame = bytes.subspan(kFrameHeader, length);
            bytes = bytes.subspan(kFrameHeader + length);
            return frame;
        }
    }
    take(kFrameHeader);
    if (partial_.size() < kFrameHeader) return std::nullopt;
    const std::size_t length = length_at(partial_.data());
    if (length > max_message_) return too_long;
    take(kFrameHeader + length);
    if (partial_.size() < kFrameHeader + length) return std::nullopt;
    whole_ = true;
    return std::span<const std::byte>(partial_).subspan(kFrameHeader);
}

}  // namespace joinleaf::controlplane
