#include <apps/joinleaf/doctor/cpu_findings.h>
#include <fmt/format.h>

#include <algorithm>

namespace joinleaf::app::doctor {

Finding judge_cpus(const HostFacts& host) {
    std::vector<unsigned> isolated;
    std::set_intersection(host.usable_cpus.begin(), host.usable_cpus.end(),
                          host.isolated_cpus.begin(), host.isolated_cpus.end(),
                          std::back_inserter(isolated));
    if (host.usable_cpus.size() < 2) {
        return warn("cpus",
                    fmt::format("this process may run on CPU {} alone: the worker and everything "
                                "else take turns",
                                cpu_list(host.usable_cpus)),
                    "give it two CPUs at least (taskset, cpuset, the virtual machine)");
    }
    if (isolated.empty()) {
        const unsigned last = host.usable_cpus.back();
        return warn("cpus",
                    fmt::format("{} usable ({}), none isolated: the scheduler will interrupt the "
                                "polling worker",
                                host.usable_cpus.size(), cpu_list(host.usable_cpus)),
                    fmt::format("add isolcpus={0} nohz_full={0} rcu_nocbs={0} to the kernel's "
                                "command line, and run with --cpu {0}",
                                last));
    }
    for (const auto& core : host.siblings) {
        const auto shares = std::count_if(core.begin(), core.end(), [&](unsigned cpu) {
            return std::find(isolated.begin(), isolated.end(), cpu) != isolated.end();
        });
        if (shares != 0 && shares != static_cast<long>(core.size())) {
            return warn("cpus",
                        fmt::format("isolated: {}; but CPUs {} share a core, so what runs on one "
                                    "slows the other",
                                    cpu_list(isolated), cpu_list(core)),
                        "isolate all CPUs of a core, and leave the others of it idle");
        }
    }
    if (host.tickless_cpus.empty()) {
        return warn("cpus",
                    fmt::format("isolated: {}; with a timer tick on them", cpu_list(isolated)),
                    fmt::format("add nohz_full={0} rcu_nocbs={0} to the kernel's command line",
                                cpu_list(isolated)));
    }
    return ok("cpus", fmt::format("isolated: {} (use them with --cpu)", cpu_list(isolated)));
}

Finding judge_numa(const HostFacts& host, const PortFacts* port) {
    const auto node = node_of(port);
    if (node) return ok("numa", fmt::format("the NIC is on node {}", *node));
    std::vector<unsigned> nodes;
    for (const auto& pool : host.hugepages) nodes.push_back(pool.node);
    std::sort(nodes.begin(), nodes.end());
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    if (nodes.size() <= 1) return ok("numa", "one node");
    return skip("numa",
                fmt::format("{} nodes; which one the port is on is not known", nodes.size()),
                "joinleaf doctor --port PORT tells for a NIC");
}

}  // namespace joinleaf::app::doctor
