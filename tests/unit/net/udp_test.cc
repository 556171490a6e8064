// UDP against a datagram that scapy made.
#include <gtest/gtest.h>
#include <net/udp.h>
#include <rapidcheck/gtest.h>

#include <vector>

#include "tests/support/hex.h"

namespace joinleaf::net {
namespace {

using test::bytes_of;
using test::hex_of;

constexpr Ipv4Header kIp{.source = Ipv4Address(10, 0, 0, 2),
                         .destination = Ipv4Address(239, 1, 2, 3),
                         .protocol = ip_protocol::kUdp};
constexpr auto kDatagram = "0fa0138800111ef46a6f696e6c65616621";

TEST(Udp, ParsesADatagram) {
    const auto bytes = bytes_of(kDatagram);
    const auto datagram = parse_udp(kIp, bytes);
    ASSERT_TRUE(datagram);
    EXPECT_EQ(datagram->header.source_port, 4000);
    EXPECT_EQ(datagram->header.destination_port, 5000);
    EXPECT_EQ(hex_of(datagram->payload), "6a6f696e6c65616621");
}

TEST(Udp, EmitsTheSameHeader) {
    const auto golden = bytes_of(kDatagram);
    std::vector<std::byte> out(kUdpHeaderSize);
    EXPECT_EQ(emit_udp({4000, 5000}, kIp.source, kIp.destination,
                       std::span(golden).subspan(kUdpHeaderSize), out),
              kUdpHeaderSize);
    EXPECT_EQ(hex_of(out), hex_of(std::span(golden).first(kUdpHeaderSize)));
}

TEST(Udp, EveryTruncationIsRefused) {
    const auto bytes = bytes_of(kDatagram);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        EXPECT_FALSE(parse_udp(kIp, std::span(bytes).first(n))) << n;
    }
}

TEST(Udp, EverySingleBitErrorIsRefused) {
    const auto good = bytes_of(kDatagram);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        auto bad = good;
        bad[bit / 8] ^= std::byte(1u << bit % 8);
        EXPECT_FALSE(parse_udp(kIp, bad)) << bit;
    }
}

TEST(Udp, AnotherAddressIsABadChecksum) {
    const auto bytes = bytes_of(kDatagram);
    auto other = kIp;
    other.destination = Ipv4Address(239, 1, 2, 4);
    EXPECT_EQ(parse_udp(other, bytes).error(), UdpError::bad_checksum);
}

TEST(Udp, WithoutAChecksumOnlyTheLengthIsChecked) {
    auto bytes = bytes_of(kDatagram);
    bytes[6] = bytes[7] = std::byte{0};
    bytes.back() ^= std::byte{1};
    EXPECT_TRUE(parse_udp(kIp, bytes));
    bytes[5] ^= std::byte{1};
    EXPECT_EQ(parse_udp(kIp, bytes).error(), UdpError::bad_length);
}

// RFC 768: a checksum of 0 would say that there is none.
TEST(Udp, AChecksumOfZeroIsEmittedAsAllOnes) {
    int seen = 0;
    for (unsigned word = 0; word < 0x10000; ++word) {
        const std::vector<std::byte> payload{std::byte(word >> 8), std::byte(word)};
        std::vector<std::byte> out(kUdpHeaderSize);
        emit_udp({4000, 5000}, kIp.source, kIp.destination, payload, out);
        const std::uint16_t checksum = load<UdpWire>(out.data()).checksum;
        ASSERT_NE(checksum, 0) << word;
        if (checksum == 0xffff) ++seen;
        out.insert(out.end(), payload.begin(), payload.end());
        ASSERT_TRUE(parse_udp(kIp, out)) << word;
    }
    EXPECT_EQ(seen, 1);
}

RC_GTEST_PROP(Udp, WhatIsEmittedIsParsedBack,
              (std::uint16_t source, std::uint16_t destination,
               const std::vector<std::uint8_t>& octets)) {
    std::vector<std::byte> payload;
    for (const auto octet : octets) payload.push_back(std::byte{octet});
    std::vector<std::byte> bytes(kUdpHeaderSize);
    emit_udp({source, destination}, kIp.source, kIp.destination, payload, bytes);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    const auto datagram = parse_udp(kIp, bytes);
    RC_ASSERT(datagram.has_value());
    RC_ASSERT(datagram->header.source_port == source);
    RC_ASSERT(datagram->header.destination_port == destination);
    RC_ASSERT(hex_of(datagram->payload) == hex_of(payload));
}

}  // namespace
}  // namespace joinleaf::net
