// What the NIC says about a packet, in the terms of the packet path.
#pragma once

#include <dataplane/classify.h>
#include <dataplane/dpdk/packet.h>
#include <rte_mbuf.h>

namespace joinleaf::dataplane::dpdk {

[[nodiscard]] inline Verdict verdict(std::uint64_t flags, std::uint64_t mask, std::uint64_t good,
                                     std::uint64_t bad) noexcept {
    const auto found = flags & mask;
    if (found == good) return Verdict::good;
    return found == bad ? Verdict::bad : Verdict::unknown;
}

[[nodiscard]] inline ReceivedFrame received_frame(const Packet* packet) noexcept {
    const std::uint64_t flags = packet->ol_flags;
    return {.first_segment = first_segment(packet),
            .length = length(packet),
            .ipv4_checksum = verdict(flags, RTE_MBUF_F_RX_IP_CKSUM_MASK,
                                     RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_MBUF_F_RX_IP_CKSUM_BAD),
            .udp_checksum = verdict(flags, RTE_MBUF_F_RX_L4_CKSUM_MASK, RTE_MBUF_F_RX_L4_CKSUM_GOOD,
                                    RTE_MBUF_F_RX_L4_CKSUM_BAD),
            .vlan_stripped = (flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0,
            .vlan_tci = packet->vlan_tci};
}

/// Asks the NIC to fill in the UDP checksum; the pseudo header's sum is in its place already.
inline void request_udp_checksum(Packet* packet, std::uint32_t l2_length) noexcept {
    packet->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
    packet->l2_len = l2_length & 0x7f;
    packet->l3_len = 20;
}

}  // namespace joinleaf::dataplane::dpdk
