// The command `root`: publishes a file or a stream, one datagram a chunk.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/admitter.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/idle.h>
#include <apps/joinleaf/input.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/process.h>
#include <apps/joinleaf/run.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <thread>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kStuck = 5s;
constexpr int kWaitMs = 200;  // for a quiet input, between two looks at the clock
constexpr int kLookMs = 20;   // for leaves to join

/// Moves the input into the socket's queue; ends with it, or when a signal asks for it.
class Publisher {
public:
    Publisher(const RootOptions& options, Input& input, Sender sender, Ticker& ticker,
              Signals& signals)
        : options_(options),
          input_(input),
          sender_(std::move(sender)),
          ticker_(ticker),
          signals_(signals) {}

    /// Returns why it ended.
    std::string_view run() {
        bool ended = false;
        while (!ended) {
            ticker_.tick(Instant::clock::now());
            if (signals_.asked_to_stop()) break;
            if (!take_buffers()) {
                idle_.wait();
            } else if (input_is_ready()) {
                ended = publish_once();
            }
        }
        sender_.cancel(std::span(held_).first(held_count_));
        return wait_until_sent() && ended ? "end_of_input" : "signal";
    }

    [[nodiscard]] std::uint64_t handed_over() const noexcept { return handed_over_; }
    [[nodiscard]] std::optional<Instant> first_at() const noexcept { return first_at_; }

private:
    bool take_buffers() {
        const auto room = std::span(held_).subspan(held_count_);
        held_count_ += sender_.reserve(room);
        if (held_count_ == 0) return false;
        idle_.reset();
        const std::uint32_t capacity = held_[0].capacity;
        if (options_.chunk.value_or(0) > capacity) {
            throw Failure(
                fmt::format("--chunk: {} octets do not fit this port, which takes at "
                            "most {}; use that or less",
                            *options_.chunk, capacity));
        }
        chunk_ = options_.chunk.value_or(capacity);
        return true;
    }

    bool input_is_ready() {
        if (!input_.may_block()) return true;
        std::array<pollfd, 2> waits{pollfd{input_.fd(), POLLIN, 0},
                                    pollfd{signals_.fd(), POLLIN, 0}};
        return ::poll(waits.data(), waits.size(), kWaitMs) > 0 && waits[0].revents != 0;
    }

    /// Returns whether the input has ended.
    bool publish_once() {
        const auto held = std::span(held_).first(held_count_);
        const Input::Step step = input_.read(held, chunk_);
        if (step.complete > 0) {
            if (!first_at_) first_at_ = Instant::clock::now();
            sender_.send(held.first(step.complete));
            handed_over_ += step.complete;
            std::ranges::copy(held.subspan(step.complete), held_.begin());
            held_count_ -= step.complete;
        }
        return step.ended;
    }

    /// Returns false when a signal cut it short.
    bool wait_until_sent() {
        std::size_t before = sender_.in_flight();
        Instant moved = Instant::clock::now();
        while (before != 0) {
            if (signals_.asked_to_stop()) return false;
            idle_.wait();
            const Instant now = Instant::clock::now();
            ticker_.tick(now);
            const std::size_t left = sender_.in_flight();
            if (left != before) {
                moved = now;
                idle_.reset();
            } else if (now - moved > kStuck) {
                throw Failure(
                    fmt::format("the port {} has taken nothing for 5 s; {} datagrams "
                                "were not sent: has it a link?",
                                options_.port.port, left));
            }
            before = left;
        }
        return true;
    }

    const RootOptions& options_;
    Input& input_;
    Sender sender_;
    Ticker& ticker_;
    Signals& signals_;
    Idle idle_{200us};
    std::array<SendBuffer, 32> held_;
    std::size_t held_count_ = 0;
    std::uint32_t chunk_ = 0;
    std::uint64_t handed_over_ = 0;
    std::optional<Instant> first_at_;
};

SenderOptions sender_options(const RootOptions& options) {
    return {.capacity = 4096,
            .packets_per_second = options.packets_per_second,
            .udp_checksum = options.udp_checksum};
}

/// A publisher without admission: in the group's scheme it is a leaf of the control plane.
Socket open_publisher(Runtime& runtime, const RootOptions& options) {
    SocketOptions socket_options{
        .scheme = kSourceSpecific, .control_role = ControlRole::leaf, .data_role = DataRole::root};
    socket_options.sender = sender_options(options);
    Socket socket = must(runtime.open(socket_options), "open a socket");
    must(socket.set_scope(options.scope), fmt::format("set the scope to {}", options.scope));
    return socket;
}

Connected connected_root(Socket& root, GroupEndpoint group, Instant called,
                         Surroundings& surroundings) {
    const Instant at = must(root.connected_at(), "publish");
    const Connected connected{.group = group,
                              .at = at,
                              .connect_ms = milliseconds_between(called, at),
                              .since_start_ms = milliseconds_between(surroundings.began, at)};
    surroundings.report.json(json_of(connected));
    surroundings.report.text(text_of(Role::root, connected));
    return connected;
}

/// Returns false when a signal asked for the end first.
bool wait_for_leaves(const Admitter& admitter, std::uint64_t count, Surroundings& surroundings) {
    if (admitter.counts().now < count) {
        surroundings.report.text(
            fmt::format("publishes when {} leaves have joined", grouped(count)));
    }
    while (admitter.counts().now < count) {
        pollfd signal{surroundings.signals.fd(), POLLIN, 0};
        ::poll(&signal, 1, kLookMs);
        if (surroundings.signals.asked_to_stop()) return false;
    }
    return true;
}

Summary summary_of(const Status& status, const Connected& connected,
                   std::optional<Instant> first_at, Instant last_at) {
    Summary summary{.seconds = seconds_between(connected.at, last_at),
                    .port = status.ports.at(0),
                    .joins = {connected},
                    .resident_mb = resident_megabytes()};
    const double flowed = seconds_between(first_at.value_or(last_at), last_at);
    const auto& counters = summary.port.counters;
    summary.packets_per_second = per_second(counters.sent, flowed);
    summary.bits_per_second = per_second(counters.sent_bytes, flowed) * 8;
    return summary;
}

/// Datagrams that the port did not take. Where each becomes a frame for every leaf, frames do not
/// tell, but what was dropped on the way to the port does: frames, then.
std::uint64_t not_sent(const RootOptions& options, const PortCounters& counters,
                       std::uint64_t handed_over) {
    const bool replicates =
        options.admission && options.admission->options.session.fan_out == FanOut::replicate;
    if (!replicates) return handed_over - counters.sent;
    std::uint64_t dropped = 0;
    for (const auto reason : {DropReason::transmit_ring_full, DropReason::no_buffer,
                              DropReason::link_down, DropReason::oversized}) {
        dropped += counters.drops[static_cast<std::size_t>(reason)];
    }
    return dropped;
}

}  // namespace

int run_root(const RootOptions& options, Surroundings& surroundings) {
    auto& report = surroundings.report;
    Input input = Input::open(options.input);
    if (options.admission) {
        check_files(options.admission->options, !options.admission->invite.empty());
    }
    Runtime runtime = start_one_port(Role::root, options.common, options.port, surroundings);
    const Instant called = Instant::clock::now();
    std::optional<Admitter> admitter;
    Socket socket;
    Connected connected{.group = options.group};
    if (options.admission) {
        admitter.emplace(runtime, *options.admission, sender_options(options), report);
        socket = admitter->root();
        connected = connected_root(socket, options.group, called, surroundings);
        admitter->begin();
    } else {
        socket = open_publisher(runtime, options);
        connected = join(socket, options.group,
                         {.direction = Direction::sender_only, .sources = SourceFilter::nothing()},
                         Role::root, surroundings);
    }

    const bool begins =
        !admitter || wait_for_leaves(*admitter, options.admission->wait_leaves, surroundings);
    Ticker ticker(Role::root, runtime, report, connected.at);
    Publisher publisher(options, input, must(socket.sender(), "send"), ticker,
                        surroundings.signals);
    const std::string_view reason = begins ? publisher.run() : "signal";
    const Instant last_at = Instant::clock::now();
    report.json({{"event", "closed"}, {"reason", reason}});
    if (reason == "end_of_input") {
        pollfd signal{surroundings.signals.fd(), POLLIN, 0};
        ::poll(&signal, 1, static_cast<int>(options.linger.count()));
    }
    const Status status = runtime.status();
    Summary summary = summary_of(status, connected, publisher.first_at(), last_at);
    if (admitter) {
        admitter->end();
        summary.leaves = admitter->counts();
    }
    socket.close();
    runtime.stop();
    tell(Role::root, summary, report);

    const std::uint64_t missing =
        not_sent(options, status.ports.at(0).counters, publisher.handed_over());
    const bool on_wire = options.scope != 0;  // M23
    if (on_wire && reason == "end_of_input" && missing != 0) {
        throw Failure(fmt::format("{} of {} datagrams did not leave; the summary says why",
                                  grouped(missing), grouped(publisher.handed_over())));
    }
    return kExitDone;
}

}  // namespace joinleaf::app
