// Captures of every kind, frame by frame, and the datagrams in their frames.
#include <apps/joinleaf/feed_files/captured_datagram.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/captures.h"
#include "tests/support/hex.h"

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::CaptureBytes;
using test::hex_of;
using test::Octets;
using test::Pcap;
using test::Pcapng;
using test::udp_frame;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Frames {
    std::vector<std::string> hex;
    std::vector<std::int64_t> at;  ///< nanoseconds
    std::vector<LinkType> links;
    std::size_t octets = 0;
    std::string wrong;
};

/// Reads as if the whole were there, or (`growing`) as it comes, an octet at a time.
Frames frames_of(const Octets& input, bool growing = false) {
    CaptureReader reader;
    Frames frames;
    std::size_t shown = growing ? 0 : input.size();
    for (;;) {
        const bool ended = shown == input.size();
        const auto step =
            reader.read(std::span(input).subspan(frames.octets, shown - frames.octets), ended);
        frames.octets += step.octets;
        if (step.frame) {
            frames.hex.push_back(hex_of(step.frame->octets));
            frames.at.push_back(step.frame->at.count());
            frames.links.push_back(step.frame->link);
        }
        if (!step.wrong.empty()) {
            frames.wrong = step.wrong;
            return frames;
        }
        if (step.wanted == 0) continue;
        if (ended) return frames;
        ++shown;
    }
}

const Octets kOne = bytes_of("0102030405");
const Octets kTwo = bytes_of("aabb");

// The files of tcpdump, from four machines.
TEST(Pcap, OfEitherByteOrderAndResolution) {
    for (const bool big_endian : {false, true}) {
        for (const bool fine : {false, true}) {
            const auto input =
                Pcap(big_endian, fine).frame(10, 7, kOne).frame(11, 0, kTwo).octets();
            for (const bool growing : {false, true}) {
                const auto frames = frames_of(input, growing);
                EXPECT_THAT(frames.hex, ElementsAre("0102030405", "aabb"));
                EXPECT_THAT(frames.at,
                            ElementsAre(10'000'000'000 + (fine ? 7 : 7'000), 11'000'000'000));
                EXPECT_EQ(frames.wrong, "");
                EXPECT_EQ(frames.octets, input.size());
            }
        }
    }
}

TEST(Pcap, GoldenFile) {
    const auto frames =
        frames_of(bytes_of("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000"
                           "00e40b54 40420f00 02000000 3c000000 aabb"));
    EXPECT_THAT(frames.hex, ElementsAre("aabb"));
    EXPECT_THAT(frames.at, ElementsAre(0x540be400 * 1'000'000'000LL + 1'000'000'000));
    EXPECT_THAT(frames.links, ElementsAre(LinkType::ethernet));
}

// The upper half of the link type says how long frame check sequences are.
TEST(Pcap, LinkTypeIsItsLowerHalf) {
    for (const bool big_endian : {false, true}) {
        const auto input = Pcap(big_endian, false, 0x44000071).frame(0, 0, kOne).octets();
        EXPECT_THAT(frames_of(input).links, ElementsAre(LinkType::linux_cooked));
    }
}

TEST(Pcap, CutOffIsNamedBehindWhatIsWhole) {
    auto input = Pcap().frame(0, 0, kOne).frame(0, 0, kTwo).octets();
    const std::size_t first = 24 + 16 + kOne.size();
    input.pop_back();
    auto frames = frames_of(input);
    EXPECT_THAT(frames.hex, ElementsAre("0102030405"));
    EXPECT_EQ(frames.octets, first);
    EXPECT_EQ(frames.wrong,
              "a record of 18 octets is cut off after 17; the capture was not written to its end: "
              "go on without the rest, or capture again");
    input.resize(first + 3);
    EXPECT_THAT(frames_of(input).wrong, HasSubstr("cut off after 3"));
    input.resize(20);
    EXPECT_THAT(frames_of(input).wrong, HasSubstr("file header of 24 octets is cut off after 20"));
}

TEST(Pcap, RecordsLargerThanAnyFrameAreDamage) {
    auto input = Pcap().frame(0, 0, kOne).octets();
    input[24 + 11] = std::byte{0x7f};
    EXPECT_THAT(frames_of(input).wrong, HasSubstr("the capture is damaged from here on"));
}

TEST(Capture, OfNeitherKindIsNamed) {
    EXPECT_THAT(frames_of(bytes_of("00052f6869")).wrong,
                HasSubstr("it begins with 00052f68, as neither pcap nor pcapng does"));
    EXPECT_THAT(frames_of({}).hex, IsEmpty());
    EXPECT_EQ(frames_of({}).wrong, "");
    EXPECT_TRUE(looks_like_capture(Pcap(true, true).octets()));
    EXPECT_TRUE(looks_like_capture(Pcapng().octets()));
    EXPECT_FALSE(looks_like_capture(bytes_of("00052f68")));
    EXPECT_FALSE(looks_like_capture(bytes_of("0a0d0d")));
}

TEST(Pcapng, OfEitherByteOrder) {
    for (const bool big_endian : {false, true}) {
        const auto input = Pcapng(big_endian)
                               .interface(1)
                               .frame(0, 10'000'007, kOne)
                               .frame(0, 0x1'0000'0001, kTwo)
                               .octets();
        for (const bool growing : {false, true}) {
            const auto frames = frames_of(input, growing);
            EXPECT_THAT(frames.hex, ElementsAre("0102030405", "aabb"));
            EXPECT_THAT(frames.at, ElementsAre(10'000'007'000, 0x1'0000'0001 * 1000));
            EXPECT_EQ(frames.wrong, "");
            EXPECT_EQ(frames.octets, input.size());
        }
    }
}

TEST(Pcapng, EachInterfaceHasItsOwnResolutionOffsetAndLink) {
    const auto input = Pcapng()
                           .interface(1, 9)
                           .interface(113, 3, 100)
                           .interface(276, 0x80 | 10)
                           .interface(101, 0)
                           .frame(0, 1'000'000'001, kTwo)
                           .frame(1, 2'001, kTwo)
                           .frame(2, 1024 + 512, kTwo)
                           .frame(3, 5, kTwo)
                           .octets();
    const auto frames = frames_of(input);
    EXPECT_THAT(frames.at,
                ElementsAre(1'000'000'001, 102'001'000'000, 1'500'000'000, 5'000'000'000));
    EXPECT_THAT(frames.links, ElementsAre(LinkType::ethernet, LinkType::linux_cooked,
                                          LinkType::linux_cooked_2, LinkType::raw_ip));
}

TEST(Pcapng, SectionsBeginAnew) {
    const auto input = Pcapng(false)
                           .interface(1, 9)
                           .frame(0, 7, kOne)
                           .section(true)
                           .interface(101)
                           .frame(0, 7, kTwo)
                           .octets();
    const auto frames = frames_of(input);
    EXPECT_THAT(frames.at, ElementsAre(7, 7000));
    EXPECT_THAT(frames.links, ElementsAre(LinkType::ethernet, LinkType::raw_ip));
    EXPECT_EQ(frames.wrong, "");
}

TEST(Pcapng, HasThreeBlocksForPackets) {
    const auto input = Pcapng()
                           .interface(1, 9, 0, 3)
                           .frame(0, 42, kTwo)
                           .simple_frame(kTwo)
                           .obsolete_frame(0, 43, kOne)
                           .octets();
    const auto frames = frames_of(input);
    EXPECT_THAT(frames.hex, ElementsAre("aabb", "aabb", "0102030405"));
    EXPECT_THAT(frames.at, ElementsAre(42, 42, 43)) << "a simple packet has the time before it";
}

TEST(Pcapng, OtherBlocksArePassedOver) {
    Pcapng file;
    file.interface(1).block(5, file.bytes().u32(1).u32(2)).block(0x40000bad, file.bytes());
    file.frame(0, 1, kTwo);
    const auto frames = frames_of(file.octets());
    EXPECT_THAT(frames.hex, ElementsAre("aabb"));
    EXPECT_EQ(frames.wrong, "");
}

TEST(Pcapng, DamageIsNamedWhereItIs) {
    const auto whole = Pcapng().interface(1).octets();
    const auto wrong_of = [&](const Octets& more) {
        Octets input = whole;
        input.insert(input.end(), more.begin(), more.end());
        const auto frames = frames_of(input);
        EXPECT_EQ(frames.octets, whole.size());
        return frames.wrong;
    };
    const Pcapng any;
    EXPECT_THAT(wrong_of(any.bytes().u32(6).u32(13).u32(0).octets), HasSubstr("13 octets"));
    EXPECT_THAT(wrong_of(any.bytes().u32(6).u32(12).u32(16).octets),
                HasSubstr("whose end says 16"));
    EXPECT_THAT(wrong_of(any.bytes().u32(6).u32(12).u32(12).octets),
                HasSubstr("without its fields"));
    EXPECT_THAT(wrong_of(any.bytes().u32(6).u32(0xfffffffc).octets),
                HasSubstr("4294967292 octets"));
    EXPECT_THAT(wrong_of(any.bytes().u32(6).u32(40).u32(0).octets),
                HasSubstr("a block of 40 octets is cut off after 12"));
    const auto stranger = Pcapng().frame(9, 0, kTwo).octets();
    EXPECT_THAT(wrong_of({stranger.begin() + 28, stranger.end()}), HasSubstr("interface 9"));
    EXPECT_THAT(wrong_of(bytes_of("0a0d0d0a 1c000000 11223344")), HasSubstr("byte order"));
}

// Whatever the octets are, the reader ends, within them.
RC_GTEST_PROP(Capture, AnyDamageIsSurvived,
              (bool ng, bool big_endian, const std::vector<std::uint8_t>& at, std::uint8_t value)) {
    auto input =
        ng ? Pcapng(big_endian).interface(1, 9).frame(0, 7, kOne).frame(0, 8, kTwo).octets()
           : Pcap(big_endian).frame(1, 2, kOne).frame(3, 4, kTwo).octets();
    for (const auto where : at) input[where % input.size()] = static_cast<std::byte>(value);
    const auto frames = frames_of(input);
    RC_ASSERT(frames.octets <= input.size());
    RC_ASSERT(frames.octets == input.size() || !frames.wrong.empty());
    RC_ASSERT(frames.hex.size() <= 2u);
}

const Octets kPayload = bytes_of("6869");

std::string found_in(const Octets& frame, LinkType link) {
    const auto found = datagram_in({.link = link, .octets = frame});
    if (const auto* datagram = std::get_if<CapturedDatagram>(&found)) {
        return datagram->to.to_string() + " " + hex_of(datagram->payload);
    }
    switch (std::get<NoDatagram>(found)) {
        case NoDatagram::other:
            return "other";
        case NoDatagram::fragment:
            return "fragment";
        case NoDatagram::cut_short:
            return "cut short";
        default:
            return "unknown link";
    }
}

Octets behind(std::string_view header, const Octets& ethernet) {
    Octets frame = bytes_of(header);
    frame.insert(frame.end(), ethernet.begin() + 14, ethernet.end());
    return frame;
}

const Octets kEthernet = udp_frame("239.1.1.1", 5000, kPayload);
constexpr auto kFound = "239.1.1.1:5000 6869";

TEST(CapturedDatagram, BehindEveryKindOfHeader) {
    EXPECT_EQ(found_in(kEthernet, LinkType::ethernet), kFound);
    EXPECT_EQ(found_in(udp_frame("239.1.1.1", 5000, kPayload, "7"), LinkType::ethernet), kFound);
    EXPECT_EQ(found_in(udp_frame("239.1.1.1", 5000, kPayload, "7.8"), LinkType::ethernet), kFound);
    EXPECT_EQ(found_in(behind("0100 5e000001 020000000001 9100 0007 0800", kEthernet),
                       LinkType::ethernet),
              kFound);
    EXPECT_EQ(found_in(behind("0000 0001 0006 020000000001 0000 0800", kEthernet),
                       LinkType::linux_cooked),
              kFound);
    EXPECT_EQ(found_in(behind("0800 0000 00000002 0001 00 06 020000000001 0000", kEthernet),
                       LinkType::linux_cooked_2),
              kFound);
    EXPECT_EQ(found_in(behind("02000000", kEthernet), LinkType::null), kFound);
    for (const auto raw : {LinkType::raw_ip, LinkType::ipv4, LinkType::raw_ip_bsd}) {
        EXPECT_EQ(found_in(behind("", kEthernet), raw), kFound);
    }
    EXPECT_EQ(found_in(kEthernet, LinkType{147}), "unknown link");
}

TEST(CapturedDatagram, IsThereWithoutChecksumsAndWithOptions) {
    Octets frame = kEthernet;
    frame[14 + 10] = frame[14 + 20 + 6] = std::byte{0x55};
    EXPECT_EQ(found_in(frame, LinkType::ethernet), kFound) << "as a host captures its own";
    frame = kEthernet;
    frame[14] = std::byte{0x46};
    const auto option = bytes_of("94040000");
    frame.insert(frame.begin() + 14 + 20, option.begin(), option.end());
    EXPECT_EQ(found_in(frame, LinkType::ethernet), kFound);
}

TEST(CapturedDatagram, IsNotInOtherFrames) {
    Octets frame = kEthernet;
    frame[12] = std::byte{0x86};
    EXPECT_EQ(found_in(frame, LinkType::ethernet), "other") << "an ethertype";
    frame = kEthernet;
    frame[14 + 9] = std::byte{6};
    EXPECT_EQ(found_in(frame, LinkType::ethernet), "other") << "TCP";
    frame = kEthernet;
    frame[14] = std::byte{0x65};
    EXPECT_EQ(found_in(frame, LinkType::ethernet), "other") << "IPv6";
    frame = kEthernet;
    frame[14 + 6] = std::byte{0x20};
    EXPECT_EQ(found_in(frame, LinkType::ethernet), "fragment");
    frame = kEthernet;
    frame.resize(14 + 20 + 8 + 1);
    EXPECT_EQ(found_in(frame, LinkType::ethernet), "cut short");
    frame.resize(14 + 20 + 7);
    EXPECT_EQ(found_in(frame, LinkType::ethernet), "cut short");
    frame.resize(14 + 19);
    EXPECT_EQ(found_in(frame, LinkType::ethernet), "other");
    EXPECT_EQ(found_in({}, LinkType::ethernet), "other");
}

}  // namespace
}  // namespace joinleaf::app
