// Where DPDK keeps a process's files, the socket of telemetry among them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace joinleaf::dataplane::dpdk {

/// What folders of ours are named by; the process's number follows.
inline constexpr std::string_view kFolderPrefix = "joinleaf-";

/// The folder of all DPDK processes of this user, as the EAL chooses it: in RUNTIME_DIRECTORY, or
/// in /var/run for root, or in XDG_RUNTIME_DIR, or in /tmp.
[[nodiscard]] std::filesystem::path dpdk_folder();

/// Why a process with this file prefix could not have its socket there; empty: it can.
[[nodiscard]] std::string why_no_telemetry_socket(const std::string& prefix);

/// Removes what processes of ours that were killed have left: those that no process is, and whose
/// socket nobody listens at.
void remove_folders_of_the_dead();

}  // namespace joinleaf::dataplane::dpdk
