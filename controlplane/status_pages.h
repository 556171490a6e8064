// Tables as answers of telemetry: JSON objects of bounded size, a page at a time. Pure.
#pragma once

#include <controlplane/status_tables.h>
#include <dataplane/dpdk/telemetry.h>

#include <optional>
#include <string>
#include <string_view>

namespace joinleaf::controlplane {

/// As many rows as an answer holds: {"total": 2, "rows": {"0": {...}, "1": {...}}}. Who has more
/// adds "next": what to ask for next.
struct Page {
    dataplane::dpdk::TelemetryDict dict;
    std::size_t total = 0;  ///< rows that there are
    std::size_t end = 0;    ///< the first row behind this page
};
/// From row `first` on. `total`: of a table that holds a part of the rows, how many there are.
[[nodiscard]] Page page_of(const Table& table, std::size_t first,
                           std::optional<std::size_t> total = {});

/// With DPDK's telemetry a text is ASCII and short: octets beyond, control characters and '%'
/// become
/// "%" and two digits of hexadecimal, and what is too long ends with "...".
[[nodiscard]] std::string telemetry_text(std::string_view text);

/// A row's number as typed; nothing typed: 0. Nothing: it is no number.
[[nodiscard]] std::optional<std::uint64_t> parse_cursor(std::string_view text);

}  // namespace joinleaf::controlplane
