// Frames for tests of the packet path, built field by field.
#pragma once

#include <net/frame.h>
#include <cstddef>
#include <vector>

#include "tests/support/hex.h"

namespace joinleaf::test {

inline constexpr MacAddress kOwnMac({0x02, 0, 0, 0, 0, 0x01});
inline constexpr MacAddress kPeerMac({0x02, 0, 0, 0, 0, 0x02});
inline constexpr Ipv4Address kOwnAddress(10, 0, 0, 1);
inline constexpr Ipv4Address kPeerAddress(10, 0, 0, 2);
inline constexpr auto kGroup = GroupAddress::of(239, 1, 2, 3);

/// What a test may change of a UDP datagram from the peer to kGroup:5000.
struct FrameOptions {
    net::VlanStack vlan;
    Ipv4Address source = kPeerAddress;
    Ipv4Address destination = kGroup.address();
    MacAddress source_mac = kPeerMac;
    MacAddress destination_mac = MacAddress::of_group(kGroup);
    bool ip_options = false;  ///< Router Alert
    bool udp_checksum = true;
    std::uint8_t protocol = net::ip_protocol::kUdp;
    std::vector<std::byte> payload = bytes_of("00112233445566778899aabbccddeeff0011223344");
};

/// The frame without padding, so that each of its octets matters.
inline std::vector<std::byte> frame_of(const FrameOptions& options = {}) {
    std::vector<std::byte> datagram(net::kUdpHeaderSize + options.payload.size());
    const net::UdpFields ports{4000, 5000};
    net::emit_udp(ports, options.source, options.destination, options.payload, datagram);
    if (!options.udp_checksum) datagram[6] = datagram[7] = std::byte{0};
    std::copy(options.payload.begin(), options.payload.end(),
              datagram.begin() + net::kUdpHeaderSize);

    std::vector<std::byte> frame(100 + datagram.size());
    const net::EthernetFields ethernet{options.source_mac, options.destination_mac, options.vlan};
    const net::Ipv4Fields ip{.source = options.source,
                             .destination = options.destination,
                             .protocol = options.protocol,
                             .ttl = 8,
                             .router_alert = options.ip_options};
    net::build_control_frame(ethernet, ip, datagram, frame).value();
    frame.resize(net::ethernet_header_size(ethernet) + net::ipv4_header_size(ip) + datagram.size());
    return frame;
}

}  // namespace joinleaf::test
