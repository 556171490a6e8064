// What the control thread asks of a worker, and what the worker answers.
#pragma once

#include <dataplane/dpdk/packet.h>
#include <dataplane/dpdk/send_time.h>
#include <dataplane/header_template.h>
#include <dataplane/outlet.h>

#include <joinleaf/clock.h>
#include <joinleaf/source_filter.h>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <variant>

namespace joinleaf::dataplane {

struct Subscription;
class ReceiveQueue;
class Recording;

/// Index of a lane (a port, or a queue of it, as this worker polls it).
using LaneIndex = std::uint16_t;

// What a command points to is lent until its removal has been acknowledged.
struct AddReceiveQueue {
    ReceiveQueue* queue;
};
struct RemoveReceiveQueue {
    ReceiveQueue* queue;
};
struct AddSubscription {
    LaneIndex lane;
    Subscription* subscription;
};
struct RemoveSubscription {
    LaneIndex lane;
    Subscription* subscription;
};
/// The filter used before is no longer looked at once this is acknowledged.
struct ReplaceFilter {
    Subscription* subscription;
    const SourceFilter* filter;
};
struct SetLoopback {
    Subscription* subscription;
    bool on;
};
struct AddOutlet {
    LaneIndex lane;
    Outlet* outlet;
};
struct RemoveOutlet {
    LaneIndex lane;
    Outlet* outlet;
};
/// Copied by the worker; `header` may go once this is acknowledged.
struct ReplaceHeader {
    Outlet* outlet;
    const HeaderTemplate* header;
    Route route;
};
/// An outlet that has had no payloads yet gets them from there.
struct SetFeed {
    Outlet* outlet;
    FeedSource* feed;
    FeedLine* line;
    FeedLines* builds;
};
/// From now on; what a burst has gathered or owes is forgotten.
struct SetPace {
    Outlet* outlet;
    Pace pace;
};
/// The lane's port is told when to send each frame, by this clock: from now on it keeps the rates
/// of outlets, or the worker does again.
struct SetSendTiming {
    LaneIndex lane;
    std::optional<dpdk::SendTiming> timing;
};
/// A destination of an outlet with a replication, new or another in its place. Copied by the
/// worker; `header` may go once this is acknowledged, and datagrams taken from then on go there.
struct PutReplica {
    Outlet* outlet;
    std::uint32_t slot;
    const HeaderTemplate* header;
    bool resolved;
};
/// No datagram goes there any more once this is acknowledged, except for a burst that the port has
/// not taken yet.
struct RemoveReplica {
    Outlet* outlet;
    std::uint32_t slot;
};
/// The lane's recorder goes on in `fresh` once it has recorded `after` more packets
/// (LentRecording). Acknowledged at once; take_back() tells when it has.
struct ReplaceRecording {
    LaneIndex lane;
    Recording* fresh;
    std::size_t after;
};
/// The worker owns the packet. Acknowledged when the port took it (`at` is the time stamp of that
/// burst), or, with `done` false, when the port would not for too long.
struct TransmitFrame {
    LaneIndex lane;
    dpdk::Packet* packet;
};

struct Command {
    std::uint64_t token = 0;
    std::variant<AddReceiveQueue, RemoveReceiveQueue, AddSubscription, RemoveSubscription,
                 ReplaceFilter, SetLoopback, AddOutlet, RemoveOutlet, ReplaceHeader, SetFeed,
                 SetPace, SetSendTiming, PutReplica, RemoveReplica, ReplaceRecording, TransmitFrame>
        what{};
};
static_assert(std::is_trivially_copyable_v<Command>);

/// Exactly one for each command.
struct Acknowledgement {
    std::uint64_t token = 0;
    Instant at{};
    bool done = true;
};

/// A frame for the control thread, which then owns the packet.
struct ControlFrame {
    dpdk::Packet* packet = nullptr;
    std::uint32_t offset = 0;  ///< of the ARP message or IPv4 header behind Ethernet and VLAN tags
    std::uint32_t length = 0;
    Instant at{};
    LaneIndex lane = 0;
};

}  // namespace joinleaf::dataplane
