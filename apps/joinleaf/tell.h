// The command `tell`: one command to a running root, and its answer.
#pragma once

#include <apps/joinleaf/options.h>

#include <string>

namespace joinleaf::app {

/// What the root that listens at `path` answers to `line`: whole lines, the last of which begins
/// with "ok" or "error". Errors: throws Failure (nobody there, no answer).
[[nodiscard]] std::string ask_root(const std::string& path, const std::string& line);

/// Writes the answer to standard output, or what is wrong to standard error. Returns the exit code.
int run_tell(const TellOptions& options);

}  // namespace joinleaf::app
