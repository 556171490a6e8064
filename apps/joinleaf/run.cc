// What the commands share.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/memory.h>
#include <apps/joinleaf/named.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/run.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <mutex>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

std::string_view cure_for(const std::error_code& why) {
    if (why == std::errc::network_down) return "; the port has no link: plug it in, or set it up";
    if (why == std::errc::no_buffer_space) return "; close other joins, or allow more of them";
    if (why == std::errc::address_in_use)
        return "; another program listens there: take another port";
    if (why == std::errc::address_not_available) {
        return "; it is not an address of this host: 'ip address' lists them";
    }
    if (why == std::errc::timed_out) return "; the worker did not answer: is its CPU overloaded?";
    return "";
}

/// Keeps what the runtime remarks until it is asked to pass it on. Any thread.
class Remarks {
public:
    explicit Remarks(Reporter& report) : report_(report) {}

    void add(std::string_view line) {
        const std::lock_guard lock(mutex_);
        if (passes_on_) {
            report_.note(line);
        } else {
            kept_.emplace_back(line);
        }
    }
    void pass_on() {
        const std::lock_guard lock(mutex_);
        for (const auto& line : kept_) report_.note(line);
        passes_on_ = true;
    }

private:
    Reporter& report_;
    std::mutex mutex_;
    std::vector<std::string> kept_;
    bool passes_on_ = false;
};

}  // namespace

double seconds_between(Instant from, Instant to) noexcept {
    return std::chrono::duration<double>(to - from).count();
}

double milliseconds_between(Instant from, Instant to) noexcept {
    return std::chrono::duration<double, std::milli>(to - from).count();
}

Runtime start_runtime(const CommonOptions& common, std::vector<PortOptions> ports,
                      Surroundings& surroundings) {
    // A start that fails is told in one line; what was remarked on the way is not of interest.
    const auto remarks = std::make_shared<Remarks>(surroundings.report);
    RuntimeOptions options;
    options.ports = std::move(ports);
    for (const auto& port : options.ports) {
        options.workers = std::max(options.workers, port.queues);
    }
    options.cpus = common.cpus;
    if (const auto enough = check_cpu_count(common, options.workers); !enough) {
        throw Failure(enough.error());
    }
    options.idle_sleep = common.idle_sleep;
    options.eal_arguments = common.eal_arguments;
    options.recorder = common.recorder;
    if (common.recorder.packets != 0) {
        // Twice for each queue, each packet behind what is noted of it.
        constexpr std::uint64_t kNoted = 32;
        must_be_available(
            2 * options.workers * common.recorder.packets * (common.recorder.snap + kNoted),
            "--record");
    }
    options.allow_secondary = common.allow_dumpcap;
    options.log = [remarks](std::string_view line) { remarks->add(line); };
    Runtime runtime = Runtime::start(std::move(options));
    remarks->pass_on();
    return runtime;
}

Runtime start_ports(Role role, const CommonOptions& common, std::vector<PortOptions> ports,
                    Surroundings& surroundings) {
    Runtime runtime = start_runtime(common, std::move(ports), surroundings);
    const Status status = runtime.status();
    for (const auto& port : status.ports) {
        const Started started{port, status.hugepages,
                              milliseconds_between(surroundings.began, Instant::clock::now())};
        surroundings.report.json(json_of(role, started));
        surroundings.report.text(text_of(started));
    }
    return runtime;
}

void throw_failure(std::string_view doing, const std::error_code& why) {
    const std::string_view winsock = winsock_name(why);
    throw Failure(fmt::format("cannot {}: {}{}{}", doing, why.message(),
                              winsock.empty() ? "" : fmt::format(" ({})", winsock), cure_for(why)));
}

Connected join(Socket& socket, GroupEndpoint group, const JoinOptions& options, Role role,
               Surroundings& surroundings, std::string sends_to) {
    const auto doing = fmt::format("join {}", group.to_string());
    const Instant called = Instant::clock::now();
    must(socket.join_leaf(group, options), doing);
    const Instant at = must(socket.connected_at(), doing);
    Connected connected{.group = group,
                        .sources = options.sources,
                        .at = at,
                        .connect_ms = milliseconds_between(called, at),
                        .since_start_ms = milliseconds_between(surroundings.began, at),
                        .sends_to = std::move(sends_to)};
    surroundings.report.json(json_of(connected));
    surroundings.report.text(text_of(role, connected));
    return connected;
}

Ticker::Ticker(Role role, const Runtime& runtime, Reporter& report, Instant began)
    : role_(role), runtime_(runtime), report_(report), began_(began), last_(began) {}

void Ticker::tick(Instant now, std::optional<Taken> taken) {
    if (now - last_ < 1s || report_.options().quiet) return;
    if (!report_.options().json && !report_.options().live) return;

    Status status = runtime_.status();
    Progress progress{.seconds = seconds_between(began_, now),
                      .counters = status.ports.at(0).counters,
                      .memberships = std::move(status.memberships),
                      .taken_at = status.taken_at};
    auto& counters = progress.counters;
    if (taken) {
        counters.delivered = taken->datagrams;
        counters.delivered_bytes = taken->octets;
    }
    const bool root = role_ == Role::root;
    const std::uint64_t datagrams = root ? counters.sent : counters.delivered;
    const std::uint64_t octets = root ? counters.sent_bytes : counters.delivered_bytes;
    const double elapsed = seconds_between(last_, now);
    progress.packets_per_second = per_second(datagrams - last_datagrams_, elapsed);
    progress.bits_per_second = per_second(octets - last_octets_, elapsed) * 8;
    if (add_feed_) add_feed_(now, progress);
    report_.json(json_of(progress));
    report_.live(text_of(role_, progress));
    last_ = now;
    last_datagrams_ = datagrams;
    last_octets_ = octets;
}

void tell(Role role, const Summary& summary, Reporter& report) {
    report.json(json_of(role, summary));
    for (const auto& line : text_of(role, summary)) report.text(line);
}

}  // namespace joinleaf::app
