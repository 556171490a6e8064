// The end of a turn: pending frames to the port, control frames first.
#pragma once

#include <dataplane/command.h>
#include <dataplane/lane.h>
#include <dataplane/spsc_queue.h>
#include <dataplane/tsc_clock.h>

#include <joinleaf/clock.h>

namespace joinleaf::dataplane {

/// How long a port that takes nothing, from whomever, is waited for, a turn at a time, before
/// frames are dropped. While it takes a little, who sends waits for its turn.
inline constexpr Duration kTransmitPatience = std::chrono::milliseconds(100);

/// Hands the lane's control frames to the port and acknowledges those it took, with the time of
/// that burst; `clock` is read after the burst. A frame that the port would not take for
/// kTransmitPatience is dropped, counted and acknowledged as not done.
void transmit_control(Lane& lane, SpscQueue<Acknowledgement>& acknowledgements, TscClock& clock,
                      Instant now) noexcept;

/// Hands the outlet's pending frames to the port. What it does not take stays pending; what it
/// would not take for kTransmitPatience is dropped and counted. Returns how many it took.
std::uint32_t transmit(Lane& lane, Outlet& outlet, Instant now) noexcept;

/// Frees and counts what an outlet that is taken away still holds or was still to get.
void close_outlet(Lane& lane, Outlet& outlet, Instant now) noexcept;

}  // namespace joinleaf::dataplane
