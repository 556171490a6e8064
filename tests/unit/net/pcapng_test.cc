// pcapng blocks against octets that were put together by hand from the draft.
#include <gtest/gtest.h>
#include <net/pcapng.h>

#include <string>

#include "tests/support/hex.h"

namespace joinleaf::net {
namespace {

using test::bytes_of;
using test::hex_of;

TEST(Pcapng, ASectionNamesTheProgramAndWhyItWasWritten) {
    std::vector<std::byte> out;
    append_pcapng_section("joinleaf", "gap of 3", out);
    EXPECT_EQ(hex_of(out),
              "0a0d0d0a380000004d3c2b1a01000000ffffffffffffffff01000800676170206f66203304000800"
              "6a6f696e6c6561660000000038000000");
}

TEST(Pcapng, AnInterfaceHasTimesInNanoseconds) {
    std::vector<std::byte> out;
    append_pcapng_interface({.name = "eth1",
                             .description = "queue 0",
                             .mac = MacAddress({2, 0, 0, 0, 0, 1}),
                             .snap = 128},
                            out);
    EXPECT_EQ(hex_of(out),
              "01000000400000000100000080000000020004006574683103000700717565756520300006000600"
              "020000000001000009000100090000000000000040000000");
}

TEST(Pcapng, APacketKeepsItsLengthItsWayAndItsComment) {
    std::vector<std::byte> out;
    const auto octets = bytes_of("deadbeef01");
    append_pcapng_packet({.interface = 1,
                          .at = std::chrono::nanoseconds(1'764'133'322'123'456'789),
                          .length = 1500,
                          .octets = octets,
                          .way = PacketWay::inbound,
                          .comment = "dropped: fragment"},
                         out);
    EXPECT_EQ(hex_of(out),
              "060000004c00000001000000e8757b18153199e105000000dc050000deadbeef0100000001001100"
              "64726f707065643a20667261676d656e740000000200040001000000000000004c000000");
}

TEST(Pcapng, WhatIsNotSaidIsLeftOut) {
    std::vector<std::byte> out;
    const auto octets = bytes_of("01020304");
    append_pcapng_packet({.at = std::chrono::nanoseconds(7), .length = 4, .octets = octets}, out);
    EXPECT_EQ(hex_of(out),
              "060000002400000000000000000000000700000004000000040000000102030424000000");
}

// An option's length has 16 bits.
TEST(Pcapng, ACommentThatIsTooLongIsCutOff) {
    std::vector<std::byte> whole;
    std::vector<std::byte> cut;
    append_pcapng_packet({.comment = std::string(65535, 'x')}, whole);
    append_pcapng_packet({.comment = std::string(70000, 'x')}, cut);
    EXPECT_EQ(cut, whole);
}

}  // namespace
}  // namespace joinleaf::net
