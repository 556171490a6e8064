// ARP against messages that scapy made.
#include <gtest/gtest.h>
#include <net/arp.h>

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

constexpr auto kRequest = "00010800060400010200000000020a0000020000000000000a000001";
constexpr auto kReply = "00010800060400020200000000010a0000010200000000020a000002";
constexpr auto kAnnouncement = "00010800060400010200000000010a0000010000000000000a000001";

std::string emitted(const ArpMessage& message) {
    std::vector<std::byte> out(kArpSize);
    EXPECT_EQ(emit_arp(message, out), kArpSize);
    return hex_of(out);
}

TEST(Arp, ParsesARequestAndItsReply) {
    const auto request = parse_arp(bytes_of(kRequest));
    ASSERT_TRUE(request);
    EXPECT_EQ(*request, arp_request(kPeerMac, kPeer, kOwn));
    const auto reply = parse_arp(bytes_of(kReply));
    ASSERT_TRUE(reply);
    EXPECT_EQ(*reply, arp_reply(*request, kOwnMac, kOwn));
}

TEST(Arp, EmitsRequestReplyAndAnnouncement) {
    const auto request = arp_request(kPeerMac, kPeer, kOwn);
    EXPECT_EQ(emitted(request), kRequest);
    EXPECT_EQ(emitted(arp_reply(request, kOwnMac, kOwn)), kReply);
    EXPECT_EQ(emitted(arp_announcement(kOwnMac, kOwn)), kAnnouncement);
}

TEST(Arp, PaddingIsIgnored) {
    auto bytes = bytes_of(kRequest);
    bytes.resize(46, std::byte{0xff});
    EXPECT_TRUE(parse_arp(bytes));
}

TEST(Arp, EveryTruncationIsRefused) {
    const auto bytes = bytes_of(kRequest);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        EXPECT_EQ(parse_arp(std::span(bytes).first(n)).error(), ArpError::truncated) << n;
    }
}

// Flips each bit of the type, length and operation fields.
TEST(Arp, AnythingButIpv4OverEthernetIsRefused) {
    for (std::size_t bit = 0; bit < 48; ++bit) {
        auto bytes = bytes_of(kRequest);
        bytes[bit / 8] ^= std::byte(1u << bit % 8);
        EXPECT_EQ(parse_arp(bytes).error(), ArpError::other_network) << bit;
    }
}

TEST(Arp, OnlyRequestAndReplyAreOperations) {
    auto bytes = bytes_of(kRequest);
    for (const unsigned operation : {0u, 3u, 0x0101u, 0xffffu}) {
        bytes[6] = std::byte(operation >> 8);
        bytes[7] = std::byte(operation);
        EXPECT_EQ(parse_arp(bytes).error(), ArpError::bad_operation) << operation;
    }
}

TEST(Arp, ASenderThatNoHostCanBeIsRefused) {
    auto message = arp_request(kPeerMac, kPeer, kOwn);
    const auto verdict = [&] {
        std::vector<std::byte> bytes(kArpSize);
        emit_arp(message, bytes);
        return parse_arp(bytes);
    };
    ASSERT_TRUE(verdict());
    for (const auto& mac : {MacAddress::broadcast(), MacAddress({0x01}), MacAddress()}) {
        message.sender_mac = mac;
        EXPECT_EQ(verdict().error(), ArpError::bad_sender) << mac.to_string();
    }
    message.sender_mac = kPeerMac;
    for (const auto address : {Ipv4Address(239, 1, 1, 1), Ipv4Address(127, 0, 0, 1),
                               Ipv4Address(255, 255, 255, 255), Ipv4Address(0, 0, 0, 1)}) {
        message.sender_address = address;
        EXPECT_EQ(verdict().error(), ArpError::bad_sender) << address.to_string();
    }
    // A probe asks without having an address yet (RFC 5227 §2.1.1); nobody can answer without.
    message.sender_address = Ipv4Address();
    EXPECT_TRUE(verdict());
    message.operation = ArpOperation::reply;
    EXPECT_EQ(verdict().error(), ArpError::bad_sender);
}

}  // namespace
}  // namespace joinleaf::net
