// A root's feed is sent again to those who ask, over the kernel's UDP, and its admitted leaves are
// told what cannot be had any more.
#include <joinleaf/feed_publisher.h>
#include <joinleaf/feed_receiver.h>
#include <joinleaf/repair.h>
#include <net/moldudp64.h>
#include <tests/dpdk/sockets_under_test.h>
#include <tests/support/mold_packets.h>
#include <tests/support/udp_asker.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace joinleaf::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// What the runtime says to its operator.
class Lines {
public:
    void add(std::string_view line) {
        const std::lock_guard lock(mutex_);
        lines_.emplace_back(line);
    }
    [[nodiscard]] std::vector<std::string> with(std::string_view what) const {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> found;
        for (const auto& line : lines_) {
            if (line.find(what) != std::string::npos) found.push_back(line);
        }
        return found;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

RuntimeOptions telling(Lines& lines) {
    auto options = quiet({port("ring:repair", 1), port("ring:repair", 2)});
    options.log = [&lines](std::string_view line) { lines.add(line); };
    return options;
}

class RootedRepair : public testing::Test {
protected:
    Socket open_root() {
        auto options = root_options();
        options.sender.framing = Framing::moldudp64;
        auto root = runtime_.open(options);
        EXPECT_TRUE(root) << root.error().message();
        EXPECT_TRUE(root->listen(root_at_));
        return *root;
    }
    FeedPublisher publish_from(Socket& root) {
        auto feed = root.feed_publisher({.session = "S1",
                                         .heartbeat = 20ms,
                                         .history_messages = 1000,
                                         .repair = RepairServerOptions{repair_at_, {}}});
        EXPECT_TRUE(feed) << feed.error().message();
        return feed ? std::move(*feed) : FeedPublisher();
    }
    Socket open_leaf(std::string name) {
        SocketOptions options{.scheme = kRootedRooted, .port = 1, .receiver = &receiver_};
        options.admission.name = std::move(name);
        auto leaf = runtime_.open(options);
        EXPECT_TRUE(leaf) << leaf.error().message();
        return *leaf;
    }
    Member let_in(Socket& root, Socket leaf) {
        auto accepted = accepting(root);
        const auto joined = leaf.join_leaf(root_at_);
        EXPECT_TRUE(joined) << joined.error().message();
        auto at_root = accepted.get();
        EXPECT_TRUE(at_root) << at_root.error().message();
        EXPECT_TRUE(eventually([&] { return at_root->say({}).has_value(); }));
        return {std::move(leaf), *at_root};
    }
    /// Messages that are their own sequence numbers.
    static void publish(FeedPublisher& feed, std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            const net::BigEndian<std::uint64_t> number(feed.next_sequence());
            const auto message = std::as_bytes(std::span(&number, 1));
            ASSERT_TRUE(eventually([&] { return feed.publish(message); }));
        }
    }
    RepairStatus repair() {
        const auto repairs = runtime_.status().repairs;
        EXPECT_THAT(repairs, SizeIs(1));
        return repairs.at(0);
    }
    std::uint64_t count(RepairOutcome outcome) {
        return repair().requests[static_cast<std::size_t>(outcome)];
    }

    Lines lines_;
    const ControlEndpoint root_at_ = free_endpoint();
    const UdpEndpoint repair_at_ = UdpAsker::free_endpoint();
    Runtime runtime_ = Runtime::start(telling(lines_));
    Receiver receiver_ = *runtime_.open_receiver({.port = 1, .capacity = 2048});
};

TEST_F(RootedRepair, ALeafKnowsWhereToAskAndHearsWhatCannotBeHadAnyMore) {
    Socket root = open_root();
    auto feed = publish_from(root);
    publish(feed, 5000);
    ASSERT_TRUE(eventually([&] { return feed.in_flight() == 0; }));
    auto [leaf, at_root] = let_in(root, open_leaf("desk-7"));
    const auto offer = leaf.session().value();
    EXPECT_EQ(offer.framing, Framing::moldudp64);
    EXPECT_EQ(offer.repair, repair_at_);
    EXPECT_EQ(offer.first_sequence, 5001u);
    EXPECT_EQ(leaf.history_begins(), std::nullopt);

    const UdpAsker asker(*offer.repair);
    asker.ask("S1", 1, 10);
    ASSERT_TRUE(eventually([&] { return leaf.history_begins().has_value(); }));
    const auto begins = *leaf.history_begins();
    EXPECT_EQ(begins.session_name(), "S1");
    EXPECT_GT(begins.sequence, 4000u);
    EXPECT_EQ(begins, leaf.history_begins());  // it does not change by being read
    EXPECT_FALSE(asker.hear());
    asker.ask("S1", begins.sequence, 10);
    EXPECT_EQ(asker.hear(5s), mold_packet("S1", begins.sequence, 10));

    const RepairStatus status = repair();
    EXPECT_EQ(status.socket, static_cast<std::uint32_t>(root.id()));
    EXPECT_EQ(status.endpoint, repair_at_);
    EXPECT_EQ(status.session, "S1");
    EXPECT_EQ(status.history_begins, begins.sequence);
    EXPECT_EQ(status.next_sequence, 5001u);
    EXPECT_EQ(status.messages, 10u);
    EXPECT_EQ(status.told, 1u);
    EXPECT_EQ(count(RepairOutcome::too_old), 1u);
    EXPECT_EQ(count(RepairOutcome::answered), 1u);
    // All the while it is a member.
    EXPECT_TRUE(at_root.say(words("still there")));
}

TEST_F(RootedRepair, SomebodyElsesLateRequestsAreNotTheLeafs) {
    Socket root = open_root();
    auto feed = publish_from(root);
    publish(feed, 5000);
    auto [leaf, at_root] = let_in(root, open_leaf("desk-7"));
    const UdpAsker stranger(repair_at_, Ipv4Address(127, 0, 0, 5));
    stranger.ask("S1", 1, 10);
    ASSERT_TRUE(eventually([&] { return count(RepairOutcome::too_old) == 1; }));
    const UdpAsker own(repair_at_);
    EXPECT_EQ(repair().told, 0u);
    EXPECT_EQ(leaf.history_begins(), std::nullopt);
    own.ask("S1", 2, 10);
    EXPECT_TRUE(eventually([&] { return leaf.history_begins().has_value(); }));
}

TEST_F(RootedRepair, ALeafThatNeverStopsAskingIsNamedToTheOperatorOnce) {
    Socket root = open_root();
    auto feed = publish_from(root);
    publish(feed, 10);
    auto [leaf, at_root] = let_in(root, open_leaf("desk-7"));
    const UdpAsker asker(repair_at_);
    ASSERT_TRUE(eventually([&] {
        for (int i = 0; i < 100; ++i) asker.ask("S1", 1'000'000, 1);
        return count(RepairOutcome::quarantined) > 0;
    }));
    EXPECT_THAT(lines_.with("does not stop asking"),
                ElementsAre(HasSubstr("127.0.0.1 ('desk-7')")));
    const UdpAsker other(repair_at_, Ipv4Address(127, 0, 0, 2));
    other.ask("S1", 1, 10);
    EXPECT_EQ(other.hear(5s), mold_packet("S1", 1, 10));
    EXPECT_EQ(repair().quarantines, 1u);
}

// Neither the data of those who are in nor who comes in waits for those who ask.
TEST_F(RootedRepair, AFloodOfRequestsTakesNothingFromLiveData) {
    constexpr std::uint64_t kMessages = 20'000;
    Socket root = open_root();
    auto feed = publish_from(root);
    auto [leaf, at_root] = let_in(root, open_leaf("desk-7"));
    std::atomic<bool> over{false};
    std::thread flood([&] {
        const UdpAsker asker(repair_at_, Ipv4Address(127, 0, 0, 3));
        while (!over.load()) asker.ask("S1", 1, 1);
    });
    std::uint64_t next = 1;
    const auto take = [&] {
        receiver_.consume([&](std::span<const Datagram> datagrams) {
            for (const Datagram& datagram : datagrams) {
                std::vector<std::byte> payload(datagram.size());
                datagram.copy_to(payload);
                const auto packet = net::parse_mold(payload);
                ASSERT_TRUE(packet);
                if (packet->messages.empty()) continue;
                EXPECT_EQ(packet->sequence, next);
                next = packet->sequence + packet->messages.size();
            }
        });
    };
    while (feed.next_sequence() <= kMessages) {
        publish(feed, 100);
        take();
    }
    auto [late, late_at_root] = let_in(root, open_leaf("desk-8"));
    EXPECT_TRUE(eventually([&] {
        take();
        return next > kMessages;
    }));
    over = true;
    flood.join();
    EXPECT_GT(count(RepairOutcome::answered) + count(RepairOutcome::too_old) +
                  count(RepairOutcome::quarantined),
              100u);
}

TEST_F(RootedRepair, AFeedWhoseEndpointIsTakenDoesNotBegin) {
    auto taken = runtime_.open_repair_host({.server = {.endpoint = repair_at_}});
    ASSERT_TRUE(taken);
    Socket root = open_root();
    EXPECT_EQ(error_of(root.feed_publisher({.repair = RepairServerOptions{repair_at_, {}}})),
              std::errc::address_in_use);
    EXPECT_THAT(lines_.with(repair_at_.to_string()), SizeIs(1));
    EXPECT_EQ(root.session()->repair, std::nullopt);
    taken->close();
    EXPECT_TRUE(root.feed_publisher({.repair = RepairServerOptions{repair_at_, {}}}));
    EXPECT_EQ(error_of(root.feed_publisher({.repair = RepairServerOptions{repair_at_, {}}})),
              std::errc::device_or_resource_busy);
    EXPECT_EQ(root.session()->repair, repair_at_);
    root.close();
    EXPECT_THAT(runtime_.status().repairs, IsEmpty());
    EXPECT_TRUE(runtime_.open_repair_host({.server = {.endpoint = repair_at_}}));
}

TEST_F(RootedRepair, WhoWasLetInBeforeThereWasRepairIsNotToldOfIt) {
    Socket root = open_root();
    auto [leaf, at_root] = let_in(root, open_leaf("desk-7"));
    EXPECT_EQ(leaf.session()->repair, std::nullopt);
    auto feed = publish_from(root);
    publish(feed, 5000);
    const UdpAsker asker(repair_at_);
    asker.ask("S1", 1, 1);
    ASSERT_TRUE(eventually([&] { return count(RepairOutcome::too_old) == 1; }));
    EXPECT_EQ(repair().told, 0u);
    EXPECT_TRUE(at_root.say(words("still there")));
    EXPECT_EQ(leaf.history_begins(), std::nullopt);
}

// A leaf's whole life with repair: what was published before it came is had from the root.
class LateLeaf : public RootedRepair {
protected:
    /// What comes in order until `last` has.
    void receive_until(Socket& leaf, FeedReceiver& feed, std::uint64_t last) {
        ASSERT_TRUE(eventually([&] {
            if (const auto begins = leaf.history_begins()) {
                feed.history_begins(begins->session_name(), begins->sequence);
            }
            feed.poll([&](const FeedEvent& event) {
                if (event.kind == FeedEvent::Kind::gap) lost_ += event.count;
                if (event.kind != FeedEvent::Kind::messages) return;
                if (first_ == 0) first_ = next_ = event.first;
                for (const auto message : event.messages) {
                    EXPECT_EQ(mold_number(message), next_);
                    ++next_;
                }
            });
            return next_ > last;
        }));
    }
    FeedReceiver open_feed(const Socket& leaf, StartAt start) {
        const auto offer = leaf.session().value();
        FeedReceiverOptions options;
        options.lines = {{leaf.id(), &receiver_}};
        options.start = start;
        options.gap_deadline = 2s;
        options.repair = FeedRepairOptions{.server = {offer.repair->address, offer.repair->port}};
        auto feed = FeedReceiver::open(options);
        EXPECT_TRUE(feed) << feed.error().message();
        return feed ? std::move(*feed) : FeedReceiver();
    }

    std::uint64_t first_ = 0;
    std::uint64_t next_ = 0;
    std::uint64_t lost_ = 0;
};

TEST_F(LateLeaf, HasAllThatTheHistoryHolds) {
    Socket root = open_root();
    auto feed = publish_from(root);
    publish(feed, 900);
    ASSERT_TRUE(eventually([&] { return feed.in_flight() == 0; }));
    auto [leaf, at_root] = let_in(root, open_leaf("desk-7"));
    auto receiver = open_feed(leaf, StartAt::sequence);
    publish(feed, 50);
    receive_until(leaf, receiver, 950);
    EXPECT_EQ(first_, 1u);
    EXPECT_EQ(lost_, 0u);
    EXPECT_EQ(leaf.history_begins(), std::nullopt);
    EXPECT_GE(repair().messages, 900u);
}

TEST_F(LateLeaf, BeginsWithTheHistoryWhereTheRootSaysThatItBegins) {
    Socket root = open_root();
    auto feed = publish_from(root);
    publish(feed, 5000);
    ASSERT_TRUE(eventually([&] { return feed.in_flight() == 0; }));
    auto [leaf, at_root] = let_in(root, open_leaf("desk-7"));
    auto receiver = open_feed(leaf, StartAt::history);
    receive_until(leaf, receiver, 5000);
    EXPECT_EQ(first_, repair().history_begins);
    ASSERT_TRUE(leaf.history_begins());
    EXPECT_EQ(leaf.history_begins()->sequence, first_);
    EXPECT_EQ(lost_, 0u);
    publish(feed, 10);
    receive_until(leaf, receiver, 5010);
}

// A leaf that serves others, as `joinleaf repair` does.

FeedMessages numbered(std::vector<std::byte>& packet, std::uint64_t first, std::uint16_t count) {
    packet = mold_packet("S1", first, count);
    return net::parse_mold(packet)->messages;
}

TEST_F(RootedRepair, AHostSendsAgainWhatWasAppended) {
    auto host = runtime_.open_repair_host({.server = {.endpoint = repair_at_}});
    ASSERT_TRUE(host) << host.error().message();
    EXPECT_EQ(host->begin_session("more than ten"), failure(std::errc::invalid_argument));
    EXPECT_EQ(host->begin_session(""), failure(std::errc::invalid_argument));
    ASSERT_TRUE(host->begin_session("S1"));
    std::vector<std::byte> packet;
    host->append(100, numbered(packet, 100, 10));
    host->append(105, numbered(packet, 105, 10));  // five are known
    const UdpAsker asker(repair_at_);
    asker.ask("S1", 100, 15);
    EXPECT_EQ(asker.hear(5s), mold_packet("S1", 100, 15));
    asker.ask("S1", 99, 1);
    ASSERT_TRUE(eventually([&] { return count(RepairOutcome::too_old) == 1; }));
    EXPECT_EQ(repair().socket, 0u);

    host->append(200, numbered(packet, 200, 10));  // a gap forgets what is before it
    EXPECT_EQ(host->status()->history_begins, 200u);
    asker.ask("S1", 200, 10);
    EXPECT_EQ(asker.hear(5s), mold_packet("S1", 200, 10));

    ASSERT_TRUE(host->begin_session("S2"));
    asker.ask("S1", 200, 10);
    ASSERT_TRUE(eventually([&] { return count(RepairOutcome::other_session) == 1; }));
    EXPECT_EQ(host->status()->session, "S2");
    EXPECT_FALSE(asker.hear());
}

TEST_F(RootedRepair, AClosedHostHasLeftItsPortAndKeepsItsCounters) {
    auto host = runtime_.open_repair_host({.server = {.endpoint = repair_at_}});
    ASSERT_TRUE(host);
    ASSERT_TRUE(host->begin_session("S1"));
    std::vector<std::byte> packet;
    host->append(1, numbered(packet, 1, 10));
    const UdpAsker asker(repair_at_);
    asker.ask("S1", 1, 10);
    EXPECT_TRUE(asker.hear(5s));
    host->close();
    host->close();
    EXPECT_EQ(host->status()->messages, 10u);
    EXPECT_THAT(runtime_.status().repairs, IsEmpty());
    host->append(11, numbered(packet, 11, 10));
    auto again = runtime_.open_repair_host({.server = {.endpoint = repair_at_}});
    ASSERT_TRUE(again);
    EXPECT_EQ(error_of(runtime_.open_repair_host({.server = {.endpoint = repair_at_}})),
              std::errc::address_in_use);
    RepairLimits none;
    none.max_leaves = 0;
    EXPECT_EQ(error_of(runtime_.open_repair_host(
                  {.server = {.endpoint = UdpAsker::free_endpoint(), .limits = none}})),
              std::errc::invalid_argument);
    EXPECT_EQ(error_of(runtime_.open_repair_host({.server = {.endpoint = UdpAsker::free_endpoint()},
                                                  .history_octets = std::size_t{1} << 60})),
              std::errc::not_enough_memory);
    // A host may outlive its runtime.
    runtime_.stop();
    again->append(1, numbered(packet, 1, 10));
    EXPECT_EQ(again->status()->messages, 0u);
    EXPECT_EQ(error_of(runtime_.open_repair_host({.server = {.endpoint = repair_at_}})),
              std::errc::network_down);
    EXPECT_FALSE(RepairHost().status());
}

}  // namespace
}  // namespace joinleaf::test
