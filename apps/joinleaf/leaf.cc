// The command `leaf`: joins groups and writes what arrives, in the order it arrives.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/idle.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/output.h>
#include <apps/joinleaf/process.h>
#include <apps/joinleaf/rooted_leaf.h>
#include <apps/joinleaf/run.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kQueue = 16384;
constexpr std::uint32_t kBuffers = 32768;  // the queue may hold half of them
constexpr auto kLongestHeldBack = 100ms;   // of a stream too thin to fill the output's buffer

/// Takes datagrams off the queue and appends them to the output.
class Subscriber {
public:
    Subscriber(const LeafOptions& options, Receiver& receiver, Output& output)
        : options_(options), receiver_(receiver), output_(output) {
        first_of_join_.resize(std::max<std::size_t>(options.groups.size(), 1));
    }

    /// Writes until `should_stop(now)` says so or --count is reached. Returns which.
    template <class ShouldStop>
    std::string_view run(ShouldStop should_stop) {
        while (!is_complete()) {
            const bool took = take_burst();
            const Instant now = Instant::clock::now();
            if (const std::string_view reason = should_stop(now); !reason.empty()) return reason;
            if (took) {
                idle_.reset();
            } else {
                idle_.wait();
            }
            flush_if_held_back(now);
        }
        return "count";
    }

    /// Writes what still waits in the queue.
    void drain() {
        while (!is_complete() && take_burst()) {
        }
    }

    [[nodiscard]] Ticker::Taken taken() const noexcept { return taken_; }
    [[nodiscard]] std::optional<Instant> first_of_join(std::size_t join) const {
        return first_of_join_[join];
    }
    /// From the first datagram to the last.
    [[nodiscard]] double seconds_of_flow() const noexcept {
        return first_at_ ? seconds_between(*first_at_, last_at_) : 0;
    }

private:
    [[nodiscard]] bool is_complete() const noexcept {
        return options_.count && taken_.datagrams >= *options_.count;
    }

    bool take_burst() {
        return receiver_.consume([this](std::span<const Datagram> datagrams) {
            for (const auto& datagram : datagrams) {
                if (is_complete()) return;
                output_.append(datagram);
                note_arrival(datagram);
            }
        }) != 0;
    }

    void note_arrival(const Datagram& datagram) {
        ++taken_.datagrams;
        taken_.octets += datagram.size();
        last_at_ = datagram.received_at();
        if (!first_at_) first_at_ = last_at_;
        auto& first = first_of_join_[datagram.cookie()];
        if (!first) first = last_at_;
    }

    void flush_if_held_back(Instant now) {
        if (output_.waiting() == 0) {
            held_since_ = now;
        } else if (now - held_since_ > kLongestHeldBack) {
            output_.flush();
        }
    }

    const LeafOptions& options_;
    Receiver& receiver_;
    Output& output_;
    Idle idle_;
    Ticker::Taken taken_;
    std::vector<std::optional<Instant>> first_of_join_;
    std::optional<Instant> first_at_;
    Instant last_at_{};
    Instant held_since_{};
};

/// How receiving ended. A failed output does not keep the leaf from leaving its groups.
struct Outcome {
    std::string_view reason;
    std::optional<Failure> failed;
};

template <class ShouldStop>
Outcome receive(Subscriber& subscriber, ShouldStop should_stop) {
    try {
        return {.reason = subscriber.run(should_stop), .failed = {}};
    } catch (const Failure& failure) {
        return {.reason = "error", .failed = failure};
    }
}

/// Writes what still waits, after the leaf has left.
std::optional<Failure> finish(Subscriber& subscriber, Output& output) {
    try {
        subscriber.drain();
        output.close();
        return {};
    } catch (const Failure& failure) {
        return failure;
    }
}

struct Member {
    Socket socket;
    Connected connected;
};

std::vector<Member> join_groups(Runtime& runtime, const LeafOptions& options,
                                const Receiver& receiver, Surroundings& surroundings) {
    const bool only_named = options.sources.mode() == FilterMode::include;
    std::vector<Member> members;
    for (const auto group : options.groups) {
        Socket socket = must(runtime.open({.scheme = only_named ? kSourceSpecific : kAnySource,
                                           .cookie = members.size(),
                                           .receiver = &receiver}),
                             "open a socket");
        const Connected connected =
            join(socket, group, {.direction = Direction::receiver_only, .sources = options.sources},
                 Role::leaf, surroundings);
        members.push_back({std::move(socket), connected});
    }
    return members;
}

// While the sockets are still members.
void tell_health(std::vector<Member>& members, const Status& status) {
    for (auto& member : members) {
        const auto id = static_cast<std::uint32_t>(member.socket.id());
        for (const auto& membership : status.memberships) {
            if (membership.socket == id) member.connected.health = membership.health;
        }
    }
}

Summary summary_of(Status status, const std::vector<Member>& members,
                   const Subscriber& subscriber) {
    const Ticker::Taken taken = subscriber.taken();
    Summary summary{.seconds = members.empty()
                                   ? 0
                                   : seconds_between(members.front().connected.at, status.taken_at),
                    .port = std::move(status.ports.at(0)),
                    .resident_mb = resident_megabytes()};
    summary.port.counters.delivered = taken.datagrams;
    summary.port.counters.delivered_bytes = taken.octets;
    const double flowed = subscriber.seconds_of_flow();
    summary.packets_per_second = per_second(taken.datagrams, flowed);
    summary.bits_per_second = per_second(taken.octets, flowed) * 8;
    for (std::size_t i = 0; i < members.size(); ++i) {
        summary.joins.push_back(members[i].connected);
        if (const auto first = subscriber.first_of_join(i)) {
            summary.joins[i].first_datagram_ms = milliseconds_between(summary.joins[i].at, *first);
        }
    }
    return summary;
}

}  // namespace

int run_leaf(const LeafOptions& options, Surroundings& surroundings) {
    auto& report = surroundings.report;
    Output::check(options.output);
    if (options.admission) {
        check_files(options.admission->options, options.admission->root.has_value());
    }
    PortOptions port = options.port;
    port.buffers = kBuffers;
    Runtime runtime = start_one_port(Role::leaf, options.common, port, surroundings);
    Output output = Output::open(options.output);
    output.stop_waiting_on(surroundings.signals.fd());
    Receiver receiver = must(runtime.open_receiver({.capacity = kQueue}), "open a receive queue");
    std::optional<RootedLeaf> session;
    std::vector<Member> members;
    if (options.admission) {
        session.emplace(runtime, options, receiver, surroundings);
        if (auto connected = session->enter()) {
            members.push_back({session->socket(), *std::move(connected)});
        }
    } else {
        members = join_groups(runtime, options, receiver, surroundings);
    }

    const Instant joined = members.empty() ? Instant::clock::now() : members.back().connected.at;
    Ticker ticker(Role::leaf, runtime, report, joined);
    Subscriber subscriber(options, receiver, output);
    const Outcome outcome = receive(subscriber, [&](Instant now) -> std::string_view {
        ticker.tick(now, subscriber.taken());
        if (surroundings.signals.asked_to_stop()) return "signal";
        if (options.duration && now - joined >= *options.duration) return "duration";
        return session ? session->ended() : "";
    });
    report.json({{"event", "closed"}, {"reason", outcome.reason}});
    tell_health(members, runtime.status());
    for (auto& member : members) member.socket.close();
    const auto failed = outcome.failed ? outcome.failed : finish(subscriber, output);
    const Status status = runtime.status();
    if (session) session->close();
    runtime.stop();
    tell(Role::leaf, summary_of(status, members, subscriber), report);
    if (failed) throw *failed;
    const auto complaint = session ? session->complaint() : std::nullopt;
    if (complaint) throw Failure(*complaint);
    return kExitDone;
}

}  // namespace joinleaf::app
