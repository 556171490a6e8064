// One socket's way out of a port: where its payloads come from, the header they get, their pace.
#pragma once

#include <dataplane/counters.h>
#include <dataplane/dpdk/mempool.h>
#include <dataplane/dpdk/packet.h>
#include <dataplane/feed_source.h>
#include <dataplane/group_table.h>
#include <dataplane/header_template.h>
#include <dataplane/pacer.h>
#include <dataplane/replica_set.h>
#include <dataplane/socket_queue.h>

#include <joinleaf/clock.h>
#include <joinleaf/sender.h>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace joinleaf::dataplane {

struct Subscription;

/// Where an outlet's datagrams go.
enum class Route : std::uint8_t {
    wire,        ///< to the port, and to members on this host
    host_only,   ///< scope 0: to members on this host alone (M23)
    waiting,     ///< the next hop's MAC address is being asked for: nothing is taken yet
    unresolved,  ///< nobody answers for the next hop: dropped and counted
};

/// What an outlet has that sends each datagram to many destinations: to the leaves of a session, or
/// to several groups.
struct Replication {
    /// `frames_` is where the frames come from. Where the port transmits `chained_` segments, each
    /// is a header with a reference to the payload, and frames_ holds the headers and payloads of
    /// up to kSmallPayload octets; where it does not, each is a copy, and frames_ holds those.
    Replication(std::size_t capacity, dpdk::Mempool& frames_, bool chained_)
        : destinations(capacity), frames(frames_), chained(chained_) {}
    ~Replication();
    Replication(const Replication&) = delete;
    Replication& operator=(const Replication&) = delete;

    /// Up to here a copy is no dearer than a reference, and the frame has one segment only.
    static constexpr std::uint32_t kSmallPayload = 256;

    ReplicaSet destinations;  ///< changed by commands
    dpdk::Mempool& frames;
    const bool chained;
    /// Groups whose members on this host get each datagram by reference. Set before it is lent.
    std::vector<GroupKey> heard_here;

    // The worker's: the payloads in hand, and how far the first of them has come.
    std::array<Filled, dpdk::kBurst> payloads{};
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    ReplicaCursor cursor{};
    std::optional<PayloadTerms> terms;  ///< of the first; none: it has not been begun
    std::uint32_t finished = 0;         ///< whose last frames the port has not taken yet
    Instant starved_since{};            ///< when frames first ran out; zero: there are some
};

/// Made by the control thread, lent to one worker between an added and a removed acknowledgement.
struct Outlet {
    explicit Outlet(const HeaderTemplate& header_) : header(header_) {}
    /// Frees what a worker that was stopped has left in it.
    ~Outlet() { dpdk::free_all({pending.data() + first, end - first}); }
    Outlet(const Outlet&) = delete;
    Outlet& operator=(const Outlet&) = delete;

    // Set before it is lent.
    GroupKey key{};
    Ipv4Address source;
    std::uint16_t source_port = 0;
    std::uint32_t payload_capacity = 0;
    // Where payloads come from; where none is set, there are none.
    SendQueue* queue = nullptr;
    InlineSource inline_source{};
    FeedSource* feed = nullptr;         ///< set by command
    const Subscription* own = nullptr;  ///< the same socket's receiving side, if it has one
    /// Set where a datagram goes to many destinations; `header` then only tells the size of theirs.
    std::unique_ptr<Replication> replication;

    // The worker's.
    HeaderTemplate header;
    Route route = Route::wire;
    bool udp_checksum = true;
    Pacer pacer{};
    /// Ready for the port, oldest first; never mixed with a newer burst.
    std::array<dpdk::Packet*, dpdk::kBurst> pending{};
    std::array<std::uint16_t, dpdk::kBurst> pending_length{};  ///< payload octets of each
    std::uint32_t first = 0;
    std::uint32_t end = 0;

    // Written by the worker, read by anyone.
    std::atomic<std::uint64_t> sent{0};

    /// Worker. The next `n` datagrams that were taken have left, or were dropped.
    void complete(std::size_t n) noexcept {
        if (queue != nullptr) queue->complete(n);
        if (feed != nullptr) feed->complete(n);
    }
};

}  // namespace joinleaf::dataplane
