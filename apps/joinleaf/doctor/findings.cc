#include <apps/joinleaf/doctor/findings.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace joinleaf::app::doctor {
namespace {

using controlplane::PortKind;

constexpr std::uint64_t kMebi = 1024 * 1024;
/// What the default pools of one port take, with what DPDK takes itself.
constexpr std::uint64_t kWantedOctets = 256 * kMebi;

Finding ok(std::string topic, std::string text) {
    return {Level::ok, std::move(topic), std::move(text), {}};
}
Finding skip(std::string topic, std::string text, std::string cure) {
    return {Level::skip, std::move(topic), std::move(text), std::move(cure)};
}
Finding warn(std::string topic, std::string text, std::string cure) {
    return {Level::warn, std::move(topic), std::move(text), std::move(cure)};
}
Finding fail(std::string topic, std::string text, std::string cure) {
    return {Level::fail, std::move(topic), std::move(text), std::move(cure)};
}

bool is_card(const PortFacts* port) { return port != nullptr && port->spec.kind == PortKind::pci; }
bool may_be_card(const PortFacts* port) { return port == nullptr || is_card(port); }

std::optional<unsigned> node_of(const PortFacts* port) {
    if (port == nullptr) return std::nullopt;
    if (port->pci && port->pci->node) return port->pci->node;
    return port->interface ? port->interface->node : std::nullopt;
}

std::string get_hugepages(std::optional<unsigned> node) {
    constexpr auto kPages = kWantedOctets / (2 * kMebi);
    return node ? fmt::format(
                      "echo {} | sudo tee /sys/devices/system/node/node{}/hugepages/"
                      "hugepages-2048kB/nr_hugepages",
                      kPages, *node)
                : fmt::format("sudo sysctl -w vm.nr_hugepages={}", kPages);
}

Finding judge_hugepages(const HostFacts& host, const PortFacts* port) {
    const auto node = node_of(port);
    std::uint64_t total = 0;
    std::uint64_t free = 0;
    for (const auto& pool : host.hugepages) {
        if (node && pool.node != *node) continue;
        total += pool.total * pool.page_octets;
        free += pool.free * pool.page_octets;
    }
    const std::string where = node ? fmt::format(" on NUMA node {}, where the NIC is", *node) : "";
    if (total == 0) {
        return warn("hugepages",
                    fmt::format("none{}: joinleaf runs with small pages, slower", where),
                    get_hugepages(node));
    }
    if (free < kWantedOctets) {
        return warn("hugepages",
                    fmt::format("{} MiB of {} MiB are free{}; a port takes about {} MiB",
                                free / kMebi, total / kMebi, where, kWantedOctets / kMebi),
                    "end what holds them, or " + get_hugepages(node));
    }
    if (!host.hugetlbfs && !host.privileges.ipc_lock) {
        return warn("hugepages", "they are there, but no hugetlbfs is mounted to take them by",
                    "sudo mkdir -p /dev/hugepages && sudo mount -t hugetlbfs none /dev/hugepages");
    }
    return ok("hugepages",
              fmt::format("{} MiB of {} MiB are free{}", free / kMebi, total / kMebi, where));
}

Finding judge_vfio(const HostFacts& host, const PortFacts* port) {
    if (!may_be_card(port)) {
        return skip("vfio", "a port of this kind does not need it", "");
    }
    const auto level = is_card(port) ? fail : warn;
    if (!host.vfio_pci) {
        return level("vfio", "the module vfio-pci is not loaded", "sudo modprobe vfio-pci");
    }
    if (host.iommu) return ok("vfio", "vfio-pci is loaded, and there is an IOMMU");
    if (host.vfio_without_iommu) {
        return warn("vfio", "vfio-pci works without IOMMU: a card may write into any memory",
                    "switch the IOMMU on in the firmware, and add intel_iommu=on or amd_iommu=on "
                    "to the kernel's command line");
    }
    return level("vfio", "there is no IOMMU, and vfio is not told to do without",
                 "echo 1 | sudo tee /sys/module/vfio/parameters/enable_unsafe_noiommu_mode, or "
                 "switch the IOMMU on in the firmware");
}

Finding judge_privileges(const HostFacts& host, const PortFacts* port) {
    std::vector<std::string_view> missing;
    const Privileges& has = host.privileges;
    const auto kind = port != nullptr ? port->spec.kind : PortKind::interface;
    if ((kind == PortKind::interface) && !has.net_raw) missing.emplace_back("cap_net_raw");
    if (kind == PortKind::xdp) {
        if (!has.net_admin) missing.emplace_back("cap_net_admin");
        if (!has.net_raw) missing.emplace_back("cap_net_raw");
        if (!has.bpf) missing.emplace_back("cap_bpf");
    }
    if (missing.empty()) {
        return ok("permissions", kind == PortKind::interface ? "CAP_NET_RAW is there, for kernel "
                                                               "interfaces"
                                                             : "nothing is missing");
    }
    const auto all = fmt::format("{}", fmt::join(missing, ","));
    return (port != nullptr ? fail : warn)(
        "permissions", fmt::format("without {} a kernel interface cannot be opened", all),
        fmt::format("run it as root, or: sudo setcap {}+ep \"$(command -v joinleaf)\"", all));
}

Finding judge_memlock(const HostFacts& host, const PortFacts* port) {
    const auto limit = host.privileges.memlock_octets;
    if (!limit || host.privileges.ipc_lock) {
        return ok("memlock", limit ? "CAP_IPC_LOCK is there: no limit" : "no limit");
    }
    if (*limit >= kWantedOctets) return ok("memlock", fmt::format("{} MiB", *limit / kMebi));
    const std::string cure =
        "ulimit -l unlimited (LimitMEMLOCK=infinity in a unit; memlock in "
        "/etc/security/limits.conf)";
    const std::string text =
        fmt::format("{} KiB may be locked; a NIC by vfio needs about {} MiB, AF_XDP as much",
                    *limit / 1024, kWantedOctets / kMebi);
    const bool needs = port != nullptr && (is_card(port) || port->spec.kind == PortKind::xdp);
    return needs ? fail("memlock", text, cure) : warn("memlock", text, cure);
}

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

Finding judge_clock(const HostFacts& host) {
    if (host.clock_source == "tsc" && host.tsc_is_invariant) {
        return ok("clock", "tsc, the same on all CPUs at all speeds");
    }
    if (!host.tsc_is_invariant) {
        return warn("clock",
                    "this CPU does not say that its time stamp counter runs evenly "
                    "(constant_tsc, nonstop_tsc): time stamps and rates may be off",
                    "on a virtual machine pass the host's CPU flags through (host-passthrough, "
                    "invtsc)");
    }
    return warn("clock",
                fmt::format("the kernel uses {} in place of tsc",
                            host.clock_source.empty() ? "nothing known" : host.clock_source),
                "echo tsc | sudo tee "
                "/sys/devices/system/clocksource/clocksource0/current_clocksource");
}

Finding judge_card(const PciFacts& card) {
    const std::string bind = fmt::format("sudo dpdk-devbind.py --bind=vfio-pci {}", card.address);
    if (card.driver == "vfio-pci") return ok("driver", card.address + " has vfio-pci");
    if (card.driver == "uio_pci_generic" || card.driver == "igb_uio") {
        return warn("driver",
                    fmt::format("{} has {}, which lets the card write into any memory",
                                card.address, card.driver),
                    bind);
    }
    // These work with the kernel's driver.
    if (card.driver == "mlx5_core" || card.driver == "mlx4_core" || card.driver == "mana") {
        return ok("driver",
                  fmt::format("{} has {}, as its DPDK driver wants it", card.address, card.driver));
    }
    if (card.driver.empty()) {
        return fail("driver", card.address + " has no driver", bind);
    }
    const std::string down =
        card.interfaces.empty()
            ? ""
            : fmt::format("sudo ip link set dev {} down && ", card.interfaces.front());
    return fail("driver",
                fmt::format("{} belongs to the kernel ({}{}{})", card.address, card.driver,
                            card.interfaces.empty() ? "" : ", ", fmt::join(card.interfaces, " ")),
                down + bind);
}

void judge_interface(const InterfaceFacts& interface, unsigned mtu, Findings& findings) {
    const std::string& name = interface.name;
    findings.push_back(ok("driver", interface.pci
                                        ? fmt::format("the kernel's, for {}", *interface.pci)
                                        : "the kernel's"));
    if (!interface.is_up) {
        findings.push_back(
            fail("link", name + " is down", fmt::format("sudo ip link set dev {} up", name)));
    } else if (!interface.has_carrier) {
        findings.push_back(fail("link", name + " has no carrier",
                                "plug the cable in, and look at the switch's port"));
    } else {
        findings.push_back(ok("link", name + " is up"));
    }
    if (interface.mtu < mtu) {
        findings.push_back(fail(
            "mtu", fmt::format("{} carries {} octets, {} are wanted", name, interface.mtu, mtu),
            fmt::format("sudo ip link set dev {} mtu {}", name, mtu)));
    } else {
        findings.push_back(ok("mtu", fmt::format("{} (wanted: {})", interface.mtu, mtu)));
    }
    if (interface.has_ipv4) {
        findings.push_back(warn("kernel",
                                name + " has an address of the kernel's, which answers beside "
                                       "joinleaf",
                                fmt::format("sudo ip address flush dev {}", name)));
    } else if (interface.has_ipv6) {
        findings.push_back(
            warn("kernel", "the kernel speaks IPv6 on " + name + ", and the port hears it",
                 fmt::format("sudo sysctl -w net.ipv6.conf.{}.disable_ipv6=1", name)));
    } else {
        findings.push_back(ok("kernel", "it keeps quiet on " + name));
    }
}

Finding judge_link(const PortStatus& port) {
    if (port.link_up) {
        return ok("link", fmt::format("up, {} with {}", port.mac.to_string(), port.driver));
    }
    return fail("link", "the port has no link",
                "plug the cable in, or set the interface and its peer up");
}

Finding judge_querier(const Heard& heard) {
    const QuerierStatus& querier = heard.after.querier;
    if (querier.heard) {
        const auto text =
            fmt::format("{} asks, IGMPv{}", querier.address.to_string(), unsigned{querier.version});
        if (querier.version < 3) {
            return warn("querier", text + ": sources are filtered by this host alone",
                        "configure IGMPv3 on the querier (on a Linux bridge: sudo ip link set dev "
                        "BRIDGE type bridge mcast_igmp_version 3)");
        }
        return ok("querier", text);
    }
    const auto text = fmt::format("no IGMP query in {} s", heard.listened.count());
    if (heard.listened < kQuerierWait) {
        return skip("querier", text + "; one comes every 125 s",
                    fmt::format("listen longer: --querier-wait {}", kQuerierWait.count()));
    }
    return warn("querier",
                text + ": a switch that snoops will forget the groups after some minutes",
                "configure a querier on the switch or the router (on a Linux bridge: sudo ip link "
                "set dev BRIDGE type bridge mcast_snooping 1 mcast_querier 1)");
}

std::uint64_t strangers(const Heard& heard) {
    const auto count = [&](DropReason reason) {
        const auto i = static_cast<std::size_t>(reason);
        return heard.after.counters.drops[i] - heard.before.counters.drops[i];
    };
    return count(DropReason::other_mac) + count(DropReason::no_subscriber) +
           count(DropReason::other_address);
}

Finding judge_filter(const Heard& heard) {
    const auto mode = heard.after.filter_mode;
    const std::uint64_t came = strangers(heard);
    const std::string seen = fmt::format("{}; {} frames for others came in {} s", name(mode), came,
                                         heard.listened.count());
    const bool exact =
        mode == MulticastFilterMode::exact_list || mode == MulticastFilterMode::mac_table;
    if (exact && came == 0) return ok("filter", seen);
    if (exact) {
        return warn("filter", seen + ": it lets more through than it was told",
                    "the worker sorts, at some ns a frame; let the switch snoop IGMP so that less "
                    "comes");
    }
    if (came == 0) return ok("filter", seen + "; the worker would sort them");
    return warn("filter", seen + ": the worker sorts, at some ns a frame",
                "let the switch snoop IGMP so that less comes, or take a NIC that filters");
}

}  // namespace

std::string_view name(Level level) noexcept {
    switch (level) {
        case Level::ok:
            return "ok";
        case Level::skip:
            return "skip";
        case Level::warn:
            return "warn";
        case Level::fail:
            return "fail";
    }
    return "";
}

Findings judge_host(const HostFacts& host, const PortFacts* port) {
    return {judge_hugepages(host, port),
            judge_vfio(host, port),
            judge_privileges(host, port),
            judge_memlock(host, port),
            judge_cpus(host),
            judge_numa(host, port),
            judge_clock(host)};
}

Findings judge_port(const PortFacts& port) {
    Findings findings;
    const controlplane::PortSpec& spec = port.spec;
    if (spec.kind == PortKind::pci) {
        findings.push_back(port.pci ? judge_card(*port.pci)
                                    : fail("driver", spec.text + ": there is no such card",
                                           "dpdk-devbind.py --status-dev net lists the cards"));
    } else if (spec.is_kernel_interface()) {
        if (port.interface) {
            judge_interface(*port.interface, port.mtu, findings);
        } else {
            findings.push_back(fail("driver", spec.name + ": there is no such interface",
                                    "ip -brief link lists them"));
        }
    }
    return findings;
}

Findings judge_heard(const Heard& heard) {
    return {judge_link(heard.after), judge_querier(heard), judge_filter(heard)};
}

bool has_failure(const Findings& findings) noexcept {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& finding) { return finding.level == Level::fail; });
}

}  // namespace joinleaf::app::doctor
