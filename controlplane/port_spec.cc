#include <controlplane/port_spec.h>
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <cctype>

namespace joinleaf::controlplane {
namespace {

bool is_hex(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](unsigned char c) { return std::isxdigit(c) != 0; });
}

// [dddd:]bb:dd.f
bool is_pci_address(std::string_view text) {
    if (text.size() == 12 && text[4] == ':' && is_hex(text.substr(0, 4))) text.remove_prefix(5);
    return text.size() == 7 && is_hex(text.substr(0, 2)) && text[2] == ':' &&
           is_hex(text.substr(3, 2)) && text[5] == '.' && text[6] >= '0' && text[6] <= '7';
}

Parsed<PortSpec> interface_spec(PortKind kind, std::string_view text, std::string_view name) {
    if (name.empty() || name.size() >= IFNAMSIZ || name.find('/') != std::string_view::npos) {
        return tl::unexpected(fmt::format(
            "'{}' is not a port; give a PCI address, a network interface, xdp:NAME, "
            "memif:PATH[,server], ring:NAME, null, or DPDK devargs such as net_tap0,iface=tap0",
            text));
    }
    return PortSpec{.kind = kind, .text = std::string(text), .name = std::string(name)};
}

Parsed<PortSpec> memif_spec(std::string_view text, std::string_view rest) {
    PortSpec spec{.kind = PortKind::memif, .text = std::string(text)};
    const auto comma = rest.find(',');
    if (comma != std::string_view::npos) {
        if (rest.substr(comma + 1) != "server") {
            return tl::unexpected(fmt::format(
                "'{}': after the path only ',server' may follow, as in memif:/run/feed.sock,server",
                text));
        }
        spec.server = true;
        rest = rest.substr(0, comma);
    }
    if (rest.empty() || rest.front() != '/') {
        return tl::unexpected(
            fmt::format("'{}' needs an absolute socket path, as in memif:/run/feed.sock", text));
    }
    spec.name = rest;
    return spec;
}

}  // namespace

Parsed<PortSpec> parse_port_spec(std::string_view text) {
    if (text == "null") return PortSpec{.kind = PortKind::null, .text = "null"};
    if (is_pci_address(text)) return PortSpec{.kind = PortKind::pci, .text = std::string(text)};
    if (text.starts_with("ring:")) {
        if (text.size() == 5) {
            return tl::unexpected(
                std::string("'ring:' needs a name, as in ring:a; two ports of one name in one "
                            "process form a wire"));
        }
        return PortSpec{
            .kind = PortKind::ring, .text = std::string(text), .name = std::string(text.substr(5))};
    }
    if (text.starts_with("xdp:")) return interface_spec(PortKind::xdp, text, text.substr(4));
    if (text.starts_with("memif:")) return memif_spec(text, text.substr(6));
    const bool devargs = text.starts_with("net_") || text.starts_with("eth_") ||
                         text.find(',') != std::string_view::npos ||
                         text.find('=') != std::string_view::npos;
    if (devargs) return PortSpec{.kind = PortKind::devargs, .text = std::string(text)};
    return interface_spec(PortKind::interface, text, text);
}

namespace {

/// The slots of an AF_PACKET ring.
struct PacketSlots {
    unsigned size = 2048;
    unsigned per_block = 32;
    unsigned count = 4096;
};

// A slot holds the kernel's header (66 octets), Ethernet with two tags and the packet, and the
// driver wants it no larger than one of our buffers. Blocks are whole pages and whole slots: 256
// times 16 octets is a page.
PacketSlots packet_slots(unsigned mtu) {
    constexpr unsigned kRingOctets = 8U * 1024 * 1024;
    PacketSlots slots;
    const unsigned needed = (mtu + 66 + 22 + 15) / 16 * 16;
    if (needed <= slots.size) return slots;
    slots.size = needed;
    slots.per_block = 256;
    slots.count = std::max(1U, kRingOctets / (needed * slots.per_block)) * slots.per_block;
    return slots;
}

}  // namespace

std::string PortSpec::devargs(unsigned number, unsigned mtu, unsigned queues) const {
    switch (kind) {
        case PortKind::pci:
        case PortKind::devargs:
            return text;
        case PortKind::interface: {
            const PacketSlots slots = packet_slots(mtu);
            return fmt::format(
                "net_af_packet_jl{},iface={},framesz={},blocksz={},framecnt={},qpairs={}", number,
                name, slots.size, slots.size * slots.per_block, slots.count, queues);
        }
        case PortKind::xdp:
            return fmt::format("net_af_xdp_jl{},iface={},queue_count={}", number, name, queues);
        case PortKind::memif:
            return fmt::format("net_memif_jl{},role={},socket={},socket-abstract=no,rsize=11",
                               number, server ? "server" : "client", name);
        case PortKind::null:
            return fmt::format("net_null_jl{},no-rx=1", number);
        case PortKind::ring:
            return {};
    }
    return {};
}

}  // namespace joinleaf::controlplane
