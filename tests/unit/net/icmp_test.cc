// ICMP echo against messages that scapy made.
#include <gtest/gtest.h>
#include <net/checksum.h>
#include <net/icmp.h>

#include <vector>

#include "tests/support/hex.h"

namespace joinleaf::net {
namespace {

using test::bytes_of;
using test::hex_of;

constexpr auto kRequest = "08001258123400076162636465666768696a6b6c6d";
constexpr auto kReply = "00001a58123400076162636465666768696a6b6c6d";

TEST(Icmp, ParsesAnEchoRequest) {
    const auto bytes = bytes_of(kRequest);
    const auto echo = parse_icmp_echo(bytes);
    ASSERT_TRUE(echo);
    EXPECT_EQ(echo->type, IcmpEchoType::request);
    EXPECT_EQ(echo->id, 0x1234);
    EXPECT_EQ(echo->sequence, 7);
    EXPECT_EQ(hex_of(echo->data), "6162636465666768696a6b6c6d");
}

TEST(Icmp, AnswersWithTheSameData) {
    const auto bytes = bytes_of(kRequest);
    std::vector<std::byte> out(bytes.size());
    EXPECT_EQ(emit_icmp_echo(icmp_echo_reply(*parse_icmp_echo(bytes)), out), bytes.size());
    EXPECT_EQ(hex_of(out), kReply);
    EXPECT_EQ(parse_icmp_echo(out)->type, IcmpEchoType::reply);
}

TEST(Icmp, AnEchoWithoutDataIsAnEcho) {
    std::vector<std::byte> out(kIcmpEchoHeaderSize);
    EXPECT_EQ(emit_icmp_echo({.id = 1}, out), kIcmpEchoHeaderSize);
    EXPECT_TRUE(parse_icmp_echo(out)->data.empty());
}

TEST(Icmp, EveryTruncationIsRefused) {
    const auto bytes = bytes_of(kRequest);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        EXPECT_FALSE(parse_icmp_echo(std::span(bytes).first(n))) << n;
    }
}

TEST(Icmp, EverySingleBitErrorIsRefused) {
    const auto good = bytes_of(kRequest);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        auto bad = good;
        bad[bit / 8] ^= std::byte(1u << bit % 8);
        EXPECT_EQ(parse_icmp_echo(bad).error(), IcmpError::bad_checksum) << bit;
    }
}

TEST(Icmp, OtherTypesAndCodesAreNoEcho) {
    for (const auto hex :
         {"03000000000000000000", "08010000000000000000", "0d000000000000000000"}) {
        auto bytes = bytes_of(hex);
        store(bytes.data() + 2, BigEndian<std::uint16_t>(checksum(bytes)));
        EXPECT_EQ(parse_icmp_echo(bytes).error(), IcmpError::not_echo) << hex;
    }
}

}  // namespace
}  // namespace joinleaf::net
