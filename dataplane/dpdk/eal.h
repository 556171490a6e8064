// The DPDK environment: started once per process, and the lcores it lends to workers.
#pragma once

#include <rte_config.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace joinleaf::dataplane::dpdk {

/// One lcore is the control thread's.
inline constexpr std::size_t kMaxWorkers = RTE_MAX_LCORE - 1;

struct EalOptions {
    /// One lcore is made for each; the calling thread keeps the CPUs it may run on.
    std::vector<unsigned> worker_cpus;
    bool needs_pci = false;
    /// Hugepages are files that other processes can map, where there are any.
    bool allow_secondary = false;
    unsigned memory_mb = 256;  ///< reserved when there are no hugepages
    std::vector<std::string> more_arguments;
};

/// CPUs this process may run on, ascending.
[[nodiscard]] std::vector<unsigned> usable_cpus();

/// Forgets what DPDK has logged. Before something that may fail in the driver's own words ...
void clear_log();
/// ... of which the first line names the cause; those after it say who else failed with it.
[[nodiscard]] std::string first_log_line();

/// Whether this machine has enough free hugepages for `memory_mb`.
[[nodiscard]] bool hugepages_available(unsigned memory_mb);

/// The one EAL of the process. Its destructor cleans up, at the end of the process.
class Eal {
public:
    /// Starts the EAL in the calling thread, or returns the one that runs. Errors: throws
    /// std::system_error with the EAL's own last words.
    static Eal& ensure(const EalOptions& options);

    Eal(const Eal&) = delete;
    Eal& operator=(const Eal&) = delete;
    ~Eal();

    /// The NUMA node whose memory is nearest to a CPU, or Mempool::kAnyNode: there is one only, or,
    /// without hugepages, memory has no node.
    [[nodiscard]] int numa_node(unsigned cpu) const;
    [[nodiscard]] bool has_hugepages() const { return hugepages_; }
    /// Empty: operators reach telemetry, at <runtime folder>/dpdk/joinleaf-<pid>/dpdk_telemetry.v2,
    /// or have said --no-telemetry. Else what keeps the socket from being there.
    [[nodiscard]] const std::string& why_no_telemetry() const { return why_no_telemetry_; }
    /// Whether secondary processes can attach, and dpdk-dumpcap finds what it asks for.
    [[nodiscard]] bool can_be_captured() const { return can_be_captured_; }
    /// What they give as --file-prefix.
    [[nodiscard]] std::string file_prefix() const;
    /// Worker lcores in all, whether lent or not.
    [[nodiscard]] std::size_t lcore_count() const { return lcores_.size(); }

    /// Any thread. Runs `body` on a free worker lcore until it returns. Error: nullopt when none is
    /// free.
    [[nodiscard]] std::optional<unsigned> launch(std::function<void()> body);
    /// Any thread. Waits for the body launched on `lcore` and frees the lcore.
    void join(unsigned lcore);

private:
    explicit Eal(const EalOptions& options);

    struct Lcore {
        unsigned id = 0;
        bool lent = false;
        std::unique_ptr<std::function<void()>> body;
    };
    std::mutex mutex_;  ///< of the lcores: runtimes come and go on their own threads
    std::vector<Lcore> lcores_;
    std::string runtime_directory_;
    std::string why_no_telemetry_;
    bool hugepages_ = false;
    bool can_be_captured_ = false;
};

}  // namespace joinleaf::dataplane::dpdk
