// What the doctor says of a host.
#include <apps/joinleaf/doctor/cpu_findings.h>
#include <apps/joinleaf/doctor/findings.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace joinleaf::app::doctor {
namespace {

using controlplane::PortKind;

constexpr std::uint64_t kMebi = std::uint64_t{1024} * 1024;
/// What the default pools of one port take, with what DPDK takes itself.
constexpr std::uint64_t kWantedOctets = 256 * kMebi;

bool is_card(const PortFacts* port) { return port != nullptr && port->spec.kind == PortKind::pci; }
bool may_be_card(const PortFacts* port) { return port == nullptr || is_card(port); }

/// Has the kernel keep so many octets of hugepages more. What is there may be in use, by us or by
/// others, so the pool never becomes smaller.
std::string get_hugepages(const HostFacts& host, std::optional<unsigned> node,
                          std::uint64_t missing) {
    constexpr std::uint64_t kPage = 2 * kMebi;
    std::uint64_t pages = (missing + kPage - 1) / kPage;
    for (const auto& pool : host.hugepages) {
        if (pool.page_octets == kPage && (!node || pool.node == *node)) pages += pool.total;
    }
    return fmt::format(
        "echo {} | sudo tee /sys/{}/hugepages/hugepages-2048kB/nr_hugepages", pages,
        node ? fmt::format("devices/system/node/node{}", *node) : std::string("kernel/mm"));
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
                    get_hugepages(host, node, kWantedOctets));
    }
    if (free < kWantedOctets) {
        return warn("hugepages",
                    fmt::format("{} MiB of {} MiB are free{}; a port takes about {} MiB",
                                free / kMebi, total / kMebi, where, kWantedOctets / kMebi),
                    "end what holds them, or " + get_hugepages(host, node, kWantedOctets - free));
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

Finding judge_card_access(const HostFacts& host, const PortFacts& port) {
    if (!port.pci || port.pci->driver != "vfio-pci") {
        return skip("permissions", "who may open the card is not looked at: vfio-pci has it not",
                    "bind it to vfio-pci, or have it opened with --address");
    }
    const PciFacts& card = *port.pci;
    if (card.vfio_file.empty()) {
        return fail("permissions",
                    fmt::format("vfio-pci has {}, and nothing in /dev/vfio opens it", card.address),
                    "give the container, or whatever hides it, /dev/vfio");
    }
    if (card.vfio_file.find("noiommu") != std::string::npos && !host.privileges.sys_rawio) {
        return fail(
            "permissions",
            fmt::format("{} is without IOMMU, and opens for CAP_SYS_RAWIO alone", card.vfio_file),
            "run it as root, or switch the IOMMU on in the firmware");
    }
    if (!card.may_open_vfio_file) {
        return fail(
            "permissions",
            fmt::format("{}, which opens {}, is not for this user", card.vfio_file, card.address),
            fmt::format("sudo chown \"$USER\" {} (until it is bound again; joinleaf's rule "
                        "for udev gives it to the group joinleaf for good)",
                        card.vfio_file));
    }
    return ok("permissions", fmt::format("this user may open {}", card.vfio_file));
}

/// Of a kernel interface.
Finding judge_privileges(const HostFacts& host, const PortFacts* port) {
    std::vector<std::string_view> missing;
    const Privileges& has = host.privileges;
    const bool xdp = port != nullptr && port->spec.kind == PortKind::xdp;
    if (xdp && !has.net_admin) missing.emplace_back("cap_net_admin");
    if (!has.net_raw) missing.emplace_back("cap_net_raw");
    if (xdp && !has.bpf) missing.emplace_back("cap_bpf");
    if (missing.empty()) {
        return ok("permissions", xdp ? "CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF are there"
                                     : "CAP_NET_RAW is there, for kernel interfaces");
    }
    const auto all = fmt::format("{}", fmt::join(missing, ","));
    return (port != nullptr ? fail : warn)(
        "permissions", fmt::format("without {} a kernel interface cannot be opened", all),
        fmt::format("run it as root, or: sudo setcap {}+ep \"$(command -v joinleaf)\"", all));
}

Finding judge_permissions(const HostFacts& host, const PortFacts* port) {
    if (port == nullptr || port->spec.is_kernel_interface()) return judge_privileges(host, port);
    switch (port->spec.kind) {
        case PortKind::pci:
            return judge_card_access(host, *port);
        case PortKind::null:
        case PortKind::ring:
            return ok("permissions", "a port of this kind needs none");
        default:
            return skip("permissions", "what a port of this kind needs is not looked at",
                        "have it opened with --address");
    }
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
    const std::string uses = fmt::format(
        "the kernel uses {}", host.clock_source.empty() ? "nothing known" : host.clock_source);
    const auto& offered = host.offered_clock_sources;
    if (std::ranges::find(offered, "tsc") != offered.end()) {
        return warn("clock", uses + " in place of tsc",
                    "echo tsc | sudo tee "
                    "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    }
    const std::string distrusts =
        uses +
        ", and does not offer tsc: it does not trust it, while joinleaf's workers read it; "
        "time stamps and rates may be off";
    if (!host.word_against_tsc.empty()) {
        return warn("clock",
                    fmt::format("{} ({} on its command line)", distrusts, host.word_against_tsc),
                    fmt::format("take {} off the kernel's command line, unless it is there for a "
                                "reason",
                                host.word_against_tsc));
    }
    return warn("clock", distrusts,
                "sudo dmesg | grep -i tsc tells why; on a virtual machine let the hypervisor offer "
                "an even one (invtsc), or, where it is known to be even, add tsc=reliable to the "
                "kernel's command line");
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

bool has_failure(const Findings& findings) noexcept {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& finding) { return finding.level == Level::fail; });
}

std::optional<unsigned> node_of(const PortFacts* port) {
    if (port == nullptr) return std::nullopt;
    if (port->pci && port->pci->node) return port->pci->node;
    return port->interface ? port->interface->node : std::nullopt;
}

Findings judge_host(const HostFacts& host, const PortFacts* port,
                    const std::vector<unsigned>& chosen_cpus) {
    return {judge_hugepages(host, port),
            judge_vfio(host, port),
            judge_permissions(host, port),
            judge_memlock(host, port),
            judge_cpus(host, chosen_cpus),
            judge_numa(host, port, chosen_cpus),
            judge_clock(host)};
}

}  // namespace joinleaf::app::doctor
