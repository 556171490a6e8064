// One socket's way out of a port: where its payloads come from, the header they get, their pace.
#pragma once

#include <dataplane/counters.h>
#include <dataplane/dpdk/packet.h>
#include <dataplane/group_table.h>
#include <dataplane/header_template.h>
#include <dataplane/pacer.h>
#include <dataplane/socket_queue.h>

#include <joinleaf/clock.h>
#include <joinleaf/sender.h>
#include <array>
#include <cstdint>

namespace joinleaf::dataplane {

struct Subscription;

/// Where an outlet's datagrams go.
enum class Route : std::uint8_t {
    wire,        ///< to the port, and to members on this host
    host_only,   ///< scope 0: to members on this host alone (M23)
    waiting,     ///< the next hop's MAC address is being asked for: nothing is taken yet
    unresolved,  ///< nobody answers for the next hop: dropped and counted
};

/// Made by the control thread, lent to one worker between an added and a removed acknowledgement.
struct Outlet {
    explicit Outlet(const HeaderTemplate& header_) : header(header_) {}
    /// Frees what a worker that was stopped has left in it.
    ~Outlet() {
        dpdk::free_all({pending.data() + first, end - first});
        dpdk::free_all({spare.data(), spare_count});
    }
    Outlet(const Outlet&) = delete;
    Outlet& operator=(const Outlet&) = delete;

    // Set before it is lent.
    GroupKey key{};
    Ipv4Address source;
    std::uint16_t source_port = 0;
    std::uint32_t payload_capacity = 0;
    InlineSource inline_source{};
    SendQueue* queue = nullptr;         ///< used when there is no inline source
    const Subscription* own = nullptr;  ///< the same socket's receiving side, if it has one

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
    /// Buffers that the inline source left empty, for its next turn.
    std::array<dpdk::Packet*, dpdk::kBurst> spare{};
    std::uint32_t spare_count = 0;
    Instant stuck_since{};  ///< when the port last took nothing; zero: it takes

    // Written by the worker, read by anyone.
    std::atomic<std::uint64_t> sent{0};
};

}  // namespace joinleaf::dataplane
