#include <apps/joinleaf/metric_families.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

namespace joinleaf::app {
namespace {

using controlplane::Column;
using controlplane::Kind;
using controlplane::Table;
using controlplane::Unit;
using controlplane::Value;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;
using Row = std::vector<Value>;

constexpr double kNanosecondsPerSecond = 1e9;

std::string label_text(const Value& value) {
    if (const auto* number = std::get_if<std::uint64_t>(&value)) return std::to_string(*number);
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    return {};
}

Labels labels_of(const Table& table, const Row& row, bool with_texts = false) {
    Labels labels;
    for (std::size_t i = 0; i < row.size(); ++i) {
        const auto kind = table.columns[i].kind;
        if (kind != Kind::label && !(with_texts && kind == Kind::text)) continue;
        labels.push_back({std::string(table.columns[i].name), label_text(row[i])});
    }
    return labels;
}

std::string family_name(const Table& table, const Column& column) {
    return fmt::format("joinleaf_{}_{}{}{}", table.prefix, column.name,
                       column.unit == Unit::nanoseconds ? "_seconds" : "",
                       column.kind == Kind::counter ? "_total" : "");
}

ClientMetric metric(Labels labels, MetricType type, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (type == MetricType::Counter) {
        metric.counter.value = value;
    } else {
        metric.gauge.value = value;
    }
    return metric;
}

std::size_t rows_told(const Table& table) { return std::min(table.rows.size(), kMostRowsScraped); }

MetricFamily numbers(const Table& table, std::size_t column) {
    const auto& head = table.columns[column];
    const auto type = head.kind == Kind::counter ? MetricType::Counter : MetricType::Gauge;
    MetricFamily family{family_name(table, head), std::string(head.help), type, {}};
    const double unit = head.unit == Unit::nanoseconds ? kNanosecondsPerSecond : 1;
    for (std::size_t i = 0; i < rows_told(table); ++i) {
        const auto* number = std::get_if<std::uint64_t>(&table.rows[i][column]);
        if (number == nullptr) continue;
        family.metric.push_back(
            metric(labels_of(table, table.rows[i]), type, static_cast<double>(*number) / unit));
    }
    return family;
}

MetricFamily states(const Table& table, std::size_t column) {
    const auto& head = table.columns[column];
    MetricFamily family{
        family_name(table, head), fmt::format("{}; always 1", head.help), MetricType::Gauge, {}};
    for (std::size_t i = 0; i < rows_told(table); ++i) {
        Labels labels = labels_of(table, table.rows[i]);
        labels.push_back({std::string(head.name), label_text(table.rows[i][column])});
        family.metric.push_back(metric(std::move(labels), MetricType::Gauge, 1));
    }
    return family;
}

MetricFamily texts(const Table& table) {
    MetricFamily family{fmt::format("joinleaf_{}_info", table.prefix),
                        "What else is known of it, as labels; always 1",
                        MetricType::Gauge,
                        {}};
    for (std::size_t i = 0; i < rows_told(table); ++i) {
        family.metric.push_back(
            metric(labels_of(table, table.rows[i], true), MetricType::Gauge, 1));
    }
    return family;
}

/// Columns that are parts of one thing, how times are spread: LATENCY_p50 and whatever else is
/// named after it. Prometheus has a summary for them.
constexpr std::array<std::pair<std::string_view, double>, 4> kQuantiles{
    {{"_p50", 0.5}, {"_p99", 0.99}, {"_p999", 0.999}, {"_max", 1}}};
constexpr std::string_view kMedian = kQuantiles[0].first;
constexpr std::string_view kCount = "_count";
constexpr std::string_view kSum = "_sum";

std::optional<std::size_t> column_of(const Table& table, std::string_view name) {
    const auto found = std::ranges::find(table.columns, name, &Column::name);
    if (found == table.columns.end()) return {};
    return static_cast<std::size_t>(found - table.columns.begin());
}

std::string named(std::string_view spread, std::string_view part) {
    return fmt::format("{}{}", spread, part);
}

/// As in "latency", of any of its columns; empty: the column stands for itself.
std::string_view spread_of(const Table& table, std::string_view column) {
    const auto at = column.rfind('_');
    if (at == std::string_view::npos) return {};
    const auto begin = column.substr(0, at);
    const auto end = column.substr(at);
    const bool is_part =
        end == kCount || end == kSum || std::ranges::any_of(kQuantiles, [&](const auto& quantile) {
            return quantile.first == end;
        });
    return is_part && column_of(table, named(begin, kMedian)) ? begin : std::string_view();
}

std::uint64_t number_of(const Table& table, const Row& row, const std::string& column) {
    const auto at = column_of(table, column);
    const auto* number = at ? std::get_if<std::uint64_t>(&row[*at]) : nullptr;
    return number == nullptr ? 0 : *number;
}

/// What of no time at all is so long is not a number.
MetricFamily summary(const Table& table, std::string_view spread) {
    const auto& head = table.columns[*column_of(table, named(spread, kMedian))];
    MetricFamily family{fmt::format("joinleaf_{}_{}_seconds", table.prefix, spread),
                        std::string(head.help.substr(0, head.help.find(':'))),
                        MetricType::Summary,
                        {}};
    for (std::size_t i = 0; i < rows_told(table); ++i) {
        const Row& row = table.rows[i];
        ClientMetric metric;
        metric.label = labels_of(table, row);
        metric.summary.sample_count = number_of(table, row, named(spread, kCount));
        metric.summary.sample_sum =
            static_cast<double>(number_of(table, row, named(spread, kSum))) / kNanosecondsPerSecond;
        for (const auto& [part, share] : kQuantiles) {
            if (!column_of(table, named(spread, part))) continue;
            const auto time = static_cast<double>(number_of(table, row, named(spread, part)));
            metric.summary.quantile.push_back({share, metric.summary.sample_count == 0
                                                          ? std::nan("")
                                                          : time / kNanosecondsPerSecond});
        }
        family.metric.push_back(std::move(metric));
    }
    return family;
}

std::vector<MetricFamily> families_of(const Table& table) {
    std::vector<MetricFamily> families;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const auto name = table.columns[i].name;
        if (const auto spread = spread_of(table, name); !spread.empty()) {
            if (name == named(spread, kMedian)) families.push_back(summary(table, spread));
            continue;
        }
        const auto kind = table.columns[i].kind;
        if (kind == Kind::state) families.push_back(states(table, i));
        if (kind == Kind::gauge || kind == Kind::counter) families.push_back(numbers(table, i));
    }
    const bool has_texts = std::any_of(table.columns.begin(), table.columns.end(),
                                       [](const Column& c) { return c.kind == Kind::text; });
    if (has_texts) families.push_back(texts(table));
    return families;
}

}  // namespace

std::vector<MetricFamily> metric_families(const std::vector<Table>& tables) {
    std::vector<MetricFamily> all;
    all.push_back({"joinleaf_build_info",
                   "The program, always 1",
                   MetricType::Gauge,
                   {metric({{"version", JOINLEAF_VERSION}}, MetricType::Gauge, 1)}});
    MetricFamily left_out{"joinleaf_rows_left_out",
                          "Rows of a table that this scrape has no room for",
                          MetricType::Gauge,
                          {}};
    for (const auto& table : tables) {
        std::ranges::move(families_of(table), std::back_inserter(all));
        left_out.metric.push_back(
            metric({{"table", std::string(table.name)}}, MetricType::Gauge,
                   static_cast<double>(table.rows.size() - rows_told(table))));
    }
    all.push_back(std::move(left_out));
    std::erase_if(all, [](const MetricFamily& family) { return family.metric.empty(); });
    return all;
}

}  // namespace joinleaf::app
