#include <controlplane/status_pages.h>
#include <controlplane/status_service.h>
#include <fmt/format.h>

#include <algorithm>

namespace joinleaf::controlplane {
namespace {

using dataplane::dpdk::answer_telemetry;

// A client that walks through pages asks for the next at once.
constexpr Duration kWalkGoesOn = std::chrono::seconds(2);

// Who asks for one table after the other has them all of one look, which is not for nothing where
// there are ten thousand groups.
constexpr Duration kAskedTogether = std::chrono::milliseconds(50);

// More than a page holds.
constexpr std::size_t kLeavesAsked = dataplane::dpdk::kMaxTelemetryEntries;

/// The tables of several runtimes as one; each row says whose it is when there are several.
Table joint_table(std::string_view name, const std::vector<Status>& statuses) {
    Table joint = table_of(name, statuses.empty() ? Status{} : statuses.front());
    if (statuses.empty()) joint.rows.clear();
    if (statuses.size() < 2) return joint;
    joint.columns.insert(joint.columns.begin(),
                         {"runtime", Kind::label, "0, 1 ... of those in this process"});
    joint.rows.clear();
    for (std::size_t i = 0; i < statuses.size(); ++i) {
        for (auto& row : table_of(name, statuses[i]).rows) {
            row.insert(row.begin(), std::to_string(i));
            joint.rows.push_back(std::move(row));
        }
    }
    return joint;
}

/// "SOCKET,AFTER,RUNTIME", each of which may be missing.
struct LeafCursor {
    std::optional<std::uint64_t> socket;
    std::uint64_t after = 0;
    std::uint64_t runtime = 0;
};

std::optional<LeafCursor> parse_leaf_cursor(std::string_view text) {
    LeafCursor cursor;
    if (text.empty()) return cursor;
    std::vector<std::uint64_t> numbers;
    for (std::size_t at = 0; at <= text.size();) {
        const auto comma = std::min(text.find(',', at), text.size());
        const auto number = parse_cursor(text.substr(at, comma - at));
        if (!number || comma == at) return {};
        numbers.push_back(*number);
        at = comma + 1;
    }
    constexpr std::size_t kNumbers = 3;
    if (numbers.size() > kNumbers) return {};
    numbers.resize(kNumbers);
    return LeafCursor{numbers[0], numbers[1], numbers[2]};
}

/// The root at `cursor`, and the one after it.
struct Roots {
    std::optional<LeafCursor> here;
    std::size_t leaves = 0;
    std::optional<LeafCursor> next;
};

Roots roots_at(const LeafCursor& cursor, const std::vector<Status>& statuses) {
    Roots roots;
    for (std::size_t runtime = cursor.runtime; runtime < statuses.size(); ++runtime) {
        for (const auto& admission : statuses[runtime].admissions) {
            if (roots.here) {
                roots.next = LeafCursor{admission.socket, 0, runtime};
                return roots;
            }
            const bool fits =
                !cursor.socket || runtime > cursor.runtime || admission.socket == *cursor.socket;
            if (!fits) continue;
            roots.here = LeafCursor{admission.socket, cursor.after, runtime};
            roots.leaves = admission.members + admission.joining;
        }
        if (cursor.socket && !roots.here) return roots;
    }
    return roots;
}

std::string text_of(const LeafCursor& cursor) {
    return fmt::format("{},{},{}", cursor.socket.value_or(0), cursor.after, cursor.runtime);
}

}  // namespace

StatusService& StatusService::instance() {
    static auto* const service = new StatusService;  // threads of telemetry end with the process
    return *service;
}

std::unique_ptr<StatusService::Registration> StatusService::add(Source source) {
    begin_to_answer();
    std::uint64_t number = 0;
    {
        const std::unique_lock lock(entries_lock_);
        number = ++last_;
        entries_.push_back({number, std::move(source)});
    }
    look_anew();
    return std::make_unique<Registration>(*this, number);
}

void StatusService::remove(std::uint64_t number) {
    {
        const std::unique_lock lock(entries_lock_);
        std::erase_if(entries_, [number](const Entry& entry) { return entry.number == number; });
    }
    look_anew();
}

void StatusService::look_anew() {
    const std::lock_guard lock(snapshot_lock_);
    snapshot_ = {};
}

void StatusService::begin_to_answer() {
    for (const auto& head : table_heads()) {
        const std::string table(head.name);
        answer_telemetry(fmt::format("/joinleaf/{}", table), std::string(head.help),
                         [this, table](std::string_view parameters) {
                             return table == "leaves" ? leaves(parameters)
                                                      : answer(table, parameters);
                         });
    }
}

StatusService::Snapshot& StatusService::snapshot(bool goes_on) {
    const Instant now = Instant::clock::now();
    const bool holds =
        goes_on ? now - snapshot_.used_at < kWalkGoesOn : now - snapshot_.taken_at < kAskedTogether;
    if (holds) {
        snapshot_.used_at = now;
        return snapshot_;
    }
    snapshot_ = {.taken_at = now, .used_at = now};
    const std::shared_lock entries(entries_lock_);
    for (const auto& entry : entries_) snapshot_.statuses.push_back(entry.source.status());
    return snapshot_;
}

std::shared_ptr<const Table> StatusService::table(std::string_view name, bool goes_on) {
    const std::lock_guard lock(snapshot_lock_);
    auto& from = snapshot(goes_on);
    auto& known = from.tables[std::string(name)];
    if (!known) known = std::make_shared<const Table>(joint_table(name, from.statuses));
    return known;
}

StatusService::Answer StatusService::answer(std::string_view name, std::string_view parameters) {
    const auto first = parse_cursor(parameters);
    if (!first) return {};
    Page page = page_of(*table(name, *first != 0), *first);
    if (page.end < page.total) page.dict.push_back({"next", std::to_string(page.end)});
    return std::move(page.dict);
}

StatusService::Answer StatusService::leaves(std::string_view parameters) {
    const auto cursor = parse_leaf_cursor(parameters);
    if (!cursor) return {};
    const Roots roots = [&] {
        const std::lock_guard lock(snapshot_lock_);
        return roots_at(*cursor, snapshot(cursor->after != 0).statuses);
    }();
    if (!roots.here) return std::move(page_of(leaf_table(0, {}, {}), 0).dict);

    std::vector<LeafStatus> some;
    {
        const std::shared_lock entries(entries_lock_);
        if (roots.here->runtime < entries_.size()) {
            some = entries_[roots.here->runtime].source.leaves(
                SocketId{static_cast<std::uint32_t>(*roots.here->socket)}, roots.here->after,
                kLeavesAsked);
        }
    }
    const auto socket = static_cast<std::uint32_t>(*roots.here->socket);
    Page page = page_of(leaf_table(socket, some, Instant::clock::now()), 0, roots.leaves);
    if (page.end < some.size() || some.size() == kLeavesAsked) {
        const LeafCursor next{socket, some[page.end - 1].number, roots.here->runtime};
        page.dict.push_back({"next", text_of(next)});
    } else if (roots.next) {
        page.dict.push_back({"next", text_of(*roots.next)});
    }
    return std::move(page.dict);
}

}  // namespace joinleaf::controlplane
