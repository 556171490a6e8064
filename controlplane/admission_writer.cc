// Values to Protocol Buffers.
#include <controlplane/admission_wire.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace joinleaf::controlplane {
namespace {

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
    for (const OfferedLine& line : offer.also) {
        auto& to = *out.add_also();
        to.set_group(line.group.group.value());
        to.set_port(line.group.port.value());
        to.set_source(line.source.value());
    }
    if (offer.repair) {
        out.mutable_repair()->set_address(offer.repair->address.value());
        out.mutable_repair()->set_port(offer.repair->port.value());
    }
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
    out.mutable_refuse()->set_reason(number_of(m.reason));
    out.mutable_refuse()->set_text(m.text);
}

void put(const Farewell& m, wire::Message& out) {
    out.mutable_farewell()->set_reason(number_of(m.reason));
}

void put(const KeepAlive&, wire::Message& out) { out.mutable_keep_alive(); }

void put(const SideTalk& m, wire::Message& out) {
    out.mutable_side_talk()->set_data(to_string(m.data));
}

void put(const HistoryBegins& m, wire::Message& out) {
    auto& to = *out.mutable_history_begins();
    to.set_session(m.session.data(), m.session.size());
    to.set_sequence(m.sequence);
}

}  // namespace

wire::Message to_wire(const AdmissionMessage& message) {
    wire::Message out;
    std::visit([&](const auto& m) { put(m, out); }, message);
    return out;
}

}  // namespace joinleaf::controlplane
