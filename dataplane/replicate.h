// The sending half of a turn where each datagram goes to many destinations: one payload, and a
// small header in front of it for each.
#pragma once

#include <dataplane/lane.h>

#include <joinleaf/clock.h>

namespace joinleaf::dataplane {

/// Bursts of one outlet in a turn: enough that what a turn costs besides does not show, few enough
/// (some microseconds) that control frames and what is received meanwhile do not wait.
inline constexpr std::uint32_t kReplicaBurstsPerTurn = 8;

/// Goes on with the outlet's datagrams where the last turn left off, and takes new ones when all in
/// hand are done. What the port does not take stays pending and is offered again. Returns how many
/// frames it took, and datagrams of a feed it built for other ports.
///
/// Each destination that is resolved gets a frame of its own; those that are not are counted
/// (unresolved_neighbour) and hold up nobody.
std::uint32_t replicate(Lane& lane, Outlet& outlet, Instant now) noexcept;

/// Frees and counts what an outlet that is taken away has still in hand, as sender_closed: one
/// for each destination that does not get it.
void abandon(Lane& lane, Outlet& outlet) noexcept;

}  // namespace joinleaf::dataplane
