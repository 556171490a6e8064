// ARP for IPv4 over Ethernet (RFC 826): strict parse, and the messages a host sends. Pure.
#pragma once

#include <joinleaf/address.h>
#include <net/big_endian.h>
#include <net/ethernet.h>
#include <cstddef>
#include <cstdint>
#include <span>

namespace joinleaf::net {

/// The 28 octets as they lie on the wire.
struct ArpWire {
    BigEndian<std::uint16_t> hardware_type;
    BigEndian<std::uint16_t> protocol_type;
    std::uint8_t hardware_length;
    std::uint8_t protocol_length;
    BigEndian<std::uint16_t> operation;
    MacAddress sender_mac;
    BigEndian<std::uint32_t> sender_address;
    MacAddress target_mac;
    BigEndian<std::uint32_t> target_address;
};
static_assert(sizeof(ArpWire) == 28 && alignof(ArpWire) == 1);

inline constexpr std::size_t kArpSize = sizeof(ArpWire);

enum class ArpOperation : std::uint8_t { request = 1, reply = 2 };

struct ArpMessage {
    ArpOperation operation = ArpOperation::request;
    MacAddress sender_mac;
    Ipv4Address sender_address;  ///< unspecified in a probe (RFC 5227 §1.1)
    MacAddress target_mac;       ///< zero in a request
    Ipv4Address target_address;

    friend bool operator==(const ArpMessage&, const ArpMessage&) = default;
};

enum class ArpError : std::uint8_t {
    truncated,      ///< fewer than 28 octets
    other_network,  ///< not IPv4 over Ethernet
    bad_operation,  ///< neither request nor reply
    bad_sender,     ///< the sender's MAC or IPv4 address is none that a host can have
};

/// Reads a request or a reply; octets behind it (padding) are ignored.
[[nodiscard]] tl::expected<ArpMessage, ArpError> parse_arp(
    std::span<const std::byte> bytes) noexcept;

/// `out` holds at least kArpSize. Returns the octets written.
std::size_t emit_arp(const ArpMessage& message, std::span<std::byte> out) noexcept;

/// Asks who has `target`; to be broadcast.
[[nodiscard]] ArpMessage arp_request(const MacAddress& mac, Ipv4Address address,
                                     Ipv4Address target) noexcept;

/// Answers `request`, which asks for `address`; to be sent to the asker.
[[nodiscard]] ArpMessage arp_reply(const ArpMessage& request, const MacAddress& mac,
                                   Ipv4Address address) noexcept;

/// Tells everybody that `address` is at `mac` (RFC 5227 §2.3); to be broadcast.
[[nodiscard]] ArpMessage arp_announcement(const MacAddress& mac, Ipv4Address address) noexcept;

}  // namespace joinleaf::net
