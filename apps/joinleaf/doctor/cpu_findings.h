// What the doctor says of the CPUs that workers poll on. Pure.
#pragma once

#include <apps/joinleaf/doctor/findings.h>

namespace joinleaf::app::doctor {

/// Whether there are CPUs for polling workers, and nothing disturbs them there.
[[nodiscard]] Finding judge_cpus(const HostFacts& host);
/// Whether the port's memory is near.
[[nodiscard]] Finding judge_numa(const HostFacts& host, const PortFacts* port);

}  // namespace joinleaf::app::doctor
