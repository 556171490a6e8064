// What the doctor says of a port: as the kernel tells of it, and as it was seen at work.
#include <apps/joinleaf/doctor/findings.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace joinleaf::app::doctor {
namespace {

using controlplane::PortKind;

constexpr unsigned kNetworkClass = 0x02;

/// A class of the PCI bus, by its first octet.
std::string_view name_of_class(unsigned device_class) {
    constexpr std::array<std::string_view, 0x13> kNames{"device of no class",
                                                        "mass storage controller",
                                                        "network controller",
                                                        "display controller",
                                                        "multimedia device",
                                                        "memory controller",
                                                        "bridge",
                                                        "communication controller",
                                                        "system peripheral",
                                                        "input device",
                                                        "docking station",
                                                        "processor",
                                                        "serial bus controller",
                                                        "wireless controller",
                                                        "intelligent I/O controller",
                                                        "satellite controller",
                                                        "encryption controller",
                                                        "signal processing controller",
                                                        "processing accelerator"};
    return device_class < kNames.size() ? kNames[device_class] : "device of another class";
}

/// `cure` takes interfaces from the kernel: whoever is here by them is cut off.
std::string with_care(const std::vector<InterfaceFacts>& interfaces, std::string cure) {
    const auto way_in = std::ranges::find_if(interfaces, [](const InterfaceFacts& interface) {
        return interface.has_default_route || interface.is_addressed;
    });
    if (way_in == interfaces.end()) return cure;
    return fmt::format(
        "{} {}, and may be the only way in to this machine; once there is another: {}",
        way_in->name,
        way_in->has_default_route ? "carries the default route" : "is up with an address", cure);
}

Finding judge_class(const PciFacts& device) {
    if (!device.device_class) {
        return fail("driver", device.address + " does not say that it is a network card",
                    "dpdk-devbind.py --status-dev net lists the cards");
    }
    return fail("driver",
                fmt::format("{} is no network card but a {} (PCI class {:04x}{}{})", device.address,
                            name_of_class(*device.device_class >> 16), *device.device_class >> 8,
                            device.driver.empty() ? "" : ", ", device.driver),
                "dpdk-devbind.py --status-dev net lists the cards");
}

Finding judge_card(const PciFacts& card) {
    if (card.device_class.value_or(0) >> 16 != kNetworkClass) return judge_class(card);
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
    std::string names;
    std::string down;
    for (const auto& interface : card.interfaces) {
        names += fmt::format("{}{}", names.empty() ? ", " : " ", interface.name);
        down += fmt::format("sudo ip link set dev {} down && ", interface.name);
    }
    return fail("driver",
                fmt::format("{} belongs to the kernel ({}{})", card.address, card.driver, names),
                with_care(card.interfaces, down + bind));
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
        findings.push_back(
            warn("kernel",
                 name + " has an address of the kernel's, which answers beside "
                        "joinleaf",
                 with_care({interface}, fmt::format("sudo ip address flush dev {}", name))));
    } else if (interface.has_ipv6) {
        findings.push_back(
            warn("kernel", "the kernel speaks IPv6 on " + name + ", and the port hears it",
                 with_care({interface},
                           fmt::format("sudo sysctl -w net.ipv6.conf.{}.disable_ipv6=1", name))));
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

/// How many were dropped for this meanwhile.
std::uint64_t dropped(const Heard& heard, DropReason reason) {
    const auto i = static_cast<std::size_t>(reason);
    return heard.after.counters.drops[i] - heard.before.counters.drops[i];
}

std::uint64_t strangers(const Heard& heard) {
    return dropped(heard, DropReason::other_mac) + dropped(heard, DropReason::no_subscriber) +
           dropped(heard, DropReason::other_address);
}

/// Frames of anybody else.
std::uint64_t frames(const Heard& heard) {
    return heard.after.counters.received - heard.before.counters.received -
           dropped(heard, DropReason::own_echo);
}

Finding judge_filter(const Heard& heard) {
    const auto mode = heard.after.filter_mode;
    if (frames(heard) == 0) {
        return skip("filter",
                    fmt::format("{}; nothing was heard in {} s, so nothing is proven", name(mode),
                                heard.listened.count()),
                    fmt::format("listen longer, while others send: --querier-wait {}",
                                kQuerierWait.count()));
    }
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

}  // namespace joinleaf::app::doctor
