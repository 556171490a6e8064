#include <dataplane/relay.h>

#include <array>

namespace joinleaf::dataplane {

namespace {

// Behind the headers: in the first segment, or, where that holds nothing else, in the next.
std::uint16_t offset_of(const Datagram& datagram, const dpdk::Packet* packet) noexcept {
    const auto first = dpdk::first_segment(packet);
    const bool lies_there =
        datagram.data_ >= first.data() && datagram.data_ <= first.data() + first.size();
    return static_cast<std::uint16_t>(
        lies_there ? static_cast<std::size_t>(datagram.data_ - first.data()) : first.size());
}

// Another lane has recorded that it came; this one records that it ended here.
void drop(Lane& lane, const dpdk::Packet* packet, DropReason why, Instant now) noexcept {
    lane.tally.drop(why);
    lane.recorder.dropped(packet, why, Way::in, now);
}

}  // namespace

void Relay::pass_on(void* self, std::span<const Datagram> datagrams) noexcept {
    auto& relay = *static_cast<Relay*>(self);
    std::array<RelayedDatagram, dpdk::kBurst> batch;
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
        const Datagram& datagram = datagrams[i];
        auto* const packet = static_cast<dpdk::Packet*>(datagram.buffer_);
        dpdk::add_reference(packet);
        batch[i] = {.arrival = {.packet = packet,
                                .payload_offset = offset_of(datagram, packet),
                                .payload_length = static_cast<std::uint16_t>(datagram.size()),
                                .source = datagram.source(),
                                .source_port = datagram.source_port()},
                    .key = relay.key,
                    .lane = relay.lane};
    }
    const std::size_t taken = relay.queue->push({batch.data(), datagrams.size()});
    for (std::size_t i = taken; i < datagrams.size(); ++i) {
        dpdk::Packet* const packet = batch[i].arrival.packet;
        relay.from->recorder.dropped(packet, DropReason::relay_queue_full, Way::in,
                                     datagrams[i].received_at());
        dpdk::free(packet);
    }
    relay.from->tally.drop(DropReason::relay_queue_full, datagrams.size() - taken);
}

std::uint32_t take_relayed(RelayQueue& queue, std::span<const std::unique_ptr<Lane>> lanes,
                           Instant now) noexcept {
    if (queue.empty()) return 0;
    std::array<RelayedDatagram, dpdk::kBurst> batch;
    const std::size_t n = queue.pop(batch);
    for (std::size_t i = 0; i < n; ++i) dpdk::prefetch_header(batch[i].arrival.packet);
    std::array<dpdk::Packet*, dpdk::kBurst> finished;
    for (std::size_t i = 0; i < n; ++i) {
        const auto& [arrival, key, index] = batch[i];
        Lane& lane = *lanes[index];
        finished[i] = arrival.packet;
        Subscription* const chain = lane.subscriptions.find(key);
        if (chain == nullptr) {
            drop(lane, arrival.packet, DropReason::no_subscriber, now);  // it has left meanwhile
        } else if (!lane.delivery.offer_at_home(arrival, chain, now)) {
            drop(lane, arrival.packet, DropReason::source_filtered, now);
        }
    }
    for (const auto& lane : lanes) lane->delivery.flush();
    dpdk::free_all({finished.data(), n});
    return static_cast<std::uint32_t>(n);
}

}  // namespace joinleaf::dataplane
