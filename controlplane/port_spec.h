// What a person may give as --port, and the DPDK device it stands for. Pure.
#pragma once

#include <joinleaf/error.h>
#include <string>
#include <string_view>

namespace joinleaf::controlplane {

enum class PortKind : unsigned char {
    pci,        ///< 0000:3b:00.0
    interface,  ///< a kernel interface, through AF_PACKET
    xdp,        ///< xdp:NAME, a kernel interface through AF_XDP
    memif,      ///< memif:PATH[,server]
    null,       ///< null
    ring,       ///< ring:NAME, a wire inside the process
    devargs,    ///< anything else DPDK understands
};

struct PortSpec {
    PortKind kind{};
    std::string text;  ///< as given
    std::string name;  ///< the kernel interface, the wire, the socket path; else empty
    bool server = false;

    /// `number` makes the device's name unique in the process. Empty for a ring.
    [[nodiscard]] std::string devargs(unsigned number, unsigned mtu, unsigned queues = 1) const;
    /// Whether its driver copies, or hands over within the process: its packets may then lie in any
    /// memory. Of another device nobody knows whom it tells the addresses.
    [[nodiscard]] bool takes_any_memory() const {
        return kind != PortKind::pci && kind != PortKind::devargs;
    }
    /// Whether it is served through a kernel interface called `name`.
    [[nodiscard]] bool is_kernel_interface() const {
        return kind == PortKind::interface || kind == PortKind::xdp;
    }
};

[[nodiscard]] Parsed<PortSpec> parse_port_spec(std::string_view text);

}  // namespace joinleaf::controlplane
