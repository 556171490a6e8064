#include <apps/joinleaf/doctor/kernel_files.h>
#include <apps/joinleaf/doctor/port_facts.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <memory>

namespace joinleaf::app::doctor {
namespace {

namespace fs = std::filesystem;

std::optional<unsigned> node_of(const fs::path& device) {
    // -1 where the board does not say.
    return parse_number<unsigned>(first_word(device / "numa_node"));
}

}  // namespace

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
