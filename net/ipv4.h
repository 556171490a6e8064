// The IPv4 header: strict parse, and emit with or without the Router Alert option. Pure.
#pragma once

#include <joinleaf/address.h>
#include <net/big_endian.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace joinleaf::net {

namespace ip_protocol {
inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kIgmp = 2;
inline constexpr std::uint8_t kUdp = 17;
}  // namespace ip_protocol

/// The fixed 20 octets as they lie on the wire (RFC 791 §3.1).
struct Ipv4Wire {
    std::uint8_t version_ihl;
    std::uint8_t tos;
    BigEndian<std::uint16_t> total_length;
    BigEndian<std::uint16_t> id;
    BigEndian<std::uint16_t> flags_fragment;
    std::uint8_t ttl;
    std::uint8_t protocol;
    BigEndian<std::uint16_t> checksum;
    BigEndian<std::uint32_t> source;
    BigEndian<std::uint32_t> destination;
};
static_assert(sizeof(Ipv4Wire) == 20 && alignof(Ipv4Wire) == 1);

inline constexpr std::size_t kIpv4HeaderSize = sizeof(Ipv4Wire);
inline constexpr std::size_t kIpv4RouterAlertSize = 4;
inline constexpr std::uint16_t kIpv4DontFragment = 0x4000;
inline constexpr std::uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr std::uint16_t kIpv4FragmentOffsetMask = 0x1fff;

/// What a receiver needs to know of a header that has passed every check.
struct Ipv4Header {
    Ipv4Address source;
    Ipv4Address destination;
    std::uint8_t protocol = 0;
    std::uint8_t ttl = 0;
    std::uint8_t tos = 0;
    bool router_alert = false;  ///< RFC 2113, whatever its value
};

enum class Ipv4Error : std::uint8_t {
    truncated,     ///< fewer octets than the header or the total length says
    bad_version,   ///< version is not 4
    bad_length,    ///< IHL below 5, or total length below the header's
    bad_checksum,  ///< the header does not sum up
    fragment,      ///< part of a fragmented datagram
    bad_options,   ///< an option runs past the header
};

struct Ipv4Packet {
    Ipv4Header header;
    std::span<const std::byte> payload;  ///< ends where total length says, link padding left out
};

/// Reads one unfragmented packet. Octets after total length (Ethernet padding) are ignored.
[[nodiscard]] tl::expected<Ipv4Packet, Ipv4Error> parse_ipv4(
    std::span<const std::byte> bytes) noexcept;

struct Ipv4Fields {
    Ipv4Address source;
    Ipv4Address destination;
    std::uint8_t protocol = 0;
    std::uint8_t ttl = 1;
    std::uint8_t tos = 0;
    bool router_alert = false;  ///< puts 94 04 00 00 behind the fixed header (RFC 2113 §2.1)
};

[[nodiscard]] constexpr std::size_t ipv4_header_size(const Ipv4Fields& fields) noexcept {
    return kIpv4HeaderSize + (fields.router_alert ? kIpv4RouterAlertSize : 0);
}

/// Writes the header for `payload_length` octets: id 0, don't fragment, checksum filled in.
/// `out` holds at least ipv4_header_size(fields). Returns the octets written.
std::size_t emit_ipv4(const Ipv4Fields& fields, std::size_t payload_length,
                      std::span<std::byte> out) noexcept;

}  // namespace joinleaf::net
