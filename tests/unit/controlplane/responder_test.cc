// What a port answers for its own address, and everything that it does not answer.
#include <controlplane/responder.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/arp.h>
#include <net/frame.h>
#include <net/icmp.h>

#include <array>
#include <vector>

#include "tests/support/frames.h"

namespace joinleaf::controlplane {
namespace {

using test::bytes_of;
using test::hex_of;
using test::kOwnAddress;
using test::kOwnMac;
using test::kPeerAddress;
using test::kPeerMac;

class Answers : public testing::Test {
protected:
    std::string arp(const net::ArpMessage& message, const net::VlanStack& vlan = {}) {
        std::array<std::byte, net::kArpSize> bytes;
        net::emit_arp(message, bytes);
        return arp(bytes, vlan);
    }
    std::string arp(std::span<const std::byte> message, const net::VlanStack& vlan = {}) {
        const Responder responder(kOwnMac, kOwnAddress, vlan);
        return hex_of(std::span(out_).first(responder.answer_arp(message, out_)));
    }
    std::string echo(const net::Ipv4Header& header, std::span<const std::byte> icmp,
                     const net::VlanStack& vlan = {}) {
        const Responder responder(kOwnMac, kOwnAddress, vlan);
        return hex_of(std::span(out_).first(responder.answer_echo({header, icmp}, kPeerMac, out_)));
    }
    static std::vector<std::byte> request(std::string_view data = "6162636465") {
        const auto bytes = bytes_of(data);
        std::vector<std::byte> icmp(net::kIcmpEchoHeaderSize + bytes.size());
        net::emit_icmp_echo({.id = 7, .sequence = 9, .data = bytes}, icmp);
        return icmp;
    }
    const net::Ipv4Header to_us_{.source = kPeerAddress,
                                 .destination = kOwnAddress,
                                 .protocol = net::ip_protocol::kIcmp,
                                 .ttl = 64};
    std::array<std::byte, 1564> out_{};
};

const net::ArpMessage kWhoHasUs = net::arp_request(kPeerMac, kPeerAddress, kOwnAddress);
const std::string kPadding18(36, '0');

// RFC 826: to the asker alone, with our MAC address.
TEST_F(Answers, ArpRequestForUs) {
    EXPECT_EQ(arp(kWhoHasUs),
              "020000000002"
              "020000000001"
              "0806"
              "0001080006040002"
              "020000000001"
              "0a000001"
              "020000000002"
              "0a000002" +
                  kPadding18);
}

TEST_F(Answers, ArpInsideVlans) {
    EXPECT_THAT(arp(kWhoHasUs, {.outer = 100}), testing::StartsWith("020000000002"
                                                                    "020000000001"
                                                                    "81000064"
                                                                    "0806"));
    EXPECT_THAT(arp(kWhoHasUs, {.outer = 100, .inner = 200}), testing::StartsWith("020000000002"
                                                                                  "020000000001"
                                                                                  "88a80064"
                                                                                  "810000c8"
                                                                                  "0806"));
}

// RFC 5227 §2.1.1: a probe asks from no address, and must hear of a conflict.
TEST_F(Answers, ArpProbeForUs) {
    EXPECT_NE(arp(net::arp_request(kPeerMac, Ipv4Address(), kOwnAddress)), "");
}

TEST_F(Answers, NoArpButRequestsForUs) {
    EXPECT_EQ(arp(net::arp_request(kPeerMac, kPeerAddress, Ipv4Address(10, 0, 0, 3))), "");
    EXPECT_EQ(arp(net::arp_request(kPeerMac, kPeerAddress, kPeerAddress)), "");
    auto reply = kWhoHasUs;
    reply.operation = net::ArpOperation::reply;
    EXPECT_EQ(arp(reply), "");
    auto broadcaster = kWhoHasUs;
    broadcaster.sender_mac = MacAddress::broadcast();
    EXPECT_EQ(arp(broadcaster), "");
}

TEST_F(Answers, NoArpThatIsCutShort) {
    std::array<std::byte, net::kArpSize> bytes;
    net::emit_arp(kWhoHasUs, bytes);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        EXPECT_EQ(arp(std::span(bytes).first(n)), "") << n;
    }
}

// RFC 792: addresses swapped, the data as it came.
TEST_F(Answers, EchoRequest) {
    EXPECT_EQ(echo(to_us_, request()),
              "020000000002"
              "020000000001"
              "0800"
              "45000021000040004001"
              "26da"
              "0a0000010a000002"
              "0000d628000700096162636465" +
                  std::string(26, '0'));
}

TEST_F(Answers, EchoWithoutData) { EXPECT_NE(echo(to_us_, request("")), ""); }

TEST_F(Answers, NoEchoButRequestsThatSumUp) {
    auto reply = request();
    net::emit_icmp_echo({.type = net::IcmpEchoType::reply, .id = 7}, reply);
    EXPECT_EQ(echo(to_us_, std::span(reply).first(net::kIcmpEchoHeaderSize)), "");
    const auto good = request();
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        auto bad = good;
        bad[bit / 8] ^= std::byte{1} << (bit % 8);
        EXPECT_EQ(echo(to_us_, bad), "") << "bit " << bit;
    }
    for (std::size_t n = 0; n < good.size(); ++n) {
        EXPECT_EQ(echo(to_us_, std::span(good).first(n)), "") << n << " octets";
    }
}

// An answer to one of these would go to many, or nowhere (RFC 1122 §3.2.2.6).
TEST_F(Answers, NoEchoFromOrToAnythingButAHost) {
    for (const auto source : {Ipv4Address(), Ipv4Address(239, 1, 1, 1), Ipv4Address(127, 0, 0, 1),
                              Ipv4Address(255, 255, 255, 255)}) {
        auto header = to_us_;
        header.source = source;
        EXPECT_EQ(echo(header, request()), "") << source.to_string();
    }
    for (const auto destination :
         {Ipv4Address(224, 0, 0, 1), Ipv4Address(255, 255, 255, 255), Ipv4Address(10, 0, 0, 7)}) {
        auto header = to_us_;
        header.destination = destination;
        EXPECT_EQ(echo(header, request()), "") << destination.to_string();
    }
}

// A request larger than what we may send is not answered, and does no harm.
TEST_F(Answers, NoEchoThatDoesNotFit) {
    EXPECT_EQ(echo(to_us_, request(std::string(2 * 1600, 'a'))), "");
}

// RFC 5227 §2.3.
TEST_F(Answers, AnnouncesItself) {
    const Responder responder(kOwnMac, kOwnAddress, {});
    EXPECT_EQ(hex_of(std::span(out_).first(responder.announce(out_))),
              "ffffffffffff"
              "020000000001"
              "0806"
              "0001080006040001"
              "020000000001"
              "0a000001"
              "000000000000"
              "0a000001" +
                  kPadding18);
}

}  // namespace
}  // namespace joinleaf::controlplane
