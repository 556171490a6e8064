// What options name on this host: files that are read or kept, and CPUs. Looked at before anything
// is started, so that it is told together with all else that is wrong.
#pragma once

#include <apps/joinleaf/typed.h>

namespace joinleaf::app {

/// Adds what is wrong with the policy, the keys and certificates, and the state file, and whether
/// there are too few CPUs; each begins with its option. What is sent and where output goes is not
/// looked at: at a reload it may have gone, and goes on.
void check_named(const Invocation& invocation, Complaints& wrong);

/// Each worker that polls has a CPU of its own, unless they are named.
[[nodiscard]] Parsed<void> check_cpu_count(const CommonOptions& common, std::size_t workers);

}  // namespace joinleaf::app
