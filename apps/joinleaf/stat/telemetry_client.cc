#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/stat/telemetry_client.h>
#include <apps/joinleaf/unix_address.h>
#include <controlplane/whole_file.h>
#include <dataplane/dpdk/runtime_folder.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <set>

namespace joinleaf::app {
namespace {

namespace fs = std::filesystem;

constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
constexpr std::string_view kSocketName = "dpdk_telemetry.v2";
constexpr std::size_t kLongestGreeting = 1024;
/// More than a table of a hundred thousand groups has.
constexpr std::size_t kMostPages = 10'000;

Descriptor connect_to(const std::string& path) {
    constexpr std::string_view kCure =
        "`joinleaf stat` without a path finds the processes that run";
    const sockaddr_un address = unix_address(path, "look at", kCure);
    Descriptor fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) != 0 ||
        ::connect(fd.get(), generic, sizeof address) != 0) {
        throw system_failure("look at", path, errno, kCure);
    }
    return fd;
}

void make_plain(Json& json) {
    if (json.is_string()) {
        json = plain_text(json.get_ref<const std::string&>());
    } else if (json.is_structured()) {
        for (auto& inner : json) make_plain(inner);
    }
}

std::vector<fs::path> entries(const fs::path& folder) {
    std::error_code ignored;  // what this user may not look into is not his
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) all.push_back(entry.path());
    return all;
}

/// Those of this user and of others, and of the unit joinleaf@.service.
std::vector<fs::path> usual_folders() {
    std::vector<fs::path> all{dataplane::dpdk::dpdk_folder(), "/var/run/dpdk", "/tmp/dpdk"};
    for (const auto& user : entries("/run/user")) all.push_back(user / "dpdk");
    for (const auto& unit : entries("/run/joinleaf")) all.push_back(unit / "dpdk");
    return all;
}

std::set<fs::path> sockets_in(const std::vector<fs::path>& folders) {
    std::set<fs::path> found;
    std::error_code ignored;
    for (const auto& folder : folders) {
        for (const auto& process : entries(folder)) {
            for (const auto& file : entries(process)) {
                const std::string name = file.filename();
                if (!name.starts_with(kSocketName)) continue;
                const auto real = fs::canonical(file, ignored);
                if (!ignored) found.insert(real);
            }
        }
    }
    return found;
}

std::vector<RunningProcess> processes_in(const std::vector<fs::path>& folders) {
    std::vector<RunningProcess> running;
    for (const auto& path : sockets_in(folders)) {
        try {
            TelemetryClient client(path);
            if (client.is_joinleaf()) {
                running.push_back({client.pid(), path, command_of(client.pid())});
            }
        } catch (const Failure&) {
            continue;  // of a process that was killed, or is ending, or another user's
        }
    }
    return running;
}

/// What the kernel tells of a process; empty: there is none, or it is another user's.
std::string text_of_process(pid_t pid, std::string_view what) {
    return controlplane::read_whole(fmt::format("/proc/{}/{}", pid, what)).value_or("");
}

}  // namespace

TelemetryClient::TelemetryClient(std::string path)
    : path_(std::move(path)), socket_(connect_to(path_)) {
    const Json greeting = Json::parse(receive(kLongestGreeting), nullptr, false);
    if (!greeting.is_object() || !greeting.contains("pid") ||
        !greeting.contains("max_output_len")) {
        throw Failure(path_ + " is not the telemetry socket of a DPDK process");
    }
    pid_ = greeting["pid"].get<pid_t>();
    longest_answer_ = greeting["max_output_len"].get<std::size_t>();
}

std::string TelemetryClient::receive(std::size_t most) {
    std::string answer(most, '\0');
    ssize_t got = 0;
    do {
        got = ::recv(socket_.get(), answer.data(), answer.size(), 0);
    } while (got < 0 && errno == EINTR);
    if (got == 0 || (got < 0 && errno == ECONNRESET)) {
        throw Failure(pid_ == 0
                          ? fmt::format("{} has hung up: too many look at that process", path_)
                          : fmt::format("process {} has ended", pid_));
    }
    if (got < 0 && errno == EAGAIN) {
        throw Failure(fmt::format("{} has not answered for {} s: is its process stopped?", path_,
                                  kPatience.tv_sec));
    }
    if (got < 0) throw system_failure("hear", path_, errno);
    answer.resize(static_cast<std::size_t>(got));
    return answer;
}

Json TelemetryClient::ask(const std::string& command) {
    if (::send(socket_.get(), command.data(), command.size(), MSG_NOSIGNAL) < 0) {
        if (errno == EPIPE || errno == ECONNRESET) {
            throw Failure(fmt::format("process {} has ended", pid_));
        }
        throw system_failure("ask", path_, errno);
    }
    Json answer = Json::parse(receive(longest_answer_), nullptr, false);
    if (!answer.is_object() || answer.size() != 1) {
        throw Failure(fmt::format("{} has answered {} with what is no JSON", path_, command));
    }
    return std::move(answer.front());
}

bool TelemetryClient::is_joinleaf() {
    const Json commands = ask("/");
    return commands.is_array() &&
           std::find(commands.begin(), commands.end(), "/joinleaf/ports") != commands.end();
}

JsonRows TelemetryClient::rows(std::string_view table) {
    JsonRows rows;
    std::string cursor;
    for (std::size_t page = 0; page < kMostPages; ++page) {
        Json answer = ask(fmt::format("/joinleaf/{}{}", table, cursor));
        if (!answer.is_object() || !answer.contains("rows")) break;
        for (auto& row : answer["rows"]) {
            make_plain(row);
            rows.push_back(std::move(row));
        }
        if (!answer.contains("next")) break;
        cursor = fmt::format(",{}", answer["next"].get<std::string>());
    }
    return rows;
}

std::string command_of(pid_t pid) {
    std::string command = text_of_process(pid, "cmdline");
    std::ranges::replace(command, '\0', ' ');
    while (command.ends_with(' ')) command.pop_back();
    return command;
}

std::vector<fs::path> dpdk_folders_in(std::string_view environment) {
    std::vector<fs::path> folders;
    while (!environment.empty()) {
        const auto variable = environment.substr(0, environment.find('\0'));
        environment.remove_prefix(std::min(environment.size(), variable.size() + 1));
        for (const std::string_view name : {"RUNTIME_DIRECTORY=", "XDG_RUNTIME_DIR="}) {
            if (!variable.starts_with(name)) continue;
            folders.push_back(fs::path(variable.substr(name.size())) / "dpdk");
        }
    }
    return folders;
}

std::vector<RunningProcess> running_processes(std::optional<pid_t> pid) {
    if (pid) {
        auto its_own = processes_in(dpdk_folders_in(text_of_process(*pid, "environ")));
        std::erase_if(its_own, [&](const RunningProcess& found) { return found.pid != *pid; });
        if (!its_own.empty()) return its_own;
    }
    return processes_in(usual_folders());
}

RunningProcess choose_process(const std::vector<RunningProcess>& running,
                              std::optional<pid_t> pid) {
    std::vector<RunningProcess> fit;
    std::ranges::copy_if(running, std::back_inserter(fit), [&](const RunningProcess& process) {
        return !pid || process.pid == *pid;
    });
    if (fit.size() == 1) return fit.front();
    if (fit.empty() && pid) {
        throw Failure(fmt::format(
            "process {} is no running joinleaf of yours; `joinleaf stat` finds those that are",
            *pid));
    }
    if (fit.empty()) {
        throw Failure(
            "no joinleaf runs on this host as this user; start one, or name its telemetry socket "
            "as in joinleaf stat PATH");
    }
    std::string all;
    for (const auto& process : fit) {
        all += fmt::format("\n  {} {}  {}", pid ? process.path : "--pid",
                           pid ? std::string() : std::to_string(process.pid), process.command);
    }
    throw Failure(fmt::format("{} joinleaf processes run; say which:{}", fit.size(), all));
}

std::string plain_text(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned octet = 0;
        const char* const digits = text.data() + i + 1;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(digits, digits + 2, octet, 16).ptr == digits + 2) {
            plain += static_cast<char>(octet);
            i += 2;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

}  // namespace joinleaf::app
