// The log against a list that forgets nothing: what is there, what gives way, who is waited for.
#include <dataplane/message_log.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <deque>
#include <string>
#include <vector>

#include "tests/support/hex.h"
#include "tests/support/mold_packets.h"

namespace joinleaf::dataplane {
namespace {

using test::hex_of;

const net::MoldSession kSession = net::MoldSession::from("S1").value();
constexpr std::size_t kSmallest = 128 * 1024;  // holds any message

std::vector<std::byte> message_of(std::size_t length, std::uint64_t number) {
    return std::vector<std::byte>(length, static_cast<std::byte>(number));
}

// At a leaf: from packets.
void append(MessageLog& log, std::uint64_t first, std::uint16_t count) {
    const auto bytes = test::mold_packet("S1", first, count);
    log.append(first, net::parse_mold(bytes)->messages);
}

// At a root: one after another, and all are taken at once.
void publish(MessageLog& log, std::size_t length, std::size_t count = 1) {
    for (std::size_t i = 0; i < count; ++i) {
        ASSERT_TRUE(log.append(message_of(length, log.next_sequence())));
        log.commit();
        log.take(log.next_sequence());
    }
}

std::vector<std::uint64_t> numbers(const MessageLog& log, std::uint64_t first, std::uint16_t count,
                                   std::size_t room = 1000) {
    std::vector<std::byte> out(room);
    std::size_t octets = 0;
    const auto copied = log.copy(log.known(), first, count, out, octets);
    EXPECT_LE(octets, room);
    std::vector<std::uint64_t> all;
    for (const auto message : net::MoldMessages(out.data(), copied)) {
        all.push_back(test::mold_number(message));
    }
    return all;
}

TEST(MessageLog, IsSeenWhenItIsCommitted) {
    MessageLog log(kSession, 16, 1000);
    EXPECT_EQ(log.range(), (SequenceRange{1, 1}));
    EXPECT_TRUE(log.append(message_of(3, 0x41)));
    EXPECT_TRUE(log.append({}));
    EXPECT_EQ(log.next_sequence(), 3u);
    EXPECT_EQ(log.end(), 1u);
    log.commit();
    EXPECT_EQ(log.end(), 3u);
    EXPECT_EQ(log.range(), (SequenceRange{1, 3}));
    EXPECT_EQ(log.known().session, kSession);
    ASSERT_EQ(log.octets(1, 3), 7u);
    EXPECT_EQ(hex_of(std::span(log.at(1), 7)), "00034141410000");
}

TEST(MessageLog, AMessageIsWrittenInPlace) {
    MessageLog log(kSession, 16, 1000);
    std::byte* const to = log.reserve(2);
    ASSERT_NE(to, nullptr);
    to[0] = to[1] = std::byte{0x42};
    log.add(1);  // less than was asked for
    log.commit();
    EXPECT_EQ(hex_of(std::span(log.at(1), log.octets(1, 2))), "000142");
}

TEST(MessageLog, WhoTakesIsWaitedForWhenThereAreTooManyMessages) {
    MessageLog log(kSession, 4, 1000);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(log.append(message_of(1, 1)));
    EXPECT_FALSE(log.append(message_of(1, 1)));
    log.commit();
    EXPECT_FALSE(log.append(message_of(1, 1)));
    log.take(3);
    EXPECT_TRUE(log.append(message_of(1, 1)));
    EXPECT_TRUE(log.append(message_of(1, 1)));
    EXPECT_FALSE(log.append(message_of(1, 1)));  // and nothing more
    EXPECT_EQ(log.next_sequence(), 7u);
}

TEST(MessageLog, WhoTakesIsWaitedForWhenThereAreTooManyOctets) {
    MessageLog log(kSession, 1 << 10, kSmallest);
    EXPECT_TRUE(log.append(message_of(0xffff, 1)));
    EXPECT_TRUE(log.append(message_of(kSmallest - 0xffff - 2 - 2, 2)));  // to the last octet
    EXPECT_FALSE(log.append({}));
    log.commit();
    log.take(2);
    EXPECT_TRUE(log.append(message_of(0xffff, 3)));
    EXPECT_FALSE(log.append({}));
    log.commit();
    EXPECT_EQ(log.range(), (SequenceRange{2, 4}));
}

TEST(MessageLog, WhatFollowsLiesInOnePieceWhereverTheRingEnds) {
    MessageLog log(kSession, 1 << 10, kSmallest);
    std::uint64_t pieces = 0;
    for (std::uint64_t n = 1; n < 2000; n += 3) {
        for (std::uint64_t i = n; i < n + 3; ++i) ASSERT_TRUE(log.append(message_of(333, i)));
        log.commit();
        ASSERT_EQ(log.octets(n, n + 3), 3u * 335);
        std::uint64_t number = n;
        for (const auto message : net::MoldMessages(log.at(n), 3)) {
            ASSERT_EQ(hex_of(message), hex_of(message_of(333, number++)));
            ++pieces;
        }
        log.take(n + 3);
    }
    EXPECT_EQ(pieces, 2001u);
}

TEST(MessageLog, KeepsWhatIsAppended) {
    MessageLog log(kSession, 16, 1000);
    append(log, 1, 3);
    EXPECT_EQ(log.range(), (SequenceRange{1, 4}));
    EXPECT_EQ(numbers(log, 1, 3), (std::vector<std::uint64_t>{1, 2, 3}));
    EXPECT_EQ(numbers(log, 2, 100), (std::vector<std::uint64_t>{2, 3}));
    EXPECT_EQ(numbers(log, 1, 3, 29), (std::vector<std::uint64_t>{1, 2}));
    EXPECT_TRUE(numbers(log, 1, 3, 9).empty());
}

TEST(MessageLog, TheOldestGiveWayWhenThereAreTooMany) {
    MessageLog log(kSession, 16, 1 << 20);
    append(log, 1, 100);
    EXPECT_EQ(log.range(), (SequenceRange{85, 101}));
    EXPECT_EQ(numbers(log, 85, 16).front(), 85u);
}

// All but a small share of what may be kept is.
TEST(MessageLog, TheOldestGiveWayWhenThereAreTooManyOctets) {
    MessageLog log(kSession, 1 << 20, kSmallest);
    publish(log, 198, 5000);
    EXPECT_EQ(log.range().end, 5001u);
    EXPECT_LE(log.range().count(), kSmallest / 200);
    EXPECT_GE(log.range().count(), kSmallest / 200 * 31 / 32);
}

TEST(MessageLog, WhatIsKnownIsPassedOverAndAGapForgets) {
    MessageLog log(kSession, 64, 1000);
    append(log, 5, 3);
    append(log, 6, 4);
    EXPECT_EQ(log.range(), (SequenceRange{5, 10}));
    EXPECT_EQ(numbers(log, 5, 5), (std::vector<std::uint64_t>{5, 6, 7, 8, 9}));
    append(log, 12, 1);
    EXPECT_EQ(log.range(), (SequenceRange{12, 13}));
    EXPECT_EQ(numbers(log, 12, 1), std::vector<std::uint64_t>{12});
    append(log, 3, 2);
    EXPECT_EQ(log.range(), (SequenceRange{12, 13}));  // and nothing more
}

TEST(MessageLog, AnotherSessionForgetsAll) {
    MessageLog log(kSession, 64, 1000);
    append(log, 5, 3);
    const auto before = log.known();
    const auto other = net::MoldSession::from("ANOTHER").value();
    log.begin_session(other);
    EXPECT_EQ(log.known().session, other);
    EXPECT_EQ(log.range(), (SequenceRange{1, 1}));
    append(log, 1, 9);
    EXPECT_EQ(numbers(log, 1, 9).size(), 9u);
    // What was known of the first is not mistaken for what is there now.
    std::vector<std::byte> out(1000);
    std::size_t octets = 1;
    EXPECT_EQ(log.copy(before, 5, 3, out, octets), 0u);
    EXPECT_EQ(octets, 0u);
}

TEST(MessageLog, WhatHasGivenWayIsNotCopied) {
    MessageLog log(kSession, 16, 1000);
    append(log, 1, 10);
    const auto before = log.known();
    append(log, 11, 10);
    std::vector<std::byte> out(1000);
    std::size_t octets = 1;
    EXPECT_EQ(log.copy(before, 4, 3, out, octets), 0u);
    EXPECT_EQ(log.copy(before, 5, 3, out, octets), 3u);
}

// Whatever is appended, and however it is taken: what is there is what was appended, and no more
// is refused than has to be.
RC_GTEST_PROP(MessageLogProperty, WhatIsThereIsWhatWasAppended, ()) {
    const auto messages = *rc::gen::inRange<std::size_t>(1, 300);
    const auto lengths = *rc::gen::container<std::vector<std::uint16_t>>(
        rc::gen::weightedOneOf<std::uint16_t>({{8, rc::gen::inRange<std::uint16_t>(0, 300)},
                                               {1, rc::gen::arbitrary<std::uint16_t>()}}));
    MessageLog log(kSession, messages, 1);
    std::vector<std::vector<std::byte>> all;
    std::uint64_t taken = 1;
    const auto untaken = [&] {
        std::size_t octets = 0;
        for (std::uint64_t n = taken; n <= all.size(); ++n) octets += 2 + all[n - 1].size();
        return octets;
    };
    for (const auto length : lengths) {
        const auto message = message_of(length, all.size() * 7 + length);
        const bool fits = all.size() + 1 - taken < messages && untaken() + 2 + length <= kSmallest;
        RC_ASSERT(log.append(message) == fits);
        if (fits) all.push_back(message);
        log.commit();
        RC_ASSERT(log.end() == all.size() + 1);
        const auto range = log.range();
        RC_ASSERT(range.end == log.end() && range.first <= taken && range.count() <= messages);
        for (auto n = range.first; n < range.end; n += 1 + range.count() / 8) {
            std::vector<std::byte> out(0x10001);
            std::size_t copied = 0;
            RC_ASSERT(log.copy(log.known(), n, 1, out, copied) == 1);
            RC_ASSERT(copied == 2 + all[n - 1].size());
            RC_ASSERT(std::equal(all[n - 1].begin(), all[n - 1].end(), out.begin() + 2));
        }
        if (!fits || *rc::gen::inRange(0, 4) == 0) {
            taken += *rc::gen::inRange<std::uint64_t>(0, log.end() - taken + 1);
            log.take(taken);
        }
    }
}

}  // namespace
}  // namespace joinleaf::dataplane
