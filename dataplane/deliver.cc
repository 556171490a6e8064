#include <dataplane/deliver.h>

namespace joinleaf::dataplane {
namespace {

// The payload, or its first part. A root that replicates puts the headers into a segment of their
// own, and the whole payload into the next.
std::span<const std::byte> payload_of(const Arrival& arrival) noexcept {
    const auto rest = dpdk::first_segment(arrival.packet).subspan(arrival.payload_offset);
    if (!rest.empty() || arrival.payload_length == 0) [[likely]]
        return rest;
    const auto* const next = dpdk::next_segment(arrival.packet);
    const auto whole = dpdk::first_segment(next);
    return whole.size() < arrival.payload_length ? rest : whole;
}

}  // namespace

// Linear over at most eight pointers: a feed handler reads a handful of queues, and the last one
// used is nearly always the right one.
Delivery::Run& Delivery::run_of(const Subscription& subscription) noexcept {
    const void* destination = subscription.handler.call != nullptr
                                  ? static_cast<const void*>(&subscription)
                                  : static_cast<const void*>(subscription.queue);
    for (std::size_t i = 0; i < open_; ++i) {
        if (runs_[i].destination == destination) return runs_[i];
    }
    std::size_t slot = open_;
    if (open_ < kOpenRuns) {
        ++open_;
    } else {
        slot = oldest_;
        oldest_ = (oldest_ + 1) % kOpenRuns;
        hand_over(runs_[slot]);
    }
    runs_[slot].destination = destination;
    runs_[slot].count = 0;
    return runs_[slot];
}

bool Delivery::offer(const Arrival& arrival, Subscription* chain, const Subscription* own,
                     Instant now) {
    bool wanted = false;
    for (Subscription* subscription = chain; subscription != nullptr;
         subscription = subscription->next) {
        if (subscription == own && !subscription->loopback) continue;
        if (!subscription->admits(arrival.source)) {
            bump(subscription->source_filtered);
            continue;
        }
        wanted = true;
        const auto segment = payload_of(arrival);
        Run& run = run_of(*subscription);
        Datagram& datagram = run.datagrams[run.count];
        datagram.data_ = segment.data();
        datagram.buffer_ = arrival.packet;
        datagram.cookie_ = subscription->cookie;
        datagram.received_at_ = now;
        datagram.size_ = arrival.payload_length;
        datagram.first_ = static_cast<std::uint32_t>(
            segment.size() < arrival.payload_length ? segment.size() : arrival.payload_length);
        datagram.source_ = arrival.source;
        datagram.socket_ = subscription->socket;
        datagram.source_port_ = arrival.source_port;
        run.subscriptions[run.count] = subscription;
        subscription->touch(now);
        if (subscription->handler.call == nullptr) dpdk::add_reference(arrival.packet);
        if (++run.count == run.datagrams.size()) hand_over(run);
    }
    return wanted;
}

void Delivery::hand_over(Run& run) noexcept {
    if (run.count == 0) return;
    const std::span<const Datagram> datagrams(run.datagrams.data(), run.count);
    const Subscription& first = *run.subscriptions[0];
    std::size_t taken = datagrams.size();
    if (first.handler.call != nullptr) {
        first.handler.call(first.handler.context, datagrams);
    } else {
        taken = first.queue->deliver(datagrams);
    }
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < taken; ++i) {
        bump(run.subscriptions[i]->delivered);
        bytes += datagrams[i].size();
    }
    tally_.add(Count::delivered, taken);
    tally_.add(Count::delivered_bytes, bytes);
    for (std::size_t i = taken; i < datagrams.size(); ++i) {
        bump(run.subscriptions[i]->queue_full);
        dpdk::free(static_cast<dpdk::Packet*>(datagrams[i].buffer_));
    }
    tally_.drop(DropReason::receive_queue_full, datagrams.size() - taken);
    run.count = 0;
}

void Delivery::flush() noexcept {
    for (std::size_t i = 0; i < open_; ++i) hand_over(runs_[i]);
    open_ = 0;
    oldest_ = 0;
}

}  // namespace joinleaf::dataplane
