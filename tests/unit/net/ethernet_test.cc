// Ethernet headers and VLAN tags against frames that scapy made.
#include <gtest/gtest.h>
#include <net/ethernet.h>

#include <utility>
#include <vector>

#include "tests/support/hex.h"

namespace joinleaf::net {
namespace {

using test::bytes_of;
using test::hex_of;

constexpr MacAddress kSource({0x02, 0, 0, 0, 0, 0x02});
constexpr MacAddress kDestination({0x01, 0x00, 0x5e, 0x01, 0x02, 0x03});

// As it stands on the wire, in front of an IPv4 packet.
const std::vector<std::pair<VlanStack, std::string_view>> kHeaders{
    {{}, "01005e010203020000000002 0800"},
    {{.outer = 100}, "01005e010203020000000002 81000064 0800"},
    {{.outer = 100, .inner = 200}, "01005e010203020000000002 88a80064 810000c8 0800"},
};

TEST(Ethernet, ParsesNoneOneAndTwoTags) {
    for (const auto& [vlan, hex] : kHeaders) {
        auto bytes = bytes_of(hex);
        const std::size_t size = bytes.size();
        bytes.push_back(std::byte{0x45});
        const auto frame = parse_ethernet(bytes);
        ASSERT_TRUE(frame) << hex;
        EXPECT_EQ(frame->header.source, kSource);
        EXPECT_EQ(frame->header.destination, kDestination);
        EXPECT_EQ(frame->header.vlan, vlan);
        EXPECT_EQ(frame->ethertype, ethertype::kIpv4);
        EXPECT_EQ(frame->payload.size(), 1u);
        EXPECT_EQ(frame->payload.data(), bytes.data() + size);
    }
}

TEST(Ethernet, EmitsTheSameHeader) {
    for (const auto& [vlan, hex] : kHeaders) {
        const EthernetFields fields{kSource, kDestination, vlan};
        std::vector<std::byte> out(ethernet_header_size(fields));
        EXPECT_EQ(emit_ethernet(fields, ethertype::kIpv4, out), out.size());
        EXPECT_EQ(hex_of(out), hex_of(bytes_of(hex)));
    }
}

TEST(Ethernet, EveryTruncationIsRefused) {
    for (const auto& [vlan, hex] : kHeaders) {
        const auto bytes = bytes_of(hex);
        for (std::size_t n = 0; n < bytes.size(); ++n) {
            const auto frame = parse_ethernet(std::span(bytes).first(n));
            ASSERT_FALSE(frame) << hex << ' ' << n;
            EXPECT_EQ(frame.error(), EthernetError::truncated);
        }
    }
}

TEST(Ethernet, MoreThanTwoTagsAreRefused) {
    const auto bytes = bytes_of("01005e010203020000000002 88a80064 810000c8 81000001 0800");
    const auto frame = parse_ethernet(bytes);
    ASSERT_FALSE(frame);
    EXPECT_EQ(frame.error(), EthernetError::too_many_tags);
}

TEST(Ethernet, TagsWithoutAVlanIdAreNoVlan) {
    const auto one = bytes_of("01005e010203020000000002 8100e000 0800");
    EXPECT_EQ(parse_ethernet(one)->header.vlan, VlanStack{});
    const auto outer = bytes_of("01005e010203020000000002 88a8e000 810000c8 0800");
    EXPECT_EQ(parse_ethernet(outer)->header.vlan, VlanStack{.outer = 200});
    const auto inner = bytes_of("01005e010203020000000002 88a80064 8100e000 0800");
    EXPECT_EQ(parse_ethernet(inner)->header.vlan, VlanStack{.outer = 100});
}

TEST(VlanStack, ReadsAndWritesOneOrTwoIds) {
    EXPECT_EQ(VlanStack::parse("100"), (VlanStack{.outer = 100}));
    EXPECT_EQ(VlanStack::parse("1.4094"), (VlanStack{.outer = 1, .inner = 4094}));
    for (const auto text : {"100", "100.200"}) {
        EXPECT_EQ(VlanStack::parse(text)->to_string(), text);
    }
    EXPECT_EQ(VlanStack{}.to_string(), "untagged");
}

TEST(VlanStack, RefusesWhatIsNoVlan) {
    for (const auto text : {"", "0", "4095", "65636", "-1", "x", "100.", ".100", "100.0", "1.2.3",
                            "100 ", "1e2", "untagged"}) {
        EXPECT_FALSE(VlanStack::parse(text)) << text;
    }
    EXPECT_EQ(VlanStack::parse("4095").error(),
              "'4095' is not a VLAN; use a number from 1 to 4094, or two as in 100.200");
}

}  // namespace
}  // namespace joinleaf::net
