// The sending half of a turn: payloads from the application get their headers.
#pragma once

#include <dataplane/lane.h>

#include <joinleaf/clock.h>
#include <array>
#include <chrono>

namespace joinleaf::dataplane {

/// Where the port sends each frame at its time, so long before that it is given them: some turns,
/// so that none comes too late.
inline constexpr Duration kSendAhead = std::chrono::microseconds(50);

/// A burst of payloads, each at its packet's payload_start().
using Payloads = std::array<Filled, dpdk::kBurst>;

/// Takes the next payloads of one outlet, at its pace, from its queue or inline source, and drops
/// those that are longer than its frames may be. Returns how many are left; they are the caller's.
std::uint32_t take_payloads(Lane& lane, Outlet& outlet, Instant now, Payloads& payloads) noexcept;
/// Builds the next datagrams of a feed that goes by several ports, as many as the lines have room
/// for, whatever waits for this outlet's own port. Returns how many.
std::uint32_t build_for_lines(Lane& lane, Outlet& outlet, Instant now) noexcept;
/// Lets the application go on filling its queue, while nothing is taken from it.
void keep_supplied(Lane& lane, Outlet& outlet) noexcept;

/// Takes the next burst of one outlet, unless its last one still waits for the port: writes the
/// headers, lets members on this host have their references, and leaves the frames pending for
/// transmit(). Returns how many datagrams there were.
std::uint32_t fan_out(Lane& lane, Outlet& outlet, Instant now) noexcept;

}  // namespace joinleaf::dataplane
