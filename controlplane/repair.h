// Answers requests for messages that were lost: which of them, how often, and to whom no more.
// Pure: requests and time in, one packet out; no socket, no clock.
#pragma once

#include <dataplane/message_log.h>
#include <dataplane/pacer.h>
#include <joinleaf/address.h>
#include <joinleaf/clock.h>
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

struct RepairOptions {
    /// The most octets of an answer's payload; what an MTU of 1500 leaves.
    std::size_t capacity = 1472;
    /// Octets of answers per second, and at once; to all leaves, and to each.
    std::uint64_t octets_per_second = 12'500'000;
    std::uint64_t burst_octets = 256 * 1024;
    std::uint64_t leaf_octets_per_second = 2'500'000;
    std::uint64_t leaf_burst_octets = 64 * 1024;
    /// Whoever asks again for what was answered so short a time ago has not had time to hear it.
    Duration duplicate_within = std::chrono::milliseconds(1);
    /// Refusals per second that a leaf may have, and at once. Beyond, it is in quarantine for a
    /// time: it is not answered at all.
    std::uint64_t refusals_per_second = 50;
    std::uint64_t burst_refusals = 500;
    Duration quarantine = std::chrono::seconds(10);
    /// Leaves that are kept count of. One more takes the place of the one that has asked for
    /// nothing for the longest time.
    std::size_t max_leaves = 16384;
};

/// What became of a request.
enum class RepairOutcome : std::uint8_t {
    answered,
    malformed,      ///< not a request; MoldError says why
    other_session,  ///< of a session that is not published here
    too_old,        ///< the history begins later
    not_yet,        ///< nothing of it has been published
    duplicate,      ///< answered a moment ago
    leaf_limit,     ///< the leaf has had its share for now
    total_limit,    ///< all leaves together have had theirs
    quarantined,    ///< the leaf does not stop asking

    kCount,  ///< not an outcome: how many there are
};
inline constexpr std::size_t kRepairOutcomeCount = static_cast<std::size_t>(RepairOutcome::kCount);
[[nodiscard]] std::string_view name(RepairOutcome outcome) noexcept;

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
    std::array<std::uint64_t, kRepairOutcomeCount> outcomes{};
    std::uint64_t messages = 0;     ///< sent again
    std::uint64_t octets = 0;       ///< of answers
    std::uint64_t quarantines = 0;  ///< times that a leaf was put there
    std::uint64_t forgotten = 0;    ///< leaves that made room for others
};

/// Leaves are told apart by address alone: ports cost nothing, so that whoever asks from many would
/// have many shares. One owner.
class RepairServer {
public:
    RepairServer(const RepairOptions& options, Instant now);

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

    RepairOptions options_;
    dataplane::TokenBucket octets_;
    Leaves by_time_;
    std::unordered_map<Ipv4Address, Leaves::iterator> leaves_;
    RepairCounters counters_;
};

}  // namespace joinleaf::controlplane
