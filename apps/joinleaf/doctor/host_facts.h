// What the doctor looks at on a host, as the kernel tells it in /proc and /sys.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::app::doctor {

/// Hugepages of one size in the memory of one NUMA node.
struct HugepagePool {
    unsigned node = 0;
    std::uint64_t page_octets = 0;
    std::uint64_t total = 0;
    std::uint64_t free = 0;
};

/// CPUs that share memory.
struct NumaNode {
    unsigned number = 0;
    std::vector<unsigned> cpus;
};

/// What a process may do that others may not.
struct Privileges {
    bool net_admin = false;
    bool net_raw = false;
    bool ipc_lock = false;
    bool bpf = false;
    bool sys_rawio = false;
    std::optional<std::uint64_t> memlock_octets;  ///< none: no limit
};

struct HostFacts {
    std::vector<HugepagePool> hugepages;
    std::vector<NumaNode> nodes;
    std::optional<std::string> hugetlbfs;  ///< where it is mounted
    bool vfio_pci = false;                 ///< the module is there
    bool iommu = false;                    ///< devices are behind one
    bool vfio_without_iommu = false;       ///< vfio is told to do without
    Privileges privileges;
    std::vector<unsigned> usable_cpus;    ///< by this process
    std::vector<unsigned> isolated_cpus;  ///< that the scheduler leaves alone
    std::vector<unsigned> tickless_cpus;
    std::vector<std::vector<unsigned>> siblings;  ///< CPUs that share a core, two or more each
    std::string clock_source;
    std::vector<std::string> offered_clock_sources;  ///< that it could be
    std::string word_against_tsc;  ///< of the kernel's command line, as notsc; empty: none
    bool tsc_is_invariant = false;
};

/// Reads below `root`, "/" but in tests; what is not there is as if it said nothing. Process limits
/// are this process's own.
[[nodiscard]] HostFacts look_at_host(const std::filesystem::path& root = "/");

/// A list of CPUs as the kernel writes it, as in 0,2-3. What is no list is an empty one. Pure.
[[nodiscard]] std::vector<unsigned> parse_cpu_list(std::string_view text);
/// As the kernel writes it. Pure.
[[nodiscard]] std::string cpu_list(const std::vector<unsigned>& cpus);

}  // namespace joinleaf::app::doctor
