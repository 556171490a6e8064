#include <apps/joinleaf/doctor/cpu_findings.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace joinleaf::app::doctor {

namespace {

using Cpus = std::vector<unsigned>;

/// Those of `cpus` that are among `others`, too; both are in order.
Cpus common(const Cpus& cpus, const Cpus& others) {
    Cpus both;
    std::ranges::set_intersection(cpus, others, std::back_inserter(both));
    return both;
}

/// Those of `cpus` that are not among `others`.
Cpus without(const Cpus& cpus, const Cpus& others) {
    Cpus rest;
    std::ranges::copy_if(cpus, std::back_inserter(rest), [&](unsigned cpu) {
        return std::ranges::find(others, cpu) == others.end();
    });
    return rest;
}

Cpus all_cpus(const HostFacts& host) {
    Cpus all = host.usable_cpus;
    for (const auto& node : host.nodes) std::ranges::copy(node.cpus, std::back_inserter(all));
    return all;
}

/// Where workers will be: the runtime takes the last CPU that it may run on.
Cpus worker_cpus(const HostFacts& host, const Cpus& chosen) {
    if (!chosen.empty() || host.usable_cpus.empty()) return chosen;
    return {host.usable_cpus.back()};
}

/// How a process gets onto CPUs that are kept from it, as isolated ones are.
std::string let_onto(const HostFacts& host, const Cpus& more) {
    Cpus all;
    std::ranges::set_union(host.usable_cpus, more, std::back_inserter(all));
    return fmt::format("taskset -c {} joinleaf ... --cpu {} (CPUAffinity={} in a unit)",
                       cpu_list(all), more.back(), cpu_list(all));
}

}  // namespace

Finding judge_cpus(const HostFacts& host, const Cpus& chosen) {
    const Cpus isolated = common(host.usable_cpus, host.isolated_cpus);
    if (Cpus kept = without(chosen, host.usable_cpus); !kept.empty()) {
        std::ranges::sort(kept);
        if (const auto absent = without(kept, all_cpus(host)); !absent.empty()) {
            return fail("cpus", fmt::format("there is no CPU {}", cpu_list(absent)),
                        fmt::format("name others with --cpu: {}", cpu_list(host.usable_cpus)));
        }
        return fail("cpus",
                    fmt::format("this process may not run on CPU {} (it may on {})", cpu_list(kept),
                                cpu_list(host.usable_cpus)),
                    let_onto(host, kept));
    }
    if (host.usable_cpus.size() < 2) {
        return warn("cpus",
                    fmt::format("this process may run on CPU {} alone: the worker and everything "
                                "else take turns",
                                cpu_list(host.usable_cpus)),
                    "give it two CPUs at least (taskset, cpuset, the virtual machine)");
    }
    if (isolated.empty() && !host.isolated_cpus.empty()) {
        return warn("cpus",
                    fmt::format("isolated: {}; but this process may run on {} alone",
                                cpu_list(host.isolated_cpus), cpu_list(host.usable_cpus)),
                    let_onto(host, host.isolated_cpus));
    }
    if (isolated.empty()) {
        const unsigned last = host.usable_cpus.back();
        return warn("cpus",
                    fmt::format("{} usable ({}), none isolated: the scheduler will interrupt the "
                                "polling worker",
                                host.usable_cpus.size(), cpu_list(host.usable_cpus)),
                    fmt::format("add isolcpus={0} nohz_full={0} rcu_nocbs={0} to the kernel's "
                                "command line, and run {1}",
                                last, let_onto(host, {last})));
    }
    if (const Cpus disturbed = without(worker_cpus(host, chosen), isolated); !disturbed.empty()) {
        return warn(
            "cpus",
            fmt::format("isolated: {}; but a worker would be on CPU {}, where the scheduler "
                        "will interrupt it",
                        cpu_list(isolated), cpu_list(disturbed)),
            fmt::format("run with --cpu {}", isolated.back()));
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

Finding judge_numa(const HostFacts& host, const PortFacts* port, const Cpus& chosen) {
    if (host.nodes.size() <= 1) return ok("numa", "one node");
    const auto number = node_of(port);
    if (!number) {
        return skip(
            "numa",
            fmt::format("{} nodes; which one the port is on is not known", host.nodes.size()),
            port == nullptr ? "joinleaf doctor --port PORT tells for a NIC" : "");
    }
    const auto node = std::ranges::find(host.nodes, *number, &NumaNode::number);
    if (node == host.nodes.end() || node->cpus.empty()) {
        return skip(
            "numa",
            fmt::format("the NIC is on node {}; which CPUs are there is not known", *number), "");
    }
    const Cpus workers = worker_cpus(host, chosen);
    const Cpus far = without(workers, node->cpus);
    if (far.empty()) {
        return ok("numa",
                  fmt::format("the NIC is on node {}, as is CPU {}", *number, cpu_list(workers)));
    }
    const Cpus near = common(host.usable_cpus, node->cpus);
    const Cpus quiet = common(near, host.isolated_cpus);
    const std::string there = fmt::format("node {} has CPUs {}", *number, cpu_list(node->cpus));
    return warn("numa",
                fmt::format("the NIC is on node {}, and a worker would be on CPU {}, far from its "
                            "memory",
                            *number, cpu_list(far)),
                near.empty() ? fmt::format("{}; {}", let_onto(host, node->cpus), there)
                             : fmt::format("run with --cpu {}; {}",
                                           quiet.empty() ? near.back() : quiet.back(), there));
}

}  // namespace joinleaf::app::doctor
