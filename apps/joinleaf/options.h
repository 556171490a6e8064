// What a person asked for on the command line, checked: the commands root, leaf, tell, doctor and
// demo. Pure.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <joinleaf/runtime.h>
#include <joinleaf/source_filter.h>
#include <chrono>
#include <cstdint>
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

/// What every command takes.
struct CommonOptions {
    std::vector<unsigned> cpus;
    std::chrono::microseconds idle_sleep{0};  ///< of a worker with nothing to do
    std::vector<std::string> eal_arguments;
    RecorderOptions recorder;
    bool allow_dumpcap = false;
    bool json = false;
    bool quiet = false;
};

/// What is sent, and how: by a root, or by a leaf that sends, too.
struct Publishing {
    std::string input;                     ///< a path, or "-"
    std::uint64_t packets_per_second = 0;  ///< 0: as fast as the port takes them
    std::uint64_t bits_per_second = 0;     ///< of whole frames on the wire; 0: no limit
    std::optional<std::uint32_t> chunk;    ///< unset: the largest payload that fits the MTU
    bool udp_checksum = true;
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
    std::chrono::milliseconds linger{100};
    std::optional<std::string> output;  ///< of what leaves send: a path, "-" or "null"
    std::optional<RootAdmission> admission;
};

struct LeafOptions {
    CommonOptions common;
    PortOptions port;
    std::vector<GroupEndpoint> groups;  ///< empty with `admission`: the root names the group
    SourceFilter sources;
    std::optional<LeafAdmission> admission;
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

/// One command to a root that runs with --commands.
struct TellOptions {
    std::string path;  ///< of its socket
    std::string line;
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

using Invocation =
    std::variant<RootOptions, LeafOptions, TellOptions, DemoOptions, DoctorOptions, Message>;

/// Reads the arguments behind the program's name. Wrong use becomes a Message of one line that
/// names the option, what is wrong and the cure. Touches nothing outside.
[[nodiscard]] Invocation parse_command_line(const std::vector<std::string>& arguments);

}  // namespace joinleaf::app
