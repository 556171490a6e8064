// What a running root or leaf does with its configuration when it is told to read it again.
#pragma once

#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/options.h>
#include <apps/joinleaf/report.h>

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::app {

/// What differs between two settings, by key. Pure.
struct SettingsChange {
    std::vector<std::string> applied;  ///< that hold from now on
    std::vector<std::string> waiting;  ///< that hold after a restart

    [[nodiscard]] bool has(std::string_view key) const;
    /// For a person: one sentence.
    [[nodiscard]] std::string text() const;
};

/// `live`: the keys that can change while it runs. Takes what `after` has of those over into
/// `before`, so that the others are told again next time.
[[nodiscard]] SettingsChange take_over(Settings& before, const Settings& after,
                                       const std::vector<std::string_view>& live);

/// Whether anything that was read at the start can be read again; `admission`: none where nobody
/// lets in.
[[nodiscard]] bool can_read_again(const Settings& settings, const AdmissionOptions* admission);

/// What is wrong, a line each, without `command` in front: who tells it says that.
[[nodiscard]] std::vector<std::string> reasons_in(const std::exception& why,
                                                  std::string_view command);

/// The options that the command line and its file give now. Errors: throws Failure with a line for
/// each thing that is wrong.
template <class Options>
[[nodiscard]] Options read_again(const std::vector<std::string>& arguments) {
    auto invocation = parse_command_line(arguments);
    if (auto* options = std::get_if<Options>(&invocation)) return std::move(*options);
    const auto* const message = std::get_if<Message>(&invocation);
    throw Failure(message != nullptr ? message->text : "the file is for another command now");
}

/// Tells that nothing has changed, and why.
void tell_not_reloaded(Reporter& report, const std::exception& why);
/// `has_file`: of --config. Else there were only the policy and TLS files.
void tell_reloaded(Reporter& report, const SettingsChange& change, bool has_file);
/// Of a SIGHUP where there is nothing: it goes on.
void tell_nothing_to_reload(Reporter& report);

}  // namespace joinleaf::app
