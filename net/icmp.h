// ICMP echo (RFC 792): read a request, write the reply, so that an operator can ping a port. Pure.
#pragma once

#include <joinleaf/address.h>
#include <net/big_endian.h>
#include <cstddef>
#include <cstdint>
#include <span>

namespace joinleaf::net {

/// The 8 octets in front of an echo's data.
struct IcmpEchoWire {
    std::uint8_t type;
    std::uint8_t code;
    BigEndian<std::uint16_t> checksum;
    BigEndian<std::uint16_t> id;
    BigEndian<std::uint16_t> sequence;
};
static_assert(sizeof(IcmpEchoWire) == 8 && alignof(IcmpEchoWire) == 1);

inline constexpr std::size_t kIcmpEchoHeaderSize = sizeof(IcmpEchoWire);

enum class IcmpEchoType : std::uint8_t { reply = 0, request = 8 };

struct IcmpEcho {
    IcmpEchoType type = IcmpEchoType::request;
    std::uint16_t id = 0;
    std::uint16_t sequence = 0;
    std::span<const std::byte> data;
};

enum class IcmpError : std::uint8_t {
    truncated,     ///< fewer than 8 octets
    bad_checksum,  ///< the message does not sum up
    not_echo,      ///< another type, or a code that echo does not have
};

/// Reads an echo request or reply: the whole payload of an IPv4 packet.
[[nodiscard]] tl::expected<IcmpEcho, IcmpError> parse_icmp_echo(
    std::span<const std::byte> bytes) noexcept;

/// Writes the message, data included. `out` holds at least kIcmpEchoHeaderSize and the data.
/// Returns the octets written.
std::size_t emit_icmp_echo(const IcmpEcho& echo, std::span<std::byte> out) noexcept;

/// The answer to `request`: the same id, sequence and data.
[[nodiscard]] constexpr IcmpEcho icmp_echo_reply(const IcmpEcho& request) noexcept {
    return {IcmpEchoType::reply, request.id, request.sequence, request.data};
}

}  // namespace joinleaf::net
