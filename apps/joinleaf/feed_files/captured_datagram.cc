// The UDP datagram in a captured frame.
#include <apps/joinleaf/feed_files/captured_datagram.h>
#include <fmt/format.h>
#include <net/ethernet.h>
#include <net/ipv4.h>
#include <net/udp.h>

namespace joinleaf::app {
namespace {

using Word = net::BigEndian<std::uint16_t>;

constexpr std::size_t kLoopbackHeader = 4;
constexpr std::size_t kCookedHeader = 16;
constexpr std::size_t kCookedProtocol = 14;
constexpr std::size_t kCooked2Header = 20;
constexpr std::uint16_t kOldServiceVlan = 0x9100;  // of switches before 802.1ad
constexpr std::size_t kTag = sizeof(net::VlanWire);

std::uint16_t word_at(std::span<const std::byte> octets, std::size_t at) noexcept {
    return net::load<Word>(octets.data() + at);
}

/// Past `header` octets and VLAN tags, if the ethertype at `type_at` leads to IPv4; else empty.
std::span<const std::byte> behind_ethertype(std::span<const std::byte> frame, std::size_t type_at,
                                            std::size_t header) noexcept {
    if (frame.size() < header) return {};
    std::uint16_t type = word_at(frame, type_at);
    auto rest = frame.subspan(header);
    while (net::is_vlan_tag(type) || type == kOldServiceVlan) {
        if (rest.size() < kTag) return {};
        type = word_at(rest, kTag - sizeof(Word));
        rest = rest.subspan(kTag);
    }
    if (type != net::ethertype::kIpv4) return {};
    return rest;
}

std::span<const std::byte> behind(std::span<const std::byte> frame, std::size_t header) noexcept {
    return frame.subspan(std::min(frame.size(), header));
}

bool is_known(LinkType link) noexcept {
    switch (link) {
        case LinkType::null:
        case LinkType::ethernet:
        case LinkType::raw_ip_bsd:
        case LinkType::raw_ip_openbsd:
        case LinkType::raw_ip:
        case LinkType::loop:
        case LinkType::linux_cooked:
        case LinkType::ipv4:
        case LinkType::linux_cooked_2:
            return true;
    }
    return false;
}

/// From the IPv4 header on; empty where there is none. A loopback's address family and a raw
/// packet's version need no look here: the version of the header tells.
std::span<const std::byte> packet_in(const CapturedFrame& frame) noexcept {
    switch (frame.link) {
        case LinkType::ethernet:
            return behind_ethertype(frame.octets, sizeof(net::EthernetWire) - sizeof(Word),
                                    sizeof(net::EthernetWire));
        case LinkType::linux_cooked:
            return behind_ethertype(frame.octets, kCookedProtocol, kCookedHeader);
        case LinkType::linux_cooked_2:
            return behind_ethertype(frame.octets, 0, kCooked2Header);
        case LinkType::null:
        case LinkType::loop:
            return behind(frame.octets, kLoopbackHeader);
        default:
            return frame.octets;
    }
}

}  // namespace

std::string Flow::to_string() const { return fmt::format("{}:{}", address.to_string(), port); }

std::variant<CapturedDatagram, NoDatagram> datagram_in(const CapturedFrame& frame) noexcept {
    if (!is_known(frame.link)) return NoDatagram::unknown_link;
    const auto packet = packet_in(frame);
    if (packet.size() < net::kIpv4HeaderSize) return NoDatagram::other;
    const auto ip = net::load<net::Ipv4Wire>(packet.data());
    const std::size_t header = std::size_t{ip.version_ihl & 0x0fu} * 4;
    if (ip.version_ihl >> 4 != 4 || header < net::kIpv4HeaderSize ||
        ip.protocol != net::ip_protocol::kUdp) {
        return NoDatagram::other;
    }
    if ((ip.flags_fragment & (net::kIpv4MoreFragments | net::kIpv4FragmentOffsetMask)) != 0) {
        return NoDatagram::fragment;
    }
    if (packet.size() < header + net::kUdpHeaderSize) return NoDatagram::cut_short;
    const auto datagram = packet.subspan(header);
    const auto udp = net::load<net::UdpWire>(datagram.data());
    if (udp.length < net::kUdpHeaderSize) return NoDatagram::other;
    if (datagram.size() < udp.length) return NoDatagram::cut_short;
    return CapturedDatagram{
        {Ipv4Address(ip.destination), udp.destination_port},
        datagram.subspan(net::kUdpHeaderSize, udp.length - net::kUdpHeaderSize)};
}

}  // namespace joinleaf::app
