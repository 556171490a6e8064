#include <dataplane/dpdk/runtime_folder.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <system_error>
#include <vector>

namespace joinleaf::dataplane::dpdk {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSocketName = "dpdk_telemetry.v2";

fs::path base_folder() {
    if (const char* systemd = std::getenv("RUNTIME_DIRECTORY")) return systemd;
    if (::getuid() == 0) return "/var/run";
    const char* of_session = std::getenv("XDG_RUNTIME_DIR");
    return of_session != nullptr ? of_session : "/tmp";
}

std::optional<pid_t> process_of(const fs::path& folder) {
    const std::string name = folder.filename();
    if (!name.starts_with(kFolderPrefix)) return {};
    const char* const end = name.data() + name.size();
    pid_t pid = 0;
    const auto read = std::from_chars(name.data() + kFolderPrefix.size(), end, pid);
    if (read.ec != std::errc{} || read.ptr != end || pid <= 0) return {};
    return pid;
}

/// A process of another PID namespace is not seen, but its socket answers.
bool is_abandoned(const fs::path& socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = socket;
    if (path.size() >= sizeof address.sun_path) return false;
    std::ranges::copy(path, std::begin(address.sun_path));
    const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    const bool answers = ::connect(fd, generic, sizeof address) == 0;
    const bool refused = !answers && errno == ECONNREFUSED;
    if (answers) {
        // DPDK 22.11 never gives back the place of a client that has gone before it is greeted.
        constexpr timeval kPatience{.tv_sec = 1, .tv_usec = 0};
        std::array<char, 1024> greeting;
        if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) == 0) {
            static_cast<void>(::recv(fd, greeting.data(), greeting.size(), 0));
        }
    }
    ::close(fd);
    return refused;
}

}  // namespace

fs::path dpdk_folder() { return base_folder() / "dpdk"; }

std::string why_no_telemetry_socket(const std::string& prefix) {
    const fs::path socket = dpdk_folder() / prefix / kSocketName;
    if (socket.native().size() >= sizeof(sockaddr_un::sun_path)) {
        return fmt::format(
            "{} is too long for a Unix socket; set RUNTIME_DIRECTORY to a shorter folder",
            socket.native());
    }
    std::error_code ignored;
    const fs::path folder = fs::exists(dpdk_folder(), ignored) ? dpdk_folder() : base_folder();
    if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
    return fmt::format("{}: {}; set RUNTIME_DIRECTORY to a folder that this user may write to",
                       folder.native(), std::generic_category().message(errno));
}

void remove_folders_of_the_dead() {
    std::error_code ignored;  // they do no harm, and may be another user's
    std::vector<fs::path> dead;
    for (const auto& entry : fs::directory_iterator(dpdk_folder(), ignored)) {
        const auto pid = process_of(entry.path());
        if (!pid || ::kill(*pid, 0) == 0 || errno != ESRCH) continue;
        if (is_abandoned(entry.path() / kSocketName)) dead.push_back(entry.path());
    }
    for (const auto& folder : dead) fs::remove_all(folder, ignored);
}

}  // namespace joinleaf::dataplane::dpdk
