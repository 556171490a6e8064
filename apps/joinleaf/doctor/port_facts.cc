#include <apps/joinleaf/doctor/kernel_files.h>
#include <apps/joinleaf/doctor/port_facts.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <sstream>
#include <utility>

namespace joinleaf::app::doctor {
namespace {

namespace fs = std::filesystem;

std::optional<unsigned> node_of(const fs::path& device) {
    // -1 where the board does not say.
    return parse_number<unsigned>(first_word(device / "numa_node"));
}

bool is_device(const fs::path& root, const std::string& address) {
    std::error_code failed;
    return fs::exists(root / "sys/bus/pci/devices" / address, failed);
}

/// The card that `device`, a link in an interface's folder, leads to.
std::optional<std::string> card_behind(const fs::path& root, const fs::path& device) {
    auto card = target_name(device);
    if (!card || is_device(root, *card)) return card;
    // Between a virtio card and its interface there is a device of the virtio bus.
    std::error_code failed;
    const auto above = fs::canonical(device, failed).parent_path().filename().string();
    if (failed || above.empty() || !is_device(root, above)) return std::nullopt;
    return above;
}

void look_at_vfio_file(const fs::path& root, PciFacts& facts) {
    if (!facts.iommu_group) return;
    // The latter is that of a group which vfio made up, for want of an IOMMU.
    for (const auto* const prefix : {"", "noiommu-"}) {
        const std::string file = fmt::format("dev/vfio/{}{}", prefix, *facts.iommu_group);
        std::error_code failed;
        if (!fs::exists(root / file, failed)) continue;
        facts.vfio_file = "/" + file;
        facts.may_open_vfio_file =
            ::faccessat(AT_FDCWD, (root / file).c_str(), R_OK | W_OK, AT_EACCESS) == 0;
    }
}

std::vector<InterfaceFacts> interfaces_of(const fs::path& root, const fs::path& device) {
    std::vector<fs::path> found = entries(device / "net");
    for (const auto& below : entries(device)) {
        if (!below.filename().string().starts_with("virtio")) continue;
        std::ranges::move(entries(below / "net"), std::back_inserter(found));
    }
    std::vector<InterfaceFacts> interfaces;
    for (const auto& path : found) {
        const std::string name = path.filename().string();
        interfaces.push_back(look_at_interface(name, root).value_or(InterfaceFacts{.name = name}));
    }
    return interfaces;
}

/// An interface, and what is above it.
std::vector<std::string> with_uppers(const fs::path& root, const std::string& name) {
    constexpr std::string_view kUpper = "upper_";
    std::vector<std::string> all{name};
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (const auto& path : entries(root / "sys/class/net" / all[i])) {
            const std::string entry = path.filename().string();
            if (!entry.starts_with(kUpper)) continue;
            std::string upper = entry.substr(kUpper.size());
            if (std::ranges::find(all, upper) == all.end()) all.push_back(std::move(upper));
        }
    }
    return all;
}

/// The interfaces by which packets leave for anywhere.
std::vector<std::string> default_routes(const fs::path& root) {
    std::vector<std::string> interfaces;
    const auto lines_of = [&](const char* table, auto take) {
        std::istringstream lines(read(root / "proc/net" / table));
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            take(std::vector<std::string>{std::istream_iterator<std::string>(words), {}});
        }
    };
    lines_of("route", [&](const std::vector<std::string>& words) {
        if (words.size() < 8 || words[1] != "00000000" || words[7] != "00000000") return;
        interfaces.push_back(words[0]);
    });
    lines_of("ipv6_route", [&](const std::vector<std::string>& words) {
        // What is unreachable is routed to lo.
        if (words.size() < 10 || words[1] != "00" || words[9] == "lo") return;
        if (words[0].find_first_not_of('0') == std::string::npos) interfaces.push_back(words[9]);
    });
    return interfaces;
}

bool is_of_a_link_alone(const sockaddr& address) {
    if (address.sa_family != AF_INET6) return false;
    return IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

void look_at_addresses(const std::vector<std::string>& names, InterfaceFacts& facts) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return;
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> addresses(list, ::freeifaddrs);
    for (const ifaddrs* one = addresses.get(); one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || std::ranges::find(names, one->ifa_name) == names.end()) {
            continue;
        }
        const auto family = one->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        if (facts.name == one->ifa_name) facts.has_ipv4 = facts.has_ipv4 || family == AF_INET;
        if (facts.is_up && !is_of_a_link_alone(*one->ifa_addr)) facts.is_addressed = true;
    }
}

}  // namespace

std::optional<PciFacts> look_at_pci(const std::string& address, const fs::path& root) {
    if (!is_device(root, address)) return std::nullopt;
    const fs::path device = root / "sys/bus/pci/devices" / address;
    PciFacts facts{.address = address,
                   .device_class = hexadecimal_in(device / "class"),
                   .driver = target_name(device / "driver").value_or(""),
                   .node = node_of(device)};
    if (const auto group = target_name(device / "iommu_group")) {
        facts.iommu_group = parse_number<unsigned>(*group);
    }
    look_at_vfio_file(root, facts);
    facts.interfaces = interfaces_of(root, device);
    return facts;
}

std::optional<InterfaceFacts> look_at_interface(const std::string& name, const fs::path& root) {
    const fs::path folder = root / "sys/class/net" / name;
    std::error_code failed;
    if (name.empty() || !fs::exists(folder, failed)) return std::nullopt;
    InterfaceFacts facts{.name = name, .node = node_of(folder / "device")};
    facts.is_up = (hexadecimal_in(folder / "flags").value_or(0) & IFF_UP) != 0;
    facts.has_carrier = first_word(folder / "carrier") == "1";
    facts.mtu = static_cast<unsigned>(number_in(folder / "mtu").value_or(0));
    facts.pci = card_behind(root, folder / "device");
    facts.has_ipv6 = first_word(root / "proc/sys/net/ipv6/conf" / name / "disable_ipv6") == "0";

    const std::vector<std::string> names = with_uppers(root, name);
    const std::vector<std::string> routes = default_routes(root);
    facts.has_default_route = std::ranges::find_first_of(names, routes) != names.end();
    look_at_addresses(names, facts);
    return facts;
}

}  // namespace joinleaf::app::doctor
