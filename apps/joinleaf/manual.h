// What is made of the table of options for people: the man page, and completion for their shell.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace joinleaf::app {

/// joinleaf(1), for man(7). Pure.
[[nodiscard]] std::string man_page(CLI::App& app);

/// For bash(1): commands, options, and the words, files or network interfaces that they take. Pure.
[[nodiscard]] std::string bash_completion(CLI::App& app);

}  // namespace joinleaf::app
