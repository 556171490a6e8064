// The stamped headers against frames built field by field, and against our own receiver.
#include <dataplane/classify.h>
#include <dataplane/header_template.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/support/classified.h"
#include "tests/support/frames.h"

namespace joinleaf::dataplane {
namespace {

using test::bytes_of;
using test::hex_of;
using test::kGroup;
using test::kOwnAddress;
using test::kOwnMac;
using test::kPeerAddress;
using test::kPeerMac;
using testing::Each;

using Bytes = std::vector<std::byte>;

constexpr std::byte kUntouched{0xee};

const std::vector<net::VlanStack> kStacks{
    {}, {.outer = 100}, {.outer = 4094}, {.outer = 100, .inner = 200}};

Destination to_group(net::VlanStack vlan = {}, std::uint8_t ttl = 8) {
    return {.ethernet = {kPeerMac, MacAddress::of_group(kGroup), vlan},
            .source = kPeerAddress,
            .destination = kGroup.address(),
            .ports = {4000, 5000},
            .ttl = ttl};
}

// A buffer with headroom, a payload, and octets around them that must stay as they are.
struct Packet {
    static constexpr std::size_t kBefore = 64;
    static constexpr std::size_t kAfter = 64;

    explicit Packet(const Bytes& payload) : length(static_cast<std::uint16_t>(payload.size())) {
        bytes.assign(kBefore + HeaderTemplate::kHeadroom + payload.size() + kAfter, kUntouched);
        std::copy(payload.begin(), payload.end(), this->payload());
    }
    std::byte* payload() { return bytes.data() + kBefore + HeaderTemplate::kHeadroom; }
    std::span<std::byte> frame(const HeaderTemplate& header) {
        return {payload() - header.size(), header.size() + length};
    }

    Bytes bytes;
    std::uint16_t length;
};

Bytes some_payload(std::size_t size) {
    Bytes payload(size);
    for (std::size_t i = 0; i < size; ++i) payload[i] = std::byte(i * 151 + 7);
    return payload;
}

TEST(HeaderTemplate, IsTheFrameThatTheFieldsSay) {
    for (const auto& vlan : kStacks) {
        for (const bool checksum : {true, false}) {
            const HeaderTemplate header(to_group(vlan));
            Packet packet(test::FrameOptions{}.payload);
            if (checksum) {
                header.write_summed(packet.payload(), packet.length);
            } else {
                header.write(packet.payload(), packet.length);
            }
            EXPECT_EQ(hex_of(packet.frame(header)),
                      hex_of(test::frame_of({.vlan = vlan, .udp_checksum = checksum})))
                << vlan.to_string();
        }
    }
}

// A frame that scapy made: Ether / Dot1Q(vlan=100) / IP(flags="DF", id=0, ttl=8) / UDP / 8 octets.
TEST(HeaderTemplate, IsTheFrameThatScapyMakes) {
    const HeaderTemplate header(to_group({.outer = 100}));
    Packet packet(bytes_of("0123456789abcdef"));
    header.write_summed(packet.payload(), packet.length);
    EXPECT_EQ(hex_of(packet.frame(header)),
              "01005e0102030200000000028100006408004500002400004000081177c30a000002ef0102030fa01388"
              "0010437a0123456789abcdef");
}

TEST(HeaderTemplate, TouchesNothingBeyondItsHeadroom) {
    const HeaderTemplate header(to_group({.outer = 100, .inner = 200}));
    const auto payload = some_payload(33);
    Packet packet(payload);
    header.write_summed(packet.payload(), packet.length);
    const std::span bytes(packet.bytes);
    EXPECT_THAT(bytes.first(Packet::kBefore), Each(kUntouched));
    EXPECT_THAT(bytes.last(Packet::kAfter), Each(kUntouched));
    EXPECT_TRUE(std::equal(payload.begin(), payload.end(), packet.payload()));
}

TEST(HeaderTemplate, EachLengthIsAValidFrame) {
    for (const auto& vlan : kStacks) {
        const HeaderTemplate header(to_group(vlan));
        const Identity receiver{kOwnMac, kOwnAddress, vlan};
        for (const std::size_t size : {0u, 1u, 2u, 17u, 18u, 63u, 64u, 255u, 1472u, 8972u,
                                       static_cast<unsigned>(net::kMaxUdpPayload)}) {
            const auto payload = some_payload(size);
            Packet packet(payload);
            for (const bool checksum : {true, false}) {
                if (checksum) {
                    header.write_summed(packet.payload(), packet.length);
                } else {
                    header.write(packet.payload(), packet.length);
                }
                const auto frame = packet.frame(header);
                const auto c = test::classified(
                    {.first_segment = frame, .length = static_cast<std::uint32_t>(frame.size())},
                    receiver);
                ASSERT_EQ(c.kind, Kind::data) << size << ' ' << name(c.reason);
                EXPECT_EQ(c.payload_offset, header.size());
                EXPECT_EQ(c.payload_length, size);
            }
        }
    }
}

TEST(HeaderTemplate, ASumOfThePayloadServesAllDestinations) {
    const auto payload = some_payload(101);
    net::ChecksumSum sum;
    sum.add(payload);
    for (std::uint16_t port = 1; port < 500; ++port) {
        auto destination = to_group();
        destination.ports.destination_port = port;
        const HeaderTemplate header(destination);
        Packet whole(payload);
        header.write_summed(whole.payload(), whole.length);
        Packet shared(payload);
        header.write(shared.payload(), PayloadTerms(shared.length, sum));
        ASSERT_EQ(whole.bytes, shared.bytes) << port;
    }
}

// RFC 768: a computed checksum of 0 is sent as 0xffff.
TEST(HeaderTemplate, AChecksumOfZeroIsSentAsAllOnes) {
    const HeaderTemplate header(to_group());
    int seen = 0;
    for (unsigned word = 0; word < 0x10000; ++word) {
        Packet packet({std::byte(word >> 8), std::byte(word)});
        header.write_summed(packet.payload(), packet.length);
        const auto checksum = net::load<net::BigEndian<std::uint16_t>>(packet.payload() - 2);
        ASSERT_NE(checksum, 0) << word;
        if (checksum == 0xffff) ++seen;
    }
    EXPECT_EQ(seen, 1);
}

// What a NIC does with the sum it finds: adds the datagram to it, and complements.
TEST(HeaderTemplate, OffloadLeavesTheSumOfThePseudoHeader) {
    const HeaderTemplate header(to_group({.outer = 100}));
    const auto payload = some_payload(77);
    Packet expected(payload);
    header.write_summed(expected.payload(), expected.length);
    Packet packet(payload);
    header.write_for_offload(packet.payload(), packet.length);

    const auto datagram = packet.frame(header).subspan(header.size() - net::kUdpHeaderSize);
    net::store(packet.payload() - 2, net::BigEndian<std::uint16_t>(net::checksum(datagram)));
    EXPECT_EQ(packet.bytes, expected.bytes);
}

TEST(HeaderTemplate, AReadyHeaderIsTheOneThatWouldBeWritten) {
    for (const auto& vlan : kStacks) {
        const HeaderTemplate header(to_group(vlan));
        for (const std::size_t size : {0u, 1u, 64u, 1472u}) {
            Packet written(some_payload(size));
            Packet put = written;
            header.write(written.payload(), written.length);
            header.ready(put.length).put(put.payload());
            EXPECT_EQ(hex_of(put.bytes), hex_of(written.bytes)) << size;

            header.write_for_offload(written.payload(), written.length);
            header.ready_for_offload(put.length).put(put.payload());
            EXPECT_EQ(hex_of(put.bytes), hex_of(written.bytes)) << size;
        }
    }
}

TEST(HeaderTemplate, TheScopeIsTheTimeToLive) {
    for (const std::uint8_t ttl : std::vector<std::uint8_t>{1, 2, 64, 255}) {
        const HeaderTemplate header(to_group({}, ttl));
        Packet packet(some_payload(10));
        header.write(packet.payload(), packet.length);
        const auto ip = net::parse_ipv4(packet.frame(header).subspan(14));
        ASSERT_TRUE(ip);
        EXPECT_EQ(ip->header.ttl, ttl);
    }
}

}  // namespace
}  // namespace joinleaf::dataplane
