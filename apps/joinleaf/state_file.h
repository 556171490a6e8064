// The file of --state: what this process has joined, so that the next one can send the leaves that
// this one owes if it is killed.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/error.h>
#include <joinleaf/runtime.h>
#include <joinleaf/source_filter.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::app {

/// Whose memberships a file holds: an address on a port, up to a restart of the machine.
struct StateOwner {
    std::string port;
    std::string address;
    std::string vlan;
    std::string boot;  ///< the kernel's name for this run of the machine

    friend bool operator==(const StateOwner&, const StateOwner&) = default;
};
[[nodiscard]] StateOwner state_owner(const PortOptions& port);

struct JoinedGroup {
    GroupEndpoint group;
    SourceFilter sources;

    friend bool operator==(const JoinedGroup&, const JoinedGroup&) = default;
};

/// What a file says. Times are seconds on CLOCK_BOOTTIME.
struct RecordedState {
    StateOwner owner;
    std::int64_t alive_at = 0;
    std::vector<JoinedGroup> joined;

    friend bool operator==(const RecordedState&, const RecordedState&) = default;
};
[[nodiscard]] std::string write_state(const RecordedState& state);
/// Strict: the error says what is wrong.
[[nodiscard]] Parsed<RecordedState> parse_state(std::string_view text);

/// When a router has forgotten the memberships of a host that has gone (RFC 9776 §8.4).
inline constexpr std::chrono::seconds kRememberedFor =
    std::chrono::duration_cast<std::chrono::seconds>(kNoQuerierAfter);

/// Each group once, with the sources that `state` has joined it for, where a leave is still owed:
/// not for groups that `wanted` joins again for the same sources. The error says why nothing is.
[[nodiscard]] Parsed<std::map<GroupAddress, SourceFilter>> owed_leaves(
    const RecordedState& state, const StateOwner& us, std::int64_t now,
    const std::vector<JoinedGroup>& wanted);

/// One thread. Errors of the file: throws Failure.
class StateFile {
public:
    StateFile(std::string path, StateOwner owner);
    StateFile(const StateFile&) = delete;
    StateFile& operator=(const StateFile&) = delete;
    /// The end in good order: nothing is owed. A file that this one has not written stays.
    ~StateFile();

    /// Whether it could be written, before anything is started. Errors: throws Failure.
    static void check(const std::string& path);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const StateOwner& owner() const noexcept { return owner_; }
    /// On the clock of RecordedState::alive_at.
    [[nodiscard]] static std::int64_t now();

    /// What an earlier process has left; none: there is no file. The error says why it is of no
    /// use.
    [[nodiscard]] std::optional<Parsed<RecordedState>> read() const;
    /// Puts another file in its place, at once or not at all.
    void write(std::vector<JoinedGroup> joined);
    /// Says again now and then that this process is alive, so that what it had is not taken for
    /// forgotten.
    void refresh(Instant now);

private:
    std::string path_;
    StateOwner owner_;
    std::vector<JoinedGroup> joined_;
    std::optional<Instant> written_at_;
};

}  // namespace joinleaf::app
