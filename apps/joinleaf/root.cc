// The command `root`: publishes a file or a stream, one datagram a chunk, and writes what leaves
// send to it.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/admitter.h>
#include <apps/joinleaf/black_box.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/process.h>
#include <apps/joinleaf/publisher.h>
#include <apps/joinleaf/run.h>
#include <fmt/format.h>
#include <poll.h>

#include <numeric>

namespace joinleaf::app {
namespace {

constexpr int kLookMs = 20;  // for leaves to join, or for the end

PortOptions port_options(const RootOptions& options) {
    PortOptions port = options.port;
    if (options.output) port.buffers = kReceiveBuffers;
    return port;
}

std::optional<Input> open_input(const RootOptions& options) {
    if (!options.publishing) return {};
    return Input::open(options.publishing->input);
}

std::unique_ptr<Console> open_console(const RootOptions& options, Reporter& report) {
    if (!options.admission || !options.admission->commands) return nullptr;
    return std::make_unique<Console>(*options.admission->commands,
                                     [&report](std::string_view text) { report.answer(text); });
}

std::unique_ptr<Collector> open_collector(Runtime& runtime, const RootOptions& options,
                                          const Surroundings& surroundings) {
    if (!options.output) return nullptr;
    Output output = Output::open(*options.output);
    output.stop_waiting_on(surroundings.signals.fd());
    return std::make_unique<Collector>(
        must(runtime.open_receiver({.capacity = kReceiveQueue}), "open a receive queue"),
        std::move(output));
}

/// A publisher without admission: in the group's scheme it is a leaf of the control plane.
Socket open_publisher(Runtime& runtime, const RootOptions& options) {
    SocketOptions socket_options{
        .scheme = kSourceSpecific, .control_role = ControlRole::leaf, .data_role = DataRole::root};
    socket_options.sender = sender_options(options.publishing);
    Socket socket = must(runtime.open(socket_options), "open a socket");
    must(socket.set_scope(options.scope), fmt::format("set the scope to {}", options.scope));
    return socket;
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

/// From the first socket to the last counter.
class Root {
public:
    Root(const RootOptions& options, Surroundings& surroundings)
        : options_(options),
          around_(surroundings),
          input_(open_input(options)),
          console_(open_console(options, surroundings.report)),
          runtime_(start_one_port(Role::root, options.common, port_options(options), surroundings)),
          black_box_(runtime_, options.common.recorder, surroundings.report) {}

    void open();
    /// Returns why it ended.
    [[nodiscard]] std::string_view run();
    /// Ends the session, and says how it went. Errors: throws Failure (what is lost or not
    /// written).
    void end(std::string_view reason);

private:
    void open_session();
    [[nodiscard]] bool goes_on(Instant now);
    /// Returns false when the end came first.
    [[nodiscard]] bool wait_for_leaves(std::uint64_t count);
    [[nodiscard]] Summary summary_of(Status status) const;

    const RootOptions& options_;
    Surroundings& around_;
    std::optional<Input> input_;
    std::unique_ptr<Console> console_;
    Runtime runtime_;
    BlackBox black_box_;
    std::unique_ptr<Collector> collector_;
    std::optional<Admitter> admitter_;
    Socket socket_;
    Connected connected_{.group = options_.group};
    std::optional<Ticker> ticker_;
    std::optional<Publisher> publisher_;
    Instant last_at_{};
};

void Root::open() {
    collector_ = open_collector(runtime_, options_, around_);
    if (options_.admission) {
        open_session();
    } else {
        socket_ = open_publisher(runtime_, options_);
        connected_ = join(socket_, options_.group,
                          {.direction = Direction::sender_only, .sources = SourceFilter::nothing()},
                          Role::root, around_);
    }
    ticker_.emplace(Role::root, runtime_, around_.report, connected_.at);
    if (input_) {
        publisher_.emplace(
            *options_.publishing, options_.port.port, *input_, must(socket_.sender(), "send"),
            [this](Instant now) { return goes_on(now); }, around_.signals.fd());
    }
}

void Root::open_session() {
    const Instant called = Instant::clock::now();
    admitter_.emplace(runtime_, *options_.admission, sender_options(options_.publishing),
                      around_.report, console_.get(), collector_.get(), black_box_);
    socket_ = admitter_->root();
    connected_.at = must(socket_.connected_at(), "publish");
    connected_.connect_ms = milliseconds_between(called, connected_.at);
    connected_.since_start_ms = milliseconds_between(around_.began, connected_.at);
    for (const auto& membership : runtime_.status().memberships) {
        if (SocketId{membership.socket} == socket_.id()) connected_.sources = membership.sources;
    }
    around_.report.json(json_of(connected_));
    if (input_) around_.report.text(text_of(Role::root, connected_));
    if (collector_) collector_->begin();
    admitter_->begin();
}

std::string_view Root::run() {
    const bool begins = !admitter_ || wait_for_leaves(options_.admission->wait_leaves);
    bool all_sent = false;
    if (begins && publisher_) all_sent = publisher_->run();
    while (begins && !publisher_ && goes_on(Instant::clock::now())) {
        pollfd signal{around_.signals.fd(), POLLIN, 0};
        ::poll(&signal, 1, kLookMs);
    }
    last_at_ = Instant::clock::now();
    if (collector_ && collector_->has_failed()) return "error";
    return all_sent ? "end_of_input" : "signal";
}

bool Root::goes_on(Instant now) {
    ticker_->tick(now, collector_ ? std::optional(collector_->taken()) : std::nullopt);
    return !around_.signals.asked_to_stop() && !(collector_ && collector_->has_failed());
}

bool Root::wait_for_leaves(std::uint64_t count) {
    if (admitter_->counts().now < count) {
        around_.report.text(fmt::format("publishes when {} {} joined", grouped(count),
                                        count == 1 ? "leaf has" : "leaves have"));
    }
    while (admitter_->counts().now < count) {
        pollfd signal{around_.signals.fd(), POLLIN, 0};
        ::poll(&signal, 1, kLookMs);
        if (around_.signals.asked_to_stop()) return false;
    }
    return true;
}

void Root::end(std::string_view reason) {
    around_.report.json({{"event", "closed"}, {"reason", reason}});
    if (reason == "end_of_input") {
        pollfd signal{around_.signals.fd(), POLLIN, 0};
        ::poll(&signal, 1, static_cast<int>(options_.linger.count()));
    }
    Status status = runtime_.status();
    const std::uint64_t given = publisher_ ? publisher_->handed_over() : 0;
    const std::uint64_t missing = not_sent(options_, status.ports.at(0).counters, given);
    if (admitter_) admitter_->end();
    socket_.close();
    std::optional<Failure> not_written;
    try {
        if (collector_) collector_->end();
    } catch (const Failure& failure) {
        not_written = failure;
    }
    const Summary summary = summary_of(std::move(status));
    runtime_.stop();
    tell(Role::root, summary, around_.report);
    if (not_written) throw *not_written;

    const bool on_wire = options_.scope != 0;  // M23
    if (on_wire && reason == "end_of_input" && missing != 0) throw not_all_left(given, missing);
}

Summary Root::summary_of(Status status) const {
    Summary summary{.seconds = seconds_between(connected_.at, last_at_),
                    .port = std::move(status.ports.at(0)),
                    .joins = {connected_},
                    .moves_its_own = input_.has_value(),
                    .moves_besides = collector_ != nullptr,
                    .workers = std::move(status.workers),
                    .resident_mb = resident_megabytes()};
    auto& counters = summary.port.counters;
    if (publisher_) {
        const double flowed = seconds_between(publisher_->first_at().value_or(last_at_), last_at_);
        summary.packets_per_second = per_second(counters.sent, flowed);
        summary.bits_per_second = per_second(counters.sent_bytes, flowed) * 8;
    }
    if (admitter_) {
        summary.leaves = admitter_->counts();
        for (const auto& admission : status.admissions) {
            summary.leaves->refused = std::accumulate(admission.refused.begin(),
                                                      admission.refused.end(), std::uint64_t{0});
        }
    }
    if (collector_) {
        counters.delivered = collector_->taken().datagrams;
        counters.delivered_bytes = collector_->taken().octets;
        summary.senders = collector_->senders();
    }
    return summary;
}

}  // namespace

int run_root(const RootOptions& options, Surroundings& surroundings) {
    if (options.output) Output::check(*options.output);
    BlackBox::check(options.common.recorder);
    if (options.admission) {
        check_files(options.admission->options, !options.admission->invite.empty());
    }
    Root root(options, surroundings);
    root.open();
    root.end(root.run());
    return kExitDone;
}

}  // namespace joinleaf::app
