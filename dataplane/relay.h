// Between workers: a datagram that came in on one worker's queue for a socket at home on another's.
// The last resort, where the NIC does not steer a group to its worker's queue by itself.
#pragma once

#include <dataplane/command.h>
#include <dataplane/counters.h>
#include <dataplane/dpdk/packet.h>
#include <dataplane/group_table.h>
#include <dataplane/lane.h>
#include <dataplane/spsc_queue.h>

#include <joinleaf/receiver.h>
#include <cstdint>
#include <memory>
#include <span>

namespace joinleaf::dataplane {

/// A checked datagram on its way, with a reference to its packet.
struct RelayedDatagram {
    Arrival arrival;
    GroupKey key;
    LaneIndex lane = 0;  ///< of the worker it goes to
};

/// From one worker to another.
using RelayQueue = SpscQueue<RelayedDatagram>;
inline constexpr std::size_t kRelaySlots = 4096;

/// The way from one lane to the lane of another worker where a group's socket is at home: the
/// context of a subscription's handler. One for each group, as the handler is not told the group.
struct Relay {
    RelayQueue* queue = nullptr;
    Lane* from = nullptr;  ///< the lane that it leads away from
    GroupKey key;
    LaneIndex lane = 0;  ///< that it leads to

    /// Worker of the lane that it leads away from. What the queue does not take is counted.
    static void pass_on(void* self, std::span<const Datagram> datagrams) noexcept;
};

/// Worker. Delivers what others have passed on, a bounded number a call. Returns how many.
std::uint32_t take_relayed(RelayQueue& queue, std::span<const std::unique_ptr<Lane>> lanes,
                           Instant now) noexcept;

}  // namespace joinleaf::dataplane
