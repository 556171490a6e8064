// A runtime's status as Prometheus has it. Pure.
#pragma once

#include <controlplane/status_tables.h>
#include <prometheus/metric_family.h>

#include <cstddef>
#include <vector>

namespace joinleaf::app {

/// Rows of a table that a scrape holds at most, lest 10 000 groups become 100 000 time series. How
/// many more there are is told by joinleaf_rows_left_out; what counts them all
/// (joinleaf_joined_groups, by health) has no limit.
inline constexpr std::size_t kMostRowsScraped = 1000;

/// Of each number a family, named joinleaf_<prefix>_<column>, in seconds where it is a time and
/// with _total where it only rises; of each state one with the state as a label, always 1; of the
/// texts of a table together joinleaf_<prefix>_info, always 1. Besides joinleaf_build_info.
[[nodiscard]] std::vector<prometheus::MetricFamily> metric_families(
    const std::vector<controlplane::Table>& tables);

}  // namespace joinleaf::app
