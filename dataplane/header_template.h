// The headers of one destination, built once and stamped in front of each payload: Ethernet, VLAN
// tags, IPv4 and UDP. Pure; a template is only replaced as a whole, by whoever owns it.
#pragma once

#include <emmintrin.h>
#include <joinleaf/address.h>
#include <net/checksum.h>
#include <net/ethernet.h>
#include <net/ipv4.h>
#include <net/udp.h>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

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

/// What a payload adds to each header in front of it: computed once, for all its destinations.
class PayloadTerms {
public:
    /// `sum` is the sum over the payload, wherever it lies; none: no UDP checksum, which IPv4
    /// allows. `length` is at most net::kMaxUdpPayload.
    PayloadTerms(std::uint16_t length, std::optional<net::ChecksumSum> sum) noexcept
        : length_(length), has_udp_checksum_(sum.has_value()) {
        if (!sum) return;
        // The length counts twice: in the header and in the pseudo header.
        const auto udp_length = static_cast<std::uint16_t>(length + net::kUdpHeaderSize);
        sum->add_word(udp_length);
        sum->add_word(udp_length);
        udp_ = sum->folded();
    }

private:
    friend class HeaderTemplate;

    std::uint16_t length_;
    std::uint16_t udp_ = 0;  // to add to the sum of the UDP header and pseudo header; memory order
    bool has_udp_checksum_;
};

/// What each header write touches in front of the payload. mbufs have a headroom of 128.
inline constexpr std::size_t kHeaderRoom = 64;

/// A finished header: all of it is the same for every payload of one length.
class ReadyHeader {
public:
    /// So that it ends at `payload`; overwrites the kHeaderRoom octets there.
    void put(std::byte* payload) const noexcept {
        std::memcpy(payload - kHeaderRoom, octets_.data(), kHeaderRoom);
    }

private:
    friend class HeaderTemplate;
    alignas(64) std::array<std::byte, kHeaderRoom> octets_;
};

/// One cache line, so that thousands of them lie close. The header stands at the end of it; what
/// is before the longest header there can be holds the sums, and is stamped along because one wide
/// copy of the whole is faster than one of the header's exact size.
class alignas(64) HeaderTemplate {
public:
    static constexpr std::size_t kHeadroom = kHeaderRoom;

    explicit HeaderTemplate(const Destination& destination) noexcept;

    /// Octets of header: 42, and 4 for each VLAN tag.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    // Each of the writers puts the header of a datagram of `payload_length` octets so that it ends
    // at `payload`. It overwrites the kHeadroom octets there; the frame begins at `payload -
    // size()`. The IPv4 checksum is always filled in, and valid: a template knows all of its sum
    // but the length, which makes it cheaper than asking a NIC for it. `payload_length` is at most
    // net::kMaxUdpPayload.

    /// In front of a payload that may lie elsewhere, once for each of many destinations.
    void write(std::byte* payload, const PayloadTerms& terms) const noexcept {
        const std::uint16_t checksum = udp_checksum(udp_sum_ + std::uint32_t{terms.udp_});
        stamp(payload, terms.length_, terms.has_udp_checksum_ ? checksum : std::uint16_t{0});
    }

    /// Without UDP checksum (0), which IPv4 allows.
    void write(std::byte* payload, std::uint16_t payload_length) const noexcept {
        stamp(payload, payload_length, 0);
    }

    /// With the UDP checksum of a payload that follows the header in one piece.
    void write_summed(std::byte* payload, std::uint16_t payload_length) const noexcept {
        net::ChecksumSum sum;
        sum.add({payload, payload_length});
        sum = net::ChecksumSum(sum.raw() + udp_sum_);
        const auto length = static_cast<std::uint16_t>(net::kUdpHeaderSize + payload_length);
        sum.add_word(length);
        sum.add_word(length);
        stamp(payload, payload_length, udp_checksum(sum.folded()));
    }

    /// What write(payload, payload_length) writes, once for many payloads of one length.
    [[nodiscard]] ReadyHeader ready(std::uint16_t payload_length) const noexcept {
        ReadyHeader header;
        write(header.octets_.data() + kHeadroom, payload_length);
        return header;
    }
    /// What write_for_offload() writes, likewise.
    [[nodiscard]] ReadyHeader ready_for_offload(std::uint16_t payload_length) const noexcept {
        ReadyHeader header;
        write_for_offload(header.octets_.data() + kHeadroom, payload_length);
        return header;
    }

    /// For a NIC that computes the UDP checksum: the field holds the sum of the pseudo header, not
    /// complemented, as DPDK wants it (RTE_MBUF_F_TX_UDP_CKSUM with RTE_MBUF_F_TX_IPV4, l2_len =
    /// size() - 28, l3_len = 20, and no RTE_MBUF_F_TX_IP_CKSUM). Such a frame must not go out
    /// without the NIC's help: its checksum is wrong.
    void write_for_offload(std::byte* payload, std::uint16_t payload_length) const noexcept {
        net::ChecksumSum sum(pseudo_sum_);
        sum.add_word(static_cast<std::uint16_t>(net::kUdpHeaderSize + payload_length));
        stamp(payload, payload_length, sum.folded());
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

    // Checksums, and the sums they are made of, are in memory order.

    void stamp(std::byte* payload, std::uint16_t payload_length,
               std::uint16_t udp_checksum) const noexcept {
        const auto total_length = in_memory(static_cast<std::uint16_t>(payload_length + kIpv4));
        const auto udp_length = in_memory(static_cast<std::uint16_t>(payload_length + kUdp));
        // What changes is put in on the way, in registers: four wide stores, and nothing over them.
        const auto quarter = [this](std::size_t i) {
            return _mm_load_si128(reinterpret_cast<const __m128i*>(this) + i);
        };
        const __m128i ip = with<kIpv4Checksum>(with<kIpv4TotalLength>(quarter(2), total_length),
                                               complement(ip_sum_ + std::uint32_t{total_length}));
        const __m128i udp =
            with<kUdpChecksum>(with<kUdpLength>(quarter(3), udp_length), udp_checksum);
        auto* const to = reinterpret_cast<__m128i*>(payload - kHeadroom);
        _mm_storeu_si128(to, quarter(0));
        _mm_storeu_si128(to + 1, quarter(1));
        _mm_storeu_si128(to + 2, ip);
        _mm_storeu_si128(to + 3, udp);
    }

    /// A quarter of the header with one word of it replaced.
    template <std::size_t BeforePayload>
    [[nodiscard]] static __m128i with(__m128i quarter, std::uint16_t word) noexcept {
        constexpr std::size_t kPlace = (kHeadroom - BeforePayload) % sizeof(__m128i);
        static_assert(kPlace % sizeof word == 0);
        return _mm_insert_epi16(quarter, word, kPlace / sizeof word);
    }
    [[nodiscard]] static std::uint16_t in_memory(std::uint16_t number) noexcept {
        return std::bit_cast<std::uint16_t>(Word(number));
    }

    /// Of no more than two folded sums, so that to fold once is enough.
    [[nodiscard]] static constexpr std::uint16_t complement(std::uint32_t sum) noexcept {
        return static_cast<std::uint16_t>(~((sum >> 16) + (sum & 0xffff)));
    }

    /// 0 would say 'no checksum' (RFC 768); as a sum, all ones is the same number.
    [[nodiscard]] static constexpr std::uint16_t udp_checksum(std::uint32_t sum) noexcept {
        const std::uint16_t checksum = complement(sum);
        return checksum == 0 ? std::uint16_t{0xffff} : checksum;
    }

    static constexpr std::size_t kLongest =
        sizeof(net::EthernetWire) + net::kMaxVlanTags * sizeof(net::VlanWire) + kIpv4;

    // Sums in memory order of all that never changes, lengths and checksums taken as 0.
    std::uint16_t ip_sum_ = 0;      // the IPv4 header
    std::uint16_t pseudo_sum_ = 0;  // UDP's pseudo header
    std::uint16_t udp_sum_ = 0;     // UDP's pseudo header and header
    std::uint8_t size_ = 0;
    [[maybe_unused]] std::array<std::byte, kHeadroom - kLongest - 7> unused_{};
    std::array<std::byte, kLongest> octets_{};  // the header stands at the end
};
static_assert(sizeof(HeaderTemplate) == HeaderTemplate::kHeadroom);
static_assert(std::is_trivially_copyable_v<HeaderTemplate>);

}  // namespace joinleaf::dataplane
