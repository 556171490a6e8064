// What is told of a sequenced feed.
#include <apps/joinleaf/report_feed.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

FeedTaken taken() {
    FeedTaken feed;
    feed.status.session = "DAY1";
    feed.status.next_sequence = 11;
    feed.status.delivered = 8;
    feed.status.gaps = 2;
    feed.status.lost = 3;
    feed.status.delivered_late = 1;
    feed.status.lines.resize(2);
    feed.status.lines[0].counters = {
        .packets = 5, .received = 7, .won = 6, .duplicates = 1, .lost = 3, .reordered = 0};
    feed.status.lines[1].skew.record(100ns);
    feed.status.repaired.won = 1;
    feed.status.recovery = {.requests = 2, .retries = 1, .given_up = 2, .answers = 1};
    feed.status.latency.record(5us);
    feed.lines = {"239.1.1.1:5000", "239.1.1.2:5000"};
    feed.missing.begin_session("DAY1");
    feed.missing.add(4, 1);
    feed.missing.add(7, 1);
    feed.octets = 90;
    return feed;
}

TEST(FeedJson, ProgressOfARoot) {
    Json status;
    add_progress({.messages = 10, .messages_per_second = 5, .part = 0.25, .eta_s = 30.0}, status);
    EXPECT_EQ(status.dump(), R"({"messages":10,"progress":0.25,"eta_s":30.0})");
    Json stream;
    add_progress({.messages = 10}, stream);
    EXPECT_EQ(stream.dump(), R"({"messages":10,"progress":null,"eta_s":null})");
}

TEST(FeedJson, ProgressOfALeaf) {
    Json status;
    add_progress(taken().status, status);
    EXPECT_EQ(status.dump(), R"({"messages":9,"gaps":2,"lost":2})");
}

TEST(FeedJson, OfALeaf) {
    const Json json = json_of(taken());
    EXPECT_EQ(json["session"], "DAY1");
    EXPECT_EQ(json["messages"], 9);
    EXPECT_EQ(json["late"], 1);
    EXPECT_EQ(json["missing"].dump(),
              R"({"messages":2,"list":[{"session":"DAY1","first":4,"count":1},)"
              R"({"session":"DAY1","first":7,"count":1}],"not_listed":0})");
    EXPECT_EQ(json["lines"][0].dump(),
              R"({"line":"239.1.1.1:5000","packets":5,"received":7,"won":6,"duplicates":1,)"
              R"("lost":3,"reordered":0,"skew_us":{"count":0,"p50":0.0,"p99":0.0,"p99_9":0.0,)"
              R"("max":0.0}})");
    EXPECT_EQ(json["lines"][1]["skew_us"]["max"], 0.1);
    EXPECT_EQ(json["repair"]["requests"], 2);
    EXPECT_EQ(json["repaired"]["won"], 1);
    EXPECT_EQ(json["latency_us"]["count"], 1);
    EXPECT_EQ(json["latency_us"]["max"], 5.0);
}

TEST(FeedJson, ListsAllRangesThatAreKeptAndCountsTheRest) {
    FeedTaken feed = taken();
    constexpr std::uint64_t kGaps = Missing::kMostKept + 5;
    for (std::uint64_t i = 0; i < kGaps; ++i) feed.missing.add(10 + 3 * i, 2);
    const Json missing = json_of(feed)["missing"];
    EXPECT_EQ(missing["list"].size(), Missing::kMostKept);
    EXPECT_EQ(missing["messages"], 2 + 2 * kGaps);
    EXPECT_EQ(missing["not_listed"], 2 * (2 + 5));
}

TEST(FeedJson, OfARoot) {
    FeedSent feed{.session = "DAY1", .messages = 3, .octets = 30, .behind = 1500us};
    EXPECT_EQ(json_of(feed).dump(),
              R"({"session":"DAY1","messages":3,"octets":30,"behind_ms":1.5})");
    feed.replay.emplace();
    feed.replay->frames = 7;
    feed.replay->line.missing = 2;
    EXPECT_EQ(json_of(feed)["capture"]["frames"], 7);
    EXPECT_EQ(json_of(feed)["capture"]["missing"], 2);
}

TEST(FeedJson, OfARepairServer) {
    RepairStatus repair{.endpoint = UdpEndpoint::parse("10.1.0.1:6000").value(),
                        .session = "DAY1",
                        .next_sequence = 9,
                        .messages = 4};
    repair.requests[static_cast<std::size_t>(RepairOutcome::answered)] = 2;
    const Json json = json_of(repair);
    EXPECT_EQ(json["at"], "10.1.0.1:6000");
    EXPECT_EQ(json["requests"].dump(), R"({"answered":2})");
    EXPECT_EQ(json["messages"], 4);
    EXPECT_EQ(json["next_sequence"], 9);
}

TEST(FeedText, TellsProgressRateAndTimeLeft) {
    EXPECT_EQ(
        text_of(FeedProgress{
            .messages = 1234567, .messages_per_second = 1.2e6, .part = 0.345, .eta_s = 3725.0}),
        " 34.5 %  1,234,567 messages  1.20 M/s  01:02:05 left");
    EXPECT_EQ(text_of(FeedProgress{.messages = 5, .messages_per_second = 950}),
              "5 messages  950 /s");
}

TEST(FeedText, NamesWhatIsMissing) {
    EXPECT_THAT(
        text_of(taken()),
        ElementsAre("session DAY1: 9 messages, 90 octets",
                    "  239.1.1.1:5000: 7 received, 6 won, 1 duplicates, 3 lost",
                    "  239.1.1.2:5000: 0 received, 0 won, 0 duplicates, 0 lost, behind by "
                    "0.1 us (p99 0.1 us)",
                    "  repaired: 1 messages in 1 answers to 2 requests",
                    "latency in this program: p50 5.0 us, p99 5.0 us, p99.9 5.0 us, most "
                    "5.0 us",
                    "2 messages are missing:", "  4 of session DAY1", "  7 of session DAY1"));
    FeedTaken many = taken();
    for (std::uint64_t i = 0; i < 30; ++i) many.missing.add(10 + 3 * i, 2);
    const auto lines = text_of(many);
    EXPECT_EQ(lines[lines.size() - 2], "  61 to 62 of session DAY1");
    EXPECT_EQ(lines.back(), "  and 24 more (--json and --gaps tell the ranges)");
    FeedTaken none = taken();
    none.missing = {};
    EXPECT_EQ(text_of(none).back(), "no message is missing");
}

}  // namespace
}  // namespace joinleaf::app
