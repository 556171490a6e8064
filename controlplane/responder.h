// Answers for the port's own address: ARP requests and ICMP echo, so that an operator can ping it.
// Pure: a packet in, a frame out.
#pragma once

#include <net/ethernet.h>
#include <net/ipv4.h>
#include <net/vlan.h>

#include <joinleaf/address.h>
#include <cstddef>
#include <span>

namespace joinleaf::controlplane {

class Responder {
public:
    Responder(const MacAddress& mac, Ipv4Address address, const net::VlanStack& vlan)
        : mac_(mac), address_(address), vlan_(vlan) {}

    /// Each writes the answer into `out` and returns its size, or 0 when there is none to give.
    [[nodiscard]] std::size_t answer_arp(std::span<const std::byte> message,
                                         std::span<std::byte> out) const;
    /// `sender` is the Ethernet source of the request: the answer goes back the way it came.
    [[nodiscard]] std::size_t answer_echo(const net::Ipv4Packet& packet, const MacAddress& sender,
                                          std::span<std::byte> out) const;

    /// Tells the network where the address is (RFC 5227 §2.3).
    [[nodiscard]] std::size_t announce(std::span<std::byte> out) const;

private:
    MacAddress mac_;
    Ipv4Address address_;
    net::VlanStack vlan_;
};

}  // namespace joinleaf::controlplane
