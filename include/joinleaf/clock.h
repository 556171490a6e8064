// The one notion of time: instants of the monotonic clock, handed to whoever needs them.
#pragma once

#include <joinleaf/api.h>

#include <chrono>

namespace JOINLEAF_API joinleaf {

/// A moment on CLOCK_MONOTONIC in nanoseconds. Time stamps of bursts, of reports and of events
/// are all of this kind, so they can be compared across threads and with the application's own
/// std::chrono::steady_clock readings. Protocol code takes an Instant as an argument and never
/// reads a clock.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

static_assert(std::chrono::steady_clock::period::den == 1'000'000'000);

}  // namespace joinleaf
