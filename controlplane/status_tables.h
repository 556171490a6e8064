// A runtime's status as tables: what telemetry, Prometheus and `joinleaf stat` show, said once.
// Pure.
#pragma once

#include <joinleaf/status.h>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace joinleaf::controlplane {

/// Nothing where there is no value, as the time since a datagram that has not come.
using Value = std::variant<std::monostate, std::uint64_t, std::string>;

/// What a column is.
enum class Kind : std::uint8_t {
    label,    ///< names the row, together with the other labels
    text,     ///< describes it
    state,    ///< one of a few words
    gauge,    ///< a number that goes up and down; of a flag, 0 or 1
    counter,  ///< a number that only rises
    derived,  ///< a number made of others, for people
};

enum class Unit : std::uint8_t {
    plain,        ///< what is counted, or the unit, is the end of the name
    nanoseconds,  ///< the name's end says so in telemetry (_ns); Prometheus has seconds
};

struct Column {
    std::string_view name;
    Kind kind;
    std::string_view help;
    Unit unit = Unit::plain;
};

struct Table {
    std::string_view name;  ///< as in "ports", also the telemetry command's
    std::string_view help;
    std::string_view prefix;  ///< of its columns' names in Prometheus, as in "port"
    /// The last two columns are a label and its number: in telemetry each label is a name of its
    /// own, and all that have the other labels in common are one row.
    bool is_wide = false;
    std::vector<Column> columns;
    std::vector<std::vector<Value>> rows;  ///< a value for each column
};

/// A table for each thing that a Status tells of. A new one is one more line in kMakers
/// (status_tables.cc), and a new column one more field of it; telemetry and Prometheus follow.
[[nodiscard]] std::vector<Table> tables_of(const Status& status);

/// One of them alone, by its name; without columns when there is none.
[[nodiscard]] Table table_of(std::string_view name, const Status& status);

/// What tables there are, without rows, the table of leaves included.
[[nodiscard]] std::vector<Table> table_heads();

/// The leaves of a root; `now`: when they were asked for. Not among tables_of(): there may be
/// thousands, and Prometheus shall have none of them.
[[nodiscard]] Table leaf_table(std::uint32_t socket, std::span<const LeafStatus> leaves,
                               Instant now);

}  // namespace joinleaf::controlplane
