// What the commands share: what surrounds a run, starting the runtime, and telling how it goes.
#pragma once

#include <apps/joinleaf/options.h>
#include <apps/joinleaf/report.h>
#include <apps/joinleaf/signals.h>
#include <joinleaf/runtime.h>
#include <bit>
#include <functional>
#include <string>
#include <vector>

namespace joinleaf::app {

/// Datagrams that may wait for a command that receives, in each of so many queues: half of the
/// port's buffers.
[[nodiscard]] inline std::size_t receive_capacity(const PortOptions& port, std::size_t queues = 1) {
    return std::bit_floor(port.receive_buffers / 2 / queues);
}

struct Surroundings {
    Reporter& report;
    Signals& signals;
    Instant began;  ///< when the program did
    /// Behind the program's name: what a reload reads again, with the file that they name.
    std::vector<std::string> arguments;
    /// Carries out a reload that was asked for, wherever the run waits. Set by the command.
    std::function<void()> reload = [] {};
};

[[nodiscard]] double seconds_between(Instant from, Instant to) noexcept;
[[nodiscard]] double milliseconds_between(Instant from, Instant to) noexcept;

/// The runtime for `ports`, whose remarks go to the report. Errors: throws std::system_error.
[[nodiscard]] Runtime start_runtime(const CommonOptions& common, std::vector<PortOptions> ports,
                                    Surroundings& surroundings);

/// Starts the runtime for these ports and tells so of each. Errors: throws std::system_error.
[[nodiscard]] Runtime start_ports(Role role, const CommonOptions& common,
                                  std::vector<PortOptions> ports, Surroundings& surroundings);

/// The value, or throws Failure: "cannot <doing>: <why>; <cure>".
template <class T>
T must(Result<T> result, std::string_view doing);
[[noreturn]] void throw_failure(std::string_view doing, const std::error_code& why);

/// Joins, waits for the result, and tells it; `sends_to`: of a leaf that sends, where to. Errors:
/// throws Failure.
Connected join(Socket& socket, GroupEndpoint group, const JoinOptions& options, Role role,
               Surroundings& surroundings, std::string sends_to = {});

/// Tells once a second how it goes.
class Ticker {
public:
    Ticker(Role role, const Runtime& runtime, Reporter& report, Instant began);

    /// `delivered` of the counters is replaced by what the application took, when it says so.
    struct Taken {
        std::uint64_t datagrams = 0;
        std::uint64_t octets = 0;
    };
    void tick(Instant now, std::optional<Taken> taken = {});
    /// Asked at each tick for what is told of a feed besides.
    void set_feed(std::function<void(Instant, Progress&)> add) { add_feed_ = std::move(add); }

private:
    Role role_;
    const Runtime& runtime_;
    Reporter& report_;
    Instant began_;
    Instant last_;
    std::uint64_t last_datagrams_ = 0;
    std::uint64_t last_octets_ = 0;
    std::function<void(Instant, Progress&)> add_feed_;
};

/// Tells the end: the summary of the run.
void tell(Role role, const Summary& summary, Reporter& report);

int run_root(const RootOptions& options, Surroundings& surroundings);
int run_leaf(const LeafOptions& options, Surroundings& surroundings);
int run_repair(const RepairOptions& options, Surroundings& surroundings);
int run_demo(const DemoOptions& options, Surroundings& surroundings);
int run_doctor(const DoctorOptions& options, Surroundings& surroundings);

template <class T>
T must(Result<T> result, std::string_view doing) {
    if (!result) throw_failure(doing, result.error());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace joinleaf::app
