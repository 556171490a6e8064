// One socket's interest in a group and port, as the worker knows it.
#pragma once

#include <dataplane/counters.h>
#include <dataplane/group_table.h>
#include <dataplane/socket_queue.h>

#include <joinleaf/clock.h>
#include <joinleaf/receiver.h>
#include <joinleaf/source_filter.h>
#include <atomic>
#include <cstdint>

namespace joinleaf::dataplane {

/// Made by the control thread, lent to one worker between an added and a removed acknowledgement.
struct Subscription {
    // Set before it is lent.
    GroupKey key{};
    SocketId socket{};
    std::uint64_t cookie = 0;
    InlineHandler handler{};        ///< when set, datagrams go here ...
    ReceiveQueue* queue = nullptr;  ///< ... else here

    // The worker's.
    const SourceFilter* filter = nullptr;
    bool loopback = false;         ///< M24: hears what its own socket sends
    Subscription* next = nullptr;  ///< the next one of the same group and port

    // Written by the worker, read by anyone. Instants as nanoseconds of the clock; 0: never.
    std::atomic<std::int64_t> first_at{0};
    std::atomic<std::int64_t> last_at{0};
    std::atomic<std::uint64_t> delivered{0};
    std::atomic<std::uint64_t> queue_full{0};
    std::atomic<std::uint64_t> source_filtered{0};

    [[nodiscard]] bool admits(Ipv4Address source) const noexcept {
        if (filter->sources().empty()) return filter->mode() == FilterMode::exclude;
        return filter->admits(source);
    }
    void touch(Instant now) noexcept {
        const auto at = now.time_since_epoch().count();
        if (first_at.load(std::memory_order_relaxed) == 0) {
            first_at.store(at, std::memory_order_relaxed);
        }
        last_at.store(at, std::memory_order_relaxed);
    }
};

}  // namespace joinleaf::dataplane
