// MoldUDP64 against the packets of its specification, and against every kind of damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/moldudp64.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/support/hex.h"

namespace joinleaf::net {
namespace {

using test::bytes_of;
using test::hex_of;
using testing::ElementsAre;

constexpr auto kSession = "53455353312020202020";
constexpr auto kData = "53455353312020202020 0000000000000001 0002 0005 68656c6c6f 0005 776f726c64";
constexpr auto kHeartbeat = "53455353312020202020 0000000000000003 0000";
constexpr auto kEnd = "53455353312020202020 0000000000000003 ffff";

MoldSession session(std::string_view name) { return MoldSession::from(name).value(); }

std::vector<std::string> texts(const MoldMessages& messages) {
    std::vector<std::string> all;
    for (const auto message : messages) {
        std::string text;
        for (const std::byte b : message) text += static_cast<char>(b);
        all.push_back(text);
    }
    return all;
}

std::vector<std::byte> packet_of(const MoldSession& session, std::uint64_t sequence,
                                 const std::vector<std::vector<std::byte>>& messages) {
    std::vector<std::byte> bytes(kMoldHeaderSize);
    emit_mold_header(session, sequence, static_cast<std::uint16_t>(messages.size()), bytes.data());
    for (const auto& message : messages) {
        bytes.resize(bytes.size() + kMoldLengthSize);
        emit_mold_length(message.size(), bytes.data() + bytes.size() - kMoldLengthSize);
        bytes.insert(bytes.end(), message.begin(), message.end());
    }
    return bytes;
}

// The error of `hex` behind the session's name.
MoldError error_of(const std::string& hex) {
    const auto bytes = bytes_of(kSession + hex);
    return parse_mold(bytes).error();
}

TEST(MoldUdp64, ReadsData) {
    const auto bytes = bytes_of(kData);
    const auto packet = parse_mold(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->session.name(), "SESS1");
    EXPECT_EQ(packet->kind, MoldKind::data);
    EXPECT_EQ(packet->sequence, 1u);
    EXPECT_EQ(packet->end(), 3u);
    EXPECT_THAT(texts(packet->messages), ElementsAre("hello", "world"));
    EXPECT_THAT(texts(packet->messages.without_first(1)), ElementsAre("world"));
    EXPECT_THAT(texts(packet->messages.first(1)), ElementsAre("hello"));
}

TEST(MoldUdp64, MessagesAreNotCopied) {
    const auto bytes = bytes_of(kData);
    EXPECT_EQ((*parse_mold(bytes)->messages.begin()).data(), bytes.data() + 22);
}

TEST(MoldUdp64, WritesTheSameData) {
    const std::vector<std::vector<std::byte>> messages{bytes_of("68656c6c6f"),
                                                       bytes_of("776f726c64")};
    EXPECT_EQ(packet_of(session("SESS1"), 1, messages), bytes_of(kData));
}

TEST(MoldUdp64, ReadsAHeartbeat) {
    const auto bytes = bytes_of(kHeartbeat);
    const auto packet = parse_mold(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->kind, MoldKind::heartbeat);
    EXPECT_EQ(packet->end(), 3u);
    EXPECT_TRUE(packet->messages.empty());
}

TEST(MoldUdp64, ReadsAnEndOfSession) {
    const auto bytes = bytes_of(kEnd);
    const auto packet = parse_mold(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->kind, MoldKind::end_of_session);
    EXPECT_EQ(packet->end(), 3u);
}

TEST(MoldUdp64, WritesHeartbeatAndEnd) {
    std::vector<std::byte> out(kMoldHeaderSize);
    EXPECT_EQ(emit_mold_header(session("SESS1"), 3, 0, out.data()), kMoldHeaderSize);
    EXPECT_EQ(out, bytes_of(kHeartbeat));
    emit_mold_header(session("SESS1"), 3, kMoldEndOfSession, out.data());
    EXPECT_EQ(out, bytes_of(kEnd));
}

TEST(MoldUdp64, EmptyMessagesAreLegal) {
    const auto bytes = bytes_of(std::string(kSession) + "0000000000000007 0002 0000 0000");
    const auto packet = parse_mold(bytes);
    ASSERT_TRUE(packet);
    EXPECT_THAT(texts(packet->messages), ElementsAre("", ""));
    EXPECT_EQ(packet->end(), 9u);
}

TEST(MoldUdp64, EveryTruncationIsRefused) {
    for (const auto golden : {kData, kHeartbeat, kEnd}) {
        const auto bytes = bytes_of(golden);
        for (std::size_t n = 0; n < bytes.size(); ++n) {
            EXPECT_FALSE(parse_mold(std::span(bytes).first(n))) << n;
        }
    }
}

TEST(MoldUdp64, ATrailingOctetIsRefused) {
    for (const auto golden : {kData, kHeartbeat, kEnd}) {
        const auto bytes = bytes_of(golden + std::string("00"));
        EXPECT_EQ(parse_mold(bytes).error(), MoldError::trailing_octets);
    }
}

TEST(MoldUdp64, EachDamageHasItsReason) {
    EXPECT_EQ(error_of("00000000000000"), MoldError::truncated);
    EXPECT_EQ(error_of("0000000000000000 0001 0001 41"), MoldError::zero_sequence);
    EXPECT_EQ(error_of("0000000000000000 0000"), MoldError::zero_sequence);
    EXPECT_EQ(error_of("0000000000000001 0001 0002 41"), MoldError::overrun);
    EXPECT_EQ(error_of("0000000000000001 0002 0001 41 00"), MoldError::overrun);
    EXPECT_EQ(error_of("0000000000000001 0002 0001 41"), MoldError::count_mismatch);
    EXPECT_EQ(error_of("0000000000000001 0001 0001 41 0000"), MoldError::trailing_octets);
    EXPECT_EQ(error_of("ffffffffffffffff 0001 0001 41"), MoldError::sequence_overflow);
}

TEST(MoldUdp64, TheLastSequencesAreNoOverflow) {
    const auto data = bytes_of(std::string(kSession) + "fffffffffffffffe 0001 0001 41");
    EXPECT_EQ(parse_mold(data)->end(), std::numeric_limits<std::uint64_t>::max());
    const auto heartbeat = bytes_of(std::string(kSession) + "ffffffffffffffff 0000");
    EXPECT_TRUE(parse_mold(heartbeat));
}

TEST(MoldUdp64, AnotherSessionIsRefusedWhereOneIsAskedFor) {
    const auto bytes = bytes_of(kData);
    const MoldSession own = session("SESS1"), other = session("SESS2");
    EXPECT_TRUE(parse_mold(bytes, &own));
    EXPECT_EQ(parse_mold(bytes, &other).error(), MoldError::other_session);
}

TEST(MoldUdp64, ASessionIsPrintable) {
    for (unsigned octet = 0; octet < 256; ++octet) {
        for (std::size_t at = 0; at < MoldSession::kSize; ++at) {
            auto bytes = bytes_of(kData);
            bytes[at] = std::byte(octet);
            const bool printable = octet >= 0x20 && octet < 0x7f;
            EXPECT_EQ(parse_mold(bytes).has_value(), printable) << octet << " at " << at;
            const MoldSession other = session("OTHER");
            EXPECT_EQ(parse_mold(bytes, &other).error(),
                      printable ? MoldError::other_session : MoldError::bad_session);
        }
    }
}

TEST(MoldUdp64, ANameHasOneToTenPrintableCharacters) {
    EXPECT_EQ(session("A").name(), "A");
    EXPECT_EQ(session("ABCDEFGHIJ").name(), "ABCDEFGHIJ");
    EXPECT_FALSE(MoldSession::from(""));
    EXPECT_FALSE(MoldSession::from("ABCDEFGHIJK"));
    EXPECT_FALSE(MoldSession::from("A\n"));
    EXPECT_FALSE(MoldSession::from("\x80"));
}

TEST(MoldUdp64, EachStartHasItsOwnName) {
    std::set<std::string> names;
    for (std::uint64_t ms = 1'790'000'000'000; ms < 1'790'000'001'000; ++ms) {
        names.emplace(MoldSession::started_at("JL", ms)->name());
    }
    EXPECT_EQ(names.size(), 1000u);
    EXPECT_EQ(MoldSession::started_at("JL", 36)->name(), "JL00000010");
    EXPECT_FALSE(MoldSession::started_at("JLX", 36));
}

TEST(MoldUdp64, RequestsAreTheSameTwentyOctets) {
    const auto bytes = bytes_of(std::string(kSession) + "0000000000000102 0010");
    const MoldRequest request{session("SESS1"), 0x102, 16};
    EXPECT_EQ(parse_mold_request(bytes).value(), request);
    std::vector<std::byte> out(kMoldHeaderSize);
    EXPECT_EQ(emit_mold_request(request, out.data()), kMoldHeaderSize);
    EXPECT_EQ(out, bytes);
}

TEST(MoldUdp64, BadRequestsAreRefused) {
    const auto error = [](const char* hex) {
        const auto bytes = bytes_of(std::string(kSession) + hex);
        return parse_mold_request(bytes).error();
    };
    EXPECT_EQ(error("0000000000000102 00"), MoldError::truncated);
    EXPECT_EQ(error("0000000000000102 0001 00"), MoldError::trailing_octets);
    EXPECT_EQ(error("0000000000000000 0001"), MoldError::zero_sequence);
    EXPECT_EQ(error("0000000000000001 0000"), MoldError::zero_count);
    EXPECT_EQ(error("ffffffffffffffff 0001"), MoldError::sequence_overflow);
    const MoldSession other = session("SESS2");
    const auto bytes = bytes_of(std::string(kSession) + "0000000000000001 0001");
    EXPECT_EQ(parse_mold_request(bytes, &other).error(), MoldError::other_session);
}

TEST(MoldUdp64, EveryErrorHasANameOfItsOwn) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kMoldErrorCount; ++i) {
        names.insert(name(static_cast<MoldError>(i)));
    }
    EXPECT_EQ(names.size(), kMoldErrorCount);
    EXPECT_FALSE(names.contains("unknown"));
    EXPECT_EQ(name(MoldError::kCount), "unknown");
}

RC_GTEST_PROP(MoldUdp64, WhatIsWrittenIsReadBack,
              (std::uint64_t sequence, const std::vector<std::vector<std::uint8_t>>& messages)) {
    RC_PRE(!messages.empty());
    RC_PRE(sequence != 0 && sequence < ~std::uint64_t{0} - messages.size());
    std::vector<std::vector<std::byte>> given;
    for (const auto& message : messages) {
        auto& octets = given.emplace_back();
        for (const auto octet : message) octets.push_back(std::byte{octet});
    }
    const auto bytes = packet_of(session("SESS1"), sequence, given);
    const auto packet = parse_mold(bytes);
    RC_ASSERT(packet.has_value());
    RC_ASSERT(packet->sequence == sequence);
    RC_ASSERT(packet->messages.size() == given.size());
    auto expected = given.begin();
    for (const auto message : packet->messages) {
        RC_ASSERT(hex_of(message) == hex_of(*expected++));
    }
}

}  // namespace
}  // namespace joinleaf::net
