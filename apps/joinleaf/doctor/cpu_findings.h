// What the doctor says of the CPUs that workers poll on. Pure.
#pragma once

#include <apps/joinleaf/doctor/findings.h>
#include <vector>

namespace joinleaf::app::doctor {

/// Whether there are CPUs for polling workers, and nothing disturbs them there.
/// `chosen`: as named with --cpu; empty: as the runtime chooses.
[[nodiscard]] Finding judge_cpus(const HostFacts& host, const std::vector<unsigned>& chosen);
/// Whether they are on the port's NUMA node.
[[nodiscard]] Finding judge_numa(const HostFacts& host, const PortFacts* port,
                                 const std::vector<unsigned>& chosen);

}  // namespace joinleaf::app::doctor
