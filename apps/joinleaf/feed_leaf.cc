// What a leaf receives as a sequenced feed.
#include <apps/joinleaf/feed_leaf.h>
#include <apps/joinleaf/feed_root.h>
#include <apps/joinleaf/numbers.h>
#include <fmt/format.h>

#include <algorithm>

namespace joinleaf::app {
namespace {

/// What has to be added to a monotonic time, as the clocks stand now.
RecordedTime monotonic_since_1970() {
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<RecordedTime>(wall) -
           Instant::clock::now().time_since_epoch();
}

std::optional<Output> open_gaps(const LeafOptions& options) {
    if (!options.feed->gaps) return {};
    return Output::open(*options.feed->gaps, "--gaps");
}

}  // namespace

std::optional<RepairHost> open_keeper(Runtime& runtime, const FeedServing* serving) {
    if (serving == nullptr) return {};
    check_history(*serving);
    RepairHostOptions options{.server = repair_server_options(*serving)};
    options.history_messages = serving->messages.value_or(options.history_messages);
    options.history_octets = serving->octets.value_or(options.history_octets);
    return must(runtime.open_repair_host(options),
                fmt::format("answer requests at {}", serving->listen.to_string()));
}

FeedSubscriber::FeedSubscriber(const LeafOptions& options, FeedReceiver feed,
                               std::vector<LineEnds> lines, Output output, Runtime& runtime,
                               Reporter& report, RepairHost* keeper,
                               std::optional<ControlEndpoint> server)
    : options_(options),
      feed_(std::move(feed)),
      lines_(std::move(lines)),
      sink_(std::move(output), options.feed->format),
      gaps_(open_gaps(options)),
      runtime_(runtime),
      report_(report),
      keeper_(keeper),
      since_1970_(monotonic_since_1970()),
      server_(server) {}

void FeedSubscriber::finish() {
    while (reason_.empty() && take_burst()) {
    }
    sink_.close();
    if (gaps_) gaps_->close();
}

bool FeedSubscriber::take_burst() {
    return feed_.poll([this](const FeedEvent& event) {
        if (reason_.empty()) take(event);
    }) != 0;
}

void FeedSubscriber::take(const FeedEvent& event) {
    switch (event.kind) {
        case FeedEvent::Kind::messages:
        case FeedEvent::Kind::late:
            return take_messages(event);
        case FeedEvent::Kind::gap:
            return take_gap(event);
        case FeedEvent::Kind::session:
            return take_session(event);
        case FeedEvent::Kind::end:
            return take_end(event);
        case FeedEvent::Kind::stranger:
            return note(
                fmt::format("session {} is heard beside {}, which goes on, and is dropped; "
                            "does another root send to this group?",
                            event.session, session_name_));
        case FeedEvent::Kind::repeated:
            return note(
                fmt::format("session {} is over, and begins again: what comes is dropped, "
                            "as it bears the numbers of what was delivered; have the root "
                            "name each run otherwise (--session), or leave that to it",
                            event.session));
    }
}

void FeedSubscriber::take_messages(const FeedEvent& event) {
    FeedMessages messages = event.messages;
    if (options_.count && messages.size() >= *options_.count - taken_.datagrams) {
        messages = messages.first(static_cast<std::uint32_t>(*options_.count - taken_.datagrams));
        reason_ = "count";
    }
    if (event.kind == FeedEvent::Kind::late) missing_.remove(event.first, messages.size());
    sink_.append(run_of(event, messages));
    if (keeper_ != nullptr) keeper_->append(event.first, event.messages);
    taken_.datagrams += messages.size();
    for (const auto message : messages) taken_.octets += message.size();
    last_at_ = event.received_at;
    if (!first_at_) first_at_ = last_at_;
}

void FeedSubscriber::take_gap(const FeedEvent& event) {
    missing_.add(event.first, event.count);
    report_.json({{"event", "gap"},
                  {"session", session_name_},
                  {"first", event.first},
                  {"count", event.count}});
    if (gaps_) {
        const auto line = fmt::format("{}\t{}\t{}\n", session_name_, event.first, event.count);
        gaps_->append(std::as_bytes(std::span(line)));
    }
    if (options_.common.recorder.packets != 0) {
        runtime_.record_around(fmt::format("gap of {} messages from {} on, session {}", event.count,
                                           event.first, session_name_));
    }
    if (options_.feed->options.on_gap == GapPolicy::stop) reason_ = "gap";
}

void FeedSubscriber::take_session(const FeedEvent& event) {
    session_name_ = event.session;
    session_ = net::MoldSession::from(event.session).value_or(net::MoldSession());
    missing_.begin_session(event.session);
    if (keeper_ != nullptr) must(keeper_->begin_session(event.session), "keep the session");
    if (++sessions_ > kMostSessionsTold) return;
    report_.json({{"event", "session"}, {"session", session_name_}, {"first", event.first}});
    report_.text(
        fmt::format("session {} begins with message {}", session_name_, grouped(event.first)));
}

void FeedSubscriber::take_end(const FeedEvent& event) {
    sink_.end(run_of(event, {}));
    report_.json({{"event", "end_of_session"}, {"session", session_name_}, {"next", event.first}});
    report_.text(fmt::format("session {} is over: {} would have been next", session_name_,
                             grouped(event.first)));
    if (!options_.feed->follow) reason_ = "end_of_session";
}

// Whoever sends to the group may make any number of sessions up.
void FeedSubscriber::note(std::string_view what) {
    if (notes_ > kMostNotes) return;
    report_.note(++notes_ <= kMostNotes ? what : "more notes of this kind are not told");
}

MessageRun FeedSubscriber::run_of(const FeedEvent& event, FeedMessages messages) const {
    const LineEnds& line = lines_[event.line < lines_.size() ? event.line : 0];
    const Instant at = event.received_at == Instant{} ? Instant::clock::now() : event.received_at;
    return {
        .session = session_,
        .first = event.first,
        .messages = messages,
        .at = since_1970_ + at.time_since_epoch(),
        .ends = {.source = line.source, .source_port = line.group.port.value(), .to = line.group}};
}

void FeedSubscriber::history_begins(const HistoryBegins& said) {
    std::string_view name(said.session.data(), said.session.size());
    name = name.substr(0, name.find_last_not_of(' ') + 1);
    feed_.history_begins(name, said.sequence);
}

void FeedSubscriber::look_at_repairs(Instant now) {
    constexpr auto kEvery = std::chrono::milliseconds(500);
    if (!server_ || now - looked_at_ < kEvery) return;
    looked_at_ = now;
    if (const auto said = unanswered_.look(feed_.status().recovery, server_->to_string())) {
        report_.note(*said);
    }
}

FeedTaken FeedSubscriber::facts() {
    feed_.publish_status();
    FeedTaken taken{.status = feed_.status(),
                    .lines = {},
                    .missing = missing_,
                    .sessions = sessions_,
                    .octets = taken_.octets,
                    .broken_lines = sink_.broken_lines()};
    for (const auto& line : lines_) taken.lines.push_back(line.group.to_string());
    return taken;
}

}  // namespace joinleaf::app
