// The command `root`: publishes a file or a stream, one datagram a chunk, and writes what leaves
// send to it.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/admitter.h>
#include <apps/joinleaf/black_box.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/feed_root.h>
#include <apps/joinleaf/metrics.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/process.h>
#include <apps/joinleaf/publisher.h>
#include <apps/joinleaf/reload.h>
#include <apps/joinleaf/run.h>
#include <apps/joinleaf/service.h>
#include <apps/joinleaf/state_keeper.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <mutex>
#include <numeric>

namespace joinleaf::app {
namespace {

constexpr int kLookMs = 20;  // for leaves to join, or for the end

const JoinOptions kSendsOnly{.direction = Direction::sender_only,
                             .sources = SourceFilter::nothing()};

std::vector<PortOptions> ports_of(const RootOptions& options) {
    std::vector<PortOptions> ports{options.port};
    if (options.feed && options.feed->line_port) ports.push_back(*options.feed->line_port);
    return ports;
}

std::optional<Input> open_input(const RootOptions& options) {
    if (!options.publishing || options.feed) return {};
    return Input::open(options.publishing->input);
}

std::optional<MessageSource> open_messages(const RootOptions& options) {
    if (!options.feed) return {};
    return MessageSource::open(options.publishing->input, options.feed->source);
}

SenderOptions sender_options(const RootOptions& options) {
    if (options.feed) return feed_sender_options(*options.publishing, *options.feed);
    return app::sender_options(options.publishing);
}

/// What leaves are told, too.
std::optional<RootAdmission> admission_of(const RootOptions& options) {
    auto admission = options.admission;
    if (admission && options.feed) offer_feed(*options.feed, admission->options.session);
    return admission;
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
        must(runtime.open_receiver({.capacity = receive_capacity(options.port)}),
             "open a receive queue"),
        std::move(output));
}

/// A publisher without admission: in the group's scheme it is a leaf of the control plane.
Socket open_publisher(Runtime& runtime, const RootOptions& options, std::size_t port,
                      SenderOptions sender) {
    SocketOptions socket_options{.scheme = kSourceSpecific,
                                 .control_role = ControlRole::leaf,
                                 .data_role = DataRole::root,
                                 .port = port};
    socket_options.sender = std::move(sender);
    Socket socket = must(runtime.open(socket_options), "open a socket");
    must(socket.set_scope(options.scope), fmt::format("set the scope to {}", options.scope));
    return socket;
}

/// Datagrams that the port did not take. Where each becomes several frames, or the worker makes
/// them, frames do not tell, but what was dropped on the way to the port does: frames, then.
std::uint64_t not_sent(const RootOptions& options, const PortCounters& counters,
                       std::uint64_t handed_over) {
    const bool replicates =
        options.admission && options.admission->options.session.fan_out == FanOut::replicate;
    if (!replicates && !options.feed) return handed_over - counters.sent;
    std::uint64_t dropped = 0;
    for (const auto reason :
         {DropReason::transmit_ring_full, DropReason::no_buffer, DropReason::link_down,
          DropReason::oversized, DropReason::line_queue_full}) {
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
          messages_(open_messages(options)),
          console_(open_console(options, surroundings.report)),
          state_(options.common, options.port, surroundings.report),
          runtime_(start_ports(Role::root, options.common, ports_of(options), surroundings)),
          metrics_(serve_metrics(options.common, runtime_, surroundings.report)),
          black_box_(runtime_, options.common.recorder, surroundings.report),
          admission_(admission_of(options)) {}
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;
    ~Root() = default;

    void open();
    /// Returns why it ended.
    [[nodiscard]] std::string_view run();
    /// Ends the session, and says how it went. Errors: throws Failure (what is lost or not
    /// written).
    void end(std::string_view reason);

private:
    void open_session();
    void open_feed();
    void reload();
    /// Errors: throws Failure, and nothing has changed.
    [[nodiscard]] SettingsChange read_and_apply();
    [[nodiscard]] SettingsChange take_over(const RootOptions& fresh,
                                           const std::vector<std::string_view>& live);
    [[nodiscard]] bool has_file() const { return !options_.common.settings.file.empty(); }
    [[nodiscard]] bool can_read_again() const;
    [[nodiscard]] CommandAnswer reload_on_command();
    /// What this root receives of others' data by a group.
    [[nodiscard]] std::vector<JoinedGroup> joined() const;
    [[nodiscard]] bool goes_on(Instant now);
    /// Returns false when the end came first.
    [[nodiscard]] bool wait_for_leaves(std::uint64_t count);
    /// Publishes all there is. Returns whether it has.
    [[nodiscard]] bool publish();
    [[nodiscard]] Summary summary_of(Status status) const;

    RootOptions options_;  ///< its settings are changed by read_and_apply()
    Surroundings& around_;
    std::optional<Input> input_;
    std::optional<MessageSource> messages_;  ///< of a feed, in its place
    std::unique_ptr<Console> console_;
    StateKeeper state_;  ///< outlives the runtime, which leaves what is in it
    Runtime runtime_;
    std::unique_ptr<Metrics> metrics_;
    BlackBox black_box_;
    std::optional<RootAdmission> admission_;
    std::unique_ptr<Collector> collector_;
    std::optional<Admitter> admitter_;
    Socket socket_;
    Socket line_socket_;  ///< of a feed's lines on another port
    Connected connected_{.group = options_.group};
    std::optional<Ticker> ticker_;
    std::optional<Publisher> publisher_;
    std::optional<FeedRun> feed_;
    Service service_{Role::root};
    std::mutex reloading_;  ///< by SIGHUP here, or by the operator on the admitter's thread
    /// A failed input does not keep the root from telling its leaves that it ends.
    std::optional<Failure> failure_;
    Instant last_at_{};
};

void Root::open() {
    state_.make_good(runtime_, joined());
    state_.keep(joined());
    collector_ = open_collector(runtime_, options_, around_);
    if (admission_) {
        open_session();
    } else {
        socket_ = open_publisher(runtime_, options_, 0, sender_options(options_));
        connected_ = join(socket_, options_.group, kSendsOnly, Role::root, around_);
        if (messages_) open_feed();
    }
    ticker_.emplace(Role::root, runtime_, around_.report, connected_.at);
    if (feed_) {
        ticker_->set_feed(
            [this](Instant now, Progress& progress) { progress.feed_sent = feed_->progress(now); });
    }
    if (input_) {
        publisher_.emplace(
            *options_.publishing, options_.port.port, *input_, must(socket_.sender(), "send"),
            [this](Instant now) { return goes_on(now); }, around_.signals.fd());
    }
    service_.ready(runtime_);
}

// Where every member hears every other, the root does, too.
std::vector<JoinedGroup> Root::joined() const {
    if (!options_.output || options_.admission->scheme.data == Plane::rooted) return {};
    return {{options_.group, SourceFilter::any()}};
}

void Root::open_feed() {
    std::vector<Socket> lines;
    if (options_.feed->line_port) {
        line_socket_ = open_publisher(runtime_, options_, 1,
                                      line_sender_options(*options_.publishing, *options_.feed));
        (void)join(line_socket_, options_.feed->lines.front(), kSendsOnly, Role::root, around_);
        lines.push_back(line_socket_);
    }
    if (options_.feed->repair) check_history(*options_.feed->repair);
    const std::string doing = options_.feed->repair
                                  ? fmt::format("begin the feed, with repairs at {}",
                                                options_.feed->repair->listen.to_string())
                                  : "begin the feed";
    auto publisher =
        must(socket_.feed_publisher(publisher_options(*options_.feed, std::move(lines))), doing);
    around_.report.json({{"event", "session"}, {"session", publisher.session()}});
    around_.report.text(fmt::format("the feed's session is {}", publisher.session()));
    feed_.emplace(
        *options_.feed, options_.port.port, *messages_, std::move(publisher), around_.report,
        [this](Instant now) { return goes_on(now); }, around_.signals.fd());
}

void Root::open_session() {
    const Instant called = Instant::clock::now();
    admitter_.emplace(runtime_, *admission_, sender_options(options_), around_.report,
                      console_.get(), collector_.get(), black_box_,
                      [this] { return reload_on_command(); });
    socket_ = admitter_->root();
    connected_.at = must(socket_.connected_at(), "publish");
    connected_.connect_ms = milliseconds_between(called, connected_.at);
    connected_.since_start_ms = milliseconds_between(around_.began, connected_.at);
    for (const auto& membership : runtime_.status().memberships) {
        if (SocketId{membership.socket} == socket_.id()) connected_.sources = membership.sources;
    }
    around_.report.json(json_of(connected_));
    if (options_.publishing) around_.report.text(text_of(Role::root, connected_));
    if (messages_) open_feed();
    if (collector_) collector_->begin();
    admitter_->begin();
}

std::string_view Root::run() {
    const bool begins = !admitter_ || wait_for_leaves(admission_->wait_leaves);
    bool all_sent = false;
    if (begins && options_.publishing) all_sent = publish();
    while (begins && !options_.publishing && goes_on(Instant::clock::now())) {
        pollfd signal{around_.signals.fd(), POLLIN, 0};
        ::poll(&signal, 1, kLookMs);
    }
    last_at_ = Instant::clock::now();
    if (failure_ || (collector_ && collector_->has_failed())) return "error";
    return all_sent ? "end_of_input" : "signal";
}

bool Root::publish() {
    if (!feed_) return publisher_->run();
    try {
        return feed_->run();
    } catch (const Failure& failure) {
        failure_ = failure;
        return false;
    }
}

void Root::reload() {
    if (!can_read_again()) return tell_nothing_to_reload(around_.report);
    service_.reloading();
    try {
        tell_reloaded(around_.report, read_and_apply(), has_file());
    } catch (const std::exception& why) {
        tell_not_reloaded(around_.report, why);
    }
    service_.reloaded();
}

SettingsChange Root::read_and_apply() {
    const std::lock_guard lock(reloading_);
    std::optional<RootOptions> fresh;
    if (has_file()) fresh = read_again<RootOptions>(around_.arguments);
    std::vector<std::string_view> live{"bit-rate", "invite"};
    // The rate of a feed is that of its messages, which it began with.
    if (!feed_) live.emplace_back("rate");
    if (admitter_) {
        auto& own = options_.admission->options;
        auto wanted = own;
        bool invites = !options_.admission->invite.empty();
        if (fresh && fresh->admission) {
            const auto files = live_files(own, fresh->admission->options);
            live.insert(live.end(), files.begin(), files.end());
            wanted = with_live_files(std::move(wanted), fresh->admission->options);
            invites = !fresh->admission->invite.empty();
        }
        check_files(wanted, invites);
        must(admitter_->root().reload_admission(wanted), "use the policy and the TLS files");
        own = std::move(wanted);
    }
    if (!fresh) return {};
    return take_over(*fresh, live);
}

SettingsChange Root::take_over(const RootOptions& fresh,
                               const std::vector<std::string_view>& live) {
    auto change = app::take_over(options_.common.settings, fresh.common.settings, live);
    if (fresh.publishing && (change.has("rate") || change.has("bit-rate"))) {
        const auto& pace = *fresh.publishing;
        must(socket_.set_rate(pace.packets_per_second, pace.bits_per_second), "change the rate");
    }
    if (admitter_ && fresh.admission && change.has("invite")) {
        auto& known = options_.admission->invite;
        auto wanted = fresh.admission->invite;
        std::erase_if(wanted, [&](const ControlEndpoint& leaf) {
            return std::ranges::find(known, leaf) != known.end();
        });
        known = fresh.admission->invite;
        admitter_->invite_also(std::move(wanted));
    }
    return change;
}

bool Root::can_read_again() const {
    const auto& admission = options_.admission;
    return app::can_read_again(options_.common.settings, admission ? &admission->options : nullptr);
}

CommandAnswer Root::reload_on_command() {
    if (!can_read_again()) {
        return not_done("this root was given no file of --config, policy or TLS to read again");
    }
    try {
        const auto change = read_and_apply();
        std::string said =
            "the policy and the TLS files are read again, and hold for whoever asks now";
        if (!has_file()) return done(said);
        tell_reloaded(around_.report, change, true);
        return done(
            fmt::format("{}; of {} {}", said, options_.common.settings.file, change.text()));
    } catch (const std::exception& why) {
        tell_not_reloaded(around_.report, why);
        CommandAnswer answer = not_done("not reloaded: all stays as it was");
        answer.lines = reasons_in(why, around_.report.options().command);
        return answer;
    }
}

bool Root::goes_on(Instant now) {
    if (around_.signals.asked_to_reload()) reload();
    state_.refresh(now);
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
        if (around_.signals.asked_to_reload()) reload();
    }
    return true;
}

void Root::end(std::string_view reason) {
    service_.stopping();
    around_.report.json({{"event", "closed"}, {"reason", reason}});
    if (reason == "end_of_input") {
        pollfd signal{around_.signals.fd(), POLLIN, 0};
        ::poll(&signal, 1, static_cast<int>(options_.linger.count()));
    }
    Status status = runtime_.status();
    const std::uint64_t given = publisher_ ? publisher_->handed_over() : 0;
    std::uint64_t missing = 0;
    for (const auto& port : status.ports) missing += not_sent(options_, port.counters, given);
    if (admitter_) admitter_->end();
    socket_.close();
    line_socket_.close();
    std::optional<Failure> not_written = failure_;
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
    if (!on_wire || reason != "end_of_input" || missing == 0) return;
    if (!feed_) throw not_all_left(given, missing);
    throw Failure(fmt::format("{} of the feed's datagrams did not leave; the summary says why",
                              grouped(missing)));
}

Summary Root::summary_of(Status status) const {
    Summary summary{.seconds = seconds_between(connected_.at, last_at_),
                    .port = std::move(status.ports.at(0)),
                    .joins = {connected_},
                    .moves_its_own = options_.publishing.has_value(),
                    .moves_besides = collector_ != nullptr,
                    .workers = std::move(status.workers),
                    .resident_mb = resident_megabytes()};
    auto& counters = summary.port.counters;
    if (publisher_) {
        const double flowed = seconds_between(publisher_->first_at().value_or(last_at_), last_at_);
        summary.packets_per_second = per_second(counters.sent, flowed);
        summary.bits_per_second = per_second(counters.sent_bytes, flowed) * 8;
    }
    if (feed_) {
        summary.feed_sent = feed_->facts();
        const Instant first = feed_->first_at().value_or(last_at_);
        const double flowed = seconds_between(first, std::max(first, feed_->last_at()));
        summary.packets_per_second = per_second(counters.sent, flowed);
        summary.bits_per_second = per_second(counters.sent_bytes, flowed) * 8;
    }
    summary.repairs = std::move(status.repairs);
    summary.further_ports.assign(status.ports.begin() + 1, status.ports.end());
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
    if (options.common.state) StateFile::check(*options.common.state);
    if (options.admission) {
        check_files(options.admission->options, !options.admission->invite.empty());
    }
    Root root(options, surroundings);
    root.open();
    root.end(root.run());
    return kExitDone;
}

}  // namespace joinleaf::app
