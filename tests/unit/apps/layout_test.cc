// The layouts of feed files: messages in place, however the input comes in pieces.
#include <apps/joinleaf/feed_files/layout.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/read_layout.h"

namespace joinleaf::app {
namespace {

using test::bytes_of;
using test::octets;
using test::Read;
using test::read_all;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

template <class AnyLayout>
Read read(const std::vector<std::byte>& input, std::size_t piece = 1000) {
    AnyLayout layout;
    return read_all(layout, input, piece);
}

TEST(Lengths, EachMessageStandsBehindItsLength) {
    const auto input = bytes_of("0005 68656c6c6f 0000 0002 6869");
    for (const std::size_t piece : {1u, 2u, 3u, 100u}) {
        const Read all = read<LengthsLayout>(input, piece);
        EXPECT_THAT(all.messages, ElementsAre("hello", "", "hi")) << piece;
        EXPECT_EQ(all.wrong, "");
        EXPECT_EQ(all.octets, input.size());
    }
}

TEST(Lengths, TakeTheLongestMessage) {
    auto input = bytes_of("ffff");
    input.resize(2 + 65535, std::byte{'x'});
    const Read all = read<LengthsLayout>(input);
    EXPECT_THAT(all.messages, ElementsAre(std::string(65535, 'x')));
    EXPECT_EQ(all.wrong, "");
}

TEST(Lengths, NothingIsNoMessage) {
    EXPECT_THAT(read<LengthsLayout>({}).messages, IsEmpty());
    EXPECT_EQ(read<LengthsLayout>({}).wrong, "");
}

TEST(Lengths, AMessageCutOffIsNamedBehindThoseBeforeIt) {
    const Read all = read<LengthsLayout>(bytes_of("0001 61 0005 6162"));
    EXPECT_THAT(all.messages, ElementsAre("a"));
    EXPECT_EQ(all.octets, 3u) << "where the broken one begins";
    EXPECT_EQ(all.wrong,
              "a message of 7 octets with its length is cut off after 4; the file is incomplete, "
              "or has another layout than `lengths` (--input-format)");
    EXPECT_THAT(read<LengthsLayout>(bytes_of("0001 61 00")).wrong, HasSubstr("cut off after 1"));
}

TEST(Lines, EachIsAMessageWithoutItsLineFeed) {
    for (const std::size_t piece : {1u, 2u, 100u}) {
        const Read all = read<LinesLayout>(octets("one\n\ntwo \r\nlast"), piece);
        EXPECT_THAT(all.messages, ElementsAre("one", "", "two \r", "last")) << piece;
        EXPECT_EQ(all.wrong, "");
    }
    EXPECT_THAT(read<LinesLayout>(octets("one\n")).messages, ElementsAre("one"));
    EXPECT_THAT(read<LinesLayout>({}).messages, IsEmpty());
}

TEST(Lines, AreAtMostAsLongAsAMessage) {
    const std::string longest(65535, 'x');
    EXPECT_THAT(read<LinesLayout>(octets(longest + "\nb")).messages, ElementsAre(longest, "b"));
    const Read all = read<LinesLayout>(octets("a\n" + longest + "x\n"));
    EXPECT_THAT(all.messages, ElementsAre("a"));
    EXPECT_EQ(all.octets, 2u);
    EXPECT_THAT(all.wrong, HasSubstr("more than 65535 octets"));
}

TEST(Layouts, StopWhenThereIsEnough) {
    LinesLayout layout;
    std::vector<FeedMessage> messages;
    const auto input = octets(std::string(3 * Layout::kEnough, '\n'));
    const Taken taken = layout.read(input, false, messages);
    EXPECT_EQ(messages.size(), Layout::kEnough);
    EXPECT_EQ(taken.octets, Layout::kEnough);
    EXPECT_EQ(taken.wanted, 0u) << "there is more already";
}

RC_GTEST_PROP(Lengths, GiveBackWhatWasWritten,
              (const std::vector<std::string>& messages, std::uint8_t piece)) {
    std::vector<std::byte> input;
    for (const auto& message : messages) {
        input.push_back(static_cast<std::byte>(message.size() >> 8));
        input.push_back(static_cast<std::byte>(message.size() & 0xff));
        const auto text = octets(message);
        input.insert(input.end(), text.begin(), text.end());
    }
    const Read all = read<LengthsLayout>(input, piece + 1u);
    RC_ASSERT(all.messages == messages);
    RC_ASSERT(all.wrong.empty());
}

RC_GTEST_PROP(Layouts, NeverTakeMoreThanTheyWereShown,
              (const std::vector<std::uint8_t>& input, std::uint8_t piece, bool lines)) {
    std::vector<std::byte> bytes;
    for (const auto octet : input) bytes.push_back(static_cast<std::byte>(octet % 4));
    LengthsLayout lengths;
    LinesLayout text;
    const Read all = read_all(lines ? static_cast<Layout&>(text) : lengths, bytes, piece + 1u);
    std::size_t inside = 0;
    for (const auto& message : all.messages) inside += message.size();
    RC_ASSERT(inside <= all.octets);
    RC_ASSERT(all.octets == bytes.size() || !all.wrong.empty());
}

}  // namespace
}  // namespace joinleaf::app
