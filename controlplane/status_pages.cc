#include <controlplane/status_pages.h>
#include <fmt/format.h>

#include <charconv>
#include <map>

namespace joinleaf::controlplane {
namespace {

using dataplane::dpdk::kMaxTelemetryAnswer;
using dataplane::dpdk::kMaxTelemetryEntries;
using dataplane::dpdk::kMaxTelemetryText;
using dataplane::dpdk::TelemetryDict;
using dataplane::dpdk::TelemetryEntry;

// For the command's name, the total and what comes next.
constexpr std::size_t kRoomForTheRest = 512;
constexpr std::size_t kLongestNumber = 20;

/// At most so many octets, as JSON; DPDK writes a quote and a backslash as two.
std::size_t octets_of(const TelemetryDict& dict) {
    constexpr std::size_t kMarks = 6;  // "":"",
    std::size_t octets = 2;
    for (const auto& entry : dict) {
        octets += entry.name.size() + kMarks;
        if (const auto* text = std::get_if<std::string>(&entry.value)) {
            octets += 2 * text->size();
        } else if (const auto* inner = std::get_if<TelemetryDict>(&entry.value)) {
            octets += octets_of(*inner);
        } else {
            octets += kLongestNumber;
        }
    }
    return octets;
}

void add(TelemetryDict& dict, std::string name, const Value& value) {
    if (const auto* number = std::get_if<std::uint64_t>(&value)) {
        dict.push_back({std::move(name), *number});
    } else if (const auto* text = std::get_if<std::string>(&value)) {
        dict.push_back({std::move(name), telemetry_text(*text)});
    }
}

std::string telemetry_name(const Column& column) {
    return fmt::format("{}{}", column.name, column.unit == Unit::nanoseconds ? "_ns" : "");
}

TelemetryDict narrow_row(const Table& table, const std::vector<Value>& row) {
    TelemetryDict dict;
    for (std::size_t i = 0; i < row.size(); ++i) {
        add(dict, telemetry_name(table.columns[i]), row[i]);
    }
    return dict;
}

std::vector<TelemetryDict> wide_rows(const Table& table) {
    const std::size_t labels = table.columns.size() - 2;
    std::vector<TelemetryDict> rows;
    std::map<std::vector<Value>, std::size_t> where;
    for (const auto& row : table.rows) {
        const std::vector<Value> key(row.begin(),
                                     row.begin() + static_cast<std::ptrdiff_t>(labels));
        const auto [at, is_new] = where.emplace(key, rows.size());
        if (is_new) {
            auto& dict = rows.emplace_back();
            for (std::size_t i = 0; i < labels; ++i) {
                add(dict, std::string(table.columns[i].name), key[i]);
            }
        }
        add(rows[at->second], std::get<std::string>(row[labels]), row[labels + 1]);
    }
    return rows;
}

/// Takes rows until an answer is full.
class Filler {
public:
    /// Returns whether there was room.
    bool add(std::size_t index, TelemetryDict row) {
        std::string key = std::to_string(index);
        constexpr std::size_t kMarks = 4;  // "":,
        const std::size_t more = key.size() + kMarks + octets_of(row);
        if (rows_.size() == kMaxTelemetryEntries || octets_ + more > kMaxTelemetryAnswer) {
            return false;
        }
        octets_ += more;
        rows_.push_back({std::move(key), std::move(row)});
        return true;
    }
    [[nodiscard]] TelemetryDict take() { return std::move(rows_); }

private:
    TelemetryDict rows_;
    std::size_t octets_ = kRoomForTheRest;
};

}  // namespace

Page page_of(const Table& table, std::size_t first, std::optional<std::size_t> total) {
    Filler page;
    std::size_t at = first;
    std::size_t rows = table.rows.size();
    if (table.is_wide) {
        auto wide = wide_rows(table);
        rows = wide.size();
        while (at < rows && page.add(at, std::move(wide[at]))) ++at;
    } else {
        while (at < rows && page.add(at, narrow_row(table, table.rows[at]))) ++at;
    }
    Page answer{.dict = {}, .total = total.value_or(rows), .end = at};
    answer.dict.push_back({"total", std::uint64_t{answer.total}});
    answer.dict.push_back({"rows", page.take()});
    return answer;
}

std::string telemetry_text(std::string_view text) {
    constexpr std::string_view kCut = "...";
    std::string written;
    std::size_t fits = 0;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        const bool is_plain = octet >= 0x20 && octet < 0x7f && c != '%';
        written += is_plain ? std::string(1, c) : fmt::format("%{:02X}", octet);
        if (written.size() + kCut.size() <= kMaxTelemetryText) fits = written.size();
    }
    if (written.size() <= kMaxTelemetryText) return written;
    return written.substr(0, fits).append(kCut);
}

std::optional<std::uint64_t> parse_cursor(std::string_view text) {
    if (text.empty()) return 0;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return {};
    return number;
}

}  // namespace joinleaf::controlplane
