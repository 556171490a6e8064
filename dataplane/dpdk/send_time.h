// How a NIC is told when to send a packet: by a field of the packet, in ticks of the port's clock
// (RTE_MBUF_DYNFIELD_TIMESTAMP_NAME).
#pragma once

#include <dataplane/dpdk/packet.h>
#include <dataplane/port_clock.h>
#include <rte_mbuf_dyn.h>

#include <cstdint>
#include <optional>

namespace joinleaf::dataplane::dpdk {

class SendTime {
public:
    /// The same for all ports of the process. None: no room for the field in packets.
    [[nodiscard]] static std::optional<SendTime> field() noexcept;

    /// After the packet's extent has been set.
    void put(Packet* packet, std::uint64_t ticks) const noexcept {
        *RTE_MBUF_DYNFIELD(packet, offset_, std::uint64_t*) = ticks;
        packet->ol_flags |= flag_;
    }
    /// None: the packet goes at once.
    [[nodiscard]] std::optional<std::uint64_t> of(const Packet* packet) const noexcept {
        if ((packet->ol_flags & flag_) == 0) return std::nullopt;
        return *RTE_MBUF_DYNFIELD(packet, offset_, const std::uint64_t*);
    }

private:
    SendTime(int offset, std::uint64_t flag) noexcept : offset_(offset), flag_(flag) {}

    int offset_;
    std::uint64_t flag_;
};

/// Of a port that holds each packet until its time.
struct SendTiming {
    PortClock clock;
    SendTime field;

    void put(Packet* packet, Instant due) const noexcept { field.put(packet, clock.ticks_at(due)); }
};

}  // namespace joinleaf::dataplane::dpdk
