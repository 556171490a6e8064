#include <net/frame.h>

#include <algorithm>

namespace joinleaf::net {
namespace {

constexpr std::size_t kMaxIpv4Packet = 65535;

// Room for `size` octets after padding, or why there is none.
Result<std::size_t> padded(std::size_t size, std::span<std::byte> out) noexcept {
    const std::size_t length = std::max(size, kMinFrameSize);
    if (out.size() < length) return failure(std::errc::no_buffer_space);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(size),
              out.begin() + static_cast<std::ptrdiff_t>(length), std::byte{0});
    return length;
}

}  // namespace

Result<std::size_t> build_control_frame(const EthernetFields& ethernet, const Ipv4Fields& ip,
                                        std::span<const std::byte> payload,
                                        std::span<std::byte> out) noexcept {
    const std::size_t packet = ipv4_header_size(ip) + payload.size();
    if (packet > kMaxIpv4Packet) return failure(std::errc::message_size);
    const auto length = padded(ethernet_header_size(ethernet) + packet, out);
    if (!length) return length;
    auto rest = out.subspan(emit_ethernet(ethernet, ethertype::kIpv4, out));
    rest = rest.subspan(emit_ipv4(ip, payload.size(), rest));
    std::copy(payload.begin(), payload.end(), rest.begin());
    return length;
}

Result<std::size_t> build_udp_frame(const EthernetFields& ethernet, const Ipv4Fields& ip,
                                    const UdpFields& udp, std::span<const std::byte> payload,
                                    std::span<std::byte> out) noexcept {
    Ipv4Fields fields = ip;
    fields.protocol = ip_protocol::kUdp;
    const std::size_t datagram = kUdpHeaderSize + payload.size();
    const std::size_t packet = ipv4_header_size(fields) + datagram;
    if (packet > kMaxIpv4Packet) return failure(std::errc::message_size);
    const auto length = padded(ethernet_header_size(ethernet) + packet, out);
    if (!length) return length;
    auto rest = out.subspan(emit_ethernet(ethernet, ethertype::kIpv4, out));
    rest = rest.subspan(emit_ipv4(fields, datagram, rest));
    rest = rest.subspan(emit_udp(udp, fields.source, fields.destination, payload, rest));
    std::copy(payload.begin(), payload.end(), rest.begin());
    return length;
}

Result<std::size_t> build_arp_frame(const EthernetFields& ethernet, const ArpMessage& message,
                                    std::span<std::byte> out) noexcept {
    const auto length = padded(ethernet_header_size(ethernet) + kArpSize, out);
    if (!length) return length;
    emit_arp(message, out.subspan(emit_ethernet(ethernet, ethertype::kArp, out)));
    return length;
}

}  // namespace joinleaf::net
