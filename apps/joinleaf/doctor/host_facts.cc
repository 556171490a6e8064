#include <apps/joinleaf/doctor/host_facts.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>

namespace joinleaf::app::doctor {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string first_word(const fs::path& path) {
    std::ifstream file(path);
    std::string word;
    file >> word;
    return word;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// The number that stands alone in a file.
std::optional<std::uint64_t> number_in(const fs::path& path) {
    return parse_number<std::uint64_t>(first_word(path));
}

/// The number behind `prefix` in a name, as in node0; `suffix` follows it.
std::optional<std::uint64_t> number_behind(std::string_view name, std::string_view prefix,
                                           std::string_view suffix = "") {
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
    name.remove_prefix(prefix.size());
    if (name.size() < suffix.size()) return std::nullopt;
    name.remove_suffix(suffix.size());
    return parse_number<std::uint64_t>(name);
}

std::vector<fs::path> entries(const fs::path& folder) {
    std::error_code ignored;
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
}

std::optional<std::string> target_name(const fs::path& link) {
    std::error_code failed;
    const fs::path target = fs::read_symlink(link, failed);
    if (failed) return std::nullopt;
    return target.filename().string();
}

std::vector<HugepagePool> hugepages(const fs::path& root) {
    std::vector<HugepagePool> pools;
    for (const auto& node : entries(root / "sys/devices/system/node")) {
        const auto number = number_behind(node.filename().string(), "node");
        if (!number) continue;
        for (const auto& size : entries(node / "hugepages")) {
            const auto kilobytes = number_behind(size.filename().string(), "hugepages-", "kB");
            if (!kilobytes) continue;
            pools.push_back({.node = static_cast<unsigned>(*number),
                             .page_octets = *kilobytes * 1024,
                             .total = number_in(size / "nr_hugepages").value_or(0),
                             .free = number_in(size / "free_hugepages").value_or(0)});
        }
    }
    return pools;
}

std::optional<std::string> hugetlbfs(const fs::path& root) {
    std::istringstream mounts(read(root / "proc/mounts"));
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words(line);
        std::string device, where, type;
        words >> device >> where >> type;
        if (type == "hugetlbfs") return where;
    }
    return std::nullopt;
}

Privileges privileges(const fs::path& root) {
    Privileges found;
    std::istringstream status(read(root / "proc/self/status"));
    for (std::string line; std::getline(status, line);) {
        if (!line.starts_with("CapEff:")) continue;
        const auto digits = line.substr(line.find_first_not_of(" \t", 7));
        const auto mask = parse_number<std::uint64_t>(digits, 16).value_or(0);
        const auto has = [&](unsigned capability) { return (mask >> capability & 1) != 0; };
        found.net_admin = has(CAP_NET_ADMIN);
        found.net_raw = has(CAP_NET_RAW);
        found.ipc_lock = has(CAP_IPC_LOCK);
        found.bpf = has(CAP_BPF) || has(CAP_SYS_ADMIN);
    }
    rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        found.memlock_octets = limit.rlim_cur;
    }
    return found;
}

std::vector<unsigned> usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<unsigned> cpus;
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
    return cpus;
}

std::vector<std::vector<unsigned>> siblings(const fs::path& cpu_folder) {
    std::vector<std::vector<unsigned>> cores;
    for (const auto& cpu : entries(cpu_folder)) {
        if (!number_behind(cpu.filename().string(), "cpu")) continue;
        auto core = parse_cpu_list(first_word(cpu / "topology/thread_siblings_list"));
        if (core.size() > 1 && std::find(cores.begin(), cores.end(), core) == cores.end()) {
            cores.push_back(std::move(core));
        }
    }
    return cores;
}

bool has_words(const std::string& text, std::initializer_list<std::string_view> words) {
    std::istringstream stream(text);
    const std::vector<std::string> all{std::istream_iterator<std::string>(stream), {}};
    return std::all_of(words.begin(), words.end(), [&](std::string_view word) {
        return std::find(all.begin(), all.end(), word) != all.end();
    });
}

std::optional<unsigned> node_of(const fs::path& device) {
    // -1 where the board does not say.
    return parse_number<unsigned>(first_word(device / "numa_node"));
}

}  // namespace

std::vector<unsigned> parse_cpu_list(std::string_view text) {
    constexpr unsigned kMost = 1 << 16;
    std::vector<unsigned> cpus;
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        const auto dash = part.find('-');
        const auto first = parse_number<unsigned>(part.substr(0, dash));
        const auto last =
            dash == std::string_view::npos ? first : parse_number<unsigned>(part.substr(dash + 1));
        if (!first || !last || *last >= kMost) return {};
        for (unsigned cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
    }
    return cpus;
}

std::string cpu_list(const std::vector<unsigned>& cpus) {
    std::string text;
    for (std::size_t i = 0; i < cpus.size();) {
        std::size_t end = i + 1;
        while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
        text += text.empty() ? "" : ",";
        text += end - i == 1 ? fmt::format("{}", cpus[i])
                             : fmt::format("{}-{}", cpus[i], cpus[end - 1]);
        i = end;
    }
    return text;
}

HostFacts look_at_host(const fs::path& root) {
    const fs::path cpus = root / "sys/devices/system/cpu";
    std::error_code ignored;
    HostFacts facts{.hugepages = hugepages(root),
                    .hugetlbfs = hugetlbfs(root),
                    .vfio_pci = fs::exists(root / "sys/bus/pci/drivers/vfio-pci", ignored),
                    .iommu = !entries(root / "sys/kernel/iommu_groups").empty(),
                    .privileges = privileges(root),
                    .usable_cpus = usable_cpus(),
                    .isolated_cpus = parse_cpu_list(first_word(cpus / "isolated")),
                    .tickless_cpus = parse_cpu_list(first_word(cpus / "nohz_full")),
                    .siblings = siblings(cpus)};
    const std::string without =
        first_word(root / "sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
    facts.vfio_without_iommu = without == "Y" || without == "1";
    facts.clock_source =
        first_word(root / "sys/devices/system/clocksource/clocksource0/current_clocksource");
    facts.tsc_is_invariant =
        has_words(read(root / "proc/cpuinfo"), {"constant_tsc", "nonstop_tsc"});
    return facts;
}

std::optional<PciFacts> look_at_pci(const std::string& address, const fs::path& root) {
    const fs::path device = root / "sys/bus/pci/devices" / address;
    std::error_code failed;
    if (!fs::exists(device, failed)) return std::nullopt;
    PciFacts facts{.address = address,
                   .driver = target_name(device / "driver").value_or(""),
                   .node = node_of(device)};
    if (const auto group = target_name(device / "iommu_group")) {
        facts.iommu_group = parse_number<unsigned>(*group);
    }
    for (const auto& interface : entries(device / "net")) {
        facts.interfaces.push_back(interface.filename().string());
    }
    return facts;
}

std::optional<InterfaceFacts> look_at_interface(const std::string& name, const fs::path& root) {
    const fs::path folder = root / "sys/class/net" / name;
    std::error_code failed;
    if (name.empty() || !fs::exists(folder, failed)) return std::nullopt;
    InterfaceFacts facts{.name = name, .node = node_of(folder / "device")};
    const std::string flags = first_word(folder / "flags");
    if (flags.starts_with("0x")) {
        const auto bits = parse_number<unsigned>(std::string_view(flags).substr(2), 16);
        facts.is_up = (bits.value_or(0) & IFF_UP) != 0;
    }
    facts.has_carrier = first_word(folder / "carrier") == "1";
    facts.mtu = static_cast<unsigned>(number_in(folder / "mtu").value_or(0));
    const auto card = target_name(folder / "device");
    if (card && fs::exists(root / "sys/bus/pci/devices" / *card, failed)) facts.pci = card;
    facts.has_ipv6 = first_word(root / "proc/sys/net/ipv6/conf" / name / "disable_ipv6") == "0";

    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return facts;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> addresses(list, ::freeifaddrs);
    for (const ifaddrs* one = addresses.get(); one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || name != one->ifa_name) continue;
        facts.has_ipv4 = facts.has_ipv4 || one->ifa_addr->sa_family == AF_INET;
    }
    return facts;
}

}  // namespace joinleaf::app::doctor
