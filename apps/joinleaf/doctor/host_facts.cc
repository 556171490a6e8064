#include <apps/joinleaf/doctor/host_facts.h>
#include <apps/joinleaf/doctor/kernel_files.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <iterator>
#include <sstream>

namespace joinleaf::app::doctor {
namespace {

namespace fs = std::filesystem;

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

std::vector<NumaNode> nodes(const fs::path& root) {
    std::vector<NumaNode> found;
    for (const auto& node : entries(root / "sys/devices/system/node")) {
        const auto number = number_behind(node.filename().string(), "node");
        if (!number) continue;
        found.push_back({.number = static_cast<unsigned>(*number),
                         .cpus = parse_cpu_list(first_word(node / "cpulist"))});
    }
    return found;
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
        found.sys_rawio = has(CAP_SYS_RAWIO);
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

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream stream(text);
    return {std::istream_iterator<std::string>(stream), {}};
}

bool has_words(const std::string& text, std::initializer_list<std::string_view> words) {
    const std::vector<std::string> all = words_of(text);
    return std::all_of(words.begin(), words.end(), [&](std::string_view word) {
        return std::find(all.begin(), all.end(), word) != all.end();
    });
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
                    .nodes = nodes(root),
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
    facts.offered_clock_sources =
        words_of(read(root / "sys/devices/system/clocksource/clocksource0/available_clocksource"));
    for (const auto& word : words_of(read(root / "proc/cmdline"))) {
        if (word == "notsc" || word == "tsc=unstable") facts.word_against_tsc = word;
    }
    facts.tsc_is_invariant =
        has_words(read(root / "proc/cpuinfo"), {"constant_tsc", "nonstop_tsc"});
    return facts;
}

}  // namespace joinleaf::app::doctor
