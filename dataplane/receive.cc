#include <dataplane/dpdk/burst.h>
#include <dataplane/receive.h>

#include <algorithm>
#include <array>

namespace joinleaf::dataplane {
namespace {

using dpdk::kBurst;
using dpdk::Packet;

// A datagram in several segments, its checksum not yet looked at by anybody.
bool chain_sums_up(const Packet* packet, const Classified& frame) noexcept {
    net::PiecewiseChecksum sum{net::ChecksumSum(frame.udp_pseudo_header)};
    std::size_t skip = frame.payload_offset - net::kUdpHeaderSize;
    std::size_t left = std::size_t{frame.payload_length} + net::kUdpHeaderSize;
    for (; packet != nullptr && left > 0; packet = dpdk::next_segment(packet)) {
        auto bytes = dpdk::first_segment(packet);
        bytes = bytes.subspan(std::min(skip, bytes.size()));
        skip = 0;
        bytes = bytes.first(std::min(left, bytes.size()));
        sum.add(bytes);
        left -= bytes.size();
    }
    return left == 0 && sum.sum().is_valid();
}

void drop(Lane& lane, const Packet* packet, DropReason why, Instant now) noexcept {
    lane.tally.drop(why);
    lane.recorder.dropped(packet, why, Way::in, now);
}

}  // namespace

std::uint32_t receive(Lane& lane, LaneIndex index, SpscQueue<ControlFrame>& control,
                      Instant now) noexcept {
    std::array<Packet*, kBurst> packets;
    const std::uint32_t n = lane.port.receive(packets, lane.queue);
    if (n == 0) return 0;
    const GroupTable& table = lane.subscriptions.table();

    auto& [arrivals, keys, hashes, chains] = lane.scratch;
    for (std::uint32_t i = 0; i < n; ++i) dpdk::prefetch(packets[i]);
    for (std::uint32_t i = 0; i < n; ++i) dpdk::prefetch_header(packets[i]);

    if (lane.recorder.is_on()) [[unlikely]]
        lane.recorder.received({packets.data(), n}, now);

    // Three passes, each of which asks for the memory that the next one reads: a packet's place in
    // the table, then who subscribed.
    std::uint64_t bytes = 0;
    std::size_t data_count = 0;
    std::array<Packet*, kBurst> finished;  // this worker's reference ends with the burst
    std::uint32_t finished_count = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
        Packet* const packet = packets[i];
        const ReceivedFrame received = dpdk::received_frame(packet);
        bytes += received.length;
        Classified frame;
        const Kind kind = classify(received, lane.identity, frame);
        if (kind == Kind::data) [[likely]] {
            finished[finished_count++] = packet;
            if (frame.udp_checksum_pending && !chain_sums_up(packet, frame)) {
                drop(lane, packet, DropReason::bad_udp_checksum, now);
                continue;
            }
            arrivals[data_count] = {.packet = packet,
                                    .payload_offset = frame.payload_offset,
                                    .payload_length = frame.payload_length,
                                    .source = frame.source,
                                    .source_port = frame.source_port};
            keys[data_count] = {frame.destination, frame.destination_port};
            hashes[data_count] = GroupTable::hash(keys[data_count]);
            table.prefetch(hashes[data_count++]);
            continue;
        }
        if (kind == Kind::control) {
            const ControlFrame message{.packet = packet,
                                       .offset = frame.payload_offset,
                                       .length = frame.payload_length,
                                       .at = now,
                                       .lane = index};
            if (control.push(message)) continue;  // the control thread owns it now
            drop(lane, packet, DropReason::control_queue_full, now);
        } else {
            drop(lane, packet, frame.reason, now);
        }
        finished[finished_count++] = packet;
    }
    lane.tally.add(Count::received, n);
    lane.tally.add(Count::received_bytes, bytes);

    for (std::size_t i = 0; i < data_count; ++i) {
        chains[i] = table.find(keys[i], hashes[i]);
        __builtin_prefetch(chains[i], 1);
    }
    for (std::size_t i = 0; i < data_count; ++i) {
        if (chains[i] == nullptr) {
            drop(lane, arrivals[i].packet, DropReason::no_subscriber, now);
        } else if (!lane.delivery.offer(arrivals[i], chains[i], nullptr, now)) {
            drop(lane, arrivals[i].packet, DropReason::source_filtered, now);
        }
    }
    lane.delivery.flush();
    if (lane.recorder.is_on()) [[unlikely]]
        lane.recorder.end_of_burst();
    dpdk::free_all({finished.data(), finished_count});
    return n;
}

}  // namespace joinleaf::dataplane
