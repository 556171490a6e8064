// What a running root or leaf does with its configuration when it is told to read it again.
#include <apps/joinleaf/reload.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace joinleaf::app {
namespace {

std::vector<std::string> values_of(const Settings& settings, const std::string& key) {
    const auto given = settings.given.find(key);
    return given == settings.given.end() ? std::vector<std::string>{} : given->second.values;
}

}  // namespace

bool SettingsChange::has(std::string_view key) const {
    return std::ranges::find(applied, key) != applied.end();
}

std::string SettingsChange::text() const {
    std::string text = applied.empty() ? "no key that can change while it runs has changed"
                                       : fmt::format("in force now: {}", fmt::join(applied, ", "));
    if (!waiting.empty()) {
        text += fmt::format("; as before until a restart: {}", fmt::join(waiting, ", "));
    }
    return text;
}

SettingsChange take_over(Settings& before, const Settings& after,
                         std::initializer_list<std::string_view> live) {
    std::set<std::string> keys;
    for (const auto* settings : {&std::as_const(before), &after}) {
        for (const auto& [key, given] : settings->given) keys.insert(key);
    }
    SettingsChange change;
    for (const auto& key : keys) {
        if (values_of(before, key) == values_of(after, key)) continue;
        if (std::ranges::find(live, key) == live.end()) {
            change.waiting.push_back(key);
            continue;
        }
        change.applied.push_back(key);
        before.given.erase(key);
        if (const auto given = after.given.find(key); given != after.given.end()) {
            before.given.insert(*given);
        }
    }
    return change;
}

void tell_not_reloaded(Reporter& report, const std::exception& why) {
    std::istringstream lines(in_one_line(why));
    for (std::string line; std::getline(lines, line);) report.error(line);
    report.error("not reloaded: all stays as it was");
}

void tell_reloaded(Reporter& report, const SettingsChange& change) {
    report.json(
        {{"event", "reloaded"}, {"applied", change.applied}, {"needs_restart", change.waiting}});
    report.text("reloaded: " + change.text());
}

}  // namespace joinleaf::app
