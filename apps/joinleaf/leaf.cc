// The commands `leaf` and `repair`: join groups and write what arrives, in order; a leaf may send,
// too.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/feed_leaf.h>
#include <apps/joinleaf/metrics.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/process.h>
#include <apps/joinleaf/publisher.h>
#include <apps/joinleaf/reload.h>
#include <apps/joinleaf/rooted_leaf.h>
#include <apps/joinleaf/service.h>
#include <apps/joinleaf/state_keeper.h>
#include <apps/joinleaf/subscriber.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kLinger = 100ms;  // after the last datagram was let out
constexpr int kLookMs = 20;      // of a leaf that only sends

struct Member {
    Socket socket;
    Connected connected;
    std::optional<Instant> first_datagram_at = {};
    bool has_left = false;  ///< while the others go on
};

std::vector<PortOptions> ports_of(const LeafOptions& options) {
    std::vector<PortOptions> ports{options.port};
    if (options.feed && options.feed->line_port) ports.push_back(*options.feed->line_port);
    if (!options.output) return ports;
    for (auto& port : ports) port.buffers = kReceiveBuffers;
    return ports;
}

std::optional<Input> open_input(const LeafOptions& options) {
    if (!options.publishing) return {};
    return Input::open(options.publishing->input, "--send");
}

/// From the joins to the last counter.
class Leaf {
public:
    /// `serving`: what it keeps of a feed for others; or none.
    Leaf(const LeafOptions& options, const FeedServing* serving, Surroundings& surroundings)
        : options_(options),
          around_(surroundings),
          input_(open_input(options)),
          state_(options.common, options.port, surroundings.report),
          runtime_(start_ports(Role::leaf, options.common, ports_of(options), surroundings)),
          metrics_(serve_metrics(options.common, runtime_, surroundings.report)),
          keeper_(open_keeper(runtime_, serving)) {
        around_.reload = [this] { reload(); };
    }
    Leaf(const Leaf&) = delete;
    Leaf& operator=(const Leaf&) = delete;
    ~Leaf() {
        around_.reload = [] {};
    }

    void join();
    /// Returns why it ended.
    [[nodiscard]] std::string_view run();
    /// Leaves, and says how it went. Errors: throws Failure.
    void end(std::string_view reason);

private:
    void open_receivers();
    /// Where what the n-th join brings arrives; none where nothing is received.
    [[nodiscard]] Receiver* receiver_of(std::size_t join);
    void join_group(GroupEndpoint group);
    /// Joins what a root has said of its feed's lines besides the first.
    void join_further_lines();
    void join_one(GroupEndpoint group, const SourceFilter& sources);
    [[nodiscard]] bool takes_a_feed() const;
    void begin_to_receive(Output output);
    [[nodiscard]] FeedSubscriber subscribe_to_feed(Output output);
    void reload();
    /// What is to be joined without a root, or has been with one; nothing is, to send only.
    [[nodiscard]] std::vector<JoinedGroup> joined() const;
    /// What command line and file say now.
    [[nodiscard]] LeafOptions read_options() const;
    /// What can change while this leaf runs.
    [[nodiscard]] SettingsChange take_over(const LeafOptions& fresh);
    /// Joins and leaves groups until they are those of the options; `afresh`: also those that stay.
    void follow_groups(bool afresh);
    void leave(Member& member);
    void set_sources();
    void begin_to_send();
    /// Empty: it goes on.
    [[nodiscard]] std::string_view reason_to_end(Instant now);
    [[nodiscard]] std::string_view look_at_sending();
    void tell_health(const Status& status);
    /// Writes what still waits, after the leaf has left.
    void finish_output();
    [[nodiscard]] Summary summary_of(Status status);
    [[nodiscard]] Ticker::Taken taken() const;
    /// What to say of an end that was not a good one.
    [[nodiscard]] std::optional<std::string> complaint(const Status& status,
                                                       std::string_view reason) const;

    LeafOptions options_;  ///< changed by reload()
    Surroundings& around_;
    std::optional<Input> input_;
    StateKeeper state_;  ///< outlives the runtime, which leaves what is in it
    Runtime runtime_;
    std::unique_ptr<Metrics> metrics_;
    std::optional<RepairHost> keeper_;
    std::vector<Receiver> receivers_;        ///< one for each queue that groups are spread over
    std::optional<Receiver> line_receiver_;  ///< of a feed's lines on another port
    // What is received, if anything: one of the two.
    std::optional<Subscriber> subscriber_;
    std::optional<FeedSubscriber> feed_;
    std::optional<RootedLeaf> session_;
    std::vector<Member> members_;
    Instant joined_{};
    std::optional<Ticker> ticker_;
    std::optional<PublishingThread> publishing_;
    Service service_{Role::leaf};
    bool all_sent_ = false;
    /// A failed output does not keep the leaf from leaving its groups.
    std::optional<std::string> failure_;
};

void Leaf::join() {
    std::optional<Output> output;
    if (options_.output) {
        output = Output::open(*options_.output);
        output->stop_waiting_on(around_.signals.fd());
        open_receivers();
    }
    state_.make_good(runtime_, joined());
    state_.keep(joined());
    if (options_.admission) {
        session_.emplace(runtime_, options_, options_.output ? &receivers_[0] : nullptr, around_,
                         [this] { service_.ready(runtime_); });
        if (auto connected = session_->enter()) {
            members_.push_back({session_->socket(), *std::move(connected)});
            if (output && takes_a_feed()) join_further_lines();
            state_.keep(joined());
        }
    } else {
        for (const auto group : options_.groups) join_group(group);
    }
    joined_ = members_.empty() ? Instant::clock::now() : members_.back().connected.at;
    ticker_.emplace(Role::leaf, runtime_, around_.report, joined_);
    if (output) begin_to_receive(*std::move(output));
    if (input_ && !members_.empty()) begin_to_send();
    if (!members_.empty()) service_.ready(runtime_);
}

// A root's session is one group.
void Leaf::open_receivers() {
    const std::size_t groups = std::max<std::size_t>(options_.groups.size(), 1);
    const std::size_t queues = std::min(options_.port.queues, groups);
    for (std::size_t queue = 0; queue < queues; ++queue) {
        receivers_.push_back(
            must(runtime_.open_receiver({.queue = queue, .capacity = kReceiveQueue / queues}),
                 "open a receive queue"));
    }
    if (!options_.feed || !options_.feed->line_port) return;
    line_receiver_ = must(runtime_.open_receiver({.port = 1, .capacity = kReceiveQueue}),
                          "open a receive queue");
}

bool Leaf::takes_a_feed() const {
    if (!options_.feed) return false;
    if (!session_ || members_.empty()) return options_.feed->demanded;
    const bool is_feed =
        must(members_.front().socket.session(), "receive").framing == Framing::moldudp64;
    if (options_.feed->demanded && !is_feed) {
        throw Failure(
            "the root sends no sequenced feed; leave --framing out to take its data as "
            "it is");
    }
    return is_feed;
}

void Leaf::begin_to_receive(Output output) {
    if (!takes_a_feed()) {
        subscriber_.emplace(options_, receivers_, std::move(output));
        return;
    }
    feed_.emplace(subscribe_to_feed(std::move(output)));
    ticker_->set_feed(
        [this](Instant, Progress& progress) { progress.feed_taken = feed_->status(); });
}

FeedSubscriber Leaf::subscribe_to_feed(Output output) {
    FeedReceiverOptions options = options_.feed->options;
    std::vector<LineEnds> ends;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const Socket& socket = members_[i].socket;
        const Connected& connected = members_[i].connected;
        const auto& sources = connected.sources;
        const bool knows_sender =
            sources.mode() == FilterMode::include && sources.sources().size() == 1;
        options.lines.push_back({socket.id(), receiver_of(i)});
        ends.push_back({connected.group, knows_sender ? sources.sources()[0] : Ipv4Address()});
    }
    if (session_) {
        if (const auto repair = must(members_.front().socket.session(), "receive").repair) {
            options.repair = FeedRepairOptions{.server = {repair->address, repair->port}};
        }
    }
    const std::string doing = options.repair ? fmt::format("take the feed, with repairs from {}",
                                                           options.repair->server.to_string())
                                             : "take the feed";
    return {options_,        must(FeedReceiver::open(options), doing),
            std::move(ends), std::move(output),
            around_.report,  keeper_ ? &*keeper_ : nullptr};
}

Receiver* Leaf::receiver_of(std::size_t join) {
    if (join != 0 && line_receiver_) return &*line_receiver_;
    return receivers_.empty() ? nullptr : &receivers_[join % receivers_.size()];
}

void Leaf::join_group(GroupEndpoint group) {
    if (subscriber_) subscriber_->expect(members_.size() + 1);
    join_one(group, options_.output ? options_.sources : SourceFilter::nothing());
}

void Leaf::join_further_lines() {
    const auto offer = must(members_.front().socket.session(), "join the feed's lines");
    for (const auto& line : offer.also) {
        const auto source = line.source.is_unspecified() ? offer.root_address : line.source;
        join_one(line.group, SourceFilter::only({source}));
    }
}

void Leaf::join_one(GroupEndpoint group, const SourceFilter& sources) {
    const bool only_named = options_.output && sources.mode() == FilterMode::include;
    const bool on_line_port = line_receiver_ && !members_.empty();
    Socket socket = must(runtime_.open({.scheme = only_named ? kSourceSpecific : kAnySource,
                                        .port = on_line_port ? 1u : 0u,
                                        .cookie = members_.size(),
                                        .receiver = receiver_of(members_.size()),
                                        .sender = sender_options(options_.publishing)}),
                         "open a socket");
    must(socket.set_scope(options_.scope), fmt::format("set the scope to {}", options_.scope));
    const auto direction = session_ ? Direction::receiver_only : direction_of(options_);
    const bool sends = direction != Direction::receiver_only;
    const Connected connected =
        app::join(socket, group, {.direction = direction, .sources = sources}, Role::leaf, around_,
                  sends ? group.to_string() : "");
    members_.push_back({std::move(socket), connected});
}

std::vector<JoinedGroup> Leaf::joined() const {
    std::vector<JoinedGroup> joined;
    if (!options_.output) return joined;
    for (const auto group : options_.groups) joined.push_back({group, options_.sources});
    if (session_ && session_->joins_group()) {
        for (const auto& member : members_) {
            joined.push_back({member.connected.group, member.connected.sources});
        }
    }
    return joined;
}

void Leaf::reload() {
    service_.reloading();
    try {
        const LeafOptions fresh = read_options();
        if (fresh.admission) {
            check_files(fresh.admission->options, fresh.admission->root.has_value());
        }
        if (session_) session_->reload();
        tell_reloaded(around_.report, take_over(fresh));
    } catch (const std::exception& why) {
        tell_not_reloaded(around_.report, why);
    }
    service_.reloaded();
}

LeafOptions Leaf::read_options() const {
    return keeper_ ? read_again<RepairOptions>(around_.arguments).leaf
                   : read_again<LeafOptions>(around_.arguments);
}

// What is sent goes to the one group that was joined for it, and the lines of a feed are what it
// began with.
SettingsChange Leaf::take_over(const LeafOptions& fresh) {
    auto& settings = options_.common.settings;
    const auto& given = fresh.common.settings;
    if (input_) {
        auto change = app::take_over(settings, given, {"rate", "bit-rate"});
        const auto& pace = *fresh.publishing;
        if (!change.applied.empty() && !members_.empty()) {
            must(members_.front().socket.set_rate(pace.packets_per_second, pace.bits_per_second),
                 "change the rate");
        }
        return change;
    }
    if (session_ || feed_) return app::take_over(settings, given, {});
    auto change = app::take_over(settings, given, {"join", "source", "exclude"});
    const auto mode = options_.sources.mode();
    options_.groups = fresh.groups;
    options_.sources = fresh.sources;
    state_.keep(joined());
    // Whether all may be heard or those that are named is a matter of the socket's scheme.
    const bool afresh = mode != options_.sources.mode();
    follow_groups(afresh);
    if (!afresh && (change.has("source") || change.has("exclude"))) set_sources();
    return change;
}

void Leaf::follow_groups(bool afresh) {
    std::vector<GroupEndpoint> missing = options_.groups;
    for (auto& member : members_) {
        if (member.has_left) continue;
        const auto wanted = std::ranges::find(missing, member.connected.group);
        if (wanted == missing.end() || afresh) {
            leave(member);
        } else {
            missing.erase(wanted);
        }
    }
    for (const auto group : missing) join_group(group);
}

void Leaf::leave(Member& member) {
    member.socket.close();
    member.has_left = true;
    const auto group = member.connected.group.to_string();
    around_.report.json({{"event", "left"}, {"group", group}});
    around_.report.text(fmt::format("has left {}", group));
}

void Leaf::set_sources() {
    for (auto& member : members_) {
        if (member.has_left || member.connected.sources == options_.sources) continue;
        must(member.socket.set_sources(options_.sources),
             fmt::format("change the sources of {}", member.connected.group.to_string()));
        member.connected.sources = options_.sources;
    }
}

void Leaf::begin_to_send() {
    auto sender = members_.front().socket.sender();
    if (!sender && sender.error() == std::errc::network_unreachable) {
        throw Failure(fmt::format(
            "cannot send to {}: it is beyond the subnet of {}; name the way with --gateway",
            members_.front().connected.sends_to, options_.port.address.to_string()));
    }
    publishing_.emplace(*options_.publishing, options_.port.port, *input_,
                        must(std::move(sender), "send"));
}

std::string_view Leaf::run() {
    const auto should_stop = [this](Instant now) { return reason_to_end(now); };
    try {
        if (subscriber_) return subscriber_->run(should_stop);
        if (feed_) return feed_->run(should_stop);
    } catch (const Failure& failure) {
        failure_ = failure.what();
        return "error";
    }
    for (;;) {
        if (const auto reason = should_stop(Instant::clock::now()); !reason.empty()) return reason;
        pollfd signal{around_.signals.fd(), POLLIN, 0};
        ::poll(&signal, 1, kLookMs);
    }
}

std::string_view Leaf::reason_to_end(Instant now) {
    state_.refresh(now);
    ticker_->tick(now, options_.output ? std::optional(taken()) : std::nullopt);
    if (around_.signals.asked_to_stop()) return "signal";
    if (around_.signals.asked_to_reload()) reload();
    if (options_.duration && now - joined_ >= *options_.duration) return "duration";
    if (session_) {
        if (const auto ended = session_->ended(); !ended.empty()) return ended;
        if (feed_) {
            if (const auto said = session_->socket().history_begins()) {
                feed_->history_begins(*said);
            }
        }
    }
    return look_at_sending();
}

std::string_view Leaf::look_at_sending() {
    if (!publishing_ || all_sent_) return "";
    const auto state = publishing_->state();
    if (state == PublishingThread::State::failed) return "error";
    if (state != PublishingThread::State::all_sent) return "";
    all_sent_ = true;
    const auto& publisher = publishing_->publisher();
    around_.report.json({{"event", "all_sent"},
                         {"datagrams", publisher.handed_over()},
                         {"octets", input_->octets()}});
    around_.report.text(fmt::format("has sent all: {} datagrams, {} octets",
                                    grouped(publisher.handed_over()), grouped(input_->octets())));
    return options_.output ? "" : "end_of_input";
}

void Leaf::end(std::string_view reason) {
    service_.stopping();
    around_.report.json({{"event", "closed"}, {"reason", reason}});
    if (reason == "end_of_input") {
        pollfd signal{around_.signals.fd(), POLLIN, 0};
        ::poll(&signal, 1, static_cast<int>(kLinger.count()));
    }
    if (publishing_) {
        publishing_->end();
        if (!failure_) failure_ = publishing_->failure();
    }
    tell_health(runtime_.status());
    for (auto& member : members_) member.socket.close();
    finish_output();
    const Status status = runtime_.status();
    const Summary summary = summary_of(status);
    feed_.reset();  // what it holds is the port's
    keeper_.reset();
    if (session_) session_->close();
    runtime_.stop();
    tell(Role::leaf, summary, around_.report);
    if (const auto said = complaint(status, reason)) throw Failure(*said);
}

void Leaf::finish_output() {
    if (failure_) return;
    try {
        if (subscriber_) subscriber_->finish();
        if (feed_) feed_->finish();
    } catch (const Failure& failure) {
        failure_ = failure.what();
    }
}

std::optional<std::string> Leaf::complaint(const Status& status, std::string_view reason) const {
    if (failure_) return failure_;
    if (reason == "gap") {
        return "stopped at a gap, as --on-gap stop says; with --repair there are fewer";
    }
    if (session_) {
        if (auto said = session_->complaint()) return said;
    }
    if (!publishing_) return {};
    const std::uint64_t given = publishing_->publisher().handed_over();
    const std::uint64_t sent = status.ports.at(0).counters.sent;
    const bool on_wire = (session_ ? session_->scope() : options_.scope) != 0;  // M23
    if (reason == "session_closed" && !all_sent_ && (sent < given || !input_->may_block())) {
        return fmt::format("the root ended the session before all was sent; {} datagrams left",
                           grouped(sent));
    }
    if (all_sent_ && on_wire && sent < given) return not_all_left(given, given - sent).what();
    return {};
}

// While the sockets are still members.
void Leaf::tell_health(const Status& status) {
    for (auto& member : members_) {
        const auto id = static_cast<std::uint32_t>(member.socket.id());
        for (const auto& membership : status.memberships) {
            if (membership.socket != id) continue;
            member.connected.health = membership.health;
            member.first_datagram_at = membership.first_datagram_at;
        }
    }
}

Ticker::Taken Leaf::taken() const {
    if (subscriber_) return subscriber_->taken();
    return feed_ ? feed_->taken() : Ticker::Taken{};
}

Summary Leaf::summary_of(Status status) {
    Summary summary{.seconds = members_.empty() ? 0 : seconds_between(joined_, status.taken_at),
                    .port = std::move(status.ports.at(0)),
                    .moves_its_own = options_.output.has_value(),
                    .moves_besides = input_.has_value(),
                    .workers = std::move(status.workers),
                    .resident_mb = resident_megabytes()};
    const auto [datagrams, octets] = taken();
    summary.port.counters.delivered = datagrams;
    summary.port.counters.delivered_bytes = octets;
    const double flowed = subscriber_ ? subscriber_->seconds_of_flow()
                          : feed_     ? feed_->seconds_of_flow()
                                      : 0;
    summary.packets_per_second = per_second(datagrams, flowed);
    summary.bits_per_second = per_second(octets, flowed) * 8;
    if (feed_) summary.feed_taken = feed_->facts();
    summary.repairs = std::move(status.repairs);
    summary.further_ports.assign(status.ports.begin() + 1, status.ports.end());
    for (std::size_t i = 0; i < members_.size(); ++i) {
        summary.joins.push_back(members_[i].connected);
        const auto first =
            subscriber_ ? subscriber_->first_of_join(i) : members_[i].first_datagram_at;
        if (first) {
            summary.joins[i].first_datagram_ms = milliseconds_between(summary.joins[i].at, *first);
        }
    }
    return summary;
}

int run_and_keep(const LeafOptions& options, const FeedServing* serving,
                 Surroundings& surroundings) {
    if (options.output) Output::check(*options.output);
    if (options.admission) {
        check_files(options.admission->options, options.admission->root.has_value());
    }
    Leaf leaf(options, serving, surroundings);
    leaf.join();
    leaf.end(leaf.run());
    return kExitDone;
}

}  // namespace

int run_leaf(const LeafOptions& options, Surroundings& surroundings) {
    return run_and_keep(options, nullptr, surroundings);
}

int run_repair(const RepairOptions& options, Surroundings& surroundings) {
    return run_and_keep(options.leaf, &options.serving, surroundings);
}

}  // namespace joinleaf::app
