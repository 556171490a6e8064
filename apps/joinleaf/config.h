// The configuration file of --config: TOML whose keys are the long names of a command's options, so
// that what can be typed can be written there, and the other way round.
#pragma once

#include <apps/joinleaf/options.h>
#include <joinleaf/error.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::app {

/// The options of `command` that a file may hold: all with a long name, but those that are about
/// the file itself and --help.
[[nodiscard]] std::vector<CLI::Option*> settable_options(CLI::App& command);
/// Without the dashes.
[[nodiscard]] const std::string& key_of(const CLI::Option& option);
/// Whether it is switched, and takes no value.
[[nodiscard]] bool is_flag(const CLI::Option& option);
/// Whether it may be given several times.
[[nodiscard]] bool is_list(const CLI::Option& option);

/// One thing that is wrong with a file.
struct ConfigError {
    std::string where;  ///< as in "leaf.toml:3:7"; empty: it was typed
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string what;
};
struct ConfigErrors {
    std::vector<ConfigError> all;
    bool is_unreadable = false;               ///< nothing of the file holds
    std::set<std::string, std::less<>> keys;  ///< of which something is told already
};

/// What was typed, of a command that has been parsed.
[[nodiscard]] Settings typed_settings(CLI::App& command);

/// Gives `command` what `file` says of options that were not typed, and notes it in `settings`.
/// Whether the values themselves are right is for the command to check.
[[nodiscard]] ConfigErrors read_config(const std::string& file, CLI::App& command,
                                       Settings& settings);

/// Adds what a check of the options complains of, at the place of the first option that it names.
/// Nothing, where it follows from what is told of that option already.
void add_error(ConfigErrors& errors, const std::string& what, CLI::App& command,
               const Settings& settings);

/// A line for each, in the file's order, and a last one that counts them.
[[nodiscard]] std::string text_of(ConfigErrors errors, std::string_view command,
                                  std::string_view file);

/// The command that `file` is for, by its key `command`. The error says what is wrong, with the
/// place.
[[nodiscard]] Parsed<std::string> command_of_config(const std::string& file);

/// What is in force as a file that gives the same, with a remark where each value came from.
[[nodiscard]] std::string print_config(CLI::App& command, const Settings& settings);

}  // namespace joinleaf::app
