// What the packet path makes of every kind of frame, and of every damaged one.
#include <dataplane/classify.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/support/classified.h"
#include "tests/support/frames.h"

namespace joinleaf::dataplane {
namespace {

using test::bytes_of;
using test::classified;
using test::ClassifiedFrame;
using test::frame_of;
using test::FrameOptions;
using test::kGroup;
using test::kOwnAddress;
using test::kOwnMac;
using test::kPeerAddress;
using test::kPeerMac;

using Bytes = std::vector<std::byte>;

constexpr Identity kUntagged{kOwnMac, kOwnAddress, {}};
constexpr net::VlanStack kTagged{.outer = 100};
constexpr net::VlanStack kQinQ{.outer = 100, .inner = 200};

ClassifiedFrame classify_bytes(const Bytes& bytes, const Identity& self = kUntagged) {
    return classified({.first_segment = bytes, .length = static_cast<std::uint32_t>(bytes.size())},
                      self);
}

ClassifiedFrame classify_frame(const FrameOptions& options, const Identity& self = kUntagged) {
    return classify_bytes(frame_of(options), self);
}

Bytes payload_of(const Bytes& frame, const ClassifiedFrame& c) {
    const auto begin = frame.begin() + c.payload_offset;
    return {begin, begin + c.payload_length};
}

testing::AssertionResult dropped_for(DropReason reason, const ClassifiedFrame& c) {
    if (c.kind != Kind::drop) {
        return testing::AssertionFailure() << "not dropped, but kind " << static_cast<int>(c.kind);
    }
    if (c.reason != reason) return testing::AssertionFailure() << "dropped for " << name(c.reason);
    return testing::AssertionSuccess();
}

// Data.

TEST(Classify, ADatagramToAGroupIsData) {
    const auto frame = frame_of();
    const auto c = classify_bytes(frame);
    ASSERT_EQ(c.kind, Kind::data);
    EXPECT_EQ(c.source, kPeerAddress);
    EXPECT_EQ(c.destination, kGroup.address());
    EXPECT_EQ(c.source_port, 4000);
    EXPECT_EQ(c.destination_port, 5000);
    EXPECT_FALSE(c.udp_checksum_pending);
    EXPECT_EQ(payload_of(frame, c), FrameOptions{}.payload);
}

TEST(Classify, ADatagramToOurAddressIsData) {
    const auto c = classify_frame({.destination = kOwnAddress, .destination_mac = kOwnMac});
    EXPECT_EQ(c.kind, Kind::data);
    EXPECT_EQ(c.destination, kOwnAddress);
}

TEST(Classify, AnEmptyDatagramIsData) {
    const auto c = classify_frame({.payload = {}});
    EXPECT_EQ(c.kind, Kind::data);
    EXPECT_EQ(c.payload_length, 0);
}

TEST(Classify, OptionsAndPaddingAreNotPayload) {
    auto frame = frame_of({.ip_options = true});
    frame.resize(frame.size() + 10);
    const auto c = classify_bytes(frame);
    ASSERT_EQ(c.kind, Kind::data);
    EXPECT_EQ(payload_of(frame, c), FrameOptions{}.payload);
}

TEST(Classify, ADatagramWithoutChecksumIsData) {
    const auto frame = frame_of({.udp_checksum = false});
    EXPECT_EQ(classify_bytes(frame).kind, Kind::data);
    const ReceivedFrame called_bad{.first_segment = frame,
                                   .length = static_cast<std::uint32_t>(frame.size()),
                                   .udp_checksum = Verdict::bad};
    EXPECT_EQ(classified(called_bad, kUntagged).kind, Kind::data);
}

// VLANs.

TEST(Classify, OnlyFramesOfOurVlanAreOurs) {
    const std::array stacks{net::VlanStack{}, kTagged, kQinQ, net::VlanStack{.outer = 200}};
    for (const auto& ours : stacks) {
        for (const auto& theirs : stacks) {
            const auto c = classify_frame({.vlan = theirs}, {kOwnMac, kOwnAddress, ours});
            if (ours == theirs) {
                EXPECT_EQ(c.kind, Kind::data) << ours.to_string();
            } else {
                EXPECT_TRUE(dropped_for(DropReason::other_vlan, c))
                    << ours.to_string() << ' ' << theirs.to_string();
            }
        }
    }
}

TEST(Classify, ATagThatOnlyCarriesAPriorityIsNoVlan) {
    auto frame = frame_of({.vlan = kTagged});
    frame[14] = std::byte{0xa0};
    frame[15] = std::byte{0};
    EXPECT_EQ(classify_bytes(frame).kind, Kind::data);
}

TEST(Classify, PriorityBitsDoNotChangeTheVlan) {
    auto frame = frame_of({.vlan = kTagged});
    frame[14] |= std::byte{0xf0};
    EXPECT_EQ(classify_bytes(frame, {kOwnMac, kOwnAddress, kTagged}).kind, Kind::data);
}

TEST(Classify, AServiceTagAloneIsATag) {
    auto frame = frame_of({.vlan = kTagged});
    frame[12] = std::byte{0x88};
    frame[13] = std::byte{0xa8};
    EXPECT_EQ(classify_bytes(frame, {kOwnMac, kOwnAddress, kTagged}).kind, Kind::data);
}

TEST(Classify, AThirdTagIsNobodysVlan) {
    auto frame = frame_of({.vlan = kQinQ});
    const auto tag = bytes_of("8100012c");
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    EXPECT_TRUE(
        dropped_for(DropReason::other_vlan, classify_bytes(frame, {kOwnMac, kOwnAddress, kQinQ})));
}

TEST(Classify, ATagTakenOffByTheNicCountsAsTheOuterOne) {
    const auto untagged = frame_of();
    ReceivedFrame frame{.first_segment = untagged,
                        .length = static_cast<std::uint32_t>(untagged.size()),
                        .vlan_stripped = true,
                        .vlan_tci = 0xa064};
    EXPECT_EQ(classified(frame, {kOwnMac, kOwnAddress, kTagged}).kind, Kind::data);
    EXPECT_TRUE(dropped_for(DropReason::other_vlan, classified(frame, kUntagged)));

    const auto inner = frame_of({.vlan = {.outer = 200}});
    frame.first_segment = inner;
    frame.length = static_cast<std::uint32_t>(inner.size());
    EXPECT_EQ(classified(frame, {kOwnMac, kOwnAddress, kQinQ}).kind, Kind::data);

    const auto two_more = frame_of({.vlan = kQinQ});
    frame.first_segment = two_more;
    frame.length = static_cast<std::uint32_t>(two_more.size());
    EXPECT_TRUE(
        dropped_for(DropReason::other_vlan, classified(frame, {kOwnMac, kOwnAddress, kQinQ})));
}

// Control.

TEST(Classify, ArpToUsOrToEverybodyIsControl) {
    const auto request = net::arp_request(kPeerMac, kPeerAddress, kOwnAddress);
    for (const auto& to : {MacAddress::broadcast(), kOwnMac}) {
        Bytes frame(60);
        net::build_arp_frame({kPeerMac, to, {}}, request, frame).value();
        const auto c = classify_bytes(frame);
        ASSERT_EQ(c.kind, Kind::control);
        EXPECT_EQ(net::parse_arp(payload_of(frame, c)).value(), request);
    }
    Bytes frame(60);
    net::build_arp_frame({kPeerMac, MacAddress::of_group(kGroup), {}}, request, frame).value();
    EXPECT_TRUE(dropped_for(DropReason::other_mac, classify_bytes(frame)));
}

TEST(Classify, IgmpToAGroupOrToUsIsControl) {
    const FrameOptions query{.ip_options = true, .protocol = net::ip_protocol::kIgmp};
    auto frame = frame_of(query);
    frame.resize(frame.size() + 5);
    const auto c = classify_bytes(frame);
    ASSERT_EQ(c.kind, Kind::control);
    const auto packet = net::parse_ipv4(payload_of(frame, c));
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->header.protocol, net::ip_protocol::kIgmp);
    EXPECT_TRUE(packet->header.router_alert);

    EXPECT_EQ(classify_frame({.destination = kOwnAddress,
                              .destination_mac = kOwnMac,
                              .protocol = net::ip_protocol::kIgmp})
                  .kind,
              Kind::control);
}

TEST(Classify, AQuerierWithoutAnAddressIsHeard) {
    EXPECT_EQ(classify_frame({.source = Ipv4Address(), .protocol = net::ip_protocol::kIgmp}).kind,
              Kind::control);
}

TEST(Classify, IcmpIsControlOnlyWhenItIsForUs) {
    EXPECT_EQ(classify_frame({.destination = kOwnAddress,
                              .destination_mac = kOwnMac,
                              .protocol = net::ip_protocol::kIcmp})
                  .kind,
              Kind::control);
    EXPECT_TRUE(dropped_for(DropReason::other_protocol,
                            classify_frame({.protocol = net::ip_protocol::kIcmp})));
}

// Drops.

TEST(Classify, OurOwnFrameComingBackIsAnEcho) {
    EXPECT_TRUE(dropped_for(DropReason::own_echo, classify_frame({.source_mac = kOwnMac})));
}

TEST(Classify, AnotherHostsMacAddressIsRefused) {
    EXPECT_TRUE(dropped_for(
        DropReason::other_mac,
        classify_frame({.destination = kOwnAddress, .destination_mac = MacAddress({2, 9})})));
}

TEST(Classify, TheMacAddressMustBeThatOfTheGroup) {
    const std::array wrong{kOwnMac, MacAddress::broadcast(),
                           MacAddress::of_group(GroupAddress::of(239, 1, 2, 4)),
                           MacAddress({0x33, 0x33, 0, 1, 2, 3})};
    for (const auto& mac : wrong) {
        EXPECT_TRUE(dropped_for(DropReason::other_mac, classify_frame({.destination_mac = mac})))
            << mac.to_string();
    }
    // 32 groups share one, and none of them is better than another here.
    EXPECT_EQ(classify_frame({.destination = Ipv4Address(225, 129, 2, 3)}).kind, Kind::data);
}

TEST(Classify, OurAddressInAGroupOrBroadcastFrameIsRefused) {
    for (const auto& mac : {MacAddress::broadcast(), MacAddress::of_group(kGroup)}) {
        EXPECT_TRUE(dropped_for(DropReason::other_mac, classify_frame({.destination = kOwnAddress,
                                                                       .destination_mac = mac})));
    }
}

TEST(Classify, AnotherAddressIsRefused) {
    EXPECT_TRUE(dropped_for(
        DropReason::other_address,
        classify_frame({.destination = Ipv4Address(10, 0, 0, 9), .destination_mac = kOwnMac})));
    EXPECT_TRUE(dropped_for(DropReason::other_address,
                            classify_frame({.destination = Ipv4Address(255, 255, 255, 255),
                                            .destination_mac = MacAddress::broadcast()})));
}

TEST(Classify, ASourceThatNoHostCanHaveIsRefused) {
    for (const auto source : {Ipv4Address(239, 1, 1, 1), Ipv4Address(255, 255, 255, 255),
                              Ipv4Address(127, 0, 0, 1), Ipv4Address(0, 0, 0, 1)}) {
        EXPECT_TRUE(dropped_for(DropReason::bad_ipv4_header, classify_frame({.source = source})))
            << source.to_string();
    }
}

TEST(Classify, OtherProtocolsAreRefused) {
    EXPECT_TRUE(dropped_for(DropReason::other_protocol, classify_frame({.protocol = 6})));
}

TEST(Classify, OtherEthertypesAreRefused) {
    auto frame = frame_of();
    frame[12] = std::byte{0x86};
    frame[13] = std::byte{0xdd};
    EXPECT_TRUE(dropped_for(DropReason::not_ipv4, classify_bytes(frame)));
}

// Rewrites 16 bits of the IPv4 header and repairs its checksum.
Bytes with_ip_word(Bytes frame, std::size_t offset, std::uint16_t value) {
    const auto ip = std::span(frame).subspan(14, 20);
    net::store(ip.data() + offset, net::BigEndian<std::uint16_t>(value));
    net::store(ip.data() + 10, net::BigEndian<std::uint16_t>(0));
    net::store(ip.data() + 10, net::BigEndian<std::uint16_t>(net::checksum(ip)));
    return frame;
}

TEST(Classify, FragmentsAreRefused) {
    const auto frame = frame_of();
    for (const std::uint16_t flags : std::array<std::uint16_t, 4>{0x2000, 0x0001, 0x1fff, 0x3000}) {
        EXPECT_TRUE(
            dropped_for(DropReason::fragment, classify_bytes(with_ip_word(frame, 6, flags))));
    }
    EXPECT_EQ(classify_bytes(with_ip_word(frame, 6, 0)).kind, Kind::data);
}

TEST(Classify, ImpossibleIpv4LengthsAreRefused) {
    const auto frame = frame_of();
    EXPECT_TRUE(
        dropped_for(DropReason::bad_ipv4_header, classify_bytes(with_ip_word(frame, 0, 0x4400))));
    EXPECT_TRUE(
        dropped_for(DropReason::bad_ipv4_header, classify_bytes(with_ip_word(frame, 0, 0x6500))));
    EXPECT_TRUE(
        dropped_for(DropReason::bad_ipv4_header, classify_bytes(with_ip_word(frame, 2, 19))));
    EXPECT_TRUE(
        dropped_for(DropReason::truncated_frame, classify_bytes(with_ip_word(frame, 2, 65535))));
    EXPECT_TRUE(
        dropped_for(DropReason::bad_udp_length, classify_bytes(with_ip_word(frame, 2, 27))));
    EXPECT_TRUE(
        dropped_for(DropReason::bad_udp_length, classify_bytes(with_ip_word(frame, 2, 48))));
}

TEST(Classify, TheUdpLengthMustBeThatOfThePacket) {
    for (const bool checksum : {true, false}) {
        for (const int length : {0, 7, 8, 28, 30, 0xffff}) {
            auto frame = frame_of({.udp_checksum = checksum});
            net::store(frame.data() + 38,
                       net::BigEndian<std::uint16_t>(static_cast<std::uint16_t>(length)));
            EXPECT_TRUE(dropped_for(DropReason::bad_udp_length, classify_bytes(frame))) << length;
        }
    }
}

// What the NIC says.

TEST(Classify, TheNicsVerdictsAreBelieved) {
    auto bytes = frame_of();
    bytes.back() ^= std::byte{1};
    bytes[22] ^= std::byte{1};  // TTL
    ReceivedFrame frame{.first_segment = bytes,
                        .length = static_cast<std::uint32_t>(bytes.size()),
                        .ipv4_checksum = Verdict::good,
                        .udp_checksum = Verdict::good};
    EXPECT_EQ(classified(frame, kUntagged).kind, Kind::data);
    frame.udp_checksum = Verdict::unknown;
    EXPECT_TRUE(dropped_for(DropReason::bad_udp_checksum, classified(frame, kUntagged)));
    frame.ipv4_checksum = Verdict::unknown;
    EXPECT_TRUE(dropped_for(DropReason::bad_ipv4_checksum, classified(frame, kUntagged)));

    const auto intact = frame_of();
    frame.first_segment = intact;
    EXPECT_EQ(classified(frame, kUntagged).kind, Kind::data);
    frame.udp_checksum = Verdict::bad;
    EXPECT_TRUE(dropped_for(DropReason::bad_udp_checksum, classified(frame, kUntagged)));
    frame.ipv4_checksum = Verdict::bad;
    EXPECT_TRUE(dropped_for(DropReason::bad_ipv4_checksum, classified(frame, kUntagged)));
}

// Segments.

TEST(Classify, APayloadInFurtherSegmentsLeavesTheChecksumToTheCaller) {
    for (const std::size_t cut : {42u, 43u, 50u, 62u}) {
        auto bytes = frame_of();
        const std::span whole(bytes);
        const ReceivedFrame frame{.first_segment = whole.first(cut),
                                  .length = static_cast<std::uint32_t>(whole.size())};
        const auto c = classified(frame, kUntagged);
        ASSERT_EQ(c.kind, Kind::data);
        ASSERT_TRUE(c.udp_checksum_pending);
        EXPECT_EQ(c.payload_length, FrameOptions{}.payload.size());
        const auto sums_up = [&] {
            net::PiecewiseChecksum sum{net::ChecksumSum(c.udp_pseudo_header)};
            sum.add(whole.first(cut).subspan(c.payload_offset - net::kUdpHeaderSize));
            sum.add(whole.subspan(cut));
            return sum.sum().is_valid();
        };
        EXPECT_TRUE(sums_up()) << cut;
        bytes.back() ^= std::byte{4};
        EXPECT_FALSE(sums_up()) << cut;
    }
}

TEST(Classify, HeadersInFurtherSegmentsAreRefused) {
    const auto bytes = frame_of({.ip_options = true});
    for (std::size_t cut = 0; cut < 46; ++cut) {
        const ReceivedFrame frame{.first_segment = std::span(bytes).first(cut),
                                  .length = static_cast<std::uint32_t>(bytes.size())};
        EXPECT_TRUE(dropped_for(DropReason::truncated_frame, classified(frame, kUntagged))) << cut;
    }
}

// Damage: each variant of a valid frame, truncated everywhere and with each bit flipped.

struct Variant {
    std::string name;
    FrameOptions options;
};

class DamagedFrame : public testing::TestWithParam<Variant> {
protected:
    const Bytes good_ = frame_of(GetParam().options);
    const Identity self_{kOwnMac, kOwnAddress, GetParam().options.vlan};
    const ClassifiedFrame whole_ = classify_bytes(good_, self_);
};

TEST_P(DamagedFrame, TheValidFrameIsDelivered) {
    ASSERT_EQ(whole_.kind, Kind::data);
    EXPECT_EQ(payload_of(good_, whole_), GetParam().options.payload);
}

TEST_P(DamagedFrame, EveryTruncationIsCountedAsOne) {
    for (std::size_t length = 0; length < good_.size(); ++length) {
        const Bytes cut(good_.begin(), good_.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_TRUE(dropped_for(DropReason::truncated_frame, classify_bytes(cut, self_))) << length;
    }
}

// The frame is dropped with a reason, or what the application gets is what was sent: the same
// octets, to the same group and port, from the same source.
TEST_P(DamagedFrame, NoSingleBitErrorIsEverDeliveredWrongly) {
    for (std::size_t bit = 0; bit < good_.size() * 8; ++bit) {
        Bytes bad = good_;
        bad[bit / 8] ^= std::byte(1u << bit % 8);
        const auto c = classify_bytes(bad, self_);
        ASSERT_NE(c.kind, Kind::control) << bit;
        if (c.kind == Kind::drop) {
            EXPECT_LT(c.reason, DropReason::no_subscriber) << bit;
            continue;
        }
        EXPECT_EQ(c.source, whole_.source) << bit;
        EXPECT_EQ(c.destination, whole_.destination) << bit;
        EXPECT_EQ(c.destination_port, whole_.destination_port) << bit;
        EXPECT_EQ(c.source_port, whole_.source_port) << bit;
        EXPECT_EQ(payload_of(bad, c), GetParam().options.payload) << bit;
    }
}

// Only bits that no checksum covers and no check can know may be wrong in a delivered frame: the
// source's MAC address, and priority and drop eligibility of a tag.
TEST_P(DamagedFrame, OnlyBitsThatNothingProtectsPassUnnoticed) {
    const auto unprotected = [&](std::size_t bit) {
        const std::size_t octet = bit / 8;
        if (octet >= 6 && octet < 12) return true;
        for (std::size_t tag = 0; tag < self_.vlan.tags(); ++tag) {
            if (octet == 14 + 4 * tag && bit % 8 >= 4) return true;
        }
        return false;
    };
    for (std::size_t bit = 0; bit < good_.size() * 8; ++bit) {
        Bytes bad = good_;
        bad[bit / 8] ^= std::byte(1u << bit % 8);
        EXPECT_EQ(classify_bytes(bad, self_).kind == Kind::data, unprotected(bit)) << bit;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Frames, DamagedFrame,
    testing::Values(Variant{"Untagged", {}}, Variant{"Tagged", {.vlan = kTagged}},
                    Variant{"QinQ", {.vlan = kQinQ}}, Variant{"IpOptions", {.ip_options = true}},
                    Variant{"TaggedIpOptions", {.vlan = kTagged, .ip_options = true}},
                    Variant{"QinQIpOptions", {.vlan = kQinQ, .ip_options = true}},
                    Variant{"EvenPayload", {.payload = bytes_of("0123456789abcdef")}},
                    Variant{"Unicast", {.destination = kOwnAddress, .destination_mac = kOwnMac}}),
    [](const auto& variant) { return variant.param.name; });

}  // namespace
}  // namespace joinleaf::dataplane
