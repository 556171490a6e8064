// What a root or a leaf tells about its run; report.h turns it into lines.
#pragma once

#include <apps/joinleaf/feed_files/progress.h>
#include <apps/joinleaf/feed_files/replay.h>
#include <apps/joinleaf/missing.h>
#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <joinleaf/feed_receiver.h>
#include <joinleaf/session.h>
#include <joinleaf/source_filter.h>
#include <joinleaf/status.h>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace joinleaf::app {

enum class Role : std::uint8_t { root, leaf };
[[nodiscard]] constexpr std::string_view name(Role role) noexcept {
    return role == Role::root ? "root" : "leaf";
}

/// The runtime is up.
struct Started {
    PortStatus port;
    bool hugepages = false;
    double start_ms = 0;  ///< since the program began
};

/// Leaves are let in here, or an invitation is waited for.
struct Listening {
    ControlEndpoint at;
    bool tls = false;
};

/// The rooted session that a leaf has come into.
struct SessionFacts {
    Peer root;
    std::string user_data;  ///< what came with the root's answer, or with its invitation
    bool invited = false;
};

/// One leaf of a root.
struct LeafFacts {
    std::uint64_t number = 0;  ///< 1, 2 ... as they join
    Peer peer;
    std::string caller_data;  ///< what came with its request
    bool invited = false;
};

struct LeafCounts {
    std::uint64_t joined = 0;
    std::uint64_t left = 0;
    std::uint64_t refused = 0;
    std::uint64_t now = 0;
};

/// One who has sent to a root, or to the group of a nonrooted session.
struct SenderFacts {
    Ipv4Address address;  ///< unspecified: all whom the list has no room for
    std::string name;     ///< as a leaf calls itself
    bool is_leaf = false;
    std::uint64_t datagrams = 0;
    std::uint64_t octets = 0;
};

/// Why a session ended, in a word: as a root sees a leaf go, or as a leaf sees the end.
[[nodiscard]] std::string_view close_reason(Role role, const std::error_code& reason) noexcept;
/// Octets as text.
[[nodiscard]] std::string text_of(const UserData& data);

/// A join has completed.
struct Connected {
    GroupEndpoint group;
    SourceFilter sources;       ///< what is received; nothing: this one only sends
    Instant at{};               ///< when the IGMP report left, or when nothing had to be sent
    double connect_ms = 0;      ///< from the call to `at`
    double since_start_ms = 0;  ///< from the program's begin to `at`
    std::optional<double> first_datagram_ms;  ///< from `at` to the first datagram of this join
    std::optional<JoinHealth> health;         ///< at the end, of a leaf
    std::optional<SessionFacts> session;      ///< of a leaf that a root let in
    std::string sends_to;                     ///< of a leaf that sends, as in 10.0.0.11:5000
};

/// A root's feed.
struct FeedSent {
    std::string session;
    std::uint64_t messages = 0;
    std::uint64_t octets = 0;            ///< of messages
    Duration behind{};                   ///< by how much it was slower than its pace
    std::optional<ReplayCounts> replay;  ///< of a capture
};

/// A leaf's feed.
struct FeedTaken {
    FeedStatus status;
    std::vector<std::string> lines;  ///< where each line of the status is heard
    Missing missing;
    std::uint64_t sessions = 0;      ///< that were followed
    std::uint64_t octets = 0;        ///< of messages
    std::uint64_t broken_lines = 0;  ///< messages that are not one line in an output of lines
};

/// How it goes. The rates are those of the last second.
struct Progress {
    double seconds = 0;  ///< since the first join completed
    PortCounters counters;
    std::vector<MembershipStatus> memberships;
    Instant taken_at{};
    double packets_per_second = 0;
    double bits_per_second = 0;  ///< of payload
    std::optional<FeedProgress> feed_sent;
    std::optional<FeedStatus> feed_taken;
};

/// How it went. The rates are those between the first and the last datagram.
struct Summary {
    double seconds = 0;
    PortStatus port;
    double packets_per_second = 0;
    double bits_per_second = 0;
    std::vector<Connected> joins;
    std::optional<LeafCounts> leaves;                 ///< of a root that lets leaves in
    bool moves_its_own = true;                        ///< a root sends, a leaf receives
    bool moves_besides = false;                       ///< a root receives, a leaf sends
    std::optional<std::vector<SenderFacts>> senders;  ///< of a root that receives
    std::optional<FeedSent> feed_sent;
    std::optional<FeedTaken> feed_taken;
    std::vector<RepairStatus> repairs;
    std::vector<PortStatus> further_ports;  ///< of lines of a feed
    std::vector<WorkerStatus> workers;
    double resident_mb = 0;
};

/// Whether a drop for this reason is a loss; the others are frames that were not for us.
[[nodiscard]] bool is_loss(DropReason reason) noexcept;
/// Datagrams lost on this port that we know of: by our own hand, by the NIC, for want of buffers.
[[nodiscard]] std::uint64_t losses(const PortCounters& counters) noexcept;

}  // namespace joinleaf::app
