// One socket's interest in a group and port, as the worker knows it.
#pragma once

#include <dataplane/counters.h>
#include <dataplane/group_table.h>
#include <dataplane/socket_queue.h>

#include <joinleaf/clock.h>
#include <joinleaf/receiver.h>
#include <joinleaf/source_filter.h>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace joinleaf::dataplane {

/// Made by the control thread, lent to one worker between an added and a removed acknowledgement.
/// What the worker touches for each datagram lies in the first cache line.
struct alignas(64) Subscription {
    // Set before it is lent.
    /// Where datagrams go: a handler or, where nothing is to be called, the ReceiveQueue that is
    /// its context.
    InlineHandler outgo{};
    std::uint64_t cookie = 0;
    SocketId socket{};

    // The worker's.
    enum class Takes : std::uint8_t { all, one, listed };
    Takes takes = Takes::all;      ///< most filters name one source or none: no list to look at
    bool loopback = false;         ///< M24: hears what its own socket sends
    bool relays = false;           ///< set before it is lent: `outgo` is a Relay to another worker
    Subscription* next = nullptr;  ///< the next one of the same group and port
    Ipv4Address one_source;        ///< ... it takes

    // Written by the worker, read by anyone. Instants as nanoseconds of the clock; 0: never.
    std::atomic<std::int64_t> last_at{0};
    std::atomic<std::uint64_t> delivered{0};

    // From here on rarely touched.
    std::atomic<std::int64_t> first_at{0};
    std::atomic<std::uint64_t> queue_full{0};
    std::atomic<std::uint64_t> source_filtered{0};
    const SourceFilter* listed = nullptr;  ///< the worker's
    GroupKey key{};                        ///< set before it is lent

    void deliver_to(ReceiveQueue& queue) noexcept { outgo = {nullptr, &queue}; }
    /// When there is nothing to call.
    [[nodiscard]] ReceiveQueue& queue() const noexcept {
        return *static_cast<ReceiveQueue*>(outgo.context);
    }

    /// Which sources it takes; all at first. `filter` must outlive its use. Before it is lent, and
    /// the worker afterwards.
    void set_filter(const SourceFilter& filter) noexcept {
        const bool names = filter.mode() == FilterMode::include;
        listed = &filter;
        takes = Takes::listed;
        if (!names && filter.sources().empty()) takes = Takes::all;
        if (names && filter.sources().size() == 1) {
            takes = Takes::one;
            one_source = filter.sources().front();
        }
    }
    [[nodiscard]] bool admits(Ipv4Address source) const noexcept {
        if (takes == Takes::all) return true;
        return takes == Takes::one ? source == one_source : listed->admits(source);
    }
    void touch(Instant now) noexcept {
        const auto at = now.time_since_epoch().count();
        if (last_at.load(std::memory_order_relaxed) == 0) [[unlikely]] {
            first_at.store(at, std::memory_order_relaxed);
        }
        last_at.store(at, std::memory_order_relaxed);
    }
};
static_assert(offsetof(Subscription, first_at) == 64);

/// Those of a process lie together, in huge pages as far as there are any: with many groups nearly
/// each datagram goes to another one. Any thread. Errors: throws std::bad_alloc.
[[nodiscard]] std::shared_ptr<Subscription> make_subscription();

}  // namespace joinleaf::dataplane
