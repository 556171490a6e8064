// How the tables of a status are written down: a column, and how its value is read off an item.
#pragma once

#include <controlplane/status_tables.h>

#include <array>
#include <optional>

namespace joinleaf::controlplane {
namespace status_fields {

inline Value number(std::uint64_t value) { return value; }
inline Value flag(bool value) { return std::uint64_t{value ? 1U : 0U}; }
inline Value text(std::string_view value) { return std::string(value); }
inline Value nanoseconds(Duration time) {
    const auto count = std::chrono::nanoseconds(time).count();
    return number(count > 0 ? static_cast<std::uint64_t>(count) : 0);
}
inline Value age(const std::optional<Instant>& then, Instant now) {
    return then ? nanoseconds(now - *then) : Value{};
}

inline std::uint64_t in_nanoseconds(Duration time) {
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(time).count());
}

/// A column, and how its value is read off an item.
template <class Item>
struct Field {
    Column column;
    Value (*value)(const Item&);
};

template <class Item, std::size_t N>
Table filled(Table table, const std::array<Field<Item>, N>& fields,
             const std::vector<Item>& items) {
    for (const auto& field : fields) table.columns.push_back(field.column);
    for (const auto& item : items) {
        auto& row = table.rows.emplace_back();
        for (const auto& field : fields) row.push_back(field.value(item));
    }
    return table;
}

/// One count of a thing that has several by name.
struct CountItem {
    std::string of;
    std::string_view what;
    std::uint64_t count;
};
inline Value of_what(const CountItem& item) { return text(item.of); }
inline Value what(const CountItem& item) { return text(item.what); }
inline Value count(const CountItem& item) { return number(item.count); }

}  // namespace status_fields

// Of status_tables_feed.cc.
[[nodiscard]] Table feed_table(const Status& status);
[[nodiscard]] Table line_table(const Status& status);
[[nodiscard]] Table repair_table(const Status& status);
[[nodiscard]] Table request_table(const Status& status);

}  // namespace joinleaf::controlplane
