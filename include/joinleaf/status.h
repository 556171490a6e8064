// What a runtime knows of itself: ports, groups and their join health, who was let in, counters and
// losses.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/api.h>
#include <joinleaf/clock.h>
#include <joinleaf/drop_reason.h>
#include <joinleaf/feed_status.h>
#include <joinleaf/session.h>
#include <joinleaf/source_filter.h>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace JOINLEAF_API joinleaf {

using DropCounts = std::array<std::uint64_t, kDropReasonCount>;

/// How a port keeps frames of other groups away (design: first that the driver can).
enum class MulticastFilterMode : std::uint8_t {
    exact_list,     ///< rte_eth_dev_set_mc_addr_list: the NIC passes our groups' MACs alone
    mac_table,      ///< rte_eth_dev_mac_addr_add: the same through the unicast table
    all_multicast,  ///< the NIC passes every multicast frame; the worker sorts
    promiscuous,    ///< the NIC passes every frame; the worker sorts
    everything,     ///< the port cannot filter at all (ring, memif, null ...)
};
[[nodiscard]] std::string_view name(MulticastFilterMode mode) noexcept;

/// Where loss on the way in or out of the port itself is counted by the driver.
struct PortCounters {
    std::uint64_t received = 0;  ///< frames that the worker took from the port
    std::uint64_t received_bytes = 0;
    std::uint64_t transmitted = 0;  ///< frames that the port took from the worker
    std::uint64_t transmitted_bytes = 0;
    std::uint64_t missed = 0;           ///< rte_eth_stats.imissed: the NIC had no descriptor
    std::uint64_t errors = 0;           ///< rte_eth_stats.ierrors + oerrors
    std::uint64_t no_mbuf = 0;          ///< rte_eth_stats.rx_nombuf: the pool was empty
    std::uint64_t delivered = 0;        ///< datagrams handed to sockets
    std::uint64_t delivered_bytes = 0;  ///< payload octets of those
    std::uint64_t sent = 0;             ///< datagrams of sockets that the port took
    std::uint64_t sent_bytes = 0;       ///< payload octets of those
    DropCounts drops{};
};

/// What the querier of a port's network is doing.
struct QuerierStatus {
    bool heard = false;
    Ipv4Address address;
    std::uint8_t version = 0;  ///< of the last query heard; 0: none
    std::optional<Instant> last_heard;
    std::uint8_t version_in_force = 3;  ///< what we report in; below 3 an older querier is present
};

/// Packet buffers of a port that are not in their pool: on the port's rings, in queues, or held by
/// applications.
struct BuffersInUse {
    std::uint32_t receive = 0;
    std::uint32_t transmit = 0;
    std::uint32_t control = 0;   ///< IGMP, ARP and ICMP
    std::uint32_t replicas = 0;  ///< frames of datagrams that go to many destinations
};

struct PortStatus {
    std::string spec;    ///< as given in PortOptions
    std::string driver;  ///< the DPDK driver's name
    MacAddress mac;
    Ipv4Interface address;
    std::uint16_t mtu = 0;
    bool link_up = false;
    MulticastFilterMode filter_mode{};
    /// What the NIC does for us, by name; all else is done in software with the same result.
    std::vector<std::string_view> offloads;
    std::size_t queues = 1;
    std::size_t steered_groups = 0;  ///< (group, UDP port) pairs that the NIC puts on their queue
    QuerierStatus querier;
    /// What the port's IGMP host heard, ignored (each reason by name) and sent.
    std::vector<NamedCount> igmp;
    PortCounters counters;
    BuffersInUse buffers;
};

/// How a join is doing; the first that applies.
enum class JoinHealth : std::uint8_t {
    not_reported,   ///< the network has not been told yet (a report waits, or the link is down)
    no_querier,     ///< no query was heard: a snooping switch will forget the group
    older_querier,  ///< an IGMPv1 or v2 querier is in force: sources are filtered here alone
    no_data,        ///< nothing has come since the join
    silent,         ///< data came, and then none for kSilentAfter
    receiving,
};
[[nodiscard]] std::string_view name(JoinHealth health) noexcept;

/// A querier asks every 125 s (RFC 9776 §8.2); two intervals and an answer's time without one, and
/// there is none.
inline constexpr Duration kNoQuerierAfter = std::chrono::seconds(260);
inline constexpr Duration kSilentAfter = std::chrono::seconds(5);

/// One joined socket and how its group is doing.
struct MembershipStatus {
    std::uint32_t socket = 0;
    std::size_t port = 0;
    GroupEndpoint group;  ///< of the session, where the root replicates and nothing is joined
    SourceFilter sources;
    JoinHealth health{};
    std::optional<Instant> connected_at;
    std::optional<Instant> last_report_at;     ///< when a message of ours last named the group
    std::optional<Instant> first_datagram_at;  ///< after the join
    std::optional<Instant> last_datagram_at;
    std::uint64_t delivered = 0;
    std::uint64_t queue_full = 0;
    std::uint64_t source_filtered = 0;
};

/// Why a root did not let a leaf in.
enum class RefusalReason : std::uint8_t {
    policy,       ///< the file of AdmissionOptions::policy does not allow it
    full,         ///< AdmissionOptions::max_leaves, or as many as the policy lets in
    backlog,      ///< as many wait for accept() as listen() allows (M19)
    address,      ///< its data address is one that replicated data cannot go to: the root's own
    flow,         ///< it demands what the session does not carry (M15)
    application,  ///< accept()'s condition has rejected it (M16)
};
inline constexpr std::size_t kRefusalReasonCount = 6;
[[nodiscard]] std::string_view name(RefusalReason reason) noexcept;

/// By RefusalReason.
using RefusalCounts = std::array<std::uint64_t, kRefusalReasonCount>;

/// A root with a rooted control plane: who is there, and who has been. `admitted` is always
/// `members` + `left` + `expelled` + `lost`.
struct AdmissionStatus {
    std::uint32_t socket = 0;
    std::size_t port = 0;
    GroupEndpoint group;
    std::size_t members = 0;        ///< leaves that receive
    std::size_t joining = 0;        ///< let in or invited, and not confirmed yet
    std::size_t pending = 0;        ///< waiting for accept()
    std::uint64_t admitted = 0;     ///< members that ever were
    std::uint64_t left = 0;         ///< members that went in good order
    std::uint64_t expelled = 0;     ///< members that this root has expelled
    std::uint64_t lost = 0;         ///< members that broke, fell silent or lost their link
    std::uint64_t unconfirmed = 0;  ///< let in, and gone before they were members
    RefusalCounts refused{};
};

/// What became of a request for messages that were lost.
enum class RepairOutcome : std::uint8_t {
    answered,
    malformed,      ///< not a MoldUDP64 request
    other_session,  ///< of a session that is not published here
    too_old,        ///< the history begins later
    not_yet,        ///< nothing of it has been published
    duplicate,      ///< answered a moment ago
    leaf_limit,     ///< the leaf has had its share for now
    total_limit,    ///< all leaves together have had theirs
    quarantined,    ///< the leaf does not stop asking
};
inline constexpr std::size_t kRepairOutcomeCount = 9;
[[nodiscard]] std::string_view name(RepairOutcome outcome) noexcept;

/// By RepairOutcome.
using RepairOutcomeCounts = std::array<std::uint64_t, kRepairOutcomeCount>;

/// A server that sends again what leaves have lost: a publisher's (FeedPublisherOptions::repair) or
/// a RepairHost.
struct RepairStatus {
    std::uint32_t socket = 0;  ///< whose feed it is; 0: a RepairHost's
    UdpEndpoint endpoint;
    std::string session;               ///< without padding
    std::uint64_t history_begins = 0;  ///< the oldest message that can be had
    std::uint64_t next_sequence = 0;   ///< what follows the newest
    RepairOutcomeCounts requests{};
    std::uint64_t messages = 0;     ///< sent again
    std::uint64_t octets = 0;       ///< of answers
    std::uint64_t unsent = 0;       ///< answers that the kernel did not take
    std::size_t leaves = 0;         ///< that count is kept of
    std::uint64_t quarantines = 0;  ///< times that a leaf was put there
    std::uint64_t forgotten = 0;    ///< leaves that made room for others
    std::uint64_t told = 0;  ///< times that an admitted leaf was told where the history begins
};

/// One leaf of a root that is being let in, or is in.
struct LeafStatus {
    std::uint64_t number = 0;  ///< of this leaf at its root: rising, never used again
    /// Of static storage: "dialing", "invited", "agreed" (to the invitation), "admitted" (and joins
    /// the group now), "member" (it receives).
    std::string_view stage;
    Peer peer;
    Instant since{};  ///< when it came to this stage
};

struct WorkerStatus {
    std::uint32_t lcore = 0;
    std::uint64_t turns = 0;
    std::uint64_t busy_turns = 0;  ///< turns that moved at least one packet
    Duration busy{};               ///< time spent in those
    Duration running{};            ///< time since it began to turn
    std::uint64_t frames = 0;      ///< that it took from its ports, and that they took from it
};

struct Status {
    Instant taken_at{};
    bool hugepages = false;
    bool secondary = false;  ///< dpdk-dumpcap and its like can attach (RuntimeOptions)
    std::vector<PortStatus> ports;
    std::vector<MembershipStatus> memberships;
    std::vector<AdmissionStatus> admissions;  ///< one for each root, by socket
    /// One for each FeedReceiver whose first line comes by a Receiver of this runtime.
    std::vector<FeedStatus> feeds;
    std::vector<RepairStatus> repairs;  ///< one for each repair server, by socket
    std::vector<WorkerStatus> workers;
};

}  // namespace joinleaf
