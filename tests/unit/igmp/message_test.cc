// Bytes to messages and back: golden packets, lengths, codes, and everything that is not a message.
#include <igmp/message.h>
#include <net/checksum.h>

#include <functional>

#include "tests/support/hex.h"
#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using joinleaf::test::bytes_of;
using joinleaf::test::hex_of;

constexpr Ipv4Address k5(10, 0, 0, 5);
constexpr Ipv4Address k6(10, 0, 0, 6);
constexpr Ipv4Address k7(10, 0, 0, 7);

// Complete packets made by scapy, checksums confirmed by tshark.
constexpr auto kToExclude =
    "46c00028000040000102f9f80a000001e0000016940400002200e8f90000000104000000ef010203";
constexpr auto kToInclude =
    "46c00028000040000102f9f80a000001e0000016940400002200e9f90000000103000000ef010203";
constexpr auto kAllow =
    "46c0002c000040000102f9f40a000001e0000016940400002200e5f50000000105000001e80101010a000005";
constexpr auto kBlock =
    "46c0002c000040000102f9f40a000001e0000016940400002200e4f50000000106000001e80101010a000005";
constexpr auto kCurrentState =
    "46c00038000040000102f9e80a000001e0000016940400002200ece80000000201000002e80101010a000005"
    "0a00000602000000ef010203";
constexpr auto kAllowAndBlock =
    "46c00038000040000102f9e80a000001e0000016940400002200ece90000000205000001e80101010a000007"
    "06000001e80101010a000005";
constexpr auto kV2Report = "46c00020000040000102e9120a000001ef010203940400001600f8faef010203";
constexpr auto kV2Leave = "46c00020000040000102fa140a000001e0000002940400001700f7faef010203";
constexpr auto kV1Report = "46c00020000040000102e9120a000001ef010203940400001200fcfaef010203";
constexpr auto kV3Query =
    "46c00024000040000102fa110a000001e0000001940400001164ec1e00000000027d0000";
constexpr auto kV2Query = "46c00020000040000102fa150a000001e0000001940400001164ee9b00000000";
constexpr auto kV1Query = "46c00020000040000102fa150a000001e0000001940400001100eeff00000000";

constexpr std::size_t kHeaderSize = 24;

std::vector<std::byte> message_of(std::string_view packet) {
    auto bytes = bytes_of(packet);
    bytes.erase(bytes.begin(), bytes.begin() + kHeaderSize);
    return bytes;
}

std::string packet_of(Ipv4Address destination, const std::vector<std::byte>& message) {
    std::vector<std::byte> packet(kHeaderSize);
    net::emit_ipv4(envelope(Ipv4Address(10, 0, 0, 1), destination), message.size(), packet);
    packet.insert(packet.end(), message.begin(), message.end());
    return hex_of(packet);
}

// `hex` with its checksum, octets 2 and 3, set right.
std::vector<std::byte> summed(std::string_view hex) {
    auto bytes = bytes_of(hex);
    net::store(bytes.data() + 2, net::BigEndian<std::uint16_t>(0));
    net::store(bytes.data() + 2, net::BigEndian<std::uint16_t>(net::checksum(bytes)));
    return bytes;
}

tl::expected<Query, MessageError> query_of(std::string_view hex) {
    const auto bytes = summed(hex);
    EXPECT_EQ(verify(bytes), MessageType::query);
    return parse_query(bytes);
}

void expect_report(std::string_view packet, const std::vector<Record>& records) {
    EXPECT_EQ(packet_of(kVersion3Routers.address(), emit(Report{records})), packet);
    EXPECT_EQ(verify(message_of(packet)), MessageType::v3_report);
    EXPECT_EQ(parse_report(message_of(packet)), Report{records});
}

// ENC-1 to ENC-6, ENC-11, ENC-12, REP-1, REP-2, REP-5, REP-6, REP-8
TEST(Golden, Version3Reports) {
    expect_report(kToExclude, {{RecordType::to_exclude, kGroup, {}}});
    expect_report(kToInclude, {{RecordType::to_include, kGroup, {}}});
    expect_report(kAllow, {{RecordType::allow, kChannel, {k5}}});
    expect_report(kBlock, {{RecordType::block, kChannel, {k5}}});
    expect_report(kCurrentState, {{RecordType::is_include, kChannel, {k5, k6}},
                                  {RecordType::is_exclude, kGroup, {}}});
    expect_report(kAllowAndBlock,
                  {{RecordType::allow, kChannel, {k7}}, {RecordType::block, kChannel, {k5}}});
}

// ENC-7, ENC-8, V2-1, V1-1
TEST(Golden, OlderReportsAndLeave) {
    const OlderReport v2{Version::v2, kGroup};
    EXPECT_EQ(packet_of(kGroup.address(), emit(v2)), kV2Report);
    EXPECT_EQ(parse_older_report(message_of(kV2Report)), v2);
    EXPECT_EQ(packet_of(kAllRouters.address(), emit_leave(kGroup)), kV2Leave);
    EXPECT_EQ(parse_leave(message_of(kV2Leave)), kGroup);
    const OlderReport v1{Version::v1, kGroup};
    EXPECT_EQ(packet_of(kGroup.address(), emit(v1)), kV1Report);
    EXPECT_EQ(parse_older_report(message_of(kV1Report)), v1);
}

// QRY-1, QRY-3, QRY-4, QRY-5, QRY-13, DEF-3
TEST(Golden, Queries) {
    const Ipv4Address to = kAllSystems.address();
    EXPECT_EQ(packet_of(to, emit(general_query())), kV3Query);
    EXPECT_EQ(parse_query(message_of(kV3Query)), general_query());
    EXPECT_EQ(packet_of(to, emit(v2_query())), kV2Query);
    EXPECT_EQ(parse_query(message_of(kV2Query)), v2_query());
    EXPECT_EQ(packet_of(to, emit(v1_query())), kV1Query);
    EXPECT_EQ(parse_query(message_of(kV1Query)), v1_query());
    EXPECT_EQ(v1_query().max_response_time, 10s);
}

// What the host sends is the golden packet, octet for octet.
TEST(Golden, TheHostSendsThem) {
    KnownDelays delays;
    Host host(options(), delays);
    Actions out;
    host.set_filter(kAlice, kGroup, SourceFilter::any(), Instant());
    host.advance(Instant(), out);
    host.set_filter(kAlice, kGroup, SourceFilter::nothing(), Instant());
    host.advance(Instant(), out);
    host.set_filter(kAlice, kChannel, including({k5}), Instant());
    host.advance(Instant(), out);
    host.set_filter(kAlice, kChannel, SourceFilter::nothing(), Instant());
    host.advance(Instant(), out);
    ASSERT_EQ(out.size(), 4u);
    EXPECT_EQ(packet_of(out[0].destination, out[0].message), kToExclude);
    EXPECT_EQ(packet_of(out[1].destination, out[1].message), kToInclude);
    EXPECT_EQ(packet_of(out[2].destination, out[2].message), kAllow);
    EXPECT_EQ(packet_of(out[3].destination, out[3].message), kBlock);
}

// QRY-3 to QRY-6
TEST(QueryLength, TellsTheVersion) {
    EXPECT_EQ(query_of("1100 0000 00000000")->version, Version::v1);
    EXPECT_EQ(query_of("1101 0000 00000000")->version, Version::v2);
    EXPECT_EQ(query_of("1100 0000 00000000 00000000")->version, Version::v3);
    EXPECT_EQ(query_of("1164 0000 00000000 00000000")->version, Version::v3);
    for (const auto* hex :
         {"11640000", "1164000000", "116400000000", "11640000000000", "116400000000000000",
          "11640000000000000000", "1164000000000000000000"}) {
        EXPECT_EQ(query_of(hex), tl::unexpected(MessageError::bad_length)) << hex;
    }
    for (const auto* hex : {"", "11", "1100", "110000"}) {
        EXPECT_EQ(verify(bytes_of(hex)), tl::unexpected(MessageError::truncated)) << hex;
    }
}

// QRY-2: what parse_ipv4 hands over ends where the total length says, not where the frame does.
TEST(QueryLength, LinkPaddingMakesNoVersion3) {
    auto frame = bytes_of(kV2Query);
    frame.resize(60 - 14);
    const auto packet = net::parse_ipv4(frame);
    ASSERT_TRUE(packet);
    EXPECT_EQ(verify(packet->payload), MessageType::query);
    EXPECT_EQ(parse_query(packet->payload), v2_query());
}

// QRY-7, REP-10
TEST(Checksum, IsVerifiedOverTheWholeMessage) {
    for (const auto* packet : {kToExclude, kAllow, kV2Report, kV2Leave, kV3Query, kV1Query}) {
        const auto good = message_of(packet);
        EXPECT_TRUE(verify(good));
        for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
            auto bad = good;
            bad[bit / 8] ^= std::byte(1u << bit % 8);
            EXPECT_EQ(verify(bad), tl::unexpected(MessageError::bad_checksum)) << bit;
        }
    }
}

// QRY-8
TEST(Query, OctetsBehindItAreSummedAndOtherwiseIgnored) {
    const auto query = query_of("1164 0000 00000000 027d0000 deadbeef 01");
    EXPECT_EQ(query, general_query());
    auto bytes = summed("1164 0000 00000000 027d0000 deadbeef 01");
    bytes.back() = std::byte{2};
    EXPECT_EQ(verify(bytes), tl::unexpected(MessageError::bad_checksum));
}

// QRY-9
TEST(Query, MoreSourcesThanFitAreMalformed) {
    EXPECT_TRUE(query_of("1164 0000 ef010203 027d0001 0a000005"));
    EXPECT_EQ(query_of("1164 0000 ef010203 027d0002 0a000005"),
              tl::unexpected(MessageError::bad_source_list));
    EXPECT_EQ(query_of("1164 0000 ef010203 027dffff 0a000005"),
              tl::unexpected(MessageError::bad_source_list));
    EXPECT_EQ(query_of("1164 0000 ef010203 027d0001 0a0000"),
              tl::unexpected(MessageError::bad_source_list));
}

// QRY-10, QRY-11, QRY-15, D8
TEST(Float8, DecodesAsTheBookSays) {
    EXPECT_EQ(decode_float8(0), 0u);
    EXPECT_EQ(decode_float8(0x7f), 127u);
    EXPECT_EQ(decode_float8(0x80), 128u);
    EXPECT_EQ(decode_float8(0x89), 200u);
    EXPECT_EQ(decode_float8(0x92), 288u);
    EXPECT_EQ(decode_float8(0xaf), 992u);
    EXPECT_EQ(decode_float8(0xc8), 3072u);
    EXPECT_EQ(decode_float8(0xff), 31744u);
    EXPECT_EQ(query_of("11c8 0000 00000000 02890000")->max_response_time, Deciseconds(3072));
    EXPECT_EQ(query_of("11c8 0000 00000000 02890000")->query_interval, 200s);
}

TEST(Float8, EncodesTheLargestValueNotAbove) {
    for (std::uint32_t code = 0; code < 256; ++code) {
        EXPECT_EQ(encode_float8(decode_float8(static_cast<std::uint8_t>(code))), code);
    }
    EXPECT_EQ(encode_float8(135), 0x80);
    EXPECT_EQ(encode_float8(1'000'000), 0xff);
    for (std::uint32_t value = 0; value < 31744; ++value) {
        const auto code = encode_float8(value);
        EXPECT_LE(decode_float8(code), value);
        EXPECT_GT(decode_float8(static_cast<std::uint8_t>(code + 1)), value);
    }
}

// QRY-12, QRY-13
TEST(Query, OlderResponseTimesAreLinear) {
    EXPECT_EQ(query_of("11c8 0000 00000000")->max_response_time, 20s);
    EXPECT_EQ(query_of("11ff 0000 00000000")->max_response_time, Deciseconds(255));
    EXPECT_EQ(query_of("1100 0000 00000000")->max_response_time, 10s);
}

// QRY-16, QRY-17, QRY-18
TEST(Query, FlagsAreReadApart) {
    const auto query = query_of("1164 0000 00000000 fd7d0000");
    EXPECT_TRUE(query->suppress_router_processing);
    EXPECT_EQ(query->robustness, 5);
    EXPECT_FALSE(query_of("1164 0000 00000000 f77d0000")->suppress_router_processing);
}

// QRY-19, QRY-20, QRY-21
TEST(Query, ItsGroupIsNoneOrMulticast) {
    EXPECT_EQ(query_of("1164 0000 00000000 027d0000")->group, std::nullopt);
    EXPECT_EQ(query_of("1164 0000 ef010203 027d0000")->group, kGroup);
    EXPECT_EQ(query_of("1164 0000 00000000 027d0001 0a000005"),
              tl::unexpected(MessageError::bad_group));
    EXPECT_EQ(query_of("1164 0000 0a010203 027d0000"), tl::unexpected(MessageError::bad_group));
    EXPECT_EQ(query_of("1164 0000 0a010203"), tl::unexpected(MessageError::bad_group));
}

// CMP-11
TEST(Query, ItsGroupIsIgnoredInVersion1) {
    EXPECT_EQ(query_of("1100 0000 ef010203"), v1_query());
    EXPECT_EQ(query_of("1100 0000 0a010203"), v1_query());
}

// RXO-1, RXO-4
TEST(Message, UnknownTypesAreRefused) {
    for (const auto* hex :
         {"13000000 00000000", "14000000 00000000", "1e000000 00000000", "1f000000 00000000",
          "30000000", "31000000", "32000000", "99000000 00000000", "00000000"}) {
        EXPECT_EQ(verify(summed(hex)), tl::unexpected(MessageError::unknown_type)) << hex;
    }
}

// RXO-3
TEST(Message, OlderReportsHaveEightOctetsOrMore) {
    EXPECT_EQ(parse_older_report(summed("16000000 ef0102")),
              tl::unexpected(MessageError::bad_length));
    EXPECT_EQ(parse_older_report(summed("16000000 ef010203 ffff"))->group, kGroup);
    EXPECT_EQ(parse_older_report(summed("16000000 0a010203")),
              tl::unexpected(MessageError::bad_group));
    EXPECT_EQ(parse_leave(summed("17000000 00000000")), tl::unexpected(MessageError::bad_group));
}

// REP-9
TEST(ReportParser, SkipsUnknownRecordsAuxiliaryDataAndTrailingOctets) {
    const auto report = parse_report(
        summed("22000000 00000003"
               "07000001 ef070707 0a000005"                    // record type 7
               "04020001 ef010203 0a000006 aaaabbbb ccccdddd"  // two words of auxiliary data
               "03000000 ef070707"
               "0102030405"));
    EXPECT_EQ(
        report,
        (Report{{{RecordType::to_exclude, kGroup, {k6}}, {RecordType::to_include, kOther, {}}}}));
}

// REP-3, REP-4
TEST(Report, HasNoAuxiliaryDataAndNothingBehindItsRecords) {
    const auto bytes =
        emit(Report{{{RecordType::allow, kGroup, {k5, k6}}, {RecordType::to_exclude, kOther, {}}}});
    ASSERT_EQ(bytes.size(), 8u + (8 + 2 * 4) + 8);
    EXPECT_EQ(bytes[8 + 1], std::byte{0});
    EXPECT_EQ(bytes[8 + 16 + 1], std::byte{0});
}

TEST(ReportParser, RefusesWhatDoesNotFit) {
    const auto error = [](std::string_view hex) { return parse_report(summed(hex)).error(); };
    EXPECT_EQ(error("22000000 0000"), MessageError::bad_length);
    EXPECT_EQ(error("22000000 00000001"), MessageError::bad_source_list);
    EXPECT_EQ(error("22000000 00000001 04000001 ef010203"), MessageError::bad_source_list);
    EXPECT_EQ(error("22000000 00000001 04010000 ef010203"), MessageError::bad_source_list);
    EXPECT_EQ(error("22000000 00000003 04000000 ef010203"), MessageError::bad_source_list);
    EXPECT_EQ(error("22000000 00000001 04000000 0a010203"), MessageError::bad_group);
}

// QRY-29: no truncation of any message is read beyond its end or taken for something else.
TEST(Message, NoTruncationIsTakenForTheWhole) {
    const std::vector<std::function<bool(std::span<const std::byte>)>> parsers{
        [](auto bytes) { return parse_query(bytes).has_value(); },
        [](auto bytes) { return parse_report(bytes).has_value(); },
        [](auto bytes) { return parse_older_report(bytes).has_value(); },
    };
    const Query query = source_query(kGroup, {k5, k6, k7});
    const Report report{{{RecordType::allow, kGroup, {k5, k6}}, {RecordType::block, kGroup, {k7}}}};
    const std::vector<std::vector<std::byte>> messages{emit(query), emit(report),
                                                       emit(OlderReport{Version::v2, kGroup})};
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const std::size_t size = messages[i].size();
        for (std::size_t n = 4; n < size; ++n) {
            // A heap block of exactly n octets, so that a checker of memory sees any step beyond.
            const std::vector<std::byte> part(messages[i].begin(),
                                              messages[i].begin() + static_cast<long>(n));
            const bool is_a_v2_query = i == 0 && n == 8;
            EXPECT_EQ(parsers[i](part), is_a_v2_query) << i << ' ' << n;
        }
        EXPECT_TRUE(parsers[i](messages[i]));
    }
}

}  // namespace
}  // namespace joinleaf::igmp::test
