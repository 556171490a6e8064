// What is told of a sequenced feed.
#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/report_feed.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace joinleaf::app {
namespace {

/// Ranges of missing messages that are listed for a person.
constexpr std::size_t kMostShown = 20;

double microseconds(Duration time) {
    return rounded(std::chrono::duration<double, std::micro>(time).count());
}

Json json_of(const Histogram& times) {
    return {{"count", times.count()},
            {"p50", microseconds(times.percentile(0.5))},
            {"p99", microseconds(times.percentile(0.99))},
            {"p99_9", microseconds(times.percentile(0.999))},
            {"max", microseconds(times.max())}};
}

Json json_of(const LineCounters& line) {
    return {{"packets", line.packets}, {"received", line.received},
            {"won", line.won},         {"duplicates", line.duplicates},
            {"lost", line.lost},       {"reordered", line.reordered}};
}

Json json_of(const RecoveryCounters& recovery) {
    return {{"requests", recovery.requests},   {"retries", recovery.retries},
            {"given_up", recovery.given_up},   {"answers", recovery.answers},
            {"strangers", recovery.strangers}, {"too_long", recovery.too_long},
            {"unsent", recovery.unsent}};
}

Json json_of(const ReplayCounts& replay) {
    const auto left_out = [&](NoDatagram why) {
        return replay.left_out[static_cast<std::size_t>(why)];
    };
    const auto& line = replay.line;
    return {{"frames", replay.frames},
            {"packets", line.packets},
            {"duplicates", line.duplicates},
            {"reordered", line.reordered},
            {"gaps", line.gaps},
            {"missing", line.missing},
            {"sessions", line.sessions},
            {"other_flows", replay.other_flows},
            {"not_moldudp64", replay.not_mold},
            {"not_udp", left_out(NoDatagram::other)},
            {"fragments", left_out(NoDatagram::fragment)},
            {"cut_short", left_out(NoDatagram::cut_short)},
            {"unknown_link", left_out(NoDatagram::unknown_link)}};
}

Json json_of(const Missing& missing) {
    const auto ranges = missing.ranges();
    Json list = Json::array();
    for (const auto& range : ranges) {
        list.push_back(
            {{"session", range.session}, {"first", range.first}, {"count", range.count}});
    }
    return {{"messages", missing.messages()},
            {"list", std::move(list)},
            {"not_listed", missing.messages_not_kept()}};
}

Json nonzero(const std::vector<NamedCount>& counts) {
    Json json = Json::object();
    for (const auto& count : counts) {
        if (count.value != 0) json[std::string(count.name)] = count.value;
    }
    return json;
}

std::string text_of(const Missing::Range& range) {
    if (range.count == 1) return fmt::format("{}", range.first);
    return fmt::format("{} to {}", range.first, range.first + range.count - 1);
}

std::string clock_time(double seconds) {
    constexpr double kTooLong = 360'000;  // a hundred hours
    if (seconds >= kTooLong) return "days";
    const auto whole = std::llround(seconds);
    return fmt::format("{:02}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string text_of(Duration time) {
    const double microseconds = std::chrono::duration<double, std::micro>(time).count();
    return microseconds < 1000 ? fmt::format("{:.1f} us", microseconds)
                               : fmt::format("{:.1f} ms", microseconds / 1000);
}

std::string text_of_line(const std::string& name, const FeedLineStatus& line) {
    const auto& counters = line.counters;
    std::string text = fmt::format("  {}: {} received, {} won, {} duplicates, {} lost", name,
                                   grouped(counters.received), grouped(counters.won),
                                   grouped(counters.duplicates), grouped(counters.lost));
    if (line.skew.count() != 0) {
        text += fmt::format(", behind by {} (p99 {})", text_of(line.skew.percentile(0.5)),
                            text_of(line.skew.percentile(0.99)));
    }
    return text;
}

void add_missing(const Missing& missing, std::vector<std::string>& lines) {
    if (missing.empty()) {
        lines.emplace_back("no message is missing");
        return;
    }
    lines.push_back(fmt::format("{} messages are missing:", grouped(missing.messages())));
    std::uint64_t shown = 0;
    const auto ranges = missing.ranges();
    for (const auto& range : std::span(ranges).first(std::min(ranges.size(), kMostShown))) {
        lines.push_back(fmt::format("  {} of session {}", text_of(range), range.session));
        shown += range.count;
    }
    if (shown < missing.messages()) {
        lines.push_back(fmt::format("  and {} more (--json and --gaps tell the ranges)",
                                    grouped(missing.messages() - shown)));
    }
}

}  // namespace

void add_progress(const FeedProgress& progress, Json& status) {
    status["messages"] = progress.messages;
    status["progress"] = progress.part ? Json(rounded(*progress.part)) : Json();
    status["eta_s"] = progress.eta_s ? Json(rounded(*progress.eta_s)) : Json();
}

void add_progress(const FeedStatus& feed, Json& status) {
    status["messages"] = feed.delivered + feed.delivered_late;
    status["gaps"] = feed.gaps;
    status["lost"] = feed.lost - feed.delivered_late;
}

Json json_of(const FeedSent& feed) {
    Json json{
        {"session", feed.session},
        {"messages", feed.messages},
        {"octets", feed.octets},
        {"behind_ms", rounded(std::chrono::duration<double, std::milli>(feed.behind).count())}};
    if (feed.replay) json["capture"] = json_of(*feed.replay);
    return json;
}

Json json_of(const FeedTaken& feed) {
    const auto& status = feed.status;
    Json lines = Json::array();
    for (std::size_t i = 0; i < status.lines.size(); ++i) {
        Json line{{"line", i < feed.lines.size() ? feed.lines[i] : ""}};
        line.update(json_of(status.lines[i].counters));
        line["skew_us"] = json_of(status.lines[i].skew);
        lines.push_back(std::move(line));
    }
    return {{"session", status.session},
            {"sessions", feed.sessions},
            {"next_sequence", status.next_sequence},
            {"messages", status.delivered + status.delivered_late},
            {"octets", feed.octets},
            {"late", status.delivered_late},
            {"gaps", status.gaps},
            {"missing", json_of(feed.missing)},
            {"stopped", status.stopped},
            {"lines", std::move(lines)},
            {"repaired", json_of(status.repaired)},
            {"repair", json_of(status.recovery)},
            {"latency_us", json_of(status.latency)},
            {"fates", nonzero(status.fates)},
            {"malformed", nonzero(status.malformed)},
            {"dropped", nonzero(status.dropped)},
            {"broken_lines", feed.broken_lines}};
}

Json json_of(const RepairStatus& repair) {
    Json requests = Json::object();
    for (std::size_t i = 0; i < repair.requests.size(); ++i) {
        if (repair.requests[i] == 0) continue;
        requests[std::string(name(static_cast<RepairOutcome>(i)))] = repair.requests[i];
    }
    return {{"at", repair.endpoint.to_string()},
            {"session", repair.session},
            {"history_begins", repair.history_begins},
            {"next_sequence", repair.next_sequence},
            {"requests", std::move(requests)},
            {"messages", repair.messages},
            {"octets", repair.octets},
            {"unsent", repair.unsent},
            {"leaves", repair.leaves},
            {"quarantines", repair.quarantines}};
}

std::string text_of(const FeedProgress& progress) {
    std::string text;
    if (progress.part) text = fmt::format("{:5.1f} %  ", *progress.part * 100);
    text += fmt::format("{} messages  {}/s", grouped(progress.messages),
                        scaled(progress.messages_per_second));
    if (progress.eta_s) text += fmt::format("  {} left", clock_time(*progress.eta_s));
    return text;
}

std::string text_of(const FeedStatus& feed) {
    return fmt::format("{} messages  {} missing", grouped(feed.delivered + feed.delivered_late),
                       grouped(feed.lost - feed.delivered_late));
}

std::vector<std::string> text_of(const FeedSent& feed) {
    std::vector<std::string> lines{fmt::format("session {}: {} messages, {} octets", feed.session,
                                               grouped(feed.messages), grouped(feed.octets))};
    if (feed.behind > Duration::zero()) {
        lines.push_back(fmt::format("slower than its pace by {} in all", text_of(feed.behind)));
    }
    if (feed.replay && feed.replay->line.missing != 0) {
        lines.push_back(fmt::format("the capture lacks {} messages in {} gaps",
                                    grouped(feed.replay->line.missing),
                                    grouped(feed.replay->line.gaps)));
    }
    return lines;
}

std::vector<std::string> text_of(const FeedTaken& feed) {
    const auto& status = feed.status;
    std::vector<std::string> lines{
        fmt::format("{}: {} messages, {} octets",
                    status.session.empty() ? "no session" : "session " + status.session,
                    grouped(status.delivered + status.delivered_late), grouped(feed.octets))};
    for (std::size_t i = 0; i < status.lines.size(); ++i) {
        const std::string name = i < feed.lines.size() ? feed.lines[i] : fmt::format("line {}", i);
        lines.push_back(text_of_line(name, status.lines[i]));
    }
    if (status.recovery.requests != 0) {
        lines.push_back(fmt::format("  repaired: {} messages in {} answers to {} requests",
                                    grouped(status.repaired.won), grouped(status.recovery.answers),
                                    grouped(status.recovery.requests)));
    }
    if (status.latency.count() != 0) {
        lines.push_back(fmt::format(
            "latency in this program: p50 {}, p99 {}, p99.9 {}, most {}",
            text_of(status.latency.percentile(0.5)), text_of(status.latency.percentile(0.99)),
            text_of(status.latency.percentile(0.999)), text_of(status.latency.max())));
    }
    add_missing(feed.missing, lines);
    if (feed.broken_lines != 0) {
        lines.push_back(
            fmt::format("{} messages hold a line feed, so that lines do not tell them "
                        "apart; use --output-format lengths",
                        grouped(feed.broken_lines)));
    }
    return lines;
}

std::string text_of(const RepairStatus& repair) {
    const std::uint64_t asked =
        std::accumulate(repair.requests.begin(), repair.requests.end(), std::uint64_t{0});
    return fmt::format(
        "repair at {}: {} of {} requests answered, {} messages sent again, {} leaves",
        repair.endpoint.to_string(),
        grouped(repair.requests[static_cast<std::size_t>(RepairOutcome::answered)]), grouped(asked),
        grouped(repair.messages), grouped(repair.leaves));
}

}  // namespace joinleaf::app
