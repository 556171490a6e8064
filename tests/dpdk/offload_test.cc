// What the NIC does for us comes to the same as when it does not: verdicts on checksums, and a tag
// that it takes off.
#include <dataplane/dpdk/burst.h>
#include <gtest/gtest.h>
#include <net/ipv4.h>
#include <net/udp.h>
#include <net/vlan.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstring>
#include <optional>

#include "tests/dpdk/on_the_wire.h"
#include "tests/support/classified.h"

namespace joinleaf::test {
namespace {

using dataplane::Kind;
using dataplane::dpdk::Packet;
using testing::ElementsAre;

/// What a NIC that knows IPv4 and UDP says of a frame whose IPv4 header begins at `offset`.
struct Verdicts {
    std::uint64_t ipv4 = RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN;
    std::uint64_t udp = RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN;
};

Verdicts judge(std::span<const std::byte> frame, std::size_t offset, std::uint64_t without_udp) {
    Verdicts verdicts;
    if (frame.size() < offset + net::kIpv4HeaderSize) return verdicts;
    const auto packet = frame.subspan(offset);
    const auto ip = net::load<net::Ipv4Wire>(packet.data());
    const std::size_t header = std::size_t{ip.version_ihl & 0xfu} * 4;
    const std::size_t total = ip.total_length;
    if (ip.version_ihl >> 4 != 4 || header < net::kIpv4HeaderSize || total < header ||
        packet.size() < total) {
        return verdicts;
    }
    const bool is_whole = net::checksum(packet.first(header)) == 0;
    verdicts.ipv4 = is_whole ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : RTE_MBUF_F_RX_IP_CKSUM_BAD;
    const bool is_fragment =
        (ip.flags_fragment & (net::kIpv4MoreFragments | net::kIpv4FragmentOffsetMask)) != 0;
    const auto datagram = packet.subspan(header, total - header);
    if (!is_whole || is_fragment || ip.protocol != net::ip_protocol::kUdp ||
        datagram.size() < net::kUdpHeaderSize) {
        return verdicts;
    }
    const auto udp = net::load<net::UdpWire>(datagram.data());
    if (udp.checksum == 0) {
        verdicts.udp = without_udp;
        return verdicts;
    }
    net::ChecksumSum sum =
        net::udp_pseudo_header(Ipv4Address(ip.source), Ipv4Address(ip.destination),
                               static_cast<std::uint16_t>(datagram.size()));
    sum.add(datagram);
    verdicts.udp = sum.is_valid() ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : RTE_MBUF_F_RX_L4_CKSUM_BAD;
    return verdicts;
}

/// A packet of one segment around `frame`, as a NIC hands it over.
Packet packet_around(Bytes& frame) {
    Packet packet{};
    packet.buf_addr = frame.data();
    packet.data_len = static_cast<std::uint16_t>(frame.size());
    packet.pkt_len = packet.data_len;
    packet.nb_segs = 1;
    return packet;
}

/// What becomes of it: data with this payload, control, or a drop for this reason.
struct Outcome {
    Kind kind{};
    std::optional<DropReason> reason;
    Bytes payload;
    std::uint16_t destination_port = 0;
    bool operator==(const Outcome&) const = default;
};

Outcome outcome(const Packet& packet, const dataplane::Identity& self) {
    const auto received = dataplane::dpdk::received_frame(&packet);
    const auto found = classified(received, self);
    Outcome what{.kind = found.kind};
    if (found.kind == Kind::drop) {
        what.reason = found.reason;
        return what;
    }
    const auto payload = received.first_segment.subspan(found.payload_offset, found.payload_length);
    what.payload.assign(payload.begin(), payload.end());
    what.destination_port = found.destination_port;
    return what;
}

RC_GTEST_PROP(Offloads, ChangeNothingInWhatIsDelivered, ()) {
    const net::VlanStack vlan = *rc::gen::element(net::VlanStack{}, net::VlanStack{.outer = 100},
                                                  net::VlanStack{.outer = 100, .inner = 200});
    FrameOptions options{.vlan = vlan};
    options.ip_options = *rc::gen::arbitrary<bool>();
    options.udp_checksum = *rc::gen::arbitrary<bool>();
    options.payload.resize(*rc::gen::inRange<std::size_t>(0, 1400));
    for (auto& octet : options.payload) {
        octet = static_cast<std::byte>(*rc::gen::arbitrary<std::uint8_t>());
    }
    Bytes frame = frame_of(options);
    const auto flips = *rc::gen::inRange(0, 4);
    for (int i = 0; i < flips; ++i) {
        // Where it matters most often: among the headers.
        const auto limit =
            *rc::gen::arbitrary<bool>() ? std::min<std::size_t>(frame.size(), 60) : frame.size();
        const auto bit = *rc::gen::inRange<std::size_t>(0, limit * 8);
        frame[bit / 8] ^= std::byte(1u << bit % 8);
    }
    const dataplane::Identity self{kOwnMac, kOwnAddress, vlan};
    const auto in_software = outcome(packet_around(frame), self);

    const std::size_t tags = vlan.tags();
    const std::size_t ip_at = sizeof(net::EthernetWire) + tags * sizeof(net::VlanWire);
    // Of a datagram without a checksum NICs say all kinds of things.
    const auto without = *rc::gen::element<std::uint64_t>(
        RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_BAD,
        RTE_MBUF_F_RX_L4_CKSUM_NONE);
    const auto verdicts = judge(frame, ip_at, without);
    auto judged = packet_around(frame);
    judged.ol_flags = verdicts.ipv4 | verdicts.udp;
    RC_ASSERT(outcome(judged, self) == in_software);
    judged.ol_flags = verdicts.ipv4;
    RC_ASSERT(outcome(judged, self) == in_software);
    judged.ol_flags = verdicts.udp;
    RC_ASSERT(outcome(judged, self) == in_software);

    if (tags == 0) return;
    const auto tpid = net::load<net::BigEndian<std::uint16_t>>(frame.data() + 12);
    if (!net::is_vlan_tag(tpid)) return;  // nothing that a NIC would take off
    Bytes stripped = frame;
    const auto tci = net::load<net::BigEndian<std::uint16_t>>(frame.data() + 14);
    stripped.erase(stripped.begin() + 12, stripped.begin() + 16);
    auto without_tag = packet_around(stripped);
    without_tag.vlan_tci = tci;
    without_tag.ol_flags =
        verdicts.ipv4 | verdicts.udp | RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    RC_ASSERT(outcome(without_tag, self) == in_software);
}

class OffloadedFrames : public OnTheWire {
protected:
    /// Puts a frame on the wire with what a NIC would say of it.
    void send(const Bytes& frame, std::uint64_t flags, std::uint16_t tci = 0) {
        std::array<Packet*, 1> packet{};
        ASSERT_TRUE(network_.pool().allocate(packet));
        std::copy(frame.begin(), frame.end(), dataplane::dpdk::data(packet[0]));
        dataplane::dpdk::set_length(packet[0], static_cast<std::uint32_t>(frame.size()));
        packet[0]->ol_flags = flags;
        packet[0]->vlan_tci = tci;
        ASSERT_EQ(network_.end().transmit(packet), 1u);
    }
    static Bytes in(net::VlanStack vlan, std::string_view text) {
        return frame_of({.vlan = vlan, .payload = bytes_of_text(text)});
    }
};

constexpr std::uint64_t kStripped = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;

// The same frames, their outermost tag taken off or not.
TEST_F(OffloadedFrames, AStrippedTagIsATag) {
    start([](RuntimeOptions& options) { options.ports[0].vlan = "100.200"; });
    auto receiver = open_receiver();
    auto leaf = join(kEndpoint, {.receiver = &receiver}, {.direction = Direction::receiver_only});
    send(in({.outer = 100, .inner = 200}, "both in the frame"), 0);
    send(in({.outer = 200}, "outer stripped"), kStripped, 100);
    send(in({.outer = 200}, "with a priority"), kStripped, 0xa064);
    send(in({.outer = 200}, "another's"), kStripped, 101);
    send(in({}, "inner missing"), kStripped, 100);
    send(in({.outer = 100, .inner = 200}, "one too many"), kStripped, 100);
    EXPECT_THAT(take(receiver, 3),
                ElementsAre("both in the frame", "outer stripped", "with a priority"));
    EXPECT_TRUE(eventually([&] { return drops(DropReason::other_vlan) == 3; }));
}

// A query is heard, and answered with our tags, whoever took them off.
TEST_F(OffloadedFrames, AStrippedQueryIsAnswered) {
    start([](RuntimeOptions& options) {
        options.ports[0].vlan = "100";
        options.ports[0].robustness = 1;
    });
    auto receiver = open_receiver();
    auto leaf = join(kEndpoint, {.receiver = &receiver}, {.direction = Direction::receiver_only});
    network_.forget();
    send(query_frame({.group = kGroup, .max_response_time = igmp::Deciseconds(1), .robustness = 1}),
         kStripped, 100);
    const auto heard = network_.hear_until([](const Heard& frame) {
        return net::load<net::BigEndian<std::uint16_t>>(frame.bytes.data() + 14) == 100;
    });
    EXPECT_TRUE(heard);
}

}  // namespace
}  // namespace joinleaf::test
