// Whole control frames against frames that scapy made.
#include <gtest/gtest.h>
#include <net/frame.h>
#include <net/icmp.h>

#include <vector>

#include "tests/support/hex.h"

namespace joinleaf::net {
namespace {

using test::bytes_of;
using test::hex_of;

constexpr MacAddress kOwnMac({0x02, 0, 0, 0, 0, 0x01});
constexpr MacAddress kPeerMac({0x02, 0, 0, 0, 0, 0x02});
constexpr Ipv4Address kOwn(10, 0, 0, 1);
constexpr Ipv4Address kPeer(10, 0, 0, 2);
constexpr auto kReports = GroupAddress::of(224, 0, 0, 22);

constexpr Ipv4Fields kIgmp{.source = kOwn,
                           .destination = kReports.address(),
                           .protocol = ip_protocol::kIgmp,
                           .ttl = 1,
                           .tos = 0xc0,
                           .router_alert = true};
const EthernetFields kToReports{kOwnMac, MacAddress::of_group(kReports), {.outer = 100}};

std::string zeros(std::size_t octets) { return std::string(2 * octets, '0'); }

TEST(ControlFrame, AnIgmpReportInAVlan) {
    const auto message = bytes_of("2200e8f90000000104000000ef010203");
    std::vector<std::byte> out(128, std::byte{0xee});
    const auto size = build_control_frame(kToReports, kIgmp, message, out);
    ASSERT_TRUE(size);
    EXPECT_EQ(*size, kMinFrameSize);
    EXPECT_EQ(hex_of(std::span(out).first(*size)),
              "01005e000016020000000001810000640800"
              "46c00028000040000102f9f80a000001e0000016940400002200e8f90000000104000000ef010203" +
                  zeros(2));
    EXPECT_EQ(out[*size], std::byte{0xee});  // and nothing more
}

TEST(ControlFrame, AnEchoReplyIsPaddedToTheShortestFrame) {
    const auto message = bytes_of("00001a58123400076162636465666768696a6b6c6d");
    std::vector<std::byte> out(kMinFrameSize, std::byte{0xee});
    const auto size = build_control_frame(
        {kOwnMac, kPeerMac, {}},
        {.source = kOwn, .destination = kPeer, .protocol = ip_protocol::kIcmp, .ttl = 64}, message,
        out);
    ASSERT_TRUE(size);
    EXPECT_EQ(hex_of(out),
              "0200000000020200000000010800"
              "4500002900004000400126d20a0000010a000002"
              "00001a58123400076162636465666768696a6b6c6d" +
                  zeros(5));
}

TEST(ControlFrame, AUdpDatagram) {
    std::vector<std::byte> out(kMinFrameSize, std::byte{0xee});
    const auto size = build_udp_frame({kPeerMac, MacAddress({1, 0, 0x5e, 1, 2, 3}), {}},
                                      {.source = kPeer,
                                       .destination = Ipv4Address(239, 1, 2, 3),
                                       .protocol = ip_protocol::kIgmp,  // replaced
                                       .ttl = 8},
                                      {4000, 5000}, bytes_of("6a6f696e6c65616621"), out);
    ASSERT_TRUE(size);
    EXPECT_EQ(hex_of(out),
              "01005e0102030200000000020800"
              "4500002500004000081177c20a000002ef010203"
              "0fa0138800111ef46a6f696e6c65616621" +
                  zeros(9));
}

TEST(ControlFrame, AnArpRequest) {
    std::vector<std::byte> out(kMinFrameSize, std::byte{0xee});
    const auto size = build_arp_frame({kPeerMac, MacAddress::broadcast(), {}},
                                      arp_request(kPeerMac, kPeer, kOwn), out);
    ASSERT_TRUE(size);
    EXPECT_EQ(hex_of(out),
              "ffffffffffff0200000000020806"
              "00010800060400010200000000020a0000020000000000000a000001" +
                  zeros(18));
}

TEST(ControlFrame, ALongMessageIsNotPadded) {
    const std::vector<std::byte> message(1000, std::byte{1});
    std::vector<std::byte> out(2000);
    EXPECT_EQ(build_control_frame(kToReports, kIgmp, message, out), 18u + 24u + 1000u);
}

TEST(ControlFrame, TooLittleRoomIsAnErrorAndWritesNothing) {
    const auto code = std::make_error_code(std::errc::no_buffer_space);
    for (std::size_t room = 0; room < kMinFrameSize; ++room) {
        std::vector<std::byte> out(room, std::byte{0xee});
        const auto untouched = out;
        const std::vector<std::byte> message(18);
        EXPECT_EQ(build_control_frame(kToReports, kIgmp, message, out).error(), code);
        EXPECT_EQ(build_udp_frame(kToReports, kIgmp, {}, message, out).error(), code);
        EXPECT_EQ(build_arp_frame(kToReports, {}, out).error(), code);
        EXPECT_EQ(out, untouched);
    }
    std::vector<std::byte> out(18 + 24 + 1000 - 1);
    const std::vector<std::byte> message(1000);
    EXPECT_EQ(build_control_frame(kToReports, kIgmp, message, out).error(), code);
}

TEST(ControlFrame, MoreThanAnIpv4PacketHoldsIsAnError) {
    const auto code = std::make_error_code(std::errc::message_size);
    std::vector<std::byte> out(70'000);
    const std::vector<std::byte> message(65536 - 24);
    EXPECT_EQ(build_control_frame(kToReports, kIgmp, message, out).error(), code);
    EXPECT_TRUE(build_control_frame(kToReports, kIgmp, std::span(message).subspan(1), out));
    EXPECT_EQ(build_udp_frame(kToReports, kIgmp, {}, std::span(message).subspan(1), out).error(),
              code);
    EXPECT_TRUE(build_udp_frame(kToReports, kIgmp, {}, std::span(message).subspan(9), out));
}

}  // namespace
}  // namespace joinleaf::net
