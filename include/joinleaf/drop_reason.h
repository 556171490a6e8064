// Why a packet was dropped: one name, one counter and one cure for each reason.
#pragma once

#include <joinleaf/api.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace JOINLEAF_API joinleaf {

/// Every packet that the packet path does not hand on is counted under exactly one of these.
enum class DropReason : std::uint8_t {
    // Receive, in the order of the checks.
    truncated_frame,
    own_echo,
    other_mac,
    other_vlan,
    not_ipv4,
    bad_ipv4_header,
    bad_ipv4_checksum,
    fragment,
    other_address,
    other_protocol,
    bad_udp_length,
    bad_udp_checksum,
    no_subscriber,
    source_filtered,
    receive_queue_full,
    relay_queue_full,
    control_queue_full,
    // Transmit.
    transmit_ring_full,
    no_buffer,
    link_down,
    oversized,
    unresolved_neighbour,
    sender_closed,
    no_leaf,
    line_queue_full,

    kCount,  ///< not a reason: how many there are
};

inline constexpr std::size_t kDropReasonCount = static_cast<std::size_t>(DropReason::kCount);

/// The reason's name in snake_case, as in statistics and JSON. Any thread.
[[nodiscard]] std::string_view name(DropReason reason) noexcept;

/// One line for a person: what happened, and what to do about it. Any thread.
[[nodiscard]] std::string_view explanation(DropReason reason) noexcept;

}  // namespace joinleaf
