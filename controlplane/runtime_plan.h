// What a runtime was asked for, checked as a whole before anything is started. Pure.
#pragma once

#include <controlplane/port_spec.h>
#include <joinleaf/runtime.h>
#include <net/vlan.h>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace joinleaf::controlplane {

/// By the index of the port.
struct RuntimePlan {
    std::vector<PortSpec> specs;
    std::vector<net::VlanStack> vlans;
};

/// `most_workers`: that DPDK has lcores for. Errors: throws std::system_error (EINVAL), which names
/// what cannot be and what can.
[[nodiscard]] RuntimePlan plan_runtime(const RuntimeOptions& options, std::size_t most_workers);

/// The CPU of each worker, of those this process may run on (`usable`, ascending): those asked for,
/// or the last ones, so that the first is left to the control thread and the system. Errors: throws
/// std::system_error (EINVAL).
[[nodiscard]] std::vector<unsigned> choose_cpus(const RuntimeOptions& options,
                                                std::span<const unsigned> usable);

/// What a log says of a runtime without hugepages, `needed_mb` of which would do. Of `octets` in
/// packet buffers so many lie in transparent huge pages.
[[nodiscard]] std::string memory_remark(unsigned needed_mb, std::uint64_t octets,
                                        std::uint64_t transparent);

}  // namespace joinleaf::controlplane
