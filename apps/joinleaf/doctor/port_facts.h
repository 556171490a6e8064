// What the doctor looks at of a port, as the kernel tells it in /proc and /sys.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace joinleaf::app::doctor {

/// A kernel interface.
struct InterfaceFacts {
    std::string name;
    bool is_up = false;
    bool has_carrier = false;
    unsigned mtu = 0;
    std::optional<std::string> pci;  ///< the card behind it
    std::optional<unsigned> node;
    bool has_ipv4 = false;
    bool has_ipv6 = false;  ///< IPv6 is not switched off on it
    // By itself, or by what is above it: a VLAN, a bond, a bridge.
    bool has_default_route = false;
    bool is_addressed = false;  ///< others than its neighbours can send to this machine by it
};

/// A device on the PCI bus.
struct PciFacts {
    std::string address;
    std::optional<unsigned> device_class;  ///< class, subclass and interface, as in 0x020000
    std::string driver;                    ///< that has it; empty: none
    std::optional<unsigned> node;
    std::optional<unsigned> iommu_group;
    std::string vfio_file;            ///< of the group, as /dev/vfio/12; empty: none is there
    bool may_open_vfio_file = false;  ///< this process's user may
    std::vector<InterfaceFacts> interfaces;  ///< of the kernel, while its driver has the card
};

// Both read below `root`, "/" but in tests; what is not there is as if it said nothing. Addresses
// are those of this process's network namespace.

/// None: there is no such device.
[[nodiscard]] std::optional<PciFacts> look_at_pci(const std::string& address,
                                                  const std::filesystem::path& root = "/");
/// None: there is no such interface.
[[nodiscard]] std::optional<InterfaceFacts> look_at_interface(
    const std::string& name, const std::filesystem::path& root = "/");

}  // namespace joinleaf::app::doctor
