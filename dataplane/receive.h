// The receiving half of a turn: a burst from the port, classified, looked up and delivered.
#pragma once

#include <dataplane/command.h>
#include <dataplane/lane.h>
#include <dataplane/spsc_queue.h>

#include <joinleaf/clock.h>

namespace joinleaf::dataplane {

/// Takes one burst from the lane's port. Control frames go to `control`; data goes to its
/// subscribers; everything else is counted by reason and freed. Returns how many frames came.
std::uint32_t receive(Lane& lane, LaneIndex index, SpscQueue<ControlFrame>& control,
                      Instant now) noexcept;

}  // namespace joinleaf::dataplane
