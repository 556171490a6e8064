// What an operator may say to a running root, whom it means, and who has sent how much.
#include <apps/joinleaf/commands.h>
#include <apps/joinleaf/sender_counts.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace joinleaf::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <class What>
What understood(std::string_view line) {
    const auto command = parse_command(line);
    if (!command) throw std::runtime_error(command.error());
    return std::get<What>(*command);
}

std::string refused(std::string_view line) {
    const auto command = parse_command(line);
    return command ? "understood" : command.error();
}

TEST(Command, IsAWordAndWhatItIsFor) {
    EXPECT_EQ(understood<ExpelLeaf>("expel desk-7").who, "desk-7");
    EXPECT_EQ(understood<ExpelLeaf>(" \texpel   a name with blanks \r").who, "a name with blanks");
    EXPECT_EQ(understood<InviteLeaf>("invite 10.1.0.2:7001").leaf.to_string(), "10.1.0.2:7001");
    understood<ListLeaves>("leaves");
    understood<TellHelp>("help ");
    understood<ReloadFiles>("reload");
    EXPECT_EQ(understood<WriteRecord>("record").path, "");
    EXPECT_EQ(understood<WriteRecord>("record  /a file.pcapng ").path, "/a file.pcapng");
}

TEST(Command, ThatIsWrongIsAnsweredWithTheCure) {
    EXPECT_EQ(refused("frob"), "'frob' is not a command; 'help' lists them");
    EXPECT_EQ(refused("EXPEL x"), "'EXPEL' is not a command; 'help' lists them");
    EXPECT_EQ(refused("leaves now"), "'now' is not expected behind 'leaves'; leave it out");
    EXPECT_THAT(refused("expel"), HasSubstr("say whom to expel"));
    EXPECT_THAT(refused("invite"), HasSubstr("as in 'invite 10.1.0.2:7001'"));
    EXPECT_THAT(refused("invite 10.1.0.2"), HasSubstr("invite: '10.1.0.2' has no port"));
    EXPECT_THAT(refused("invite 239.1.1.1:7000"), HasSubstr("is nobody's address"));
}

TEST(Command, HelpNamesThemAll) {
    std::string words;
    for (const auto& line : help_on_commands().lines) words += line.substr(0, line.find(' ')) + " ";
    EXPECT_EQ(words, "leaves expel  invite record  reload  help ");
}

TEST(CommandAnswer, EndsWithOkOrError) {
    auto answer = done("2 leaves");
    answer.lines = {"leaf 1", "leaf 2"};
    EXPECT_EQ(text_of(answer), "leaf 1\nleaf 2\nok: 2 leaves\n");
    EXPECT_EQ(text_of(not_done("no")), "error: no\n");
}

LeafFacts leaf(std::uint64_t number, std::string name, Ipv4Address address,
               std::string identity = "") {
    return {.number = number,
            .peer = {
                .name = std::move(name), .identity = std::move(identity), .data_address = address}};
}

const std::vector<LeafFacts> kLeaves{
    leaf(1, "desk-7", Ipv4Address(10, 0, 0, 1)),
    leaf(3, "desk-8", Ipv4Address(10, 0, 0, 2), "alice"),
    leaf(4, "desk-7", Ipv4Address(10, 0, 0, 3)),
    // Names as only somebody with something in mind has.
    leaf(5, "1", Ipv4Address(10, 0, 0, 4)),
    leaf(6, "10.0.0.2", Ipv4Address(10, 0, 0, 5)),
    leaf(7, "", Ipv4Address(10, 0, 0, 5)),
};

TEST(ChooseLeaf, ByNumberElseDataAddressElseNameOrIdentity) {
    EXPECT_EQ(choose_leaf("3", kLeaves), 1u);
    EXPECT_EQ(choose_leaf("10.0.0.3", kLeaves), 2u);
    EXPECT_EQ(choose_leaf("desk-8", kLeaves), 1u);
    EXPECT_EQ(choose_leaf("alice", kLeaves), 1u);
    EXPECT_EQ(choose_leaf("1", kLeaves), 0u) << "the number, whoever is called so";
    EXPECT_EQ(choose_leaf("10.0.0.2", kLeaves), 1u) << "the address, whoever is called so";
}

// A name proves nothing: nobody is expelled for another's name.
TEST(ChooseLeaf, ChoosesNoneOfSeveral) {
    EXPECT_EQ(choose_leaf("desk-7", kLeaves).error(),
              "'desk-7' fits 2 leaves; say which by its number: 1, 4");
    EXPECT_EQ(choose_leaf("10.0.0.5", kLeaves).error(),
              "'10.0.0.5' fits 2 leaves; say which by its number: 6, 7");
    EXPECT_EQ(choose_leaf("desk", kLeaves).error(),
              "no leaf here is 'desk'; 'leaves' lists those that are");
    EXPECT_THAT(choose_leaf("2", kLeaves).error(), HasSubstr("no leaf here is '2'"));
}

const Ipv4Address kOne(10, 0, 0, 1), kTwo(10, 0, 0, 2);

TEST(SenderCounts, AreByAddressInOrder) {
    SenderCounts counts;
    EXPECT_THAT(counts.all(), IsEmpty());
    counts.expect(kTwo, "two");
    counts.count(kTwo, 100);
    counts.count(kOne, 10);
    counts.count(kTwo, 100);
    const auto all = counts.all();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].address, kOne);
    EXPECT_FALSE(all[0].is_leaf);
    EXPECT_EQ(all[1].name, "two");
    EXPECT_TRUE(all[1].is_leaf);
    EXPECT_EQ(all[1].datagrams, 2u);
    EXPECT_EQ(all[1].octets, 200u);
    EXPECT_EQ(counts.of(kTwo)->datagrams, 2u);
}

// Its datagrams may come before the word of its joining.
TEST(SenderCounts, WhatALeafSentBeforeItWasKnownIsItsOwn) {
    SenderCounts counts;
    counts.count(kOne, 10);
    counts.expect(kOne, "one");
    ASSERT_EQ(counts.all().size(), 1u);
    EXPECT_EQ(counts.of(kOne)->name, "one");
    EXPECT_EQ(counts.of(kOne)->datagrams, 1u);
}

// M22: whoever sends to the group costs no more memory than that.
TEST(SenderCounts, StrangersBeyondTheMostAreCountedTogetherAndLeavesAreNot) {
    SenderCounts counts;
    for (std::uint32_t i = 0; i < SenderCounts::kMostStrangers + 5; ++i) {
        counts.count(Ipv4Address(0x0b000000 + i), 1);
    }
    counts.expect(kOne, "one");
    counts.count(kOne, 10);
    const auto all = counts.all();
    ASSERT_EQ(all.size(), SenderCounts::kMostStrangers + 2);
    EXPECT_TRUE(all.back().address.is_unspecified());
    EXPECT_EQ(all.back().datagrams, 5u);
    EXPECT_EQ(counts.of(kOne)->datagrams, 1u);
}

}  // namespace
}  // namespace joinleaf::app
