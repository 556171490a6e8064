// Admission messages on the wire: what is written is read back, and nothing else is.
#include <controlplane/admission_codec.h>
#include <controlplane/admission_text.h>
#include <controlplane/frame_reader.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <tests/support/admission_messages.h>
#include <tests/support/hex.h>

namespace joinleaf::controlplane {
namespace {

using Kind = DecodeError::Kind;
using testing::ElementsAre;
using testing::SizeIs;

std::vector<std::byte> written(const AdmissionMessage& message) { return encode(message).value(); }

/// What the decoder says of `message`, which has been bent out of its limits after the fact.
DecodeError complaint(std::string_view hex) {
    const auto decoded = decode(test::bytes_of(hex));
    EXPECT_FALSE(decoded.has_value()) << hex;
    return decoded ? DecodeError{} : decoded.error();
}

DecodeError out_of_range(std::string_view field) { return {Kind::out_of_range, field}; }

TEST(AdmissionCodec, OneOfEachKindComesBack) {
    for (const auto& message : test::one_of_each()) {
        EXPECT_EQ(decode(written(message)), message) << "kind " << message.index();
    }
}

RC_GTEST_PROP(AdmissionCodec, WhateverIsWrittenComesBack, ()) {
    const AdmissionMessage message = test::draw_message();
    const auto bytes = encode(message);
    RC_ASSERT(bytes.has_value());
    RC_ASSERT(bytes->size() <= kMaxAdmissionMessage);
    RC_ASSERT(decode(*bytes) == message);
}

// Made with protoc --encode from admission.proto, for leaves in other languages.
TEST(AdmissionCodec, GoldenBytes) {
    EXPECT_EQ(test::hex_of(encode_frame(test::a_request()).value()),
              "00000025"
              "0a23080112066465736b2d371d0700000a20032a0a08c0843d10f80a18fa0132003a026869");
    EXPECT_EQ(test::hex_of(encode_frame(test::an_admission()).value()),
              "00000026"
              "12240a19080115030201ef188827250100000a28023001382a42004a0018b8172204726f6f74");
    auto feed = test::an_admission();
    feed.offer = test::a_feed_offer();
    EXPECT_EQ(test::hex_of(encode_frame(feed).value()),
              "0000003f"
              "123d0a32080115030201ef188827250100000a28023001382a42004a005a0d0d040201ef1089271d0100"
              "010a62080d010200c010f02e18b8172204726f6f74");
    EXPECT_EQ(test::hex_of(encode_frame(HistoryBegins{test::feed_session("S1"), 4711}).value()),
              "00000011"
              "520f0a0a5331202020202020202010e724");
    EXPECT_EQ(test::hex_of(encode_frame(Farewell{.reason = std::errc::connection_aborted}).value()),
              "00000004"
              "3a020814");
}

TEST(AdmissionCodec, ReasonsHaveTheSameNumberOnEveryPlatform) {
    const auto number = [](std::errc reason) {
        return std::to_integer<int>(written(Farewell{.reason = reason}).back());
    };
    EXPECT_EQ(number(std::errc{}), 1);
    EXPECT_EQ(number(std::errc::connection_refused), 7);
    EXPECT_EQ(number(std::errc::connection_reset), 8);
    EXPECT_EQ(number(std::errc::network_down), 11);
    EXPECT_EQ(number(std::errc::operation_not_supported), 15);
    EXPECT_EQ(number(std::errc::timed_out), 16);
    EXPECT_EQ(number(std::errc::permission_denied), 19);
    EXPECT_EQ(number(std::errc::connection_aborted), 20);
    EXPECT_EQ(number(std::errc::host_unreachable), 24);
}

TEST(AdmissionCodec, AReasonWithoutANumberIsTold) {
    EXPECT_EQ(decode(written(Farewell{.reason = std::errc::cross_device_link})),
              AdmissionMessage(Farewell{.reason = std::errc::io_error}));
}

TEST(AdmissionCodec, UnknownFieldsAreIgnored) {
    // A keep_alive with a field 100 of its own, and a field 101 beside it.
    EXPECT_EQ(decode(test::bytes_of("4203a00601 a80601")), AdmissionMessage(KeepAlive{}));
}

TEST(AdmissionCodec, AMessageOfUnknownKindIsAnError) {
    EXPECT_EQ(complaint("").kind, Kind::unknown_kind);
    EXPECT_EQ(complaint("a20600").kind, Kind::unknown_kind);
}

TEST(AdmissionCodec, BytesThatAreNoMessageAreMalformed) {
    EXPECT_EQ(complaint("ff").kind, Kind::malformed);
    EXPECT_EQ(complaint("0a05").kind, Kind::malformed);
    EXPECT_EQ(complaint("0a020a7f").kind, Kind::malformed);
}

// The version is looked at first: what else another version says may mean something else.
TEST(AdmissionCodec, AnotherVersionIsItsOwnError) {
    EXPECT_EQ(complaint("0a020802").kind, Kind::version);
    EXPECT_EQ(complaint("0a00").kind, Kind::version);
    EXPECT_EQ(complaint("1a020802").kind, Kind::version);
    auto request = test::a_request();
    request.version = 2;
    EXPECT_EQ(encode(request).error().kind, Kind::version);
}

TEST(AdmissionCodec, LimitsOfARequest) {
    auto request = test::a_request();
    const auto error = [](const JoinRequest& r) { return encode(r).error(); };
    request.name = std::string(256, 'x');
    EXPECT_TRUE(encode(request));
    request.name += 'x';
    EXPECT_EQ(error(request), out_of_range("name"));
    request.name = "bell\a";
    EXPECT_EQ(error(request), out_of_range("name"));
    request = test::a_request();
    request.data_address = Ipv4Address(239, 1, 1, 1);
    EXPECT_EQ(error(request), out_of_range("data_address"));
    request.data_address = {};
    EXPECT_EQ(error(request), out_of_range("data_address"));
    request = test::a_request();
    request.from_root.datagram_octets = 65508;
    EXPECT_EQ(error(request), out_of_range("from_root"));
    request = test::a_request();
    request.to_root.latency = std::chrono::hours(1) + std::chrono::microseconds(1);
    EXPECT_EQ(error(request), out_of_range("to_root"));
    request.to_root.latency = std::chrono::microseconds(-1);
    EXPECT_EQ(error(request), out_of_range("to_root"));
    request = test::a_request();
    request.caller_data.resize(kMaxUserData);
    EXPECT_TRUE(encode(request));
    request.caller_data.resize(kMaxUserData + 1);
    EXPECT_EQ(error(request), out_of_range("caller_data"));
}

TEST(AdmissionCodec, LimitsOfAnOffer) {
    auto admit = test::an_admission();
    admit.dead_after = std::chrono::milliseconds(99);
    EXPECT_EQ(encode(admit).error(), out_of_range("dead_after_ms"));
    admit.dead_after = std::chrono::hours(1);
    EXPECT_TRUE(encode(admit));
    admit.dead_after += std::chrono::milliseconds(1);
    EXPECT_EQ(encode(admit).error(), out_of_range("dead_after_ms"));
    admit = test::an_admission();
    admit.offer.scheme.control = Plane::nonrooted;
    EXPECT_EQ(encode(admit).error(), out_of_range("control_plane"));
    admit = test::an_admission();
    admit.offer.root_address = Ipv4Address(255, 255, 255, 255);
    EXPECT_EQ(encode(admit).error(), out_of_range("root_address"));
}

TEST(AdmissionCodec, LimitsOfAFeedsOffer) {
    auto admit = test::an_admission();
    const auto error = [&] { return encode(admit).error(); };
    admit.offer.also.assign(kMaxFurtherLines, {admit.offer.group, {}});
    EXPECT_TRUE(encode(admit));
    admit.offer.also.push_back({admit.offer.group, {}});
    EXPECT_EQ(error(), out_of_range("also"));
    admit.offer = test::a_feed_offer();
    admit.offer.also[0].source = Ipv4Address(239, 1, 1, 1);
    EXPECT_EQ(error(), out_of_range("also"));
    admit.offer = test::a_feed_offer();
    admit.offer.fan_out = FanOut::replicate;
    EXPECT_EQ(error(), out_of_range("also"));
    admit.offer.also.clear();
    EXPECT_TRUE(encode(admit));
    admit.offer.framing = Framing::datagram;
    EXPECT_EQ(error(), out_of_range("repair"));
    admit.offer = test::a_feed_offer();
    admit.offer.repair->address = {};
    EXPECT_EQ(error(), out_of_range("repair"));
    admit.offer.repair->address = Ipv4Address(255, 255, 255, 255);
    EXPECT_EQ(error(), out_of_range("repair"));
}

TEST(AdmissionCodec, LimitsOfWhereAHistoryBegins) {
    HistoryBegins begins{.session = test::feed_session("S1"), .sequence = 1};
    EXPECT_TRUE(encode(begins));
    begins.sequence = 0;
    EXPECT_EQ(encode(begins).error(), out_of_range("sequence"));
    begins = {.session = test::feed_session("bell\a"), .sequence = 1};
    EXPECT_EQ(encode(begins).error(), out_of_range("session"));
    // Nine and eleven octets of a name, and none.
    EXPECT_EQ(complaint("520d 0a09 533120202020202020 1001"), out_of_range("session"));
    EXPECT_EQ(complaint("520f 0a0b 5331202020202020202020 1001"), out_of_range("session"));
    EXPECT_EQ(complaint("5202 1001"), out_of_range("session"));
}

// What the value's types cannot hold arrives all the same.
TEST(AdmissionCodec, LimitsThatOnlyBytesCanBreak) {
    //       offer, data_plane, group 10.1.2.3
    EXPECT_EQ(complaint("12090a070801 150302010a"), out_of_range("group"));
    //       data_plane 3
    EXPECT_EQ(complaint("12040a020803"), out_of_range("data_plane"));
    //       good group, no port; port 65536
    EXPECT_EQ(complaint("12090a070801 15030201ef"), out_of_range("port"));
    EXPECT_EQ(complaint("120d0a0b0801 15030201ef 18808004"), out_of_range("port"));
    //       port 5000, no framing; framing 3; framing 1 and scope 256
    EXPECT_EQ(complaint("120c0a0a0801 15030201ef 188827"), out_of_range("framing"));
    EXPECT_EQ(complaint("120e0a0c0801 15030201ef 188827 2803"), out_of_range("framing"));
    EXPECT_EQ(complaint("12110a0f0801 15030201ef 188827 2801 308002"), out_of_range("scope"));
    //       fan-out 2
    EXPECT_EQ(complaint("12100a0e0801 15030201ef 188827 2801 5002"), out_of_range("fan_out"));
    //       a line without a port, to 10.1.2.3; a repair server without a port
    EXPECT_EQ(complaint("12150a130801 15030201ef 188827 2802 5a050d030201ef"),
              out_of_range("also"));
    EXPECT_EQ(complaint("12180a160801 15030201ef 188827 2802 5a080d0302010a188827"),
              out_of_range("also"));
    EXPECT_EQ(complaint("12150a130801 15030201ef 188827 2802 62050d010200c0"),
              out_of_range("repair"));
    //       version 1, direction 4; version 1, direction both, latency 2^64 - 1
    EXPECT_EQ(complaint("0a0408012004"), out_of_range("direction"));
    EXPECT_EQ(complaint("0a110801 2003 2a0b18ffffffffffffffffff01"), out_of_range("from_root"));
    //       a refusal that gives no reason, good order for one, and an unknown one
    EXPECT_EQ(complaint("3200"), out_of_range("reason"));
    EXPECT_EQ(complaint("32020801"), out_of_range("reason"));
    EXPECT_EQ(complaint("32020863"), out_of_range("reason"));
    //       no offer at all
    EXPECT_EQ(complaint("1200"), out_of_range("data_plane"));
}

TEST(AdmissionCodec, AnErrorSaysWhatIsWrong) {
    EXPECT_EQ(out_of_range("name").to_string(), "the field name is missing or out of range");
    EXPECT_EQ((DecodeError{Kind::version, {}}).to_string(),
              "a message of another protocol version");
}

TEST(AdmissionCodec, EveryTruncationIsAnErrorOrAShorterMessageInItsLimits) {
    for (const auto& message : test::one_of_each()) {
        const auto whole = written(message);
        for (std::size_t length = 0; length < whole.size(); ++length) {
            const auto decoded = decode(std::span(whole).first(length));
            EXPECT_TRUE(!decoded || encode(*decoded)) << message.index() << ' ' << length;
        }
    }
}

TEST(AdmissionCodec, EveryBitFlipIsAnErrorOrAMessageInItsLimits) {
    for (const auto& message : test::one_of_each()) {
        const auto whole = written(message);
        for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
            auto flipped = whole;
            flipped[bit / 8] ^= std::byte{1} << bit % 8;
            const auto decoded = decode(flipped);
            EXPECT_TRUE(!decoded || encode(*decoded)) << message.index() << ' ' << bit;
        }
    }
}

TEST(AdmissionCodec, MoreThanTheMaximumIsRefusedUnread) {
    std::vector<std::byte> large = test::bytes_of("4200 a2068080018080");
    large.resize(kMaxAdmissionMessage + 1);
    EXPECT_EQ(decode(large).error().kind, Kind::too_long);
}

TEST(AdmissionText, IsPrintableUtf8) {
    EXPECT_TRUE(is_admission_text(""));
    EXPECT_TRUE(is_admission_text("desk 7, Zürich 水 𝄞"));
    EXPECT_TRUE(is_admission_text(std::string(256, 'x')));
    EXPECT_FALSE(is_admission_text(std::string(257, 'x')));
    EXPECT_FALSE(is_admission_text(std::string_view("nul\0", 4)));
    EXPECT_FALSE(is_admission_text("two\nlines"));
    EXPECT_FALSE(is_admission_text("\x1b[31mred"));
    EXPECT_FALSE(is_admission_text("\x7f"));
    EXPECT_FALSE(is_admission_text("\xc2\x85"));          // U+0085, next line
    EXPECT_FALSE(is_admission_text("\xe2\x80\xae"));      // U+202E, right to left
    EXPECT_FALSE(is_admission_text("\xc0\xaf"));          // overlong
    EXPECT_FALSE(is_admission_text("\xe0\x80\xaf"));      // overlong
    EXPECT_FALSE(is_admission_text("\xed\xa0\x80"));      // a surrogate
    EXPECT_FALSE(is_admission_text("\xf4\x90\x80\x80"));  // past U+10FFFF
    EXPECT_FALSE(is_admission_text("\xe6\xb0"));          // cut off
    EXPECT_FALSE(is_admission_text("\xff"));
    EXPECT_FALSE(is_admission_text("\x80"));
}

// The reader's frames as text, read until the bytes or the stream end.
std::vector<std::string> frames_of(FrameReader& reader, std::span<const std::byte> bytes) {
    std::vector<std::string> out;
    for (;;) {
        const auto frame = reader.next(bytes);
        if (!frame) {
            out.push_back(frame.error().to_string());
            return out;
        }
        if (!*frame) return out;
        out.push_back(test::hex_of(**frame));
    }
}

TEST(FrameReader, WholeFramesInOnePiece) {
    FrameReader reader;
    const auto bytes = test::bytes_of("00000002 aabb 00000000 00000001 cc");
    EXPECT_THAT(frames_of(reader, bytes), ElementsAre("aabb", "", "cc"));
    EXPECT_EQ(reader.pending(), 0u);
}

TEST(FrameReader, OctetByOctet) {
    FrameReader reader;
    std::vector<std::string> frames;
    for (const auto octet : test::bytes_of("00000002 aabb 00000000 00000001 cc")) {
        for (auto& frame : frames_of(reader, std::span(&octet, 1))) frames.push_back(frame);
    }
    EXPECT_THAT(frames, ElementsAre("aabb", "", "cc"));
    EXPECT_EQ(reader.pending(), 0u);
}

TEST(FrameReader, ALengthPastTheLimitEndsTheStreamBeforeItsBytesAreTaken) {
    FrameReader reader(16);
    EXPECT_THAT(frames_of(reader, test::bytes_of("00000010 00112233445566778899aabbccddeeff")),
                SizeIs(1));
    EXPECT_THAT(frames_of(reader, test::bytes_of("00000011 00")),
                ElementsAre("a message longer than the limit"));
    FrameReader bitwise(16);
    EXPECT_THAT(frames_of(bitwise, test::bytes_of("ffff")), ElementsAre());
    EXPECT_THAT(frames_of(bitwise, test::bytes_of("ffff")),
                ElementsAre("a message longer than the limit"));
    EXPECT_LE(bitwise.pending(), kFrameHeader);
}

RC_GTEST_PROP(FrameReader, AnyPiecesGiveTheSameFrames, ()) {
    std::vector<AdmissionMessage> messages;
    std::vector<std::byte> stream;
    for (int n = *rc::gen::inRange(1, 6); n > 0; --n) {
        messages.push_back(test::draw_message());
        const auto frame = encode_frame(messages.back()).value();
        stream.insert(stream.end(), frame.begin(), frame.end());
    }
    FrameReader reader;
    std::vector<AdmissionMessage> read;
    std::span<const std::byte> rest(stream);
    while (!rest.empty()) {
        auto piece = rest.first(*rc::gen::inRange<std::size_t>(1, rest.size() + 1));
        rest = rest.subspan(piece.size());
        for (;;) {
            const auto frame = reader.next(piece);
            RC_ASSERT(frame.has_value());
            if (!*frame) break;
            read.push_back(decode(**frame).value());
        }
        RC_ASSERT(piece.empty());
    }
    RC_ASSERT(read == messages);
    RC_ASSERT(reader.pending() == 0u);
}

}  // namespace
}  // namespace joinleaf::controlplane
