// What a running root or leaf does with its configuration when it is told to read it again.
#include <apps/joinleaf/admission_files.h>
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
                         const std::vector<std::string_view>& live) {
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

bool can_read_again(const Settings& settings, const AdmissionOptions* admission) {
    if (!settings.file.empty()) return true;
    return admission != nullptr && (!admission->policy.empty() || has_tls(*admission));
}

std::vector<std::string> reasons_in(const std::exception& why, std::string_view command) {
    const std::string own = fmt::format("{}: ", command);
    std::vector<std::string> reasons;
    std::istringstream lines(in_one_line(why));
    for (std::string line; std::getline(lines, line);) {
        reasons.push_back(line.starts_with(own) ? line.substr(own.size()) : line);
    }
    return reasons;
}

void tell_not_reloaded(Reporter& report, const std::exception& why) {
    for (const auto& reason : reasons_in(why, report.options().command)) report.error(reason);
    report.error("not reloaded: all stays as it was");
}

void tell_reloaded(Reporter& report, const SettingsChange& change, bool has_file) {
    report.json(
        {{"event", "reloaded"}, {"applied", change.applied}, {"needs_restart", change.waiting}});
    report.text("reloaded: " + (has_file ? change.text() : "the policy and the TLS files"));
}

void tell_nothing_to_reload(Reporter& report) {
    report.note(
        "SIGHUP changes nothing: no file of --config, policy or TLS was given that could be read "
        "again");
}

}  // namespace joinleaf::app
