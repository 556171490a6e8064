// Packet: an mbuf as the packet path uses it. All accessors are inline and never check twice.
#pragma once

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
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
/// What a packet's descriptor says of the frame in it, put together once for all frames of one
/// shape and stored in two pieces: field by field, seven stores would cost as much as the header
/// itself. For packets that nobody else holds, of one reference; nothing is asked of the NIC.
class Extent {
public:
    /// One segment: the header before payload_start(), and the payload behind it.
    [[nodiscard]] static Extent of_frame(std::uint32_t header, std::uint32_t payload) noexcept {
        return {header, header + payload, header + payload, 1};
    }
    /// The header before payload_start() of a segment of its own, and the payload in the next.
    [[nodiscard]] static Extent of_chain(std::uint32_t header, std::uint32_t payload) noexcept {
        return {header, header, header + payload, 2};
    }

    void put(Packet* packet) const noexcept {
        std::memcpy(&packet->rearm_data, &start_, sizeof start_);
        std::memcpy(&packet->rx_descriptor_fields1, &lengths_, sizeof lengths_);
    }

private:
    using Pair = std::uint64_t __attribute__((vector_size(16)));  // for one store, in a register

    Extent(std::uint32_t header, std::uint64_t in_segment, std::uint64_t in_all,
           std::uint64_t segments) noexcept
        : start_{(RTE_PKTMBUF_HEADROOM - header) | std::uint64_t{1} << 16 | segments << 32 |
                     std::uint64_t{RTE_MBUF_PORT_INVALID} << 48,
                 0},
          lengths_{in_all << 32, in_segment} {}

    Pair start_;    // data_off, refcnt, nb_segs, port; ol_flags
    Pair lengths_;  // packet_type, pkt_len; data_len, vlan_tci, hash
};
static_assert(std::endian::native == std::endian::little);
static_assert(offsetof(rte_mbuf, refcnt) == offsetof(rte_mbuf, rearm_data) + 2 &&
              offsetof(rte_mbuf, nb_segs) == offsetof(rte_mbuf, rearm_data) + 4 &&
              offsetof(rte_mbuf, ol_flags) == offsetof(rte_mbuf, rearm_data) + 8);
static_assert(offsetof(rte_mbuf, pkt_len) == offsetof(rte_mbuf, rx_descriptor_fields1) + 4 &&
              offsetof(rte_mbuf, data_len) == offsetof(rte_mbuf, rx_descriptor_fields1) + 8);

/// Sets a single-segment packet to the header before payload_start() and the payload behind it,
/// with nothing asked of the NIC.
inline void set_extent(Packet* packet, std::uint32_t header_length,
                       std::uint32_t payload_length) noexcept {
    Extent::of_frame(header_length, payload_length).put(packet);
}
/// Makes a frame of `head`, whose extent is that of a chain, and `payload`, of which it takes over
/// one reference. Freeing the frame gives that back.
inline void set_next(Packet* head, Packet* payload) noexcept { head->next = payload; }
/// Sets a single-segment packet to `n` octets from its start.
inline void set_length(Packet* packet, std::uint32_t n) noexcept {
    packet->data_len = static_cast<std::uint16_t>(n);
    packet->pkt_len = n;
}
/// Copies up to out.size() octets of the chain, from `offset`. Returns how many.
[[nodiscard]] std::size_t copy_out(const Packet* packet, std::size_t offset,
                                   std::span<std::byte> out) noexcept;

}  // namespace joinleaf::dataplane::dpdk
