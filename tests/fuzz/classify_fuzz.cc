// Any octets as a received frame: never a read outside, never a payload outside, and what is called
// data agrees with the strict parsers. For libFuzzer.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "tests/support/classified.h"

namespace joinleaf {
namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

// The same verdict, reached through the parsers that the control thread uses.
void agrees_with_the_parsers(std::span<const std::byte> bytes, const test::ClassifiedFrame& c) {
    const auto frame = net::parse_ethernet(bytes);
    require(frame.has_value());
    if (c.kind == dataplane::Kind::control && frame->ethertype == net::ethertype::kArp) return;
    require(frame->ethertype == net::ethertype::kIpv4);
    const auto payload = bytes.subspan(c.payload_offset, c.payload_length);
    if (c.kind == dataplane::Kind::control) {
        const auto packet = net::parse_ipv4(payload);
        require(packet || packet.error() == net::Ipv4Error::bad_options);
        return;
    }
    const auto packet = net::parse_ipv4(frame->payload);
    if (!packet) {
        require(packet.error() == net::Ipv4Error::bad_options);
        return;
    }
    require(packet->header.source == c.source && packet->header.destination == c.destination);
    const auto datagram = net::parse_udp(packet->header, packet->payload);
    require(datagram.has_value());
    require(datagram->header.source_port == c.source_port &&
            datagram->header.destination_port == c.destination_port);
    require(datagram->payload.data() == payload.data() &&
            datagram->payload.size() == payload.size());
}

// Gives the IPv4 header its checksum, which chance would seldom find.
void repair(std::span<std::byte> bytes) {
    const auto frame = net::parse_ethernet(bytes);
    if (!frame || frame->payload.size() < net::kIpv4HeaderSize) return;
    const auto ip = bytes.last(frame->payload.size());
    const std::size_t header = std::to_integer<std::size_t>(ip[0] & std::byte{0x0f}) * 4;
    if (header < net::kIpv4HeaderSize || header > ip.size()) return;
    auto wire = net::load<net::Ipv4Wire>(ip.data());
    wire.checksum = 0;
    net::store(ip.data(), wire);
    wire.checksum = net::checksum(ip.first(header));
    net::store(ip.data(), wire);
}

void classify_any(std::span<const std::byte> input) {
    // The first octets choose what the NIC says and where the first segment ends.
    if (input.size() < 8) return;
    const auto choice = net::load<std::array<std::uint8_t, 8>>(input.data());
    std::vector<std::byte> bytes(input.begin() + choice.size(), input.end());
    if ((choice[0] & 4) != 0) repair(bytes);
    const auto verdict = [](unsigned number) {
        return static_cast<dataplane::Verdict>(number % 3);
    };
    const bool several_segments = (choice[0] & 1) != 0;
    const std::size_t cut = several_segments ? choice[1] % (bytes.size() + 1) : bytes.size();
    const dataplane::ReceivedFrame frame{
        .first_segment = std::span(bytes).first(cut),
        .length = static_cast<std::uint32_t>(bytes.size()),
        .ipv4_checksum = verdict(choice[2]),
        .udp_checksum = verdict(choice[3]),
        .vlan_stripped = (choice[0] & 2) != 0,
        .vlan_tci = static_cast<std::uint16_t>(choice[4] << 8 | choice[5]),
    };
    const dataplane::Identity self{
        .mac = MacAddress({0x02, 0, 0, 0, 0, 0x01}),
        .address = Ipv4Address(10, 0, 0, 1),
        .vlan = {.outer = static_cast<std::uint16_t>(choice[6] & 3),
                 .inner = static_cast<std::uint16_t>(choice[7] & 1)},
    };
    const auto c = test::classified(frame, self);
    if (c.kind == dataplane::Kind::drop) {
        require(c.reason < DropReason::no_subscriber);
        return;
    }
    require(std::size_t{c.payload_offset} + c.payload_length <= bytes.size());
    require(c.payload_offset <= cut);
    if (c.kind == dataplane::Kind::data && c.udp_checksum_pending) {
        require(c.payload_offset + std::size_t{c.payload_length} > cut);
    }
    if (!several_segments && frame.ipv4_checksum == dataplane::Verdict::unknown &&
        frame.udp_checksum == dataplane::Verdict::unknown) {
        agrees_with_the_parsers(bytes, c);
    }
}

}  // namespace
}  // namespace joinleaf

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    joinleaf::classify_any(std::as_bytes(std::span(data, size)));
    return 0;
}
