// What a person asked for on the command line, checked: the commands root, leaf, repair, tell,
// stat, doctor and demo.
#pragma once

#include <apps/joinleaf/feed_files/message_sink.h>
#include <apps/joinleaf/feed_files/message_source.h>
#include <apps/joinleaf/feed_files/pace.h>
#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <joinleaf/feed_receiver.h>
#include <joinleaf/runtime.h>
#include <joinleaf/source_filter.h>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace joinleaf::app {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitWrongUse = 2;

/// Octets that IPv4 and UDP put before a payload.
inline constexpr std::uint32_t kHeaderOctets = 28;

/// How long a root keeps its port open after the last datagram, unless told.
inline constexpr std::chrono::milliseconds kRootLinger{100};

/// An option as it was given.
struct Given {
    std::vector<std::string> values;  ///< as text; of a flag "true" or "false"
    std::vector<std::string> from;    ///< of each, as in "leaf.toml:3:7"; empty: it was typed
};

/// What was given, by the options' long names.
struct Settings {
    std::string file;  ///< of --config; empty: none
    std::map<std::string, Given, std::less<>> given;
};

/// What every command takes.
struct CommonOptions {
    std::vector<unsigned> cpus;
    std::chrono::microseconds idle_sleep{0};  ///< of a worker with nothing to do
    std::vector<std::string> eal_arguments;
    std::optional<ControlEndpoint> metrics;  ///< where Prometheus asks
    RecorderOptions recorder;
    bool allow_dumpcap = false;
    bool json = false;
    bool quiet = false;
    std::optional<std::string> state;  ///< a file that tells the next start what was joined
    Settings settings;
};

/// What is sent, and how: by a root, or by a leaf that sends, too.
struct Publishing {
    std::string input;                     ///< a path, or "-"
    std::uint64_t packets_per_second = 0;  ///< 0: as fast as the port takes them
    std::uint64_t bits_per_second = 0;     ///< of whole frames on the wire; 0: no limit
    std::optional<std::uint32_t> chunk;    ///< unset: the largest payload that fits the MTU
    bool udp_checksum = true;
};

/// A server of what was lost, and what it keeps.
struct FeedServing {
    ControlEndpoint listen;                 ///< of the kernel's, for UDP
    std::optional<std::uint64_t> messages;  ///< unset: what the library keeps
    std::optional<std::uint64_t> octets;
    // Of answers, in bits per second; unset: as the library has it.
    std::optional<std::uint64_t> rate;       ///< to all leaves
    std::optional<std::uint64_t> leaf_rate;  ///< to each
};

/// A sequenced feed, as a root sends it.
struct FeedPublishing {
    std::string session;                   ///< empty: named by the time of the start
    std::vector<GroupEndpoint> lines;      ///< besides the group
    std::optional<PortOptions> line_port;  ///< that these leave by; none: the first
    SourceOptions source;
    Pace pace;
    // Unset: as the library has it.
    std::optional<std::uint32_t> flush_at;
    std::optional<std::chrono::microseconds> delay;
    std::optional<std::chrono::milliseconds> heartbeat;
    std::optional<std::chrono::milliseconds> end_for;
    std::optional<FeedServing> repair;
    std::optional<ControlEndpoint> offer;  ///< of another repair server, which leaves are told of
};

/// A sequenced feed, as a leaf takes it.
struct FeedReceiving {
    FeedReceiverOptions options;  ///< without its lines
    OutputFormat format = OutputFormat::lengths;
    std::optional<PortOptions> line_port;  ///< where all lines but the first come; none: the same
    std::optional<std::string> gaps;       ///< a path for what is lost; none: it is not written
    bool follow = false;                   ///< the next session when one is over
    bool demanded = false;                 ///< by --framing; else a root may have another
};

/// A root that decides who may listen.
struct RootAdmission {
    Scheme scheme = kRootedRooted;
    std::optional<ControlEndpoint> listen;
    std::vector<ControlEndpoint> invite;
    AdmissionOptions options;
    std::uint64_t wait_leaves = 0;        ///< that must have joined before anything is published
    std::optional<std::string> commands;  ///< a path for a socket, or "-"

    /// Whether this root connects to leaves: now, or when it is told to.
    [[nodiscard]] bool invites() const noexcept { return !invite.empty() || commands.has_value(); }
};

/// A leaf that is let in by a root: it asks one, or waits for an invitation. One of the two is set.
struct LeafAdmission {
    std::optional<ControlEndpoint> root;
    std::optional<ControlEndpoint> listen;
    AdmissionOptions options;
    UserData caller_data;
};

struct RootOptions {
    CommonOptions common;
    PortOptions port;
    GroupEndpoint group;
    std::uint8_t scope = 1;
    std::optional<Publishing> publishing;  ///< unset: this root only receives
    std::optional<FeedPublishing> feed;    ///< how it is sent; unset: cut into datagrams
    std::chrono::milliseconds linger = kRootLinger;
    std::optional<std::string> output;  ///< of what leaves send: a path, "-" or "null"
    std::optional<RootAdmission> admission;
};

struct LeafOptions {
    CommonOptions common;
    PortOptions port;
    std::vector<GroupEndpoint> groups;  ///< empty with `admission`: the root names the group
    SourceFilter sources;
    std::optional<LeafAdmission> admission;
    std::optional<FeedReceiving> feed;
    std::optional<std::string> output;  ///< a path, "-" or "null"; unset: this leaf only sends
    std::optional<Publishing> publishing;
    std::uint8_t scope = 1;  ///< of what is sent to `groups`; a root names its session's own
    std::optional<std::uint64_t> count;
    std::optional<Duration> duration;
};

/// M8: a leaf does what it has an output, or an input, for.
[[nodiscard]] constexpr Direction direction_of(const LeafOptions& leaf) noexcept {
    if (!leaf.publishing) return Direction::receiver_only;
    return leaf.output ? Direction::both : Direction::sender_only;
}

/// A leaf of a feed that sends again what others have lost.
struct RepairOptions {
    LeafOptions leaf;
    FeedServing serving;
};

/// One command to a root that runs with --commands.
struct TellOptions {
    std::string path;  ///< of its socket
    std::string line;
};

/// A look at a running process, through its telemetry socket.
struct StatOptions {
    std::optional<std::string> path;  ///< of the socket
    std::optional<std::uint64_t> pid;
    Duration interval = std::chrono::seconds(1);
    bool once = false;  ///< as text, instead of a screen that is kept up to date
    bool json = false;  ///< likewise, as one JSON object
};

struct DemoOptions {
    CommonOptions common;
    std::uint64_t file_octets = 256'000'000;
    std::uint64_t packets_per_second = 0;  ///< 0: as fast as the slower leaf follows
};

/// A look at this host, and at a port of it.
struct DoctorOptions {
    CommonOptions common;
    std::optional<PortOptions> port;         ///< unset: the host alone
    bool listens = false;                    ///< `port` has an address, so that it can be opened
    std::chrono::seconds querier_wait{130};  ///< how long to listen for one, at most
};

/// Nothing to run: a text to print (help and version on standard output, errors on standard
/// error), and the exit code.
struct Message {
    int exit_code = kExitDone;
    std::string text;
};

using Invocation = std::variant<RootOptions, LeafOptions, RepairOptions, TellOptions, StatOptions,
                                DemoOptions, DoctorOptions, Message>;

/// Reads the arguments behind the program's name, and the file that --config names. Wrong use
/// becomes a Message of one line that names the option, what is wrong and the cure; with a file, a
/// line for each thing that is wrong, with its place, and what the options name on this host is
/// looked at as well (named.h). Touches nothing else outside.
[[nodiscard]] Invocation parse_command_line(const std::vector<std::string>& arguments);

}  // namespace joinleaf::app
