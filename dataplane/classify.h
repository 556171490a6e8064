// What a received frame is: data for a socket, work for the control thread, or a named drop.
// Pure, and inline so that a worker's loop over a burst is one piece of code.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/drop_reason.h>
#include <net/arp.h>
#include <net/checksum.h>
#include <net/ethernet.h>
#include <net/ipv4.h>
#include <net/udp.h>
#include <net/vlan.h>
#include <cstddef>
#include <cstdint>
#include <span>

namespace joinleaf::dataplane {

/// Who we are on a port: what a frame must be addressed to.
struct Identity {
    MacAddress mac;
    Ipv4Address address;
    net::VlanStack vlan;
};

/// What the NIC found out about a checksum.
enum class Verdict : std::uint8_t { unknown, good, bad };

/// A received frame as the port hands it over.
struct ReceivedFrame {
    std::span<const std::byte> first_segment;
    std::uint32_t length = 0;  ///< of all segments; at least that of the first
    Verdict ipv4_checksum = Verdict::unknown;
    Verdict udp_checksum = Verdict::unknown;
    bool vlan_stripped = false;  ///< the NIC took the outermost tag off ...
    std::uint16_t vlan_tci = 0;  ///< ... and this is what it held
};

enum class Kind : std::uint8_t { data, control, drop };

struct Classified {
    DropReason reason = DropReason::truncated_frame;  ///< of a drop
    /// Data: the payload spans several segments and its checksum is still to be verified. Give
    /// net::PiecewiseChecksum(net::ChecksumSum(udp_pseudo_header)) the `payload_length + 8` octets
    /// from `payload_offset - 8` on; the datagram is good if its sum() is_valid().
    bool udp_checksum_pending = false;
    std::uint16_t udp_pseudo_header = 0;
    /// Data: the UDP payload. Control: the ARP message or the whole IPv4 packet, to be read by the
    /// protocol's own parser. Padding is left out of data and IPv4.
    std::uint16_t payload_offset = 0;
    std::uint16_t payload_length = 0;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    Ipv4Address source;
    Ipv4Address destination;
};

namespace detail {

// An ARP message, or an IPv4 header with the 8 octets that UDP, ICMP and IGMP all have: no packet
// that we take is shorter, so one look at the length covers the fixed headers of them all.
inline constexpr std::size_t kSmallestPacket = net::kIpv4HeaderSize + net::kUdpHeaderSize;
static_assert(kSmallestPacket == net::kArpSize);

// Results are written field by field and read field by field: a structure that is returned gets
// copied in words wider than its fields, and such a load stalls until the stores have drained.
[[gnu::always_inline]] inline Kind drop(DropReason reason, Classified& result) noexcept {
    result.reason = reason;
    return Kind::drop;
}

[[gnu::always_inline]] inline Kind control(std::size_t offset, std::size_t length,
                                           Classified& result) noexcept {
    result.payload_offset = static_cast<std::uint16_t>(offset);
    result.payload_length = static_cast<std::uint16_t>(length);
    return Kind::control;
}

// The Ethernet header, its MAC addresses as numbers.
struct Link {
    std::uint64_t destination;
    std::uint64_t source;
    std::uint16_t type;
};

// Its 14 octets in two loads that overlap by two.
[[nodiscard]] inline Link read_link(const std::byte* frame) noexcept {
    const std::uint64_t first = net::load<net::BigEndian<std::uint64_t>>(frame);
    const std::uint64_t second = net::load<net::BigEndian<std::uint64_t>>(frame + 6);
    return {first >> 16, second >> 16, static_cast<std::uint16_t>(second)};
}

[[nodiscard, gnu::always_inline]] inline bool header_sums_up(
    const net::Ipv4Wire& ip, std::span<const std::byte> options) noexcept {
    net::ChecksumSum sum;
    sum.add_header(ip);
    if (!options.empty()) sum.add(options);
    return sum.is_valid();
}

// The UDP datagram of a packet whose IPv4 header has passed.
[[nodiscard, gnu::always_inline]] inline Kind classify_udp(const ReceivedFrame& frame,
                                                           const net::Ipv4Wire& ip,
                                                           std::size_t offset, std::size_t length,
                                                           Classified& result) noexcept {
    const auto bytes = frame.first_segment;
    if (length < net::kUdpHeaderSize) return drop(DropReason::bad_udp_length, result);
    if (bytes.size() < offset + net::kUdpHeaderSize) {
        return drop(DropReason::truncated_frame, result);
    }
    const auto udp = net::load<net::UdpWire>(bytes.data() + offset);
    if (udp.length != length) return drop(DropReason::bad_udp_length, result);

    result.payload_offset = static_cast<std::uint16_t>(offset + net::kUdpHeaderSize);
    result.payload_length = static_cast<std::uint16_t>(length - net::kUdpHeaderSize);
    result.source_port = udp.source_port;
    result.destination_port = udp.destination_port;
    result.source = Ipv4Address(ip.source);
    result.destination = Ipv4Address(ip.destination);

    // A checksum of 0 says that there is none; some NICs call that bad.
    if (udp.checksum == 0 || frame.udp_checksum == Verdict::good) return Kind::data;
    if (frame.udp_checksum == Verdict::bad) return drop(DropReason::bad_udp_checksum, result);
    net::ChecksumSum sum = net::udp_pseudo_header(result.source, result.destination, udp.length);
    if (bytes.size() < offset + length) {
        result.udp_checksum_pending = true;
        result.udp_pseudo_header = sum.folded();
        return Kind::data;
    }
    sum.add(bytes.subspan(offset, length));
    return sum.is_valid() ? Kind::data : drop(DropReason::bad_udp_checksum, result);
}

// The packet at `offset`, where kSmallestPacket octets are known to be.
[[nodiscard, gnu::always_inline]] inline Kind classify_ipv4(const ReceivedFrame& frame,
                                                            const Identity& self, std::uint64_t mac,
                                                            std::size_t offset,
                                                            Classified& result) noexcept {
    const auto bytes = frame.first_segment;
    const auto ip = net::load<net::Ipv4Wire>(bytes.data() + offset);
    const std::size_t header_length = std::size_t{ip.version_ihl & 0xfu} * 4;
    const std::size_t total_length = ip.total_length;
    if (ip.version_ihl >> 4 != 4 || header_length < net::kIpv4HeaderSize ||
        total_length < header_length) {
        return drop(DropReason::bad_ipv4_header, result);
    }
    if (frame.length < offset + total_length || bytes.size() < offset + header_length) {
        return drop(DropReason::truncated_frame, result);
    }
    const auto options =
        bytes.subspan(offset + net::kIpv4HeaderSize, header_length - net::kIpv4HeaderSize);
    if (frame.ipv4_checksum == Verdict::bad ||
        (frame.ipv4_checksum == Verdict::unknown && !header_sums_up(ip, options))) {
        return drop(DropReason::bad_ipv4_checksum, result);
    }
    if ((ip.flags_fragment & (net::kIpv4MoreFragments | net::kIpv4FragmentOffsetMask)) != 0) {
        return drop(DropReason::fragment, result);
    }

    // RFC 1122 §3.2.1.3: no multicast, broadcast or loopback source. IGMP may come from 0.0.0.0.
    const Ipv4Address source(ip.source);
    if (!source.is_unicast() && !source.is_unspecified()) {
        return drop(DropReason::bad_ipv4_header, result);
    }
    // The two destinations must belong together: 32 groups share a MAC address, and a group's
    // packet in a unicast frame (or ours in a broadcast) was meant for somebody else.
    const Ipv4Address destination(ip.destination);
    if (destination.is_multicast()) {
        if (mac != net::group_mac_bits(destination)) return drop(DropReason::other_mac, result);
    } else {
        if (destination != self.address) return drop(DropReason::other_address, result);
        if (net::is_group_mac(mac)) return drop(DropReason::other_mac, result);
    }

    if (ip.protocol == net::ip_protocol::kUdp) [[likely]] {
        return classify_udp(frame, ip, offset + header_length, total_length - header_length,
                            result);
    }
    const bool wanted = ip.protocol == net::ip_protocol::kIgmp ||
                        (ip.protocol == net::ip_protocol::kIcmp && !destination.is_multicast());
    return wanted ? control(offset, total_length, result)
                  : drop(DropReason::other_protocol, result);
}

// Anything but IPv4 in an untagged frame.
[[nodiscard]] inline Kind classify_other(const ReceivedFrame& frame, const Identity& self,
                                         const Link& link, bool to_us,
                                         Classified& result) noexcept {
    const auto bytes = frame.first_segment;
    net::Untagged network{.ethertype = link.type, .size = sizeof(net::EthernetWire)};
    if (frame.vlan_stripped) network.vlan.push(frame.vlan_tci);
    if (net::is_vlan_tag(network.ethertype)) {
        const auto untagged = net::skip_tags(bytes, network.ethertype, network.vlan);
        if (!untagged) {
            return drop(untagged.error() == net::EthernetError::truncated
                            ? DropReason::truncated_frame
                            : DropReason::other_vlan,
                        result);
        }
        network = *untagged;
        if (bytes.size() < network.size + kSmallestPacket) {
            return drop(DropReason::truncated_frame, result);
        }
    }
    if (network.vlan != self.vlan) return drop(DropReason::other_vlan, result);

    switch (network.ethertype) {
        case net::ethertype::kIpv4:
            return classify_ipv4(frame, self, link.destination, network.size, result);
        case net::ethertype::kArp:
            if (!to_us && link.destination != net::kBroadcastMacBits) {
                return drop(DropReason::other_mac, result);
            }
            return control(network.size, net::kArpSize, result);
        default:
            return drop(DropReason::not_ipv4, result);
    }
}

}  // namespace detail

/// Classifies one frame; reads only, in the first segment only, where all headers must lie.
///
/// Data is a whole UDP datagram, to our address or to a multicast group whose MAC address it came
/// by, in our VLAN, with all lengths and checksums right. Control is ARP, IGMP, and ICMP to our
/// address. Anything else is a drop with its reason; the first failed check names it. `result` is
/// as it was made, and afterwards holds what its comments promise for that kind.
[[nodiscard, gnu::always_inline]] inline Kind classify(const ReceivedFrame& frame,
                                                       const Identity& self,
                                                       Classified& result) noexcept {
    const auto bytes = frame.first_segment;
    if (bytes.size() < sizeof(net::EthernetWire) + detail::kSmallestPacket) {
        return detail::drop(DropReason::truncated_frame, result);
    }
    const auto link = detail::read_link(bytes.data());
    const std::uint64_t own = net::mac_bits(self.mac);
    if (link.source == own) return detail::drop(DropReason::own_echo, result);
    const bool to_us = link.destination == own;
    if (!to_us && !net::is_group_mac(link.destination)) {
        return detail::drop(DropReason::other_mac, result);
    }
    // Nearly every frame.
    if (link.type == net::ethertype::kIpv4 && !frame.vlan_stripped) [[likely]] {
        if (self.vlan.outer != 0) return detail::drop(DropReason::other_vlan, result);
        return detail::classify_ipv4(frame, self, link.destination, sizeof(net::EthernetWire),
                                     result);
    }
    return detail::classify_other(frame, self, link, to_us, result);
}

}  // namespace joinleaf::dataplane
