// The table of commands and options.
#pragma once

#include <apps/joinleaf/typed.h>

#include <CLI/CLI.hpp>

namespace joinleaf::app {

/// Has `app` take all commands with their options, and keep what is typed in `typed`, which has to
/// live as long. Each command has its help.
void add_commands(CLI::App& app, Typed& typed);

}  // namespace joinleaf::app
