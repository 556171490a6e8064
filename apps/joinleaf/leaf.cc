// The commands `leaf` and `repair`: join groups and write what arrives, in order; a leaf may send,
// too.
#include <apps/joinleaf/admission_files.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/leaf.h>
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/process.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kLinger = 100ms;  // after the last datagram was let out
constexpr int kLookMs = 20;      // of a leaf that only sends

std::vector<PortOptions> ports_of(const LeafOptions& options) {
    std::vector<PortOptions> ports{options.port};
    if (options.feed && options.feed->line_port) ports.push_back(*options.feed->line_port);
    return ports;
}

std::optional<Input> open_input(const LeafOptions& options) {
    if (!options.publishing) return {};
    return Input::open(options.publishing->input, "--send");
}

}  // namespace

Leaf::Leaf(const LeafOptions& options, const FeedServing* serving, Surroundings& surroundings)
    : options_(options),
      around_(surroundings),
      input_(open_input(options)),
      keeps_(serving != nullptr),
      state_(options.common, options.port, surroundings.report),
      runtime_(start_ports(Role::leaf, options.common, ports_of(options), surroundings)),
      metrics_(serve_metrics(options.common, runtime_, surroundings.report)),
      black_box_(runtime_, options.common.recorder, surroundings.report),
      keeper_(open_keeper(runtime_, serving)) {
    around_.reload = [this] { reload(); };
}

Leaf::~Leaf() {
    around_.reload = [] {};
}

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
            members_.push_back({session_->socket(), *std::move(connected), {}});
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
            // The worker delivers before the report has left: the network may have brought it all
            // the while.
            summary.joins[i].first_datagram_ms =
                milliseconds_between(summary.joins[i].at, std::max(*first, summary.joins[i].at));
        }
    }
    return summary;
}

namespace {

int run_and_keep(const LeafOptions& options, const FeedServing* serving,
                 Surroundings& surroundings) {
    if (options.output) Output::check(*options.output);
    if (options.feed && options.feed->gaps) Output::check(*options.feed->gaps, "--gaps");
    BlackBox::check(options.common.recorder);
    if (options.common.state) StateFile::check(*options.common.state);
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
