#include <dataplane/fan_out.h>
#include <dataplane/replicate.h>
#include <dataplane/transmit.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace joinleaf::dataplane {
namespace {

using dpdk::kBurst;
using dpdk::Packet;

using Headers = std::array<const HeaderTemplate*, kBurst>;

// Members on this host have their references before any frame goes out.
void offer_here(Lane& lane, Outlet& outlet, const Filled& payload, Instant now) noexcept {
    for (const GroupKey& group : outlet.replication->heard_here) {
        Subscription* members = lane.subscriptions.find(group);
        if (members == nullptr) continue;
        lane.delivery.offer({.packet = payload.packet,
                             .payload_offset = 0,
                             .payload_length = static_cast<std::uint16_t>(payload.length),
                             .source = outlet.source,
                             .source_port = outlet.source_port},
                            members, outlet.own, now);
    }
}

// The next payloads in hand. False: there are none.
bool take(Lane& lane, Outlet& outlet, Instant now) noexcept {
    Replication& work = *outlet.replication;
    Payloads payloads;
    const std::uint32_t n = take_payloads(lane, outlet, now, payloads);
    work.first = 0;
    work.end = n;
    for (std::uint32_t i = 0; i < n; ++i) {
        // What goes by several ports is not written into any more.
        if (outlet.line == nullptr) dpdk::set_extent(payloads[i].packet, 0, payloads[i].length);
        work.payloads[i] = payloads[i];
        offer_here(lane, outlet, payloads[i], now);
    }
    lane.delivery.flush();
    return work.first != work.end;
}

void begin(const Outlet& outlet, Replication& work) noexcept {
    const auto [packet, length] = work.payloads[work.first];
    std::optional<net::ChecksumSum> sum;
    if (outlet.udp_checksum) {
        sum.emplace();
        sum->add(dpdk::first_segment(packet));
    }
    work.terms.emplace(static_cast<std::uint16_t>(length), sum);
    work.cursor = {};
}

// All have theirs. `packet`: the payload, unless it has left as a frame itself.
void finish(Replication& work, Packet* packet) noexcept {
    if (packet != nullptr) dpdk::free(packet);
    ++work.first;
    ++work.finished;
    work.terms.reset();
}

// The next frames, and the header that goes into each.
struct Batch {
    const HeaderTemplate* const* headers;
    Packet* const* frames;
    std::size_t size;
    std::uint32_t header_size;
};

// A header for each, and a reference to the one payload.
void chain(Batch batch, Filled payload, PayloadTerms terms) noexcept {
    dpdk::add_references(payload.packet, static_cast<std::uint32_t>(batch.size));
    const auto extent = dpdk::Extent::of_chain(batch.header_size, payload.length);
    for (std::size_t i = 0; i < batch.size; ++i) {
        Packet* const frame = batch.frames[i];
        batch.headers[i]->write(dpdk::payload_start(frame), terms);
        extent.put(frame);
        dpdk::set_next(frame, payload.packet);
    }
}

// A frame of its own for each. `Size`: octets to copy, if that is known to be enough and to be
// there; a copy of constant size is some stores in a row.
template <std::uint32_t Size>
void copy(Batch batch, Filled payload, PayloadTerms terms) noexcept {
    const std::byte* const from = dpdk::payload_start(payload.packet);
    const auto extent = dpdk::Extent::of_frame(batch.header_size, payload.length);
    for (std::size_t i = 0; i < batch.size; ++i) {
        Packet* const frame = batch.frames[i];
        std::byte* const to = dpdk::payload_start(frame);
        batch.headers[i]->write(to, terms);
        std::memcpy(to, from, Size != 0 ? Size : payload.length);
        extent.put(frame);
    }
}

void fill(const Replication& work, const Batch& batch, const Filled& payload) noexcept {
    constexpr std::uint32_t kSmall = Replication::kSmallPayload;
    if (payload.length <= kSmall / 4) {
        copy<kSmall / 4>(batch, payload, *work.terms);
    } else if (payload.length <= kSmall / 2) {
        copy<kSmall / 2>(batch, payload, *work.terms);
    } else if (payload.length <= kSmall) {
        copy<kSmall>(batch, payload, *work.terms);
    } else if (work.chained) {
        chain(batch, payload, *work.terms);
    } else {
        copy<0>(batch, payload, *work.terms);
    }
}

void append(Outlet& outlet, std::uint32_t frames, std::uint32_t length) noexcept {
    std::fill_n(outlet.pending_length.begin() + outlet.end, frames,
                static_cast<std::uint16_t>(length));
    outlet.end += frames;
}

void count_passed_over(Lane& lane, ReplicaCursor& cursor) noexcept {
    lane.tally.drop(DropReason::unresolved_neighbour, cursor.passed_over);
    cursor.passed_over = 0;
}

// The only destination: its header goes before the payload where it lies. Nothing is copied.
void send_itself(Lane& lane, Outlet& outlet, const Filled& payload) noexcept {
    Replication& work = *outlet.replication;
    Headers headers;
    ReplicaCursor cursor;
    static_cast<void>(work.destinations.next(cursor, headers));  // one, and to the end
    count_passed_over(lane, cursor);
    headers[0]->write(dpdk::payload_start(payload.packet), *work.terms);
    dpdk::set_extent(payload.packet, static_cast<std::uint32_t>(outlet.header.size()),
                     payload.length);
    outlet.pending[outlet.end] = payload.packet;
    append(outlet, 1, payload.length);
    finish(work, nullptr);
}

// No frames for the next destinations. They get their share of patience, as a full port does.
void starve(Lane& lane, Replication& work, const ReplicaCursor& next, std::size_t count,
            Instant now) noexcept {
    if (work.starved_since == Instant{}) work.starved_since = now;
    if (now - work.starved_since < kTransmitPatience) return;
    lane.tally.drop(DropReason::no_buffer, count);
    work.cursor = next;
    count_passed_over(lane, work.cursor);
}

// Goes on with the first payload in hand as far as the burst has room. False: out of frames.
bool stamp(Lane& lane, Outlet& outlet, Instant now) noexcept {
    Replication& work = *outlet.replication;
    const Filled payload = work.payloads[work.first];
    if (!work.terms) {
        begin(outlet, work);
        if (work.destinations.ready() + work.destinations.unresolved() == 0 ||
            outlet.route != Route::wire) {
            if (outlet.route == Route::wire) lane.tally.drop(DropReason::no_leaf);
            finish(work, payload.packet);
            return true;
        }
        if (work.destinations.ready() == 1 && !dpdk::is_shared(payload.packet)) {
            send_itself(lane, outlet, payload);
            return true;
        }
    }
    const std::uint32_t room = kBurst - outlet.end;
    Headers headers;
    ReplicaCursor next = work.cursor;
    const std::size_t n = work.destinations.next(next, {headers.data(), room});
    const std::span<Packet*> frames(outlet.pending.data() + outlet.end, n);
    if (n > 0) {
        if (!work.frames.allocate_raw(frames)) {
            starve(lane, work, next, n, now);
            return false;
        }
        work.starved_since = {};
        const auto header_size = static_cast<std::uint32_t>(outlet.header.size());
        fill(work, {headers.data(), frames.data(), n, header_size}, payload);
        append(outlet, static_cast<std::uint32_t>(n), payload.length);
    }
    work.cursor = next;
    count_passed_over(lane, work.cursor);
    if (n < room) finish(work, payload.packet);
    return true;
}

// Fills the burst. Takes payloads once at most: a set that is empty would make no burst of any.
void stamp_burst(Lane& lane, Outlet& outlet, Instant now) noexcept {
    Replication& work = *outlet.replication;
    outlet.first = 0;
    outlet.end = 0;
    bool taken = false;
    while (outlet.end < kBurst) {
        if (work.first == work.end && (std::exchange(taken, true) || !take(lane, outlet, now))) {
            return;
        }
        if (!stamp(lane, outlet, now)) return;
    }
}

}  // namespace

Replication::~Replication() {
    for (; first != end; ++first) dpdk::free(payloads[first].packet);
}

std::uint32_t replicate(Lane& lane, Outlet& outlet, Instant now) noexcept {
    Replication& work = *outlet.replication;
    keep_supplied(lane, outlet);
    std::uint32_t moved = 0;
    for (std::uint32_t burst = 0; burst < kReplicaBurstsPerTurn; ++burst) {
        if (outlet.builds != nullptr) moved += build_for_lines(lane, outlet, now);
        if (outlet.first == outlet.end) stamp_burst(lane, outlet, now);
        const bool has_frames = outlet.first != outlet.end;
        if (has_frames) moved += transmit(lane, outlet, now);
        if (outlet.first != outlet.end) break;  // the port is full
        outlet.complete(std::exchange(work.finished, 0));
        if (!has_frames) break;
    }
    if (outlet.line != nullptr) {
        outlet.line->set_stuck(lane.data_stuck_since != Instant{} &&
                               now - lane.data_stuck_since >= FeedLine::kPatience);
    }
    return moved;
}

void abandon(Lane& lane, Outlet& outlet) noexcept {
    Replication& work = *outlet.replication;
    for (; work.first != work.end; finish(work, work.payloads[work.first].packet)) {
        Headers headers;
        ReplicaCursor cursor = work.terms ? work.cursor : ReplicaCursor{};
        std::size_t n = 0;
        do {
            n = work.destinations.next(cursor, headers);
            lane.tally.drop(DropReason::sender_closed, n);
        } while (n == headers.size());
    }
    if (outlet.line != nullptr) {
        lane.tally.drop(DropReason::sender_closed, outlet.line->drain());
    }
    outlet.complete(std::exchange(work.finished, 0));
}

}  // namespace joinleaf::dataplane
