// Packet: an mbuf as the packet path uses it. All accessors are inline and never check twice.
#pragma once

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace joinleaf::dataplane::dpdk {

/// A packet is an mbuf, or the head of a chain. Whoever holds the pointer owns one reference.
using Packet = rte_mbuf;

inline constexpr std::uint32_t kBurst = 32;

[[nodiscard]] inline std::byte* data(const Packet* packet) noexcept {
    return rte_pktmbuf_mtod(packet, std::byte*);
}
/// The octets of the first segment.
[[nodiscard]] inline std::span<const std::byte> first_segment(const Packet* packet) noexcept {
    return {data(packet), rte_pktmbuf_data_len(packet)};
}
/// The octets of all segments.
[[nodiscard]] inline std::uint32_t length(const Packet* packet) noexcept {
    return rte_pktmbuf_pkt_len(packet);
}
[[nodiscard]] inline const Packet* next_segment(const Packet* packet) noexcept {
    return packet->next;
}
[[nodiscard]] inline bool is_contiguous(const Packet* packet) noexcept {
    return rte_pktmbuf_is_contiguous(packet) != 0;
}

/// Asks for the mbuf itself, which another core may have written last.
inline void prefetch(Packet* packet) noexcept {
    rte_mbuf_prefetch_part1(packet);
    rte_mbuf_prefetch_part2(packet);
}
/// The headers, and the begin of the payload behind them, which the application reads next.
inline void prefetch_header(const Packet* packet) noexcept {
    rte_prefetch0(data(packet));
    rte_prefetch0(data(packet) + RTE_CACHE_LINE_SIZE);
}

/// Makes one more holder; every segment counts.
inline void add_reference(Packet* packet) noexcept { rte_pktmbuf_refcnt_update(packet, 1); }
/// Makes `n` more holders of a packet of one segment.
inline void add_references(Packet* packet, std::uint32_t n) noexcept {
    rte_mbuf_refcnt_update(packet, static_cast<std::int16_t>(n));
}
[[nodiscard]] inline bool is_shared(const Packet* packet) noexcept {
    return rte_mbuf_refcnt_read(packet) > 1;
}
inline void free(Packet* packet) noexcept { rte_pktmbuf_free(packet); }
inline void free_all(std::span<Packet*> packets) noexcept {
    if (!packets.empty()) {
        rte_pktmbuf_free_bulk(packets.data(), static_cast<unsigned>(packets.size()));
    }
}

/// Where the payload of a packet fresh from a pool begins; the header goes before it.
[[nodiscard]] inline std::byte* payload_start(Packet* packet) noexcept {
    return static_cast<std::byte*>(packet->buf_addr) + RTE_PKTMBUF_HEADROOM;
}
/// Sets a single-segment packet to the header before payload_start() and the payload behind it,
/// with nothing asked of the NIC.
inline void set_extent(Packet* packet, std::uint32_t header_length,
                       std::uint32_t payload_length) noexcept {
    packet->data_off = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM - header_length);
    packet->data_len = static_cast<std::uint16_t>(header_length + payload_length);
    packet->pkt_len = header_length + payload_length;
    packet->ol_flags = 0;
}
/// A frame of the header before payload_start() of `head`, and `payload`, of which it takes over
/// one reference, with nothing asked of the NIC. Freeing the frame gives that back.
inline void make_chain(Packet* head, std::uint32_t header_length, Packet* payload,
                       std::uint32_t payload_length) noexcept {
    head->ol_flags = 0;
    head->data_off = static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM - header_length);
    head->data_len = static_cast<std::uint16_t>(header_length);
    head->pkt_len = header_length + payload_length;
    head->nb_segs = 2;
    head->next = payload;
}
/// Sets a single-segment packet to `n` octets from its start.
inline void set_length(Packet* packet, std::uint32_t n) noexcept {
    packet->data_len = static_cast<std::uint16_t>(n);
    packet->pkt_len = n;
}
/// Copies up to out.size() octets of the chain, from `offset`. Returns how many.
[[nodiscard]] std::size_t copy_out(const Packet* packet, std::size_t offset,
                                   std::span<std::byte> out) noexcept;

}  // namespace joinleaf::dataplane::dpdk
