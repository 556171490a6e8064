#include <controlplane/responder.h>
#include <net/frame.h>
#include <net/icmp.h>

#include <vector>

namespace joinleaf::controlplane {
namespace {

constexpr std::uint8_t kEchoTtl = 64;

}  // namespace

std::size_t Responder::answer_arp(std::span<const std::byte> message,
                                  std::span<std::byte> out) const {
    const auto request = net::parse_arp(message);
    if (!request || request->operation != net::ArpOperation::request ||
        request->target_address != address_) {
        return 0;
    }
    return net::build_arp_frame({.source = mac_, .destination = request->sender_mac, .vlan = vlan_},
                                net::arp_reply(*request, mac_, address_), out)
        .value_or(0);
}

std::size_t Responder::answer_echo(const net::Ipv4Packet& packet, const MacAddress& sender,
                                   std::span<std::byte> out) const {
    const auto request = net::parse_icmp_echo(packet.payload);
    if (!request || request->type != net::IcmpEchoType::request ||
        !packet.header.source.is_unicast() || packet.header.destination != address_) {
        return 0;
    }
    std::vector<std::byte> reply(packet.payload.size());
    net::emit_icmp_echo(net::icmp_echo_reply(*request), reply);
    return net::build_control_frame({.source = mac_, .destination = sender, .vlan = vlan_},
                                    {.source = address_,
                                     .destination = packet.header.source,
                                     .protocol = net::ip_protocol::kIcmp,
                                     .ttl = kEchoTtl},
                                    reply, out)
        .value_or(0);
}

std::size_t Responder::announce(std::span<std::byte> out) const {
    return net::build_arp_frame(
               {.source = mac_, .destination = MacAddress::broadcast(), .vlan = vlan_},
               net::arp_announcement(mac_, address_), out)
        .value_or(0);
}

}  // namespace joinleaf::controlplane
