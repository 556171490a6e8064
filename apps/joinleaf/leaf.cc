// The command `leaf`: joins groups and writes what arrives, in the order it arrives; sends, too.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/black_box.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/idle.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/output.h>
#include <apps/joinleaf/process.h>
#include <apps/joinleaf/publisher.h>
#include <apps/joinleaf/rooted_leaf.h>
#include <apps/joinleaf/run.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kLinger = 100ms;           // after the last datagram was let out
constexpr int kLookMs = 20;               // of a leaf that only sends
constexpr auto kLongestHeldBack = 100ms;  // of a stream too thin to fill the output's buffer

/// Takes datagrams off the queues and appends them to the output.
class Subscriber {
public:
    Subscriber(const LeafOptions& options, std::span<Receiver> receivers, Output output)
        : options_(options), receivers_(receivers), output_(std::move(output)) {
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
    void finish() {
        while (!is_complete() && take_burst()) {
        }
        output_.close();
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

    /// From each queue a burst. Returns whether there was any.
    bool take_burst() {
        std::size_t taken = 0;
        for (auto& receiver : receivers_) {
            taken += receiver.consume([this](std::span<const Datagram> datagrams) {
                for (const auto& datagram : datagrams) {
                    if (is_complete()) return;
                    output_.append(datagram);
                    note_arrival(datagram);
                }
            });
        }
        return taken != 0;
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
    std::span<Receiver> receivers_;
    Output output_;
    Idle idle_;
    Ticker::Taken taken_;
    std::vector<std::optional<Instant>> first_of_join_;
    std::optional<Instant> first_at_;
    Instant last_at_{};
    Instant held_since_{};
};

struct Member {
    Socket socket;
    Connected connected;
};

PortOptions port_options(const LeafOptions& options) {
    PortOptions port = options.port;
    if (options.output) port.buffers = kReceiveBuffers;
    return port;
}

std::optional<Input> open_input(const LeafOptions& options) {
    if (!options.publishing) return {};
    return Input::open(options.publishing->input, "--send");
}

/// From the joins to the last counter.
class Leaf {
public:
    Leaf(const LeafOptions& options, Surroundings& surroundings)
        : options_(options),
          around_(surroundings),
          input_(open_input(options)),
          runtime_(start_one_port(Role::leaf, options.common, port_options(options), surroundings)),
          black_box_(runtime_, options.common.recorder, surroundings.report) {}

    void join();
    /// Returns why it ended.
    [[nodiscard]] std::string_view run();
    /// Leaves, and says how it went. Errors: throws Failure.
    void end(std::string_view reason);

private:
    void open_receivers();
    /// Where what the n-th join brings arrives; none where nothing is received.
    [[nodiscard]] Receiver* receiver_of(std::size_t join);
    void join_groups();
    void begin_to_send();
    /// Empty: it goes on.
    [[nodiscard]] std::string_view reason_to_end(Instant now);
    [[nodiscard]] std::string_view look_at_sending();
    void tell_health(const Status& status);
    /// Writes what still waits, after the leaf has left.
    void finish_output();
    [[nodiscard]] Summary summary_of(Status status) const;
    /// What to say of an end that was not a good one.
    [[nodiscard]] std::optional<std::string> complaint(const Status& status,
                                                       std::string_view reason) const;

    const LeafOptions& options_;
    Surroundings& around_;
    std::optional<Input> input_;
    Runtime runtime_;
    BlackBox black_box_;
    std::vector<Receiver> receivers_;  ///< one for each queue that groups are spread over
    std::optional<Subscriber> subscriber_;
    std::optional<RootedLeaf> session_;
    std::vector<Member> members_;
    Instant joined_{};
    std::optional<Ticker> ticker_;
    std::optional<PublishingThread> publishing_;
    bool all_sent_ = false;
    /// A failed output does not keep the leaf from leaving its groups.
    std::optional<std::string> failure_;
};

void Leaf::join() {
    if (options_.output) {
        Output output = Output::open(*options_.output);
        output.stop_waiting_on(around_.signals.fd());
        open_receivers();
        subscriber_.emplace(options_, receivers_, std::move(output));
    }
    if (options_.admission) {
        session_.emplace(runtime_, options_, options_.output ? &receivers_[0] : nullptr, around_);
        if (auto connected = session_->enter()) {
            members_.push_back({session_->socket(), *std::move(connected)});
        }
    } else {
        join_groups();
    }
    joined_ = members_.empty() ? Instant::clock::now() : members_.back().connected.at;
    ticker_.emplace(Role::leaf, runtime_, around_.report, joined_);
    if (input_ && !members_.empty()) begin_to_send();
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
}

Receiver* Leaf::receiver_of(std::size_t join) {
    return receivers_.empty() ? nullptr : &receivers_[join % receivers_.size()];
}

void Leaf::join_groups() {
    const bool only_named = options_.output && options_.sources.mode() == FilterMode::include;
    for (const auto group : options_.groups) {
        Socket socket = must(runtime_.open({.scheme = only_named ? kSourceSpecific : kAnySource,
                                            .cookie = members_.size(),
                                            .receiver = receiver_of(members_.size()),
                                            .sender = sender_options(options_.publishing)}),
                             "open a socket");
        must(socket.set_scope(options_.scope), fmt::format("set the scope to {}", options_.scope));
        const Connected connected =
            app::join(socket, group,
                      {.direction = direction_of(options_),
                       .sources = options_.output ? options_.sources : SourceFilter::nothing()},
                      Role::leaf, around_, input_ ? group.to_string() : "");
        members_.push_back({std::move(socket), connected});
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
    ticker_->tick(now, subscriber_ ? std::optional(subscriber_->taken()) : std::nullopt);
    if (around_.signals.asked_to_stop()) return "signal";
    if (options_.duration && now - joined_ >= *options_.duration) return "duration";
    if (session_) {
        if (const auto ended = session_->ended(); !ended.empty()) return ended;
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
    return subscriber_ ? "" : "end_of_input";
}

void Leaf::end(std::string_view reason) {
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
    if (session_) session_->close();
    runtime_.stop();
    tell(Role::leaf, summary_of(status), around_.report);
    if (const auto said = complaint(status, reason)) throw Failure(*said);
}

void Leaf::finish_output() {
    if (failure_ || !subscriber_) return;
    try {
        subscriber_->finish();
    } catch (const Failure& failure) {
        failure_ = failure.what();
    }
}

std::optional<std::string> Leaf::complaint(const Status& status, std::string_view reason) const {
    if (failure_) return failure_;
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
            if (membership.socket == id) member.connected.health = membership.health;
        }
    }
}

Summary Leaf::summary_of(Status status) const {
    Summary summary{.seconds = members_.empty() ? 0 : seconds_between(joined_, status.taken_at),
                    .port = std::move(status.ports.at(0)),
                    .moves_its_own = subscriber_.has_value(),
                    .moves_besides = input_.has_value(),
                    .workers = std::move(status.workers),
                    .resident_mb = resident_megabytes()};
    const Ticker::Taken taken = subscriber_ ? subscriber_->taken() : Ticker::Taken{};
    summary.port.counters.delivered = taken.datagrams;
    summary.port.counters.delivered_bytes = taken.octets;
    const double flowed = subscriber_ ? subscriber_->seconds_of_flow() : 0;
    summary.packets_per_second = per_second(taken.datagrams, flowed);
    summary.bits_per_second = per_second(taken.octets, flowed) * 8;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        summary.joins.push_back(members_[i].connected);
        const auto first = subscriber_ ? subscriber_->first_of_join(i) : std::nullopt;
        if (first) {
            summary.joins[i].first_datagram_ms = milliseconds_between(summary.joins[i].at, *first);
        }
    }
    return summary;
}

}  // namespace

int run_leaf(const LeafOptions& options, Surroundings& surroundings) {
    if (options.output) Output::check(*options.output);
    BlackBox::check(options.common.recorder);
    if (options.admission) {
        check_files(options.admission->options, options.admission->root.has_value());
    }
    Leaf leaf(options, surroundings);
    leaf.join();
    leaf.end(leaf.run());
    return kExitDone;
}

}  // namespace joinleaf::app
