// The file that tells the next start what this process has joined.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/state_file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace joinleaf::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

const StateOwner kUs{.port = "eth1", .address = "10.0.0.2/24", .vlan = "100", .boot = "b-1"};
const GroupEndpoint kOne{GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)};
const GroupEndpoint kOneElsewhere{GroupAddress::of(239, 1, 1, 1), UdpPort::of(5001)};
const GroupEndpoint kTwo{GroupAddress::of(239, 1, 1, 2), UdpPort::of(5000)};
const auto kS1 = Ipv4Address(10, 0, 0, 5);
const auto kS2 = Ipv4Address(10, 0, 0, 6);

RecordedState with(std::vector<JoinedGroup> joined) {
    return {.owner = kUs, .alive_at = 1000, .joined = std::move(joined)};
}

TEST(StateText, IsReadAsItWasWritten) {
    for (const auto& state :
         {with({}), with({{kOne, SourceFilter::any()},
                          {kTwo, SourceFilter::only({kS1, kS2})},
                          {kOneElsewhere, SourceFilter(FilterMode::exclude, {kS1})}})}) {
        EXPECT_EQ(parse_state(write_state(state)), state);
    }
}

TEST(StateText, IsNotTakenWhenItIsDamaged) {
    const auto text = write_state(with({{kOne, SourceFilter::only({kS1})}}));
    for (std::size_t size = 0; size + 2 < text.size(); ++size) {
        EXPECT_FALSE(parse_state(text.substr(0, size))) << size;
    }
    const auto changed = [&](const std::string& from, const std::string& to) {
        auto other = text;
        other.replace(other.find(from), from.size(), to);
        return parse_state(other);
    };
    EXPECT_EQ(changed("\"joinleaf_state\": 1", "\"joinleaf_state\": 2").error(),
              "another version has written it");
    EXPECT_THAT(changed("239.1.1.1", "10.1.1.1").error(), HasSubstr("not a multicast group"));
    EXPECT_THAT(changed("10.0.0.5", "10.0.0").error(), HasSubstr("not an IPv4 address"));
    EXPECT_FALSE(changed("\"all_but\": false", "\"all_but\": 3"));
    EXPECT_FALSE(changed("\"boot\"", "\"boat\""));
}

TEST(OwedLeaves, AreOfWhatIsNotJoinedAgain) {
    const auto state = with({{kOne, SourceFilter::any()}, {kTwo, SourceFilter::only({kS1})}});
    EXPECT_THAT(owed_leaves(state, kUs, 1001, {}).value(),
                ElementsAre(Pair(kOne.group, SourceFilter::any()),
                            Pair(kTwo.group, SourceFilter::only({kS1}))));
    EXPECT_THAT(owed_leaves(state, kUs, 1001, {{kOne, SourceFilter::any()}}).value(),
                ElementsAre(Pair(kTwo.group, SourceFilter::only({kS1}))));
    // For other sources it has to be told.
    EXPECT_THAT(owed_leaves(state, kUs, 1001,
                            {{kOne, SourceFilter::any()}, {kTwo, SourceFilter::only({kS2})}})
                    .value(),
                ElementsAre(Pair(kTwo.group, SourceFilter::only({kS1}))));
    EXPECT_THAT(owed_leaves(state, kUs, 1001,
                            {{kOne, SourceFilter::any()}, {kTwo, SourceFilter::only({kS1})}})
                    .value(),
                IsEmpty());
}

// IGMP knows no ports.
TEST(OwedLeaves, AreOfEachGroupOnce) {
    EXPECT_THAT(owed_leaves(with({{kOne, SourceFilter::only({kS2})},
                                  {kOneElsewhere, SourceFilter::only({kS1})}}),
                            kUs, 1001, {})
                    .value(),
                ElementsAre(Pair(kOne.group, SourceFilter::only({kS1, kS2}))));
    EXPECT_THAT(
        owed_leaves(with({{kOne, SourceFilter::only({kS2})}, {kOneElsewhere, SourceFilter::any()}}),
                    kUs, 1001, {})
            .value(),
        ElementsAre(Pair(kOne.group, SourceFilter::any())));
}

TEST(OwedLeaves, AreNoneOfAStateThatIsNotOursOrForgotten) {
    const auto state = with({{kOne, SourceFilter::any()}});
    const auto why = [&](const StateOwner& us, std::int64_t now) {
        const auto owed = owed_leaves(state, us, now, {});
        return owed ? "" : owed.error();
    };
    EXPECT_EQ(why(kUs, 1260), "");
    EXPECT_THAT(why(kUs, 1261), HasSubstr("261 s old"));
    EXPECT_THAT(why(kUs, 999), HasSubstr("-1 s old"));
    auto other = kUs;
    other.boot = "b-2";
    EXPECT_EQ(why(other, 1001), "it is of before the machine was started");
    other = kUs;
    other.address = "10.0.0.3/24";
    EXPECT_EQ(why(other, 1001), "it is of 10.0.0.2/24 at port eth1 VLAN 100");
    other = kUs;
    other.port = "eth2";
    EXPECT_NE(why(other, 1001), "");
    other = kUs;
    other.vlan = "";
    EXPECT_NE(why(other, 1001), "");
}

class StateFiles : public ::testing::Test {
protected:
    ~StateFiles() override { std::filesystem::remove_all(folder_); }

    const std::filesystem::path folder_ = [] {
        std::string name = testing::TempDir() + "joinleaf-XXXXXX";
        return std::filesystem::path(::mkdtemp(name.data()));
    }();
    const std::string path_ = folder_ / "leaf.state";
};

TEST_F(StateFiles, GoWithTheirProcessUnlessItIsKilled) {
    {
        StateFile file(path_, kUs);
        EXPECT_EQ(file.read(), std::nullopt);
        file.write({{kOne, SourceFilter::any()}});
        const auto read = file.read().value();
        EXPECT_EQ(read->owner, kUs);
        EXPECT_THAT(read->joined, ElementsAre(JoinedGroup{kOne, SourceFilter::any()}));
        EXPECT_LE(StateFile::now() - read->alive_at, 1);
        EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
    }
    EXPECT_FALSE(std::filesystem::exists(path_));
}

// It may be another process's, which has the port that this one could not get.
TEST_F(StateFiles, StayWhenTheyWereOnlyRead) {
    std::ofstream(path_) << "{";
    {
        const StateFile file(path_, kUs);
        EXPECT_FALSE(*file.read());
    }
    EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(StateFiles, AreWrittenAgainNowAndThen) {
    using namespace std::chrono_literals;
    StateFile file(path_, kUs);
    file.refresh(Instant::clock::now());
    EXPECT_FALSE(std::filesystem::exists(path_));
    file.write({{kOne, SourceFilter::any()}});
    std::filesystem::remove(path_);
    file.refresh(Instant::clock::now() + 29s);
    EXPECT_FALSE(std::filesystem::exists(path_));
    file.refresh(Instant::clock::now() + 31s);
    EXPECT_THAT((*file.read())->joined, ElementsAre(JoinedGroup{kOne, SourceFilter::any()}));
}

TEST_F(StateFiles, ThatAreDirectoriesAreToldWithTheCure) {
    const auto failure_of = [](auto call) -> std::string {
        try {
            call();
            return "none";
        } catch (const Failure& failure) {
            return failure.what();
        }
    };
    EXPECT_EQ(failure_of([&] { StateFile::check(folder_); }),
              folder_.string() + " is a directory; name another file with --state");
    EXPECT_EQ(
        failure_of([&] { (void)StateFile(folder_, kUs).read(); }),
        "cannot read " + folder_.string() + ": Is a directory; name another file with --state");
    EXPECT_THAT(failure_of([&] { StateFile::check(folder_ / "nowhere" / "leaf.state"); }),
                HasSubstr("No such file or directory; name another file with --state"));
    EXPECT_EQ(failure_of([&] { StateFile::check(path_); }), "none");
}

TEST_F(StateFiles, ThatCannotBeWrittenAreToldWithTheCure) {
    StateFile file(folder_ / "nowhere" / "leaf.state", kUs);
    try {
        file.write({});
        FAIL();
    } catch (const Failure& failure) {
        EXPECT_THAT(failure.what(), HasSubstr("No such file or directory; name another file with "
                                              "--state"));
    }
}

}  // namespace
}  // namespace joinleaf::app
