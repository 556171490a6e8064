// A client of the telemetry sockets of running joinleaf processes.
#pragma once

#include <apps/joinleaf/descriptor.h>
#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::app {

using Json = nlohmann::ordered_json;

/// A table's rows, each an object.
using JsonRows = std::vector<Json>;

/// Texts are as they were before telemetry_text() (controlplane/status_pages.h).
class TelemetryClient {
public:
    /// Errors: throws Failure (nobody listens at `path`, or it is no telemetry).
    explicit TelemetryClient(std::string path);

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// Whether the process is one of joinleaf's.
    [[nodiscard]] bool is_joinleaf();

    /// All rows of a table, as in "ports": asked for page by page, and from an older joinleaf that
    /// does not know the table none. Errors: throws Failure (the process has ended or hangs).
    [[nodiscard]] JsonRows rows(std::string_view table);

private:
    [[nodiscard]] std::string receive(std::size_t most);
    [[nodiscard]] Json ask(const std::string& command);

    std::string path_;
    Descriptor socket_;
    pid_t pid_ = 0;
    std::size_t longest_answer_ = 0;
};

/// A running joinleaf process of this host that this user may look at.
struct RunningProcess {
    pid_t pid = 0;
    std::string path;     ///< of its telemetry socket
    std::string command;  ///< its command line; empty when it is not to be had
};
/// Looks where processes of this host have their sockets; of `pid` first where its own environment
/// says.
[[nodiscard]] std::vector<RunningProcess> running_processes(std::optional<pid_t> pid);
/// Where DPDK may keep the files of a process with this environment, which is as the kernel tells
/// it: NAME=VALUE, each with a zero behind it. Pure.
[[nodiscard]] std::vector<std::filesystem::path> dpdk_folders_in(std::string_view environment);
[[nodiscard]] std::string command_of(pid_t pid);

/// The one that is asked for, or the only one. Errors: throws Failure (none, or several).
[[nodiscard]] RunningProcess choose_process(const std::vector<RunningProcess>& running,
                                            std::optional<pid_t> pid);

/// What telemetry_text() has written, read back.
[[nodiscard]] std::string plain_text(std::string_view text);

}  // namespace joinleaf::app
