#include <dataplane/replicate.h>
#include <dataplane/transmit.h>

#include <algorithm>

namespace joinleaf::dataplane {
namespace {

DropReason why_stuck(const Lane& lane) noexcept {
    return lane.link_up.load(std::memory_order_relaxed) ? DropReason::transmit_ring_full
                                                        : DropReason::link_down;
}

// Whether a port that took nothing at `now`, from whomever, has had its time. Once it is over, each
// further burst is tried once, until the port takes something again.
bool out_of_patience(Instant& stuck_since, Instant now) noexcept {
    if (stuck_since == Instant{}) stuck_since = now;
    return now - stuck_since >= kTransmitPatience;
}

void took_something(Lane& lane) noexcept {
    lane.control_stuck_since = {};
    lane.data_stuck_since = {};
}

// Where a datagram goes out as one frame, its frame's end is its own.
void complete(Outlet& outlet, std::uint32_t frames) noexcept {
    if (!outlet.replication) outlet.complete(frames);
}

void drop_frames(Lane& lane, std::span<dpdk::Packet* const> frames, DropReason why,
                 Instant now) noexcept {
    for (const dpdk::Packet* frame : frames) lane.recorder.dropped(frame, why, Way::out, now);
    lane.tally.drop(why, frames.size());
}

void drop_pending(Lane& lane, Outlet& outlet, DropReason why, Instant now) noexcept {
    const std::uint32_t waiting = outlet.end - outlet.first;
    const std::span<dpdk::Packet*> frames(outlet.pending.data() + outlet.first, waiting);
    drop_frames(lane, frames, why, now);
    dpdk::free_all(frames);
    outlet.first = outlet.end;
    complete(outlet, waiting);
}

// Returns how many of them the port took.
std::uint32_t give(Lane& lane, std::span<dpdk::Packet*> frames, Instant now) noexcept {
    if (!lane.recorder.is_on()) [[likely]]
        return lane.port.transmit(frames, lane.queue);
    lane.recorder.offered(frames, now);
    const std::uint32_t taken = lane.port.transmit(frames, lane.queue);
    lane.recorder.taken(frames.size(), taken, now);
    return taken;
}

}  // namespace

void transmit_control(Lane& lane, SpscQueue<Acknowledgement>& acknowledgements, TscClock& clock,
                      Instant now) noexcept {
    if (lane.control_count == 0) return;
    std::array<dpdk::Packet*, Lane::kControlSlots> packets;
    std::uint64_t bytes[Lane::kControlSlots];
    for (std::size_t i = 0; i < lane.control_count; ++i) {
        packets[i] = lane.control[i].packet;
        bytes[i] = dpdk::length(packets[i]);
    }
    const std::span<dpdk::Packet*> frames(packets.data(), lane.control_count);
    if (lane.recorder.is_on()) [[unlikely]]
        lane.recorder.offered(frames, now);
    const std::size_t taken = lane.port.transmit(frames, lane.queue);
    const Instant at = taken > 0 ? clock.now() : now;
    if (lane.recorder.is_on()) [[unlikely]]
        lane.recorder.taken(frames.size(), taken, at);
    std::size_t gone = taken;
    if (taken > 0) {
        took_something(lane);
        lane.data_is_next = true;
    } else if (out_of_patience(lane.control_stuck_since, now)) {
        gone = lane.control_count;
        drop_frames(lane, frames, why_stuck(lane), now);
        dpdk::free_all(frames);
    }
    for (std::size_t i = 0; i < gone; ++i) {
        const Acknowledgement answer{.token = lane.control[i].token, .at = at, .done = i < taken};
        // As many slots as commands may be under way.
        static_cast<void>(acknowledgements.push(answer));
        if (i >= taken) continue;
        lane.tally.add(Count::transmitted, 1);
        lane.tally.add(Count::transmitted_bytes, bytes[i]);
    }
    const auto begin = lane.control.begin();
    std::copy(begin + static_cast<std::ptrdiff_t>(gone),
              begin + static_cast<std::ptrdiff_t>(lane.control_count), begin);
    lane.control_count -= gone;
}

std::uint32_t transmit(Lane& lane, Outlet& outlet, Instant now) noexcept {
    const std::uint32_t waiting = outlet.end - outlet.first;
    if (waiting == 0) return 0;
    // Of thousands of outlets one would find each slot that a slow port frees, before a control
    // frame does.
    const bool yields = lane.control_count > 0 && !lane.data_is_next;
    const std::uint32_t taken =
        yields ? 0 : give(lane, {outlet.pending.data() + outlet.first, waiting}, now);
    if (taken == 0) {
        if (out_of_patience(lane.data_stuck_since, now)) {
            drop_pending(lane, outlet, why_stuck(lane), now);
        }
        return 0;
    }
    took_something(lane);
    lane.data_is_next = false;
    std::uint64_t payload = 0;
    for (std::uint32_t i = 0; i < taken; ++i) payload += outlet.pending_length[outlet.first + i];
    outlet.first += taken;
    lane.tally.add(Count::transmitted, taken);
    lane.tally.add(Count::transmitted_bytes, payload + taken * outlet.header.size());
    lane.tally.add(Count::sent, taken);
    lane.tally.add(Count::sent_bytes, payload);
    bump(outlet.sent, taken);
    complete(outlet, taken);
    return taken;
}

void close_outlet(Lane& lane, Outlet& outlet, Instant now) noexcept {
    drop_pending(lane, outlet, DropReason::sender_closed, now);
    if (outlet.replication) abandon(lane, outlet);
    if (outlet.queue == nullptr) return;
    std::array<Filled, dpdk::kBurst> filled;
    while (const auto n = outlet.queue->collect(filled)) {
        for (std::size_t i = 0; i < n; ++i) dpdk::free(filled[i].packet);
        lane.tally.drop(DropReason::sender_closed, n);
        outlet.queue->complete(n);
    }
}

}  // namespace joinleaf::dataplane
