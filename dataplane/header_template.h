// The headers of one destination, built once and stamped in front of each payload: Ethernet, VLAN
// tags, IPv4 and UDP. Pure; a template never changes, so any thread may use it.
#pragma once

#include <joinleaf/address.h>
#include <net/checksum.h>
#include <net/ethernet.h>
#include <net/ipv4.h>
#include <net/udp.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace joinleaf::dataplane {

/// From where to where, and how far.
struct Destination {
    net::EthernetFields ethernet;
    Ipv4Address source;
    Ipv4Address destination;
    net::UdpFields ports;
    std::uint8_t ttl = 1;  ///< the scope; at least 1, because scope 0 never reaches a wire
    std::uint8_t tos = 0;
};

class alignas(64) HeaderTemplate {
public:
    /// What each write touches in front of the payload. mbufs have a headroom of 128.
    static constexpr std::size_t kHeadroom = 64;

    explicit HeaderTemplate(const Destination& destination) noexcept;

    /// Octets of header: 42, and 4 for each VLAN tag.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    // Each of the writers puts the header of a datagram of `payload_length` octets so that it ends
    // at `payload`. It overwrites the kHeadroom octets there, because whole wide stores are faster
    // than the header's exact size; the frame begins at `payload - size()`. The IPv4 checksum is
    // always filled in, and valid: a template knows all of its sum but the length, which makes it
    // cheaper than asking a NIC for it. `payload_length` is at most net::kMaxUdpPayload.

    /// Without UDP checksum (0), which IPv4 allows.
    void write(std::byte* payload, std::uint16_t payload_length) const noexcept {
        write_with_checksum(payload, payload_length, 0);
    }

    /// With the UDP checksum. `payload_sum` is the sum over the payload, wherever it lies: for
    /// fan-out it is computed once, for all the destinations.
    void write_summed(std::byte* payload, std::uint16_t payload_length,
                      net::ChecksumSum payload_sum) const noexcept {
        net::ChecksumSum sum(payload_sum.raw() + udp_sum_);
        // The length counts twice: in the header and in the pseudo header.
        const auto length = static_cast<std::uint16_t>(net::kUdpHeaderSize + payload_length);
        sum.add_word(length);
        sum.add_word(length);
        write_with_checksum(payload, payload_length, net::udp_checksum(sum));
    }

    /// With the UDP checksum of a payload that follows the header in one piece.
    void write_summed(std::byte* payload, std::uint16_t payload_length) const noexcept {
        net::ChecksumSum sum;
        sum.add({payload, payload_length});
        write_summed(payload, payload_length, sum);
    }

    /// For a NIC that computes the UDP checksum: the field holds the sum of the pseudo header, not
    /// complemented, as DPDK wants it (RTE_MBUF_F_TX_UDP_CKSUM with RTE_MBUF_F_TX_IPV4, l2_len =
    /// size() - 28, l3_len = 20, and no RTE_MBUF_F_TX_IP_CKSUM). Such a frame must not go out
    /// without the NIC's help: its checksum is wrong.
    void write_for_offload(std::byte* payload, std::uint16_t payload_length) const noexcept {
        net::ChecksumSum sum(pseudo_sum_);
        sum.add_word(static_cast<std::uint16_t>(net::kUdpHeaderSize + payload_length));
        const auto complement = static_cast<std::uint16_t>(~sum.checksum());
        write_with_checksum(payload, payload_length, complement);
    }

private:
    // Places of what changes from packet to packet, counted back from the payload.
    static constexpr std::size_t kUdp = net::kUdpHeaderSize;
    static constexpr std::size_t kIpv4 = kUdp + net::kIpv4HeaderSize;
    static constexpr std::size_t kIpv4TotalLength = kIpv4 - offsetof(net::Ipv4Wire, total_length);
    static constexpr std::size_t kIpv4Checksum = kIpv4 - offsetof(net::Ipv4Wire, checksum);
    static constexpr std::size_t kUdpLength = kUdp - offsetof(net::UdpWire, length);
    static constexpr std::size_t kUdpChecksum = kUdp - offsetof(net::UdpWire, checksum);

    using Word = net::BigEndian<std::uint16_t>;

    void write_with_checksum(std::byte* payload, std::uint16_t payload_length,
                             std::uint16_t udp_checksum) const noexcept {
        const auto udp_length = static_cast<std::uint16_t>(payload_length + kUdp);
        const auto total_length = static_cast<std::uint16_t>(payload_length + kIpv4);
        net::ChecksumSum ip(ip_sum_);
        ip.add_word(total_length);
        std::memcpy(payload - kHeadroom, octets_.data(), kHeadroom);
        net::store(payload - kIpv4TotalLength, Word(total_length));
        net::store(payload - kIpv4Checksum, Word(ip.checksum()));
        net::store(payload - kUdpLength, Word(udp_length));
        net::store(payload - kUdpChecksum, Word(udp_checksum));
    }

    std::array<std::byte, kHeadroom> octets_{};  // the header stands at the end
    // Sums of all that never changes, lengths and checksums taken as 0.
    std::uint64_t ip_sum_ = 0;      // the IPv4 header
    std::uint64_t pseudo_sum_ = 0;  // UDP's pseudo header
    std::uint64_t udp_sum_ = 0;     // UDP's pseudo header and header
    std::size_t size_ = 0;
};

}  // namespace joinleaf::dataplane
