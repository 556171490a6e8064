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

// Moves those that fit to the front, and frees the others. Returns how many fit.
std::uint32_t drop_oversized(Lane& lane, Outlet& outlet, std::span<Filled> payloads) noexcept {
    std::uint32_t fit = 0;
    for (const auto& payload : payloads) {
        if (payload.length <= outlet.payload_capacity) {
            payloads[fit++] = payload;
        } else {
            dpdk::free(payload.packet);
        }
    }
    const auto oversized = static_cast<std::uint32_t>(payloads.size() - fit);
    lane.tally.drop(DropReason::oversized, oversized);
    outlet.complete(oversized);
    return fit;
}

std::uint32_t from_queue(Lane& lane, Outlet& outlet, std::uint32_t limit,
                         Payloads& burst) noexcept {
    const auto n = outlet.queue->collect({burst.data(), limit});
    supply(lane, *outlet.queue);
    return static_cast<std::uint32_t>(n);
}

// Fills the lane's spares up to `limit`, as offers of `capacity` octets each. Returns how many of
// those there are.
std::uint32_t fill_spares(Lane& lane, std::uint32_t limit, std::uint32_t capacity) noexcept {
    if (lane.spare_capacity != capacity) {
        lane.spare_capacity = capacity;
        for (auto& offer : lane.offered) offer.capacity = capacity;
    }
    if (lane.spare_count >= limit) return limit;
    const std::span<Packet*> missing(lane.spare.data() + lane.spare_count,
                                     limit - lane.spare_count);
    if (!lane.transmit_pool.allocate_raw(missing)) {
        return lane.spare_count;  // asks for less; nothing is lost
    }
    for (std::uint32_t i = lane.spare_count; i < limit; ++i) {
        lane.offered[i].data = dpdk::payload_start(lane.spare[i]);
        lane.offered[i].buffer = lane.spare[i];
    }
    lane.spare_count = limit;
    return limit;
}

// Offers empty buffers to `source`, which fills those that it has payloads for. Most turns of a
// source that has nothing to say end here, so what is offered to it is kept ready.
template <class Source>
std::uint32_t from_source(Lane& lane, const Outlet& outlet, std::uint32_t limit, Payloads& burst,
                          const Source& source) noexcept {
    limit = fill_spares(lane, limit, outlet.payload_capacity);
    if (limit == 0) return 0;
    // The newest spares are handed out first, so that what is left stays at the front.
    const std::uint32_t base = lane.spare_count - limit;
    const std::span<SendBuffer> offered(lane.offered.data() + base, limit);
    const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(source(offered), limit));
    if (n == 0) return 0;
    for (std::uint32_t i = 0; i < n; ++i) burst[i] = {lane.spare[base + i], offered[i].length};
    const std::uint32_t left = limit - n;
    std::copy_n(lane.spare.begin() + base + n, left, lane.spare.begin() + base);
    std::copy_n(lane.offered.begin() + base + n, left, lane.offered.begin() + base);
    lane.spare_count -= n;
    return n;
}

std::uint32_t from_feed(Lane& lane, Outlet& outlet, std::uint32_t limit, Payloads& burst,
                        Instant now) noexcept {
    FeedSource& feed = *outlet.feed;
    if (!feed.due(now)) return 0;
    return from_source(lane, outlet, limit, burst,
                       [&](std::span<SendBuffer> offered) { return feed.fill(offered, now); });
}

std::uint32_t from_application(Lane& lane, Outlet& outlet, std::uint32_t limit, Payloads& burst,
                               Instant now) noexcept {
    const InlineSource source = outlet.inline_source;
    return from_source(lane, outlet, limit, burst, [&](std::span<SendBuffer> offered) {
        return source.call(source.context, offered, now);
    });
}

enum class UdpChecksum { none, offload };

// Headers that have no sum over the payload are the same for payloads of one length, and those of a
// burst mostly have one.
template <UdpChecksum How>
ReadyHeader ready_header(const HeaderTemplate& header, std::uint32_t length) noexcept {
    const auto size = static_cast<std::uint16_t>(length);
    return How == UdpChecksum::offload ? header.ready_for_offload(size) : header.ready(size);
}

template <UdpChecksum How>
void write_ready_headers(const HeaderTemplate& header, std::span<const Filled> payloads) noexcept {
    constexpr std::uint32_t kBehindEthernet = net::kIpv4HeaderSize + net::kUdpHeaderSize;
    const auto header_size = static_cast<std::uint32_t>(header.size());
    while (!payloads.empty()) {
        const std::uint32_t length = payloads.front().length;
        const ReadyHeader ready = ready_header<How>(header, length);
        const auto extent = dpdk::Extent::of_frame(header_size, length);
        std::size_t n = 0;
        for (; n < payloads.size() && payloads[n].length == length; ++n) {
            dpdk::Packet* const packet = payloads[n].packet;
            extent.put(packet);
            ready.put(dpdk::payload_start(packet));
            if constexpr (How == UdpChecksum::offload) {
                dpdk::request_udp_checksum(packet, header_size - kBehindEthernet);
            }
        }
        payloads = payloads.subspan(n);
    }
}

// `header` is a copy: what is written cannot be part of it, so it stays in registers for the burst.
void write_summed_headers(HeaderTemplate header, std::span<const Filled> payloads) noexcept {
    const auto header_size = static_cast<std::uint32_t>(header.size());
    for (const auto& [packet, length] : payloads) {
        dpdk::set_extent(packet, header_size, length);
        header.write_summed(dpdk::payload_start(packet), static_cast<std::uint16_t>(length));
    }
}

void write_headers(const Lane& lane, const Outlet& outlet,
                   std::span<const Filled> payloads) noexcept {
    if (!outlet.udp_checksum) {
        write_ready_headers<UdpChecksum::none>(outlet.header, payloads);
    } else if (lane.port.offloads().transmit_udp_checksum && outlet.route == Route::wire) {
        write_ready_headers<UdpChecksum::offload>(outlet.header, payloads);
    } else {
        write_summed_headers(outlet.header, payloads);
    }
}

// Whether the port keeps the outlet's rate. Where a datagram becomes many frames they would all be
// due at one time, so the worker spaces them.
bool is_timed(const Lane& lane, const Outlet& outlet) noexcept {
    return lane.timing && outlet.pacer.is_limited() && !outlet.replication &&
           outlet.route == Route::wire;
}

void write_times(Lane& lane, std::span<const Filled> payloads) noexcept {
    for (std::size_t i = 0; i < payloads.size(); ++i) {
        lane.timing->put(payloads[i].packet, lane.due[i]);
    }
}

// Members on this host have their references before the port has the frames, and handlers read
// them now: once the port has them they are gone.
void offer_here(Lane& lane, const Outlet& outlet, Subscription* members,
                std::span<const Filled> payloads, Instant now) noexcept {
    for (const auto& [packet, length] : payloads) {
        lane.delivery.offer({.packet = packet,
                             .payload_offset = static_cast<std::uint16_t>(outlet.header.size()),
                             .payload_length = static_cast<std::uint16_t>(length),
                             .source = outlet.source,
                             .source_port = outlet.source_port},
                            members, outlet.own, now);
    }
    lane.delivery.flush();
}

// What does not go to the port ends here.
void keep_here(Lane& lane, Outlet& outlet, std::span<const Filled> payloads, Instant now) noexcept {
    if (outlet.route == Route::unresolved) {
        constexpr auto kWhy = DropReason::unresolved_neighbour;
        for (const auto& payload : payloads) {
            lane.recorder.dropped(payload.packet, kWhy, Way::out, now);
        }
        lane.tally.drop(kWhy, payloads.size());
    }
    for (const auto& payload : payloads) dpdk::free(payload.packet);
    outlet.complete(payloads.size());
}

}  // namespace

std::uint32_t take_payloads(Lane& lane, Outlet& outlet, Instant now, Payloads& payloads) noexcept {
    const auto header_size = static_cast<std::uint32_t>(outlet.header.size());
    // What becomes many frames is taken in small numbers, so that a pace is held by them.
    std::size_t copies = 1;
    std::uint32_t wanted = kBurst;
    if (outlet.replication) {
        copies = outlet.replication->destinations.ready();
        wanted = static_cast<std::uint32_t>(
            std::clamp<std::size_t>(kBurst * kBurst / std::max<std::size_t>(copies, 1), 1, kBurst));
    }
    const bool timed = is_timed(lane, outlet);
    const std::uint32_t limit =
        outlet.pacer.allowance(timed ? now + kSendAhead : now, wanted,
                               octets_on_wire(header_size + outlet.payload_capacity));
    if (limit == 0) return 0;
    std::uint32_t n = 0;
    if (outlet.queue != nullptr) {
        n = from_queue(lane, outlet, limit, payloads);
    } else if (outlet.feed != nullptr) {
        n = from_feed(lane, outlet, limit, payloads, now);
    } else if (outlet.inline_source.call != nullptr) {
        n = from_application(lane, outlet, limit, payloads, now);
    } else if (outlet.line != nullptr) {
        n = static_cast<std::uint32_t>(outlet.line->take({payloads.data(), limit}));
    }
    if (outlet.pacer.is_limited()) {
        std::uint64_t octets = 0;
        for (std::uint32_t i = 0; i < n; ++i) {
            octets += octets_on_wire(header_size + payloads[i].length);
            if (timed) lane.due[i] = std::max(now, outlet.pacer.due(i + 1, octets));
        }
        outlet.pacer.consume(n, octets * copies);
    }
    const std::span<const Filled> taken(payloads.data(), n);
    const auto fits = [&](const Filled& payload) {
        return payload.length <= outlet.payload_capacity;
    };
    return std::all_of(taken.begin(), taken.end(), fits)
               ? n
               : drop_oversized(lane, outlet, {payloads.data(), n});
}

std::uint32_t build_for_lines(Lane& lane, Outlet& outlet, Instant now) noexcept {
    FeedLines& lines = *outlet.builds;
    if (!lines.source().due(now)) return 0;
    const auto limit = static_cast<std::uint32_t>(std::min<std::size_t>(lines.room(), kBurst));
    if (limit == 0) return 0;
    Payloads burst;
    const std::uint32_t n = from_source(
        lane, outlet, limit, burst,
        [&](std::span<SendBuffer> offered) { return lines.source().fill(offered, now); });
    lines.hand_over({burst.data(), n}, lane.tally);
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

    const std::span<const Filled> payloads(burst.data(), n);
    write_headers(lane, outlet, payloads);
    if (is_timed(lane, outlet)) write_times(lane, payloads);
    // Mostly there is nobody.
    if (Subscription* const members = lane.subscriptions.find(outlet.key); members != nullptr) {
        offer_here(lane, outlet, members, payloads, now);
    }
    if (outlet.route != Route::wire) {
        keep_here(lane, outlet, payloads, now);
        return n;
    }
    for (std::uint32_t i = 0; i < n; ++i) {
        outlet.pending[i] = payloads[i].packet;
        outlet.pending_length[i] = static_cast<std::uint16_t>(payloads[i].length);
    }
    outlet.first = 0;
    outlet.end = n;
    return n;
}

}  // namespace joinleaf::dataplane
