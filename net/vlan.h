// VLAN tags: which VLAN a frame belongs to, with one tag (802.1Q) or two (802.1ad). Pure.
#pragma once

#include <joinleaf/error.h>
#include <net/big_endian.h>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace joinleaf::net {

/// What follows the ethertype 0x8100 or 0x88a8: priority and VLAN id, then the next ethertype.
struct VlanWire {
    BigEndian<std::uint16_t> tag_control;
    BigEndian<std::uint16_t> ethertype;
};
static_assert(sizeof(VlanWire) == 4 && alignof(VlanWire) == 1);

inline constexpr std::uint16_t kVlanIdMask = 0x0fff;
inline constexpr std::uint16_t kMaxVlanId = 4094;
inline constexpr std::size_t kMaxVlanTags = 2;

/// The VLANs of a frame, outermost first. Untagged: both 0. One tag: only `outer` is set.
struct VlanStack {
    std::uint16_t outer = 0;
    std::uint16_t inner = 0;

    /// As in 100, or 100.200 for a tag within a tag.
    [[nodiscard]] static Parsed<VlanStack> parse(std::string_view text);

    [[nodiscard]] constexpr std::size_t tags() const noexcept {
        return std::size_t{outer != 0} + std::size_t{inner != 0};
    }
    /// Adds the next tag inwards. A tag with VLAN id 0 carries only a priority (802.1Q §9.6): the
    /// frame belongs to no VLAN for it.
    constexpr void push(std::uint16_t tag_control) noexcept {
        (outer == 0 ? outer : inner) = tag_control & kVlanIdMask;
    }
    /// As parse() reads it; "untagged" when there is no tag.
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const VlanStack&, const VlanStack&) = default;
};

}  // namespace joinleaf::net
