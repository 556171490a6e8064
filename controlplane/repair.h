// Answers requests for messages that were lost: which of them, how often, and to whom no more.
// Pure: requests and time in, one packet out; no socket, no clock.
#pragma once

#include <dataplane/message_log.h>
#include <dataplane/pacer.h>
#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <joinleaf/repair.h>
#include <joinleaf/status.h>
#include <net/moldudp64.h>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

namespace joinleaf::controlplane {

struct RepairAnswer {
    RepairOutcome outcome = RepairOutcome::malformed;
    /// With `answered`: the packet, for the one who asked.
    std::span<const std::byte> packet;
    /// With `too_old`: where the history begins, to be told to a leaf whose admission connection is
    /// known.
    std::uint64_t history_begins = 0;
    /// The leaf has just been put into quarantine, and is to be named.
    bool to_be_named = false;
};

struct RepairCounters {
    RepairOutcomeCounts outcomes{};
    std::uint64_t messages = 0;     ///< sent again
    std::uint64_t octets = 0;       ///< of answers
    std::uint64_t quarantines = 0;  ///< times that a leaf was put there
    std::uint64_t forgotten = 0;    ///< leaves that made room for others
};

/// One owner.
class RepairServer {
public:
    RepairServer(const RepairLimits& limits, Instant now);

    /// One datagram from `leaf`; the answer is written to `out`, at least net::kMoldHeaderSize
    /// octets, and is one packet with as many messages as fit.
    RepairAnswer serve(const dataplane::MessageLog& log, Ipv4Address leaf,
                       std::span<const std::byte> request, std::span<std::byte> out, Instant now);

    [[nodiscard]] bool is_quarantined(Ipv4Address leaf, Instant now) const;
    [[nodiscard]] const RepairCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] std::uint64_t count(RepairOutcome outcome) const noexcept {
        return counters_.outcomes[static_cast<std::size_t>(outcome)];
    }
    [[nodiscard]] std::size_t leaves() const noexcept { return leaves_.size(); }

private:
    struct Leaf {
        Ipv4Address address;
        dataplane::TokenBucket octets;
        dataplane::TokenBucket patience;
        dataplane::SequenceRange answered;
        Instant answered_at;
        std::optional<Instant> quarantined_until;
    };
    using Leaves = std::list<Leaf>;  // the one that asked last is in front

    Leaf& leaf_of(Ipv4Address address, Instant now);
    RepairAnswer judge(const dataplane::MessageLog& log, Leaf& leaf,
                       std::span<const std::byte> request, std::span<std::byte> out, Instant now);

    RepairLimits limits_;
    dataplane::TokenBucket octets_;
    Leaves by_time_;
    std::unordered_map<Ipv4Address, Leaves::iterator> leaves_;
    RepairCounters counters_;
};

}  // namespace joinleaf::controlplane
