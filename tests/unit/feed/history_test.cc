// The history against a list that forgets nothing too early.
#include <controlplane/history.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "tests/support/hex.h"
#include "tests/support/mold_packets.h"

namespace joinleaf::controlplane {
namespace {

using dataplane::SequenceRange;
using test::hex_of;

void append(History& history, std::uint64_t first, std::uint16_t count) {
    const auto bytes = test::mold_packet("S1", first, count);
    history.append(first, net::parse_mold(bytes)->messages);
}

std::vector<std::uint64_t> numbers(const History& history, std::uint64_t first, std::uint16_t count,
                                   std::size_t room = 1000) {
    std::vector<std::byte> out(room);
    std::size_t octets = 0;
    const auto copied = history.copy(first, count, out, octets);
    EXPECT_LE(octets, room);
    std::vector<std::uint64_t> all;
    for (const auto message : net::MoldMessages(out.data(), copied)) {
        all.push_back(test::mold_number(message));
    }
    return all;
}

TEST(History, KeepsWhatIsAppended) {
    History history(16, 1000);
    EXPECT_EQ(history.range(), (SequenceRange{1, 1}));
    append(history, 1, 3);
    EXPECT_EQ(history.range(), (SequenceRange{1, 4}));
    EXPECT_EQ(numbers(history, 1, 3), (std::vector<std::uint64_t>{1, 2, 3}));
    EXPECT_EQ(numbers(history, 2, 100), (std::vector<std::uint64_t>{2, 3}));
    EXPECT_EQ(numbers(history, 1, 3, 29), (std::vector<std::uint64_t>{1, 2}));
    EXPECT_TRUE(numbers(history, 1, 3, 9).empty());
}

TEST(History, TheOldestGoWhenThereAreTooMany) {
    History history(16, 1 << 20);
    append(history, 1, 100);
    EXPECT_EQ(history.range(), (SequenceRange{85, 101}));
    EXPECT_EQ(numbers(history, 85, 16).front(), 85u);
}

TEST(History, TheOldestGoWhenThereAreTooManyOctets) {
    History history(1 << 10, 64);  // a message takes 10, six fit
    append(history, 1, 100);
    EXPECT_EQ(history.range().end, 101u);
    EXPECT_GE(history.range().count(), 5u);
    EXPECT_LE(history.range().count(), 6u);
    const auto first = history.range().first;
    EXPECT_EQ(numbers(history, first, 1), std::vector<std::uint64_t>{first});
}

TEST(History, WhatIsKnownIsPassedOverAndAGapForgets) {
    History history(64, 1000);
    append(history, 5, 3);
    append(history, 6, 4);
    EXPECT_EQ(history.range(), (SequenceRange{5, 10}));
    EXPECT_EQ(numbers(history, 5, 5), (std::vector<std::uint64_t>{5, 6, 7, 8, 9}));
    append(history, 12, 1);
    EXPECT_EQ(history.range(), (SequenceRange{12, 13}));
    history.clear();
    append(history, 1, 1);
    EXPECT_EQ(history.range(), (SequenceRange{1, 2}));
}

TEST(History, AMessageLongerThanTheRingForgetsAll) {
    History history(64, 32);
    append(history, 1, 1);
    std::vector<std::byte> bytes(100);
    net::emit_mold_length(98, bytes.data());
    history.append(2, net::MoldMessages(bytes.data(), 1));
    EXPECT_EQ(history.range(), (SequenceRange{3, 3}));
    append(history, 3, 1);
    EXPECT_EQ(numbers(history, 3, 1), std::vector<std::uint64_t>{3});
}

RC_GTEST_PROP(HistoryProperty, WhatIsThereIsWhatWasAppended,
              (const std::vector<std::uint8_t>& lengths)) {
    const auto messages = *rc::gen::inRange<std::size_t>(1, 40);
    const auto octets = *rc::gen::inRange<std::size_t>(300, 2000);
    History history(messages, octets);
    std::vector<std::vector<std::byte>> all;
    for (const auto length : lengths) {
        auto& bytes = all.emplace_back(net::kMoldLengthSize + length, std::byte{length});
        net::emit_mold_length(length, bytes.data());
        history.append(all.size(), net::MoldMessages(bytes.data(), 1));
        const auto range = history.range();
        RC_ASSERT(range.end == all.size() + 1);
        RC_ASSERT(range.count() >= 1 && range.count() <= std::bit_ceil(messages));
        for (auto n = range.first; n < range.end; ++n) {
            std::vector<std::byte> out(300);
            std::size_t copied = 0;
            RC_ASSERT(history.copy(n, 1, out, copied) == 1);
            out.resize(copied);
            RC_ASSERT(hex_of(out) == hex_of(all[n - 1]));
        }
    }
}

}  // namespace
}  // namespace joinleaf::controlplane
