// What a leaf of a MoldUDP64 feed knows of itself: lines, losses, repairs, latency.
#pragma once

#include <joinleaf/api.h>
#include <joinleaf/clock.h>
#include <joinleaf/histogram.h>
#include <joinleaf/receiver.h>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace JOINLEAF_API joinleaf {

/// A counter by its name.
struct NamedCount {
    std::string_view name;  ///< of static storage
    std::uint64_t value = 0;
};

/// Of one line; messages where nothing else is said.
struct LineCounters {
    std::uint64_t packets = 0;     ///< of the feed's session, data or not
    std::uint64_t received = 0;    ///< every copy
    std::uint64_t won = 0;         ///< in packets whose first copy came by this line
    std::uint64_t duplicates = 0;  ///< in packets that had nothing new
    std::uint64_t lost = 0;        ///< passed over by this line, and not come since
    std::uint64_t reordered = 0;   ///< come after later ones
};

struct RecoveryCounters {
    std::uint64_t requests = 0;  ///< all, retries too
    std::uint64_t retries = 0;
    std::uint64_t given_up = 0;   ///< holes that were told as gaps at their deadline
    std::uint64_t answers = 0;    ///< datagrams from the repair server
    std::uint64_t strangers = 0;  ///< datagrams from anybody else, dropped
    std::uint64_t too_long = 0;   ///< answers that did not fit, dropped
    std::uint64_t unsent = 0;     ///< requests that the kernel did not take; asked again later
};

struct FeedLineStatus {
    SocketId socket{};
    LineCounters counters;
    /// How long after the first copy this line's came, where it was not the first.
    Histogram skew;
};

/// What a FeedReceiver knows of itself. The counters are all of one moment; the histograms are of
/// when the status was asked for.
struct FeedStatus {
    Instant taken_at{};
    std::string session;              ///< empty before the first packet
    std::uint64_t next_sequence = 0;  ///< of the next message to be delivered
    std::uint64_t known_end = 0;      ///< the highest sequence known to exist, plus one
    std::uint64_t held = 0;           ///< packets that wait for those before them
    bool catching_up = false;     ///< from a start in the past until nothing was missing for once
    bool stopped = false;         ///< by a gap (GapPolicy::stop)
    std::uint64_t delivered = 0;  ///< messages in order
    std::uint64_t delivered_late = 0;
    std::uint64_t gaps = 0;
    std::uint64_t lost = 0;  ///< messages in those gaps
    std::vector<FeedLineStatus> lines;
    LineCounters repaired;  ///< what was asked for, as a line
    RecoveryCounters recovery;
    /// What became of packets that were read: each is counted under one name of these three.
    std::vector<NamedCount> fates;
    std::vector<NamedCount> malformed;  ///< dropped whole: not MoldUDP64
    std::vector<NamedCount> dropped;    ///< before they were read
    /// From FeedEvent::received_at until receive() returned with the packet's messages: of each
    /// packet that a line brought.
    Histogram latency;
};

}  // namespace joinleaf
