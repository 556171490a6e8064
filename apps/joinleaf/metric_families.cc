#include <apps/joinleaf/metric_families.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

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

std::vector<MetricFamily> families_of(const Table& table) {
    std::vector<MetricFamily> families;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
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
