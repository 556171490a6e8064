#include <dataplane/dpdk/burst.h>
#include <dataplane/fan_out.h>

#include <algorithm>
#include <array>

namespace joinleaf::dataplane {
namespace {

using dpdk::kBurst;
using dpdk::Packet;

// Keeps the application's supply of empty buffers up.
void supply(Lane& lane, SendQueue& queue) noexcept {
    if (!queue.wants_burst(lane.idle_share)) return;
    std::array<Packet*, kBurst> empties;
    if (lane.transmit_pool.allocate_raw(empties)) queue.supply(empties);
}

std::uint32_t from_queue(Lane& lane, Outlet& outlet, std::uint32_t limit,
                         Payloads& burst) noexcept {
    const auto n = outlet.queue->collect({burst.data(), limit});
    supply(lane, *outlet.queue);
    return static_cast<std::uint32_t>(n);
}

std::uint32_t from_source(Lane& lane, Outlet& outlet, std::uint32_t limit, Payloads& burst,
                          Instant now) noexcept {
    if (lane.spare_count < limit) {
        const std::span<Packet*> missing(lane.spare.data() + lane.spare_count,
                                         limit - lane.spare_count);
        if (!lane.transmit_pool.allocate_raw(missing)) {
            limit = lane.spare_count;  // asks for less; nothing is lost
        } else {
            lane.spare_count = limit;
        }
    }
    if (limit == 0) return 0;
    std::array<SendBuffer, kBurst> buffers;
    // The newest spares are handed out first, so that what is left stays at the front.
    const std::uint32_t base = lane.spare_count - limit;
    for (std::uint32_t i = 0; i < limit; ++i) {
        Packet* packet = lane.spare[base + i];
        buffers[i] = {.data = dpdk::payload_start(packet),
                      .capacity = outlet.payload_capacity,
                      .length = 0,
                      .buffer = packet};
    }
    const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(
        outlet.inline_source.call(outlet.inline_source.context, {buffers.data(), limit}, now),
        limit));
    for (std::uint32_t i = 0; i < n; ++i) {
        burst[i] = {lane.spare[base + i], buffers[i].length};
    }
    std::copy(lane.spare.begin() + base + n, lane.spare.begin() + lane.spare_count,
              lane.spare.begin() + base);
    lane.spare_count -= n;
    return n;
}

void write_header(Lane& lane, Outlet& outlet, Packet* packet, std::uint32_t length) noexcept {
    dpdk::set_extent(packet, static_cast<std::uint32_t>(outlet.header.size()), length);
    std::byte* payload = dpdk::payload_start(packet);
    const auto size = static_cast<std::uint16_t>(length);
    if (!outlet.udp_checksum) {
        outlet.header.write(payload, size);
    } else if (lane.port.offloads().transmit_udp_checksum && outlet.route == Route::wire) {
        outlet.header.write_for_offload(payload, size);
        const std::size_t l2_size =
            outlet.header.size() - net::kIpv4HeaderSize - net::kUdpHeaderSize;
        dpdk::request_udp_checksum(packet, static_cast<std::uint32_t>(l2_size));
    } else {
        outlet.header.write_summed(payload, size);
    }
}

}  // namespace

std::uint32_t take_payloads(Lane& lane, Outlet& outlet, Instant now, Payloads& payloads) noexcept {
    const auto header_size = static_cast<std::uint32_t>(outlet.header.size());
    // What becomes many frames is taken in small numbers, so that a pace is held by them.
    const std::size_t copies = outlet.replication ? outlet.replication->destinations.ready() : 1;
    const auto wanted = static_cast<std::uint32_t>(
        std::clamp<std::size_t>(kBurst * kBurst / std::max<std::size_t>(copies, 1), 1, kBurst));
    const std::uint32_t limit =
        outlet.pacer.allowance(now, wanted, octets_on_wire(header_size + outlet.payload_capacity));
    if (limit == 0) return 0;
    const std::uint32_t n = outlet.inline_source.call != nullptr
                                ? from_source(lane, outlet, limit, payloads, now)
                                : from_queue(lane, outlet, limit, payloads);
    std::uint64_t octets = 0;
    for (std::uint32_t i = 0; i < n; ++i)
        octets += octets_on_wire(header_size + payloads[i].length);
    outlet.pacer.consume(n, octets * copies);
    return n;
}

void keep_supplied(Lane& lane, Outlet& outlet) noexcept {
    if (outlet.queue != nullptr) supply(lane, *outlet.queue);
}

std::uint32_t fan_out(Lane& lane, Outlet& outlet, Instant now) noexcept {
    if (outlet.first != outlet.end || outlet.route == Route::waiting) {
        keep_supplied(lane, outlet);
        return 0;
    }
    Payloads burst;
    const std::uint32_t n = take_payloads(lane, outlet, now, burst);
    if (n == 0) return 0;

    // Members on this host have a chain of their own to walk; mostly there is none.
    Subscription* members = lane.subscriptions.find(outlet.key);
    outlet.first = 0;
    outlet.end = 0;
    std::array<Packet*, kBurst> kept_here;
    std::uint32_t kept_count = 0;
    std::uint32_t oversized = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
        const auto [packet, length] = burst[i];
        if (length > outlet.payload_capacity) {
            dpdk::free(packet);
            ++oversized;
            continue;
        }
        write_header(lane, outlet, packet, length);
        if (members != nullptr) {
            lane.delivery.offer({.packet = packet,
                                 .payload_offset = static_cast<std::uint16_t>(outlet.header.size()),
                                 .payload_length = static_cast<std::uint16_t>(length),
                                 .source = outlet.source,
                                 .source_port = outlet.source_port},
                                members, outlet.own, now);
        }
        if (outlet.route == Route::wire) {
            outlet.pending[outlet.end] = packet;
            outlet.pending_length[outlet.end++] = static_cast<std::uint16_t>(length);
        } else {
            kept_here[kept_count++] = packet;
        }
    }
    // Handlers read the packets now; once the port has them they are gone.
    if (members != nullptr) lane.delivery.flush();
    dpdk::free_all({kept_here.data(), kept_count});
    if (outlet.route == Route::unresolved) {
        lane.tally.drop(DropReason::unresolved_neighbour, kept_count);
    }
    lane.tally.drop(DropReason::oversized, oversized);
    if (outlet.queue != nullptr) outlet.queue->complete(oversized + kept_count);
    return n;
}

}  // namespace joinleaf::dataplane
