// The IPv4 header against packets that scapy made and tshark confirmed.
#include <gtest/gtest.h>
#include <net/checksum.h>
#include <net/ipv4.h>

#include <vector>

#include "tests/support/hex.h"

namespace joinleaf::net {
namespace {

using test::bytes_of;

constexpr auto kToExclude =
    "46c00028000040000102f9f80a000001e0000016940400002200e8f90000000104000000ef010203";

TEST(Ipv4, ParsesAPacketWithRouterAlert) {
    const auto bytes = bytes_of(kToExclude);
    const auto packet = parse_ipv4(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->header.source, Ipv4Address(10, 0, 0, 1));
    EXPECT_EQ(packet->header.destination, Ipv4Address(224, 0, 0, 22));
    EXPECT_EQ(packet->header.protocol, ip_protocol::kIgmp);
    EXPECT_EQ(packet->header.ttl, 1);
    EXPECT_EQ(packet->header.tos, 0xc0);
    EXPECT_TRUE(packet->header.router_alert);
    EXPECT_EQ(packet->payload.size(), 16u);
    EXPECT_TRUE(checksum_is_valid(packet->payload));
}

TEST(Ipv4, EmitsTheSameHeader) {
    const auto golden = bytes_of(kToExclude);
    std::vector<std::byte> out(24);
    const Ipv4Fields fields{.source = Ipv4Address(10, 0, 0, 1),
                            .destination = Ipv4Address(224, 0, 0, 22),
                            .protocol = ip_protocol::kIgmp,
                            .ttl = 1,
                            .tos = 0xc0,
                            .router_alert = true};
    EXPECT_EQ(emit_ipv4(fields, 16, out), 24u);
    EXPECT_TRUE(std::equal(out.begin(), out.end(), golden.begin()));
}

TEST(Ipv4, LinkPaddingIsNotPayload) {
    auto bytes = bytes_of(kToExclude);
    bytes.resize(60);
    EXPECT_EQ(parse_ipv4(bytes)->payload.size(), 16u);
}

TEST(Ipv4, EveryTruncationIsRefused) {
    const auto bytes = bytes_of(kToExclude);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        EXPECT_FALSE(parse_ipv4(std::span(bytes).first(n))) << n;
    }
}

TEST(Ipv4, EverySingleBitErrorInTheHeaderIsRefused) {
    const auto good = bytes_of(kToExclude);
    for (std::size_t bit = 0; bit < 24 * 8; ++bit) {
        auto bad = good;
        bad[bit / 8] ^= std::byte(1u << bit % 8);
        EXPECT_FALSE(parse_ipv4(bad)) << bit;
    }
}

TEST(Checksum, OddLengthsAndSplitsAgree) {
    std::vector<std::byte> bytes;
    for (int i = 0; i < 99; ++i) bytes.push_back(std::byte(i * 37));
    const auto whole = checksum(bytes);
    for (std::size_t split = 0; split <= bytes.size(); split += 2) {
        ChecksumSum sum;
        sum.add(std::span(bytes).first(split));
        sum.add(std::span(bytes).subspan(split));
        EXPECT_EQ(sum.checksum(), whole) << split;
    }
}

}  // namespace
}  // namespace joinleaf::net
