// Hands the datagrams of one burst to their subscribers, run by run, by reference.
#pragma once

#include <dataplane/classify.h>
#include <dataplane/counters.h>
#include <dataplane/dpdk/packet.h>
#include <dataplane/recorder.h>
#include <dataplane/subscription.h>

#include <joinleaf/clock.h>
#include <array>
#include <cstdint>
#include <span>

namespace joinleaf::dataplane {

/// A datagram that passed every check, before it is addressed to a socket.
struct Arrival {
    dpdk::Packet* packet = nullptr;
    std::uint16_t payload_offset = 0;
    std::uint16_t payload_length = 0;
    Ipv4Address source;
    std::uint16_t source_port = 0;
};

/// Datagrams for the same destination (an application's queue, or a handler with its context) are
/// gathered into runs, so that each costs one call. A few runs are open at a time; the worker's
/// alone.
///
/// References: the caller owns each packet for the length of the burst. A queue that takes one gets
/// a reference of its own, which comes back through the queue.
class Delivery {
public:
    Delivery(Tally& tally, Recorder& recorder) : tally_(tally), recorder_(recorder) {}

    /// Offers one arrival to every subscription of the chain. `own` is the subscription of the
    /// socket that sent it, when it comes from this host: it hears itself only with loopback (M24).
    /// Returns whether any of them wants it; if not, all of them filter its source out.
    bool offer(const Arrival& arrival, Subscription* chain, const Subscription* own,
               Instant now) noexcept {
        return offer_unless(arrival, chain, now, [own](const Subscription& subscription) {
            return &subscription == own && !subscription.loopback;
        });
    }
    /// The same for what another worker passed on: it goes to sockets that are at home here alone,
    /// and not on to a third worker, which gets it from the first.
    bool offer_at_home(const Arrival& arrival, Subscription* chain, Instant now) noexcept {
        return offer_unless(arrival, chain, now,
                            [](const Subscription& subscription) { return subscription.relays; });
    }
    /// Hands over what is still gathered. At the end of each burst.
    void flush() noexcept;

private:
    struct Run {
        InlineHandler outgo;
        std::uint32_t count = 0;
        std::array<Datagram, dpdk::kBurst> datagrams;
        std::array<Subscription*, dpdk::kBurst> subscriptions;
    };
    static constexpr std::size_t kOpenRuns = 8;

    template <class PassOver>
    bool offer_unless(const Arrival& arrival, Subscription* chain, Instant now,
                      PassOver passes_over) noexcept {
        bool wanted = false;
        for (Subscription* subscription = chain; subscription != nullptr;
             subscription = subscription->next) {
            if (passes_over(*subscription)) continue;
            if (!subscription->admits(arrival.source)) {
                bump(subscription->source_filtered);
                continue;
            }
            wanted = true;
            add(run_of(subscription->outgo), arrival, *subscription, now);
        }
        return wanted;
    }
    // The last one used is nearly always the right one.
    [[nodiscard]] Run& run_of(const InlineHandler& outgo) noexcept {
        Run& last = runs_[last_];
        if (last_ < open_ && last.outgo.context == outgo.context && last.outgo.call == outgo.call) {
            return last;
        }
        return find_run(outgo);
    }
    void add(Run& run, const Arrival& arrival, Subscription& subscription, Instant now) noexcept {
        auto segment = dpdk::first_segment(arrival.packet).subspan(arrival.payload_offset);
        if (segment.size() < arrival.payload_length) [[unlikely]] {
            segment = split_payload(arrival, segment);
        }
        Datagram& datagram = run.datagrams[run.count];
        datagram.data_ = segment.data();
        datagram.buffer_ = arrival.packet;
        datagram.cookie_ = subscription.cookie;
        datagram.received_at_ = now;
        datagram.size_ = arrival.payload_length;
        datagram.first_ = static_cast<std::uint32_t>(
            segment.size() < arrival.payload_length ? segment.size() : arrival.payload_length);
        datagram.source_ = arrival.source;
        datagram.socket_ = subscription.socket;
        datagram.source_port_ = arrival.source_port;
        run.subscriptions[run.count] = &subscription;
        subscription.touch(now);
        if (subscription.outgo.call == nullptr) dpdk::add_reference(arrival.packet);
        if (++run.count == run.datagrams.size()) hand_over(run);
    }
    /// The first part of a payload that the first segment does not hold whole. A root that
    /// replicates puts the headers into a segment of their own, and all of the payload into the
    /// next. `rest`: what the first segment has of it.
    [[nodiscard]] static std::span<const std::byte> split_payload(
        const Arrival& arrival, std::span<const std::byte> rest) noexcept;
    [[nodiscard]] Run& find_run(const InlineHandler& outgo) noexcept;
    void hand_over(Run& run) noexcept;
    /// Of a datagram that nobody takes from here.
    void record_drop(const Datagram& datagram) noexcept;

    Tally& tally_;
    Recorder& recorder_;
    std::array<Run, kOpenRuns> runs_;
    std::size_t open_ = 0;
    std::size_t last_ = 0;
    std::size_t oldest_ = 0;
};

}  // namespace joinleaf::dataplane
