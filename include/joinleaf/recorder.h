// The flight recorder: the last packets of every port, kept in memory and written to a file when
// somebody wants to know what happened.
#pragma once

#include <joinleaf/api.h>
#include <joinleaf/drop_reason.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace JOINLEAF_API joinleaf {

inline constexpr std::size_t kMostRecordedPackets = 1'000'000;
inline constexpr std::size_t kShortestSnap = 14;  ///< octets: the Ethernet header
inline constexpr std::size_t kLongestSnap = 2048;

struct RecorderOptions {
    /// Packets that each queue of a port remembers, received, sent and dropped ones together; 0:
    /// there is no recorder, and nothing is spent on it. It takes memory for twice as many, so that
    /// it goes on while a file is written.
    std::size_t packets = 0;
    /// Octets kept of each, from the Ethernet header on: kShortestSnap to kLongestSnap.
    std::size_t snap = 128;
    /// Files that are not given a name are called PREFIX-TIME.pcapng, by the time (UTC) at which
    /// they are begun. Empty: record_around() does nothing.
    std::string prefix;
    /// How many of record_around()'s files are kept: the newest of this runtime, and the first of
    /// each row of files that are no more than ten seconds apart, which shows how it began.
    std::size_t files = 8;
    /// The least time between two of them.
    std::chrono::milliseconds interval{1000};
    /// Reasons that call record_around() by themselves when a packet has been dropped for them.
    std::vector<DropReason> drops;
};

/// A file that has been written.
struct RecorderDump {
    std::string path;
    std::uint64_t packets = 0;
};

}  // namespace joinleaf
