#include <net/checksum.h>
#include <net/ipv4.h>

namespace joinleaf::net {
namespace {

constexpr std::uint8_t kOptionEnd = 0;
constexpr std::uint8_t kOptionNop = 1;
constexpr std::uint8_t kOptionRouterAlert = 148;

// Walks the options (RFC 791 §3.1). Returns false when one runs past the header.
bool scan_options(std::span<const std::byte> options, bool& router_alert) noexcept {
    std::size_t at = 0;
    while (at < options.size()) {
        const auto type = std::to_integer<std::uint8_t>(options[at]);
        if (type == kOptionEnd) return true;
        if (type == kOptionNop) {
            ++at;
            continue;
        }
        if (at + 1 >= options.size()) return false;
        const auto length = std::to_integer<std::size_t>(options[at + 1]);
        if (length < 2 || at + length > options.size()) return false;
        if (type == kOptionRouterAlert) router_alert = true;
        at += length;
    }
    return true;
}

}  // namespace

tl::expected<Ipv4Packet, Ipv4Error> parse_ipv4(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < kIpv4HeaderSize) return tl::unexpected(Ipv4Error::truncated);
    const auto wire = load<Ipv4Wire>(bytes.data());
    if (wire.version_ihl >> 4 != 4) return tl::unexpected(Ipv4Error::bad_version);
    const std::size_t header_length = std::size_t{wire.version_ihl & 0xfu} * 4;
    const std::size_t total_length = wire.total_length;
    if (header_length < kIpv4HeaderSize || total_length < header_length) {
        return tl::unexpected(Ipv4Error::bad_length);
    }
    if (bytes.size() < total_length) return tl::unexpected(Ipv4Error::truncated);
    if (!checksum_is_valid(bytes.first(header_length))) {
        return tl::unexpected(Ipv4Error::bad_checksum);
    }
    if ((wire.flags_fragment & (kIpv4MoreFragments | kIpv4FragmentOffsetMask)) != 0) {
        return tl::unexpected(Ipv4Error::fragment);
    }
    Ipv4Packet packet;
    packet.header.source = Ipv4Address(wire.source);
    packet.header.destination = Ipv4Address(wire.destination);
    packet.header.protocol = wire.protocol;
    packet.header.ttl = wire.ttl;
    packet.header.tos = wire.tos;
    const auto options = bytes.subspan(kIpv4HeaderSize, header_length - kIpv4HeaderSize);
    if (!scan_options(options, packet.header.router_alert)) {
        return tl::unexpected(Ipv4Error::bad_options);
    }
    packet.payload = bytes.subspan(header_length, total_length - header_length);
    return packet;
}

std::size_t emit_ipv4(const Ipv4Fields& fields, std::size_t payload_length,
                      std::span<std::byte> out) noexcept {
    const std::size_t header_length = ipv4_header_size(fields);
    Ipv4Wire wire{};
    wire.version_ihl = static_cast<std::uint8_t>(0x40 | header_length / 4);
    wire.tos = fields.tos;
    wire.total_length = static_cast<std::uint16_t>(header_length + payload_length);
    wire.flags_fragment = kIpv4DontFragment;
    wire.ttl = fields.ttl;
    wire.protocol = fields.protocol;
    wire.source = fields.source.value();
    wire.destination = fields.destination.value();
    store(out.data(), wire);
    if (fields.router_alert) {
        store(out.data() + kIpv4HeaderSize, BigEndian<std::uint32_t>(0x94040000));
    }
    wire.checksum = checksum(out.first(header_length));
    store(out.data(), wire);
    return header_length;
}

}  // namespace joinleaf::net
