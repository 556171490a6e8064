// A root or leaf as a service of systemd.
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/service.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kTellStatus = 1s;
constexpr int kKeepEnvironment = 0;

bool is_service() { return std::getenv("NOTIFY_SOCKET") != nullptr; }

void notify(const std::string& state) { ::sd_notify(kKeepEnvironment, state.c_str()); }

/// How long systemd waits for a sign of life; none: it does not.
std::optional<std::chrono::microseconds> patience() {
    std::uint64_t microseconds = 0;
    if (::sd_watchdog_enabled(kKeepEnvironment, &microseconds) <= 0) return {};
    return std::chrono::microseconds(microseconds);
}

std::uint64_t monotonic_microseconds() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                          Instant::clock::now().time_since_epoch())
                                          .count());
}

}  // namespace

bool WorkersProgress::goes_on(std::span<const WorkerStatus> workers) {
    turns_.resize(workers.size());
    const bool all = std::ranges::equal(
        workers, turns_, [](const auto& worker, auto before) { return worker.turns > before; });
    if (all) std::ranges::transform(workers, turns_.begin(), &WorkerStatus::turns);
    return all;
}

std::string service_status(Role role, const Status& status) {
    const auto& port = status.ports.at(0);
    const std::string on = fmt::format("{}{}", port.spec, port.link_up ? "" : " (no link)");
    if (role == Role::leaf) {
        return fmt::format("on {}: {} joined, {} datagrams delivered", on,
                           grouped(status.memberships.size()), grouped(port.counters.delivered));
    }
    std::size_t leaves = 0;
    for (const auto& admission : status.admissions) leaves += admission.members;
    return fmt::format(
        "on {}: {} datagrams sent{}", on, grouped(port.counters.sent),
        status.admissions.empty() ? "" : fmt::format(", {} leaves", grouped(leaves)));
}

bool logs_to_journal() {
    const char* const stream = std::getenv("JOURNAL_STREAM");
    struct stat error {};
    return stream != nullptr && ::fstat(STDERR_FILENO, &error) == 0 &&
           fmt::format("{}:{}", error.st_dev, error.st_ino) == stream;
}

void Service::ready(const Runtime& runtime) {
    if (!is_service() || std::exchange(is_ready_, true)) return;
    notify(fmt::format("READY=1\nSTATUS={}", service_status(role_, runtime.status())));
    thread_ = std::thread([this, &runtime] { watch(runtime); });
}

void Service::reloading() {
    if (!is_service()) return;
    notify(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_microseconds()));
}

void Service::reloaded() {
    // Who reloads before it was ready is not ready by that.
    if (is_service() && is_ready_) notify("READY=1");
}

void Service::stopping() {
    if (!is_service() || std::exchange(is_stopping_, true)) return;
    stop_watching();
    notify("STOPPING=1\nSTATUS=leaves, and writes what has arrived");
}

void Service::watch(const Runtime& runtime) {
    const auto watchdog = patience();
    // Two chances, so that one late sign is none too many.
    const auto period =
        watchdog ? std::min<Duration>(*watchdog / 3, kTellStatus) : Duration(kTellStatus);
    WorkersProgress progress;
    std::string told;
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, period, [this] { return ends_; })) {
        lock.unlock();
        // A control thread that does not answer keeps this from feeding the watchdog.
        const Status status = runtime.status();
        std::string news;
        if (watchdog && progress.goes_on(status.workers)) news = "WATCHDOG=1\n";
        if (auto now = service_status(role_, status); now != told) {
            told = std::move(now);
            news += fmt::format("STATUS={}\n", told);
        }
        if (!news.empty()) notify(news);
        lock.lock();
    }
}

void Service::stop_watching() {
    {
        const std::lock_guard lock(mutex_);
        ends_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

}  // namespace joinleaf::app
