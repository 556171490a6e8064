// The command `stat`: how a running root or leaf is doing.
#pragma once

#include <apps/joinleaf/options.h>

namespace joinleaf::app {

/// Shows it until the person has seen enough; as text or JSON, once. Errors: throws Failure.
int run_stat(const StatOptions& options);

}  // namespace joinleaf::app
