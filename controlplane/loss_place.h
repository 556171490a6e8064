// Where the packets of a port were lost, by its counters. Pure.
#pragma once

#include <joinleaf/status.h>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace joinleaf::controlplane {

/// Where a packet was lost, or kept away.
enum class LossPlace : std::uint8_t {
    wire,               ///< it arrived damaged: by the driver's word, its checksums, its lengths
    nic,                ///< the NIC had no descriptor: the worker did not come in time
    no_mbuf,            ///< the receive pool was empty: applications hold its buffers
    worker_queue,       ///< between workers, or to the control thread: it was full
    application_queue,  ///< the application did not take its datagrams in time
    source_filter,      ///< of a group that is joined, from a sender that is not wanted
    transmit,           ///< it was to be sent, and the port or the network did not take it
};
inline constexpr std::size_t kLossPlaceCount = 7;
[[nodiscard]] std::string_view name(LossPlace place) noexcept;

/// Frames of a port that were lost there.
[[nodiscard]] std::uint64_t lost(const PortCounters& counters, LossPlace place) noexcept;

}  // namespace joinleaf::controlplane
