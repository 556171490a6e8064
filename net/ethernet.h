// The Ethernet header with its VLAN tags: parse and emit. Pure.
#pragma once

#include <joinleaf/address.h>
#include <net/big_endian.h>
#include <net/vlan.h>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace joinleaf::net {

namespace ethertype {
inline constexpr std::uint16_t kIpv4 = 0x0800;
inline constexpr std::uint16_t kArp = 0x0806;
inline constexpr std::uint16_t kVlan = 0x8100;         ///< 802.1Q
inline constexpr std::uint16_t kServiceVlan = 0x88a8;  ///< 802.1ad, the outer of two tags
}  // namespace ethertype

static_assert(sizeof(MacAddress) == 6 && alignof(MacAddress) == 1 &&
              std::is_trivially_copyable_v<MacAddress>);

/// The fixed 14 octets as they lie on the wire.
struct EthernetWire {
    MacAddress destination;
    MacAddress source;
    BigEndian<std::uint16_t> ethertype;
};
static_assert(sizeof(EthernetWire) == 14 && alignof(EthernetWire) == 1);

/// A MAC address as a number of 48 bits, for code that compares many of them.
[[nodiscard]] inline std::uint64_t mac_bits(const MacAddress& mac) noexcept {
    const auto high = load<BigEndian<std::uint32_t>>(std::as_bytes(std::span(mac.octets())).data());
    const auto low = load<BigEndian<std::uint16_t>>(std::as_bytes(std::span(mac.octets())).data() +
                                                    sizeof(high));
    return std::uint64_t{high} << 16 | low;
}
inline constexpr std::uint64_t kBroadcastMacBits = 0xffff'ffff'ffff;
/// Of a group or broadcast address (IEEE 802: the first bit on the wire).
[[nodiscard]] constexpr bool is_group_mac(std::uint64_t bits) noexcept {
    return (bits >> 40 & 1) != 0;
}
/// As MacAddress::of_group; `group` is in 224.0.0.0/4.
[[nodiscard]] constexpr std::uint64_t group_mac_bits(Ipv4Address group) noexcept {
    return 0x0100'5e00'0000 | (group.value() & 0x7f'ffff);
}

/// A frame without its check sequence is at least this long on a wire.
inline constexpr std::size_t kMinFrameSize = 60;

[[nodiscard]] constexpr bool is_vlan_tag(std::uint16_t type) noexcept {
    return type == ethertype::kVlan || type == ethertype::kServiceVlan;
}

/// What the tags of a frame lead to.
struct Untagged {
    VlanStack vlan;
    std::uint16_t ethertype = 0;
    std::size_t size = 0;  ///< of the Ethernet header with its tags
};

enum class EthernetError : std::uint8_t {
    truncated,      ///< fewer octets than the headers need
    too_many_tags,  ///< more than two
};

/// Steps over the tags of a frame of at least sizeof(EthernetWire) octets. `type` is the first
/// ethertype, `vlan` holds a tag that the NIC has already taken off.
[[nodiscard]] inline tl::expected<Untagged, EthernetError> skip_tags(
    std::span<const std::byte> frame, std::uint16_t type, VlanStack vlan) noexcept {
    std::size_t size = sizeof(EthernetWire);
    for (std::size_t tags = vlan.tags(); is_vlan_tag(type); ++tags) {
        if (tags == kMaxVlanTags) return tl::unexpected(EthernetError::too_many_tags);
        if (frame.size() < size + sizeof(VlanWire)) {
            return tl::unexpected(EthernetError::truncated);
        }
        const auto tag = load<VlanWire>(frame.data() + size);
        vlan.push(tag.tag_control);
        type = tag.ethertype;
        size += sizeof(VlanWire);
    }
    return Untagged{vlan, type, size};
}

struct EthernetFields {
    MacAddress source;
    MacAddress destination;
    VlanStack vlan;
};

struct EthernetFrame {
    EthernetFields header;
    std::uint16_t ethertype = 0;
    std::span<const std::byte> payload;  ///< with the padding, if there is any
};

[[nodiscard]] tl::expected<EthernetFrame, EthernetError> parse_ethernet(
    std::span<const std::byte> bytes) noexcept;

[[nodiscard]] constexpr std::size_t ethernet_header_size(const EthernetFields& fields) noexcept {
    return sizeof(EthernetWire) + fields.vlan.tags() * sizeof(VlanWire);
}

/// Writes the header: one tag is 0x8100, of two the outer is 0x88a8; priority 0.
/// `out` holds at least ethernet_header_size(fields). Returns the octets written.
std::size_t emit_ethernet(const EthernetFields& fields, std::uint16_t type,
                          std::span<std::byte> out) noexcept;

}  // namespace joinleaf::net
