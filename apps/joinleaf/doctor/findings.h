// What the doctor says of a host and of a port: a line each, with the cure as a command. Pure.
#pragma once

#include <apps/joinleaf/doctor/finding.h>
#include <apps/joinleaf/doctor/host_facts.h>
#include <apps/joinleaf/doctor/port_facts.h>
#include <controlplane/port_spec.h>
#include <joinleaf/status.h>
#include <chrono>
#include <optional>
#include <vector>

namespace joinleaf::app::doctor {

/// What a port is behind: a card, a kernel interface, or neither.
struct PortFacts {
    controlplane::PortSpec spec;
    unsigned mtu = 1500;                      ///< that is wanted
    std::optional<PciFacts> pci;              ///< the card, also of a kernel interface
    std::optional<InterfaceFacts> interface;  ///< the kernel's
};

/// The NUMA node that the port is on; none: it is not known.
[[nodiscard]] std::optional<unsigned> node_of(const PortFacts* port);

/// The host alone: hugepages, vfio, privileges, locked memory, CPUs, NUMA, clock. `port`: what it
/// is for; without one all kinds of ports are thought of. `chosen_cpus`: those of --cpu; empty: the
/// runtime chooses.
[[nodiscard]] Findings judge_host(const HostFacts& host, const PortFacts* port,
                                  const std::vector<unsigned>& chosen_cpus = {});
/// The port as the kernel tells of it: its driver, its link, its MTU, who else uses it.
[[nodiscard]] Findings judge_port(const PortFacts& port);

/// A querier asks every 125 s (RFC 9776 §8.2): who has heard none for so long has none.
inline constexpr std::chrono::seconds kQuerierWait{130};

/// What was heard on the wire in so long.
struct Heard {
    PortStatus before;  ///< as soon as it was up
    PortStatus after;
    std::chrono::seconds listened{0};
};
/// The port as it was seen at work: its link, the querier, and its multicast filter.
[[nodiscard]] Findings judge_heard(const Heard& heard);

}  // namespace joinleaf::app::doctor
