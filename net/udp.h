// The UDP header and its checksum with the IPv4 pseudo header (RFC 768). Pure.
#pragma once

#include <joinleaf/address.h>
#include <net/big_endian.h>
#include <net/checksum.h>
#include <net/ipv4.h>
#include <cstddef>
#include <cstdint>
#include <span>

namespace joinleaf::net {

/// The 8 octets as they lie on the wire.
struct UdpWire {
    BigEndian<std::uint16_t> source_port;
    BigEndian<std::uint16_t> destination_port;
    BigEndian<std::uint16_t> length;  ///< header and payload
    BigEndian<std::uint16_t> checksum;
};
static_assert(sizeof(UdpWire) == 8 && alignof(UdpWire) == 1);

inline constexpr std::size_t kUdpHeaderSize = sizeof(UdpWire);
inline constexpr std::size_t kMaxUdpPayload = 65535 - kIpv4HeaderSize - kUdpHeaderSize;

/// What the UDP checksum covers beside the datagram itself.
[[nodiscard]] constexpr ChecksumSum udp_pseudo_header(Ipv4Address source, Ipv4Address destination,
                                                      std::uint16_t udp_length) noexcept {
    ChecksumSum sum;
    sum.add_address(source);
    sum.add_address(destination);
    sum.add_word(ip_protocol::kUdp);
    sum.add_word(udp_length);
    return sum;
}

/// The checksum to send for a sum: 0xffff for 0, because 0 says 'no checksum'. Host order.
[[nodiscard]] constexpr std::uint16_t udp_checksum(const ChecksumSum& sum) noexcept {
    const std::uint16_t checksum = sum.checksum();
    return checksum == 0 ? std::uint16_t{0xffff} : checksum;
}

struct UdpFields {
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
};

struct UdpDatagram {
    UdpFields header;
    std::span<const std::byte> payload;
};

enum class UdpError : std::uint8_t {
    truncated,     ///< fewer octets than the header
    bad_length,    ///< the length is not that of the IPv4 payload
    bad_checksum,  ///< there is a checksum, and it is wrong
};

/// Reads the payload of an IPv4 packet as UDP. The UDP length must be exactly that of the packet's
/// payload: without a checksum (0) nothing else protects it.
[[nodiscard]] tl::expected<UdpDatagram, UdpError> parse_udp(
    const Ipv4Header& ip, std::span<const std::byte> bytes) noexcept;

/// Writes the header for `payload`, checksum filled in. `out` holds at least kUdpHeaderSize;
/// `payload` has at most kMaxUdpPayload octets. Returns the octets written.
std::size_t emit_udp(const UdpFields& fields, Ipv4Address source, Ipv4Address destination,
                     std::span<const std::byte> payload, std::span<std::byte> out) noexcept;

}  // namespace joinleaf::net
