// The sending half of a turn: payloads from the application get their headers.
#pragma once

#include <dataplane/lane.h>

#include <joinleaf/clock.h>

namespace joinleaf::dataplane {

/// Takes the next burst of one outlet, unless its last one still waits for the port: writes the
/// headers, lets members on this host have their references, and leaves the frames pending for
/// transmit(). Returns how many datagrams there were.
std::uint32_t fan_out(Lane& lane, Outlet& outlet, Instant now) noexcept;

}  // namespace joinleaf::dataplane
