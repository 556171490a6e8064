#include <net/udp.h>

namespace joinleaf::net {

tl::expected<UdpDatagram, UdpError> parse_udp(const Ipv4Header& ip,
                                              std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < kUdpHeaderSize) return tl::unexpected(UdpError::truncated);
    const auto wire = load<UdpWire>(bytes.data());
    if (wire.length != bytes.size()) return tl::unexpected(UdpError::bad_length);
    if (wire.checksum != 0) {
        ChecksumSum sum = udp_pseudo_header(ip.source, ip.destination, wire.length);
        sum.add(bytes);
        if (!sum.is_valid()) return tl::unexpected(UdpError::bad_checksum);
    }
    return UdpDatagram{{wire.source_port, wire.destination_port}, bytes.subspan(kUdpHeaderSize)};
}

std::size_t emit_udp(const UdpFields& fields, Ipv4Address source, Ipv4Address destination,
                     std::span<const std::byte> payload, std::span<std::byte> out) noexcept {
    const auto length = static_cast<std::uint16_t>(kUdpHeaderSize + payload.size());
    UdpWire wire{fields.source_port, fields.destination_port, length, 0};
    store(out.data(), wire);
    ChecksumSum sum = udp_pseudo_header(source, destination, length);
    sum.add(out.first(kUdpHeaderSize));
    sum.add(payload);
    wire.checksum = udp_checksum(sum);
    store(out.data(), wire);
    return kUdpHeaderSize;
}

}  // namespace joinleaf::net
