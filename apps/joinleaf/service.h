// A root or leaf as a service of systemd: it tells when it is ready, how it goes, and that it is
// alive, by sd_notify(3). Where nobody listens ($NOTIFY_SOCKET is not set) nothing is done.
#pragma once

#include <apps/joinleaf/facts.h>
#include <joinleaf/runtime.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace joinleaf::app {

/// Whether every worker has made a turn since the last look. Pure.
class WorkersProgress {
public:
    [[nodiscard]] bool goes_on(std::span<const WorkerStatus> workers);

private:
    std::vector<std::uint64_t> turns_;  ///< at the last look that found all of them going on
};

/// A line for `systemctl status`. Pure.
[[nodiscard]] std::string service_status(Role role, const Status& status);

/// Whether standard error goes to the journal ($JOURNAL_STREAM), where a line may begin with its
/// priority (sd-daemon(3)).
[[nodiscard]] bool logs_to_journal();

/// One thread, and a thread of its own that asks the control thread how the workers go: as long as
/// both answer, the watchdog is fed.
class Service {
public:
    explicit Service(Role role) : role_(role) {}
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service() { stop_watching(); }

    /// It does now what it was started for: it is joined, or listens. `runtime` outlives what
    /// follows until stopping(). Once; more are ignored.
    void ready(const Runtime& runtime);
    void reloading();
    void reloaded();
    /// It is about to end, and takes its time for that. Idempotent.
    void stopping();

private:
    void watch(const Runtime& runtime);
    void stop_watching();

    Role role_;
    bool is_ready_ = false;
    bool is_stopping_ = false;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ends_ = false;
    std::thread thread_;
};

}  // namespace joinleaf::app
