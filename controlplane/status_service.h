// Answers telemetry's commands under /joinleaf/ for all runtimes of this process.
#pragma once

#include <controlplane/status_tables.h>
#include <dataplane/dpdk/telemetry.h>

#include <joinleaf/event.h>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::controlplane {

/// Threads of telemetry ask it, several at once. It lives as long as the process.
class StatusService {
public:
    /// How a runtime tells of itself. Called on threads of telemetry.
    struct Source {
        std::function<Status()> status;
        std::function<std::vector<LeafStatus>(SocketId socket, std::uint64_t after,
                                              std::size_t limit)>
            leaves;
    };

    /// Its end waits for those who are being answered; not on a thread that a Source waits for.
    class Registration {
    public:
        Registration(StatusService& service, std::uint64_t number)
            : service_(service), number_(number) {}
        ~Registration() { service_.remove(number_); }
        Registration(const Registration&) = delete;
        Registration& operator=(const Registration&) = delete;

    private:
        StatusService& service_;
        std::uint64_t number_;
    };

    static StatusService& instance();

    /// Any thread. Errors: throws std::system_error (telemetry takes no commands).
    [[nodiscard]] std::unique_ptr<Registration> add(Source source);

private:
    struct Entry {
        std::uint64_t number;
        Source source;
    };
    /// A look at all runtimes: what a walk through a long table goes on with, so that its pages
    /// belong together, and what tables that are asked for together are made of.
    struct Snapshot {
        Instant taken_at{};
        Instant used_at{};
        std::vector<Status> statuses;
        std::map<std::string, std::shared_ptr<const Table>, std::less<>> tables;  ///< as asked for
    };
    using Answer = std::optional<dataplane::dpdk::TelemetryDict>;

    StatusService() = default;
    void remove(std::uint64_t number);
    void begin_to_answer();
    void look_anew();
    [[nodiscard]] Answer answer(std::string_view table, std::string_view parameters);
    [[nodiscard]] Answer leaves(std::string_view parameters);
    /// With the lock of the snapshot.
    Snapshot& snapshot(bool goes_on);
    [[nodiscard]] std::shared_ptr<const Table> table(std::string_view name, bool goes_on);

    std::shared_mutex entries_lock_;  ///< shared: entries are being asked
    std::vector<Entry> entries_;
    std::uint64_t last_ = 0;
    std::mutex snapshot_lock_;
    Snapshot snapshot_;
};

}  // namespace joinleaf::controlplane
