#include <net/ethernet.h>

namespace joinleaf::net {

tl::expected<EthernetFrame, EthernetError> parse_ethernet(
    std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < sizeof(EthernetWire)) return tl::unexpected(EthernetError::truncated);
    const auto wire = load<EthernetWire>(bytes.data());
    const auto untagged = skip_tags(bytes, wire.ethertype, {});
    if (!untagged) return tl::unexpected(untagged.error());
    return EthernetFrame{{wire.source, wire.destination, untagged->vlan},
                         untagged->ethertype,
                         bytes.subspan(untagged->size)};
}

std::size_t emit_ethernet(const EthernetFields& fields, std::uint16_t type,
                          std::span<std::byte> out) noexcept {
    const VlanStack& vlan = fields.vlan;
    const std::uint16_t innermost = vlan.tags() == 0 ? type : ethertype::kVlan;
    const std::uint16_t first = vlan.tags() == 2 ? ethertype::kServiceVlan : innermost;
    store(out.data(), EthernetWire{fields.destination, fields.source, first});
    std::size_t size = sizeof(EthernetWire);
    if (vlan.tags() == 2) {
        store(out.data() + size, VlanWire{vlan.outer, ethertype::kVlan});
        size += sizeof(VlanWire);
    }
    if (vlan.tags() >= 1) {
        store(out.data() + size, VlanWire{vlan.tags() == 2 ? vlan.inner : vlan.outer, type});
        size += sizeof(VlanWire);
    }
    return size;
}

}  // namespace joinleaf::net
