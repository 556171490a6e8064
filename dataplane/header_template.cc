#include <dataplane/header_template.h>

#include <cassert>

namespace joinleaf::dataplane {

HeaderTemplate::HeaderTemplate(const Destination& to) noexcept
    : size_(static_cast<std::uint8_t>(net::ethernet_header_size(to.ethernet) + kIpv4)) {
    assert(to.ttl > 0);
    const std::span frame = std::span(octets_).last(size_);
    const auto ip = frame.last<kIpv4>();
    const auto udp = frame.last<kUdp>();

    net::emit_ethernet(to.ethernet, net::ethertype::kIpv4, frame);
    net::emit_ipv4({.source = to.source,
                    .destination = to.destination,
                    .protocol = net::ip_protocol::kUdp,
                    .ttl = to.ttl,
                    .tos = to.tos},
                   0, ip);
    net::store(ip.data() + offsetof(net::Ipv4Wire, total_length), Word(0));
    net::store(ip.data() + offsetof(net::Ipv4Wire, checksum), Word(0));
    net::store(udp.data(), net::UdpWire{to.ports.source_port, to.ports.destination_port, 0, 0});

    net::ChecksumSum sum;
    sum.add(ip.first<net::kIpv4HeaderSize>());
    ip_sum_ = sum.folded();
    net::ChecksumSum pseudo = net::udp_pseudo_header(to.source, to.destination, 0);
    pseudo_sum_ = pseudo.folded();
    pseudo.add(udp);
    udp_sum_ = pseudo.folded();
}

}  // namespace joinleaf::dataplane
