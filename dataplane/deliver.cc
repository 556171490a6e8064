#include <dataplane/deliver.h>

namespace joinleaf::dataplane {

std::span<const std::byte> Delivery::split_payload(const Arrival& arrival,
                                                   std::span<const std::byte> rest) noexcept {
    if (!rest.empty()) return rest;
    const auto* const next = dpdk::next_segment(arrival.packet);
    const auto whole = dpdk::first_segment(next);
    return whole.size() < arrival.payload_length ? rest : whole;
}

// Linear over at most eight: a feed handler reads a handful of queues.
Delivery::Run& Delivery::find_run(const InlineHandler& outgo) noexcept {
    for (std::size_t i = 0; i < open_; ++i) {
        if (runs_[i].outgo.context != outgo.context || runs_[i].outgo.call != outgo.call) continue;
        last_ = i;
        return runs_[i];
    }
    last_ = open_;
    if (open_ < kOpenRuns) {
        ++open_;
    } else {
        last_ = oldest_;
        oldest_ = (oldest_ + 1) % kOpenRuns;
        hand_over(runs_[last_]);
    }
    runs_[last_].outgo = outgo;
    runs_[last_].count = 0;
    return runs_[last_];
}

void Delivery::hand_over(Run& run) noexcept {
    if (run.count == 0) return;
    const std::span<const Datagram> datagrams(run.datagrams.data(), run.count);
    std::size_t taken = datagrams.size();
    if (run.outgo.call != nullptr) {
        run.outgo.call(run.outgo.context, datagrams);
        if (run.subscriptions[0]->relays) {  // counted by whoever delivers them
            run.count = 0;
            return;
        }
    } else {
        taken = run.subscriptions[0]->queue().deliver(datagrams);
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
        record_drop(datagrams[i]);
        dpdk::free(static_cast<dpdk::Packet*>(datagrams[i].buffer_));
    }
    tally_.drop(DropReason::receive_queue_full, datagrams.size() - taken);
    run.count = 0;
}

// A payload that is replicated is offered to this host before it has headers: it is no frame.
void Delivery::record_drop(const Datagram& datagram) noexcept {
    const auto* const packet = static_cast<const dpdk::Packet*>(datagram.buffer_);
    if (datagram.data_ == dpdk::data(packet)) return;
    recorder_.dropped(packet, DropReason::receive_queue_full, Way::in, datagram.received_at_);
}

void Delivery::flush() noexcept {
    for (std::size_t i = 0; i < open_; ++i) hand_over(runs_[i]);
    open_ = 0;
    oldest_ = 0;
}

}  // namespace joinleaf::dataplane
