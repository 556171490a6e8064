#include <apps/joinleaf/numbers.h>
#include <apps/joinleaf/stat/screen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>

namespace joinleaf::app {
namespace {

/// How a cell is made of a row's fields.
enum class How : std::uint8_t {
    text,
    count,     ///< a number as it is
    loss,      ///< likewise, and an alarm while it grows
    link,      ///< 1: up; 0: down, which is an alarm
    rate,      ///< what a counter grows by in a second
    bit_rate,  ///< likewise of octets, as bits
    time,      ///< nanoseconds, in a unit that fits
    share,     ///< of the growth of `other`, in percent
    quotient,  ///< growth by growth of `other`, in nanoseconds
    health,    ///< a word, and an alarm unless it is `other`
};

struct Shown {
    std::string_view heading;
    How how;
    std::string_view field;
    std::string_view other = {};
};

struct Section {
    std::string_view table;
    std::string_view title;
    std::vector<std::string_view> key;  ///< fields that name a row
    std::vector<Shown> columns;
};

// What is shown of each table, in this order. Another table is one more section here.
const std::vector<Section>& sections() {
    static const std::vector<Section> all{
        {"ports",
         "Ports",
         {"runtime", "port"},
         {{"port", How::text, "port"},
          {"driver", How::text, "driver"},
          {"link", How::link, "link_up"},
          {"filter", How::text, "filter_mode"},
          {"in/s", How::rate, "received_frames"},
          {"bit/s", How::bit_rate, "received_bytes"},
          {"delivered/s", How::rate, "delivered_datagrams"},
          {"out/s", How::rate, "transmitted_frames"},
          {"bit/s", How::bit_rate, "transmitted_bytes"},
          {"rx bufs", How::count, "receive_buffers"},
          {"tx bufs", How::count, "transmit_buffers"},
          {"querier", How::text, "querier_address"},
          {"igmp", How::count, "igmp_version"}}},
        {"workers",
         "Workers",
         {"runtime", "worker"},
         {{"worker", How::text, "worker"},
          {"lcore", How::count, "lcore"},
          {"busy", How::share, "busy_ns", "running_ns"},
          {"turns/s", How::rate, "turns"},
          {"frames/s", How::rate, "frames"},
          {"ns/frame", How::quotient, "busy_ns", "frames"}}},
        {"sessions",
         "Sessions",
         {"runtime", "socket"},
         {{"socket", How::text, "socket"},
          {"group", How::text, "group"},
          {"members", How::count, "members"},
          {"joining", How::count, "joining"},
          {"pending", How::count, "pending"},
          {"admitted", How::count, "admitted_leaves"},
          {"left", How::count, "left_leaves"},
          {"expelled", How::count, "expelled_leaves"},
          {"lost", How::count, "lost_leaves"}}},
        {"groups",
         "Groups",
         {"runtime", "socket", "port", "group"},
         {{"socket", How::text, "socket"},
          {"port", How::text, "port"},
          {"group", How::text, "group"},
          {"sources", How::text, "sources"},
          {"health", How::health, "health", "receiving"},
          {"delivered/s", How::rate, "delivered_datagrams"},
          {"delivered", How::count, "delivered_datagrams"},
          {"last", How::time, "datagram_age_ns"},
          {"report", How::time, "report_age_ns"}}},
        {"feeds",
         "Feeds received",
         {"runtime", "socket"},
         {{"socket", How::text, "socket"},
          {"session", How::text, "session"},
          {"messages/s", How::rate, "delivered_messages"},
          {"messages", How::count, "delivered_messages"},
          {"repaired", How::count, "repaired_messages"},
          {"gaps", How::loss, "gaps"},
          {"lost", How::loss, "lost_messages"},
          {"held", How::count, "held_packets"},
          {"p50", How::time, "latency_p50_ns"},
          {"p99", How::time, "latency_p99_ns"},
          {"max", How::time, "latency_max_ns"}}},
        {"feed_lines",
         "Lines of feeds",
         {"runtime", "socket", "line"},
         {{"socket", How::text, "socket"},
          {"line", How::text, "line"},
          {"packets/s", How::rate, "packets"},
          {"received", How::count, "received_messages"},
          {"won", How::count, "won_messages"},
          {"lost", How::count, "lost_messages"},
          {"reordered", How::count, "reordered_messages"},
          {"skew p50", How::time, "skew_p50_ns"},
          {"skew p99", How::time, "skew_p99_ns"}}},
        {"repairs",
         "Repair servers",
         {"runtime", "endpoint"},
         {{"endpoint", How::text, "endpoint"},
          {"session", How::text, "session"},
          {"from", How::count, "history_begins"},
          {"to", How::count, "next_sequence"},
          {"messages/s", How::rate, "sent_messages"},
          {"messages", How::count, "sent_messages"},
          {"leaves", How::count, "leaves"},
          {"quarantines", How::count, "quarantines"}}},
        {"leaves",
         "Leaves",
         {"runtime", "socket", "number"},
         {{"socket", How::text, "socket"},
          {"name", How::text, "name"},
          {"identity", How::text, "identity"},
          {"data address", How::text, "data_address"},
          {"endpoint", How::text, "endpoint"},
          {"stage", How::health, "stage", "member"},
          {"since", How::time, "since_ns"}}},
    };
    return all;
}

/// A table whose rows hold counts by name: those that are not zero are shown, a line each.
struct CountSection {
    std::string_view table;
    std::string_view title;
    std::string_view key;
    std::string_view heading;
    bool alarms;  ///< when a count grows
};
constexpr auto kCountSections = std::to_array<CountSection>({
    {"losses", "Losses", "port", "where", true},
    {"drops", "Drops", "port", "reason", true},
    {"refusals", "Refused leaves", "socket", "reason", true},
    {"repair_requests", "Repair requests", "endpoint", "outcome", false},
    {"igmp", "IGMP", "port", "what", false},
});

/// Of the losses what was asked for: another source of a group.
constexpr std::string_view kNotWanted = "source_filter";

std::string clean(std::string text) {
    std::ranges::replace_if(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return text;
}

std::string word(const Json& row, std::string_view field) {
    const auto found = row.find(std::string(field));
    if (found == row.end()) return {};
    return clean(found->is_string() ? found->get<std::string>() : found->dump());
}

std::optional<std::uint64_t> number(const Json* row, std::string_view field) {
    if (row == nullptr) return {};
    const auto found = row->find(std::string(field));
    if (found == row->end() || !found->is_number_unsigned()) return {};
    return found->get<std::uint64_t>();
}

/// Since the last look; none where a counter has begun anew.
std::optional<double> growth(const Json& row, const Json* before, std::string_view field) {
    const auto now = number(&row, field);
    const auto then = number(before, field);
    if (!now || !then || *now < *then) return {};
    return static_cast<double>(*now - *then);
}

std::string time_text(std::uint64_t nanoseconds) {
    const double seconds = static_cast<double>(nanoseconds) / 1e9;
    constexpr double kMinute = 60;
    constexpr double kHour = 3600;
    if (nanoseconds == 0) return "0";
    if (seconds < 1e-5) return fmt::format("{:.1f} us", seconds * 1e6);
    if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
    if (seconds < 1e-2) return fmt::format("{:.1f} ms", seconds * 1e3);
    if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
    if (seconds < 2 * kMinute) return fmt::format("{:.1f} s", seconds);
    if (seconds < 2 * kHour) return fmt::format("{:.0f} min", seconds / kMinute);
    return fmt::format("{:.0f} h", seconds / kHour);
}

/// With a suffix from 10 000 on, as in 1.23M.
std::string short_number(double value) {
    constexpr std::array<std::string_view, 4> kSuffixes{"k", "M", "G", "T"};
    constexpr double kStep = 1000;
    if (value < 10 * kStep) return fmt::format("{:.0f}", value);
    std::string_view suffix;
    for (const auto next : kSuffixes) {
        if (value < kStep) break;
        value /= kStep;
        suffix = next;
    }
    return fmt::format("{:.3g}{}", value, suffix);
}

/// A row at both looks, and the seconds between them.
struct Pair {
    const Json& now;
    const Json* before;
    double seconds;
};

Span cell(const Shown& shown, const Pair& row) {
    const auto rate = [&](double unit) {
        const auto grown = growth(row.now, row.before, shown.field);
        return Span{grown && row.seconds > 0 ? short_number(*grown * unit / row.seconds) : ""};
    };
    switch (shown.how) {
        case How::text:
            return {word(row.now, shown.field)};
        case How::count:
        case How::loss: {
            const auto value = number(&row.now, shown.field);
            const bool alarms =
                shown.how == How::loss && growth(row.now, row.before, shown.field).value_or(0) > 0;
            return {value ? grouped(*value) : "", alarms ? Style::alarm : Style::plain};
        }
        case How::link: {
            const bool up = number(&row.now, shown.field).value_or(0) != 0;
            return {up ? "up" : "down", up ? Style::plain : Style::alarm};
        }
        case How::rate:
            return rate(1);
        case How::bit_rate:
            return rate(8);
        case How::time: {
            const auto value = number(&row.now, shown.field);
            return {value ? time_text(*value) : ""};
        }
        case How::share:
        case How::quotient: {
            const auto part = growth(row.now, row.before, shown.field);
            const auto whole = growth(row.now, row.before, shown.other);
            if (!part || !whole || *whole == 0) return {};
            return {shown.how == How::share ? fmt::format("{:.1f} %", 100 * *part / *whole)
                                            : fmt::format("{:.0f}", *part / *whole)};
        }
        case How::health: {
            const std::string state = word(row.now, shown.field);
            return {state, state == shown.other ? Style::plain : Style::alarm};
        }
    }
    return {};
}

// Code points, not octets; what is wider than a column of the terminal is rare in names.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string cut(std::string_view text, std::size_t columns) {
    std::size_t at = 0;
    std::size_t seen = 0;
    for (; at < text.size(); ++at) {
        const bool begins = (static_cast<unsigned char>(text[at]) & 0xc0U) != 0x80U;
        if (begins && seen++ == columns) break;
    }
    return std::string(text.substr(0, at));
}

bool is_left(How how) { return how == How::text || how == How::link || how == How::health; }

std::string padded(const std::string& text, std::size_t columns, bool left) {
    const std::string blanks(columns - std::min(columns, width(text)), ' ');
    return left ? text + blanks : blanks + text;
}

/// Rows of cells as lines, each column as wide as its widest cell.
void lay_out(std::vector<Line>& lines, const std::vector<Span>& headings,
             const std::vector<bool>& left, const std::vector<std::vector<Span>>& rows) {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < headings.size(); ++i) {
        std::size_t widest = width(headings[i].text);
        for (const auto& row : rows) widest = std::max(widest, width(row[i].text));
        widths.push_back(widest);
    }
    const auto add = [&](const std::vector<Span>& row) {
        Line line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line.spans.push_back(
                {"  ", row[i].style == Style::heading ? Style::heading : Style::plain});
            line.spans.push_back({padded(row[i].text, widths[i], left[i]), row[i].style});
        }
        lines.push_back(std::move(line));
    };
    add(headings);
    for (const auto& row : rows) add(row);
}

std::string key_of(const Json& row, std::span<const std::string_view> fields) {
    std::string key;
    for (const auto field : fields) key += word(row, field) + '\n';
    return key;
}

using ByKey = std::map<std::string, const Json*>;

ByKey by_key(const JsonRows& rows, std::span<const std::string_view> fields) {
    ByKey all;
    for (const auto& row : rows) all.emplace(key_of(row, fields), &row);
    return all;
}

const Json* find(const ByKey& rows, const std::string& key) {
    const auto found = rows.find(key);
    return found == rows.end() ? nullptr : found->second;
}

void begin_section(std::vector<Line>& lines, std::string_view title, std::size_t rows) {
    if (!lines.empty()) lines.emplace_back();
    lines.push_back({{{fmt::format("{} ({})", title, rows), Style::title}}});
}

void add_section(std::vector<Line>& lines, const Section& section, const Sample& now,
                 const Sample* before, double seconds) {
    const auto& rows = now.rows(section.table);
    if (rows.empty()) return;
    ByKey then;
    if (before != nullptr) then = by_key(before->rows(section.table), section.key);
    std::vector<std::vector<Span>> cells;
    for (const auto& row : rows) {
        const Pair pair{row, find(then, key_of(row, section.key)), seconds};
        auto& line = cells.emplace_back();
        for (const auto& column : section.columns) line.push_back(cell(column, pair));
    }
    std::vector<Span> headings;
    std::vector<bool> left;
    for (const auto& column : section.columns) {
        headings.push_back({std::string(column.heading), Style::heading});
        left.push_back(is_left(column.how));
    }
    begin_section(lines, section.title, rows.size());
    lay_out(lines, headings, left, cells);
}

void add_counts(std::vector<Line>& lines, const CountSection& section, const Sample& now,
                const Sample* before, double seconds) {
    const std::array<std::string_view, 2> key{"runtime", section.key};
    ByKey then;
    if (before != nullptr) then = by_key(before->rows(section.table), key);
    std::vector<std::vector<Span>> cells;
    for (const auto& row : now.rows(section.table)) {
        const Json* old = find(then, key_of(row, key));
        for (const auto& [name, value] : row.items()) {
            if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0) continue;
            const auto grown = growth(row, old, name);
            const bool moves = grown.value_or(0) > 0;
            const Style style = moves && section.alarms ? Style::alarm : Style::plain;
            cells.push_back({{word(row, section.key), style},
                             {clean(name), style},
                             {grouped(value.get<std::uint64_t>()), style},
                             {grown && seconds > 0 ? short_number(*grown / seconds) : "", style}});
        }
    }
    if (cells.empty()) return;
    begin_section(lines, section.title, cells.size());
    lay_out(lines,
            {{std::string(section.key), Style::heading},
             {std::string(section.heading), Style::heading},
             {"in all", Style::heading},
             {"per s", Style::heading}},
            {true, true, false, false}, cells);
}

Line fitted(const Line& line, std::size_t columns) {
    Line fit;
    std::size_t left = columns;
    for (const auto& span : line.spans) {
        if (left == 0) break;
        fit.spans.push_back({cut(span.text, left), span.style});
        left -= std::min(left, width(span.text));
    }
    return fit;
}

double seconds_between(const Sample& now, const Sample* before) {
    return before == nullptr ? 0 : std::chrono::duration<double>(now.at - before->at).count();
}

/// What grows in a second of each kind of loss, over all ports and feeds; empty: nothing is lost.
std::string losses_now(const Sample& now, const Sample* before) {
    const double seconds = seconds_between(now, before);
    if (seconds <= 0) return {};
    std::string all;
    const auto add = [&](std::string_view what, double grown) {
        if (grown <= 0) return;
        const double rate = grown / seconds;
        all += fmt::format("{}{} {}", all.empty() ? "" : ", ", what,
                           rate < 1 ? "<1" : short_number(rate));
    };
    std::map<std::string, double> grown;
    constexpr std::array<std::string_view, 2> kPort{"runtime", "port"};
    const ByKey ports = by_key(before->rows("losses"), kPort);
    for (const auto& row : now.rows("losses")) {
        const Json* old = find(ports, key_of(row, kPort));
        for (const auto& [place, value] : row.items()) {
            if (place == kNotWanted || !value.is_number_unsigned()) continue;
            grown[place] += growth(row, old, place).value_or(0);
        }
    }
    for (const auto& [place, more] : grown) add(place, more);
    constexpr std::array<std::string_view, 2> kFeed{"runtime", "socket"};
    const ByKey feeds = by_key(before->rows("feeds"), kFeed);
    double messages = 0;
    for (const auto& row : now.rows("feeds")) {
        const Json* old = find(feeds, key_of(row, kFeed));
        messages += growth(row, old, "lost_messages").value_or(0);
    }
    add("messages of feeds", messages);
    return all;
}

constexpr std::size_t kLinesAround = 2;  // title and keys

std::size_t body_rows(const View& view) { return view.rows - std::min(view.rows, kLinesAround); }

Line keys_of(const View& view, std::size_t top, std::size_t lines) {
    const std::size_t end = std::min(lines, top + body_rows(view));
    return {{{fmt::format("q quit  p {}  arrows scroll  lines {}-{} of {}",
                          view.paused ? "go on" : "pause", lines == 0 ? 0 : top + 1, end, lines),
              Style::faint},
             {view.paused ? "  PAUSED" : "", Style::alarm}}};
}

}  // namespace

std::string text_of(const Line& line) {
    std::string text;
    for (const auto& span : line.spans) text += span.text;
    const auto end = text.find_last_not_of(' ');
    return text.substr(0, end == std::string::npos ? 0 : end + 1);
}

std::vector<Line> body_of(const Sample& now, const Sample* before) {
    const double seconds = seconds_between(now, before);
    std::vector<Line> lines;
    for (const auto& section : sections()) add_section(lines, section, now, before, seconds);
    for (const auto& section : kCountSections) add_counts(lines, section, now, before, seconds);
    return lines;
}

Line title_of(const Sample& now, const Sample* before) {
    Line title{{{fmt::format("process {}", now.pid), Style::title}}};
    if (const auto lost = losses_now(now, before); !lost.empty()) {
        title.spans.push_back({"  ", Style::plain});
        title.spans.push_back({fmt::format("loses a second: {}", lost), Style::alarm});
    }
    title.spans.push_back({fmt::format("  {}", clean(now.command)), Style::plain});
    return title;
}

std::size_t last_top(std::size_t lines, const View& view) {
    return lines - std::min(lines, body_rows(view));
}

std::vector<Line> screen_of(const Line& title, const std::vector<Line>& body, const View& view) {
    std::vector<Line> screen;
    const std::size_t top = std::min(view.top, last_top(body.size(), view));
    if (view.rows > 0) screen.push_back(fitted(title, view.columns));
    for (std::size_t i = 0; i < body_rows(view); ++i) {
        screen.push_back(top + i < body.size() ? fitted(body[top + i], view.columns) : Line{});
    }
    if (view.rows > 1) screen.push_back(fitted(keys_of(view, top, body.size()), view.columns));
    return screen;
}

}  // namespace joinleaf::app
