// A pcapng file as it is written (draft-ietf-opsawg-pcapng): Ethernet, little-endian, times in
// nanoseconds. Octets alone: whoever writes them to a file says when and where.
#pragma once

#include <joinleaf/address.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace joinleaf::net {

/// What a file begins with: the `program` that writes it and, unless empty, why.
void append_pcapng_section(std::string_view program, std::string_view comment,
                           std::vector<std::byte>& out);

/// Where packets were seen. Their numbers are the order in which they are appended, from 0. Texts
/// that are empty are left out, as in all that follows.
struct PcapngInterface {
    std::string_view name;
    std::string_view description;
    std::optional<MacAddress> mac;
    std::uint32_t snap = 0;  ///< octets kept of a packet; 0: all of them
};
void append_pcapng_interface(const PcapngInterface& interface, std::vector<std::byte>& out);

/// The values that epb_flags has for them.
enum class PacketWay : std::uint8_t { unknown = 0, inbound = 1, outbound = 2 };

struct PcapngPacket {
    std::uint32_t interface = 0;
    std::chrono::nanoseconds at{};  ///< since 1970, UTC
    std::uint32_t length = 0;       ///< on the wire, without the frame check sequence
    std::span<const std::byte> octets;
    PacketWay way = PacketWay::unknown;
    std::string_view comment;
};
void append_pcapng_packet(const PcapngPacket& packet, std::vector<std::byte>& out);

}  // namespace joinleaf::net
