// What may be typed of a sequenced feed, and the one line that answers what may not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/apps/typed_line.h"

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kFeed = kRoot + "--framing moldudp64 ";
const std::string kFeedLeaf = kAnyLeaf + "--framing moldudp64 ";

TEST(FeedRoot, NeedsTheFramingAlone) {
    EXPECT_EQ(accepted<RootOptions>(kRoot).feed, std::nullopt);
    EXPECT_EQ(accepted<RootOptions>(kRoot + "--framing datagram").feed, std::nullopt);
    const auto root = accepted<RootOptions>(kFeed + "--rate 1000");
    EXPECT_EQ(root.publishing->packets_per_second, 0u) << "a feed's rate is one of messages";
    ASSERT_TRUE(root.feed);
    EXPECT_EQ(root.feed->session, "");
    EXPECT_THAT(root.feed->lines, IsEmpty());
    EXPECT_EQ(root.feed->source.format, InputFormat::lengths);
    EXPECT_EQ(root.feed->flush_at, std::nullopt);
    EXPECT_FALSE(root.feed->repair);
}

TEST(FeedRoot, TakesEverythingElse) {
    const auto feed =
        *accepted<RootOptions>(
             kFeed +
             "--session DAY1 --line 239.1.1.2:5000 --line 239.1.1.3:5000 --line-port ring:b "
             "--line-address 10.0.1.1/24 --input-format pcap --input-flow 233.54.12.1:26400 "
             "--pace x10 --flush-at 1000 --delay-us 50 --heartbeat-ms 500 --end-for-ms 100 "
             "--repair-listen 10.1.0.1:6000 --history-messages 1000 --history-octets 1000000 "
             "--repair-rate 1G --repair-leaf-rate 50M")
             .feed;
    EXPECT_EQ(feed.session, "DAY1");
    EXPECT_EQ(feed.lines.size(), 2u);
    EXPECT_EQ(feed.line_port->port, "ring:b");
    EXPECT_EQ(feed.line_port->address.to_string(), "10.0.1.1/24");
    EXPECT_EQ(feed.source.format, InputFormat::capture);
    EXPECT_EQ(feed.source.flow->to_string(), "233.54.12.1:26400");
    EXPECT_EQ(feed.flush_at, 1000u);
    EXPECT_EQ(feed.delay, 50us);
    EXPECT_EQ(feed.heartbeat, 500ms);
    EXPECT_EQ(feed.end_for, 100ms);
    EXPECT_EQ(feed.repair->listen.to_string(), "10.1.0.1:6000");
    EXPECT_EQ(feed.repair->rate, 1'000'000'000u);
    EXPECT_EQ(feed.repair->leaf_rate, 50'000'000u);
    EXPECT_EQ(feed.repair->messages, 1000u);
    EXPECT_EQ(feed.repair->octets, 1'000'000u);
}

TEST(FeedRoot, RefusesWhatIsNotOfAFeed) {
    EXPECT_THAT(refused(kRoot + "--framing udp"), HasSubstr("--framing: 'udp' will not do; use"));
    EXPECT_THAT(refused(kRoot + "--pace recorded"),
                HasSubstr("--pace is for a sequenced feed; add --framing moldudp64"));
    EXPECT_THAT(refused(kRoot + "--line 239.1.1.2:5000"), HasSubstr("add --framing moldudp64"));
    EXPECT_THAT(refused(kFeed + "--chunk 100"), HasSubstr("use --flush-at"));
    EXPECT_THAT(refused(kFeed + "--session elevenchars"), HasSubstr("one to ten"));
    EXPECT_THAT(refused(kFeed + "--flush-at 1473"), HasSubstr("from 21 to 1472"));
    EXPECT_THAT(refused(kFeed + "--history-messages 5"), HasSubstr("add --repair-listen"));
    EXPECT_THAT(refused(kFeed + "--repair-listen 239.1.1.1:5"), HasSubstr("cannot be listened at"));
    EXPECT_THAT(refused(kFeed + "--repair-listen 0.0.0.0:6000"), HasSubstr("name an address"));
    EXPECT_THAT(refused(kFeed + "--repair-listen 10.1.0.1:0"), HasSubstr("'0' is not a port"));
    EXPECT_THAT(refused(kFeed + "--repair-rate 1M"), HasSubstr("add --repair-listen"));
    EXPECT_THAT(refused(kFeed + "--repair-offer 10.1.0.3:6000"), HasSubstr("add --listen"));
    EXPECT_EQ(accepted<RootOptions>(kFeed + "--listen 10.1.0.1:7000 --repair-offer 10.1.0.3:6000")
                  .feed->offer->to_string(),
              "10.1.0.3:6000");
    EXPECT_THAT(refused("root --port null --address 10.0.0.1/24 --group 239.1.1.1:5000 --listen "
                        "10.1.0.1:7000 --output null --framing moldudp64"),
                HasSubstr("--input is missing; a feed has messages"));
}

TEST(FeedRoot, LinesAreEachAnother) {
    EXPECT_THAT(refused(kFeed + "--line 239.1.1.1:5000"), HasSubstr("is a line already"));
    EXPECT_THAT(refused(kFeed + "--line 239.1.1.2:5000 --line 239.1.1.2:5000"),
                HasSubstr("is a line already"));
    EXPECT_THAT(refused(kFeed + "--line-port ring:b --line-address 10.0.1.1/24"),
                HasSubstr("--line-port is for the lines after the first; add one"));
    EXPECT_THAT(refused(kFeed + "--line 239.1.1.2:5000 --line-port ring:b"),
                HasSubstr("--line-address is missing"));
    EXPECT_THAT(refused(kFeed + "--line 239.1.1.2:5000 --line-address 10.0.1.1/24"),
                HasSubstr("that of the --line-port"));
    EXPECT_THAT(
        refused(kFeed + "--line 239.1.1.2:5000 --line-port null --line-address 10.0.1.1/24"),
        HasSubstr("null is the --port already"));
    EXPECT_THAT(refused(kFeed + "--line 239.1.1.2:5000 --listen 10.1.0.1:7000 --fan-out replicate"),
                HasSubstr("--line and --fan-out replicate contradict each other"));
}

TEST(FeedRoot, KeepsToTimesOrToARate) {
    const FeedMessage first{{}, std::chrono::seconds(0)};
    const FeedMessage later{{}, std::chrono::seconds(8)};
    const auto wait = [&](const std::string& words) {
        Pace pace = accepted<RootOptions>(kFeed + words).feed->pace;
        (void)pace.wait(first, Instant{});
        pace.sent();
        return pace.wait(later, Instant{});
    };
    EXPECT_EQ(wait(""), 0s);
    EXPECT_EQ(wait("--rate 2"), 500ms);
    EXPECT_EQ(wait("--input-format pcap"), 8s);
    EXPECT_EQ(wait("--input-format pcap --pace recorded"), 8s);
    EXPECT_EQ(wait("--input-format pcapng --pace x0.5"), 16s);
    EXPECT_EQ(wait("--input-format pcap --pace full"), 0s);
    EXPECT_EQ(wait("--input-format pcap --rate 1"), 1s);
    EXPECT_THAT(refused(kFeed + "--pace x10"), HasSubstr("this input has no times; use --rate"));
    EXPECT_THAT(refused(kFeed + "--pace 10"), HasSubstr("--pace: '10' will not do"));
    EXPECT_THAT(refused(kFeed + "--input-format pcap --pace x0"), HasSubstr("will not do"));
    EXPECT_THAT(refused(kFeed + "--input-format pcap --pace xnan"), HasSubstr("will not do"));
    EXPECT_THAT(refused(kFeed + "--input-format pcap --pace x2 --rate 5"),
                HasSubstr("--pace and --rate contradict each other"));
    EXPECT_THAT(refused(kFeed + "--input-format itch"), HasSubstr("--input-format: 'itch'"));
    EXPECT_THAT(refused(kFeed + "--input-flow 239.1.1.1:5000"),
                HasSubstr("add --input-format pcap"));
}

TEST(FeedLeaf, TakesEachJoinForALine) {
    EXPECT_FALSE(accepted<LeafOptions>(kAnyLeaf).feed);
    const auto leaf = accepted<LeafOptions>(
        kFeedLeaf +
        "--join 239.1.1.2:5000 --session DAY1 --repair 10.1.0.1:6000 --start 7 --on-gap late "
        "--skew-us 50 --gap-deadline-ms 20 --output-format pcapng --line-port ring:b "
        "--line-address 10.0.1.2/24");
    EXPECT_EQ(leaf.groups.size(), 2u);
    const auto& feed = *leaf.feed;
    EXPECT_TRUE(feed.demanded);
    EXPECT_EQ(feed.options.session, "DAY1");
    EXPECT_EQ(feed.options.repair->server.to_string(), "10.1.0.1:6000");
    EXPECT_EQ(feed.options.start, StartAt::sequence);
    EXPECT_EQ(feed.options.start_sequence, 7u);
    EXPECT_EQ(feed.options.on_gap, GapPolicy::deliver_late);
    EXPECT_EQ(feed.options.skew, 50us);
    EXPECT_EQ(feed.options.gap_deadline, 20ms);
    EXPECT_EQ(feed.format, OutputFormat::pcapng);
    EXPECT_EQ(feed.line_port->port, "ring:b");

    const auto plain = *accepted<LeafOptions>(kFeedLeaf).feed;
    EXPECT_EQ(plain.options.start, StartAt::live);
    EXPECT_EQ(plain.options.on_gap, GapPolicy::skip);
    EXPECT_EQ(plain.options.skew, FeedReceiverOptions().skew);
    EXPECT_EQ(plain.options.gap_deadline, FeedReceiverOptions().gap_deadline);
    EXPECT_FALSE(plain.options.repair);
    EXPECT_EQ(plain.format, OutputFormat::lengths);
}

TEST(FeedLeaf, InARootsSessionIsWhatTheRootSays) {
    const auto asked = accepted<LeafOptions>(kLeaf + "--root 10.1.0.1:7000 --start history");
    EXPECT_FALSE(asked.feed->demanded);
    EXPECT_EQ(asked.feed->options.start, StartAt::history);
    EXPECT_TRUE(
        accepted<LeafOptions>(kLeaf + "--root 10.1.0.1:7000 --framing moldudp64").feed->demanded);
    EXPECT_FALSE(accepted<LeafOptions>(kLeaf + "--root 10.1.0.1:7000 --framing datagram").feed);
    EXPECT_EQ(accepted<LeafOptions>(kLeaf + "--root 10.1.0.1:7000 --repair 10.1.0.3:6000")
                  .feed->options.repair->server.to_string(),
              "10.1.0.3:6000");
}

TEST(FeedLeaf, RefusesWhatIsNotOfAFeed) {
    EXPECT_THAT(refused(kAnyLeaf + "--on-gap stop"), HasSubstr("add --framing moldudp64"));
    EXPECT_THAT(refused(kFeedLeaf + "--on-gap wait"), HasSubstr("--on-gap: 'wait' will not do"));
    EXPECT_THAT(refused(kFeedLeaf + "--start 0 --repair 10.1.0.1:6000"),
                HasSubstr("--start: '0' will not do"));
    EXPECT_THAT(refused(kFeedLeaf + "--start history"), HasSubstr("add --repair"));
    EXPECT_THAT(refused(kFeedLeaf + "--output-format itch"), HasSubstr("'itch' will not do"));
    EXPECT_THAT(refused(kFeedLeaf + "--send x"), HasSubstr("contradict each other"));
    EXPECT_THAT(refused(kFeedLeaf + "--line-port ring:b --line-address 10.0.1.2/24"),
                HasSubstr("give --join for each line"));
}

TEST(RepairOptions, AreThoseOfALeafThatAnswers) {
    const std::string base = "repair --port null --address 10.0.0.3/24 --join 239.1.1.1:5000 ";
    const auto repair = accepted<RepairOptions>(
        base + "--repair-listen 10.1.0.3:6000 --history-messages 7 --repair 10.1.0.1:6000");
    EXPECT_EQ(repair.serving.listen.to_string(), "10.1.0.3:6000");
    EXPECT_EQ(repair.serving.messages, 7u);
    EXPECT_EQ(repair.serving.octets, std::nullopt);
    EXPECT_EQ(repair.leaf.output, "null");
    EXPECT_TRUE(repair.leaf.feed->demanded);
    EXPECT_EQ(repair.leaf.feed->options.start, StartAt::history);
    EXPECT_EQ(accepted<RepairOptions>(base + "--repair-listen 10.1.0.3:6000 --start live")
                  .leaf.feed->options.start,
              StartAt::live);
    EXPECT_THAT(refused(base), HasSubstr("joinleaf repair: --repair-listen is missing"));
    EXPECT_THAT(
        refused("repair --port null --address 10.0.0.3/24 --repair-listen 10.1.0.3:6000"),
        testing::AllOf(HasSubstr("--join is missing"), testing::Not(HasSubstr("--listen to"))));
    EXPECT_THAT(refused(base + "--repair-listen 10.1.0.3:6000 --send x"),
                HasSubstr("not expected here"));
}

}  // namespace
}  // namespace joinleaf::app
