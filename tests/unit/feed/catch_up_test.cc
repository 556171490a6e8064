// Leaves that come late, a repair server that has limits, and a network that may lose what they say
// to each other: all that can be had comes, and nobody is named who does not deserve it.
#include <controlplane/repair.h>
#include <dataplane/feed.h>
#include <gtest/gtest.h>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "tests/support/mold_packets.h"
#include "tests/unit/admission/simulation/chance.h"

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;
using dataplane::FeedItem;
using dataplane::StartAt;
using simulation::Chance;

constexpr Instant kStart{1000h};
constexpr std::uint16_t kMessages = 100;  // in each packet of the feed
constexpr std::uint64_t kMessageOctets = 10;
constexpr std::size_t kAnswer = 1472;

class CatchUp : public testing::Test {
protected:
    struct Leaf {
        Leaf(const dataplane::FeedOptions& options, std::uint64_t seed) : feed(options, seed) {}
        dataplane::Feed feed;
        std::optional<Instant> wake;
        std::optional<std::uint64_t> began;  // with this message
        std::uint64_t delivered = 0;
        std::vector<dataplane::SequenceRange> gaps;
        std::uint64_t requests = 0;
    };

    void add_leaf(StartAt start, std::uint64_t sequence = 1) {
        leaves.push_back(std::make_unique<Leaf>(
            dataplane::FeedOptions{
                .arbiter = {.lines = 1, .start = start, .start_sequence = sequence}},
            leaves.size()));
    }
    // One packet of the feed, for all that are there.
    void publish() {
        const auto& bytes = packets.emplace_back(test::mold_packet("S1", next, kMessages));
        log->append(next, net::parse_mold(bytes)->messages);
        next += kMessages;
        for (auto& leaf : leaves) {
            leaf->feed.arrive(0, bytes, nullptr, now);
            turn(*leaf);
        }
    }
    void publish_all(std::uint64_t packets_of_it) {
        for (std::uint64_t i = 0; i < packets_of_it; ++i) {
            packets.clear();
            publish();
        }
    }
    void take(Leaf& leaf) {
        FeedItem item;
        while (leaf.feed.next(item)) {
            if (item.kind == FeedItem::Kind::messages) {
                if (!leaf.began) leaf.began = item.first;
                leaf.delivered += item.count;
            }
            if (item.kind == FeedItem::Kind::gap) {
                leaf.gaps.push_back({item.first, item.first + item.count});
            }
        }
    }
    void turn(Leaf& leaf) {
        take(leaf);
        while (const auto request = leaf.feed.advance(now)) {
            ++leaf.requests;
            if (!chance.percent(loss_percent)) {
                at(now + delay, [this, &leaf, request = *request] { serve(leaf, request); });
            }
            take(leaf);
        }
        take(leaf);
        const auto due = leaf.feed.next_deadline();
        if (!due) return;
        const Instant when = std::max(*due, now + 1us);
        if (leaf.wake && *leaf.wake > now && *leaf.wake <= when) return;
        leaf.wake = when;
        at(when, [this, &leaf, when] {
            if (leaf.wake == when) turn(leaf);
        });
    }
    void serve(Leaf& leaf, const net::MoldRequest& request) {
        if (is_dead) return;
        std::vector<std::byte> bytes(net::kMoldHeaderSize), out(kAnswer);
        net::emit_mold_request(request, bytes.data());
        const auto answer = server->serve(*log, address_of(leaf), bytes, out, now);
        if (answer.packet.empty() || chance.percent(loss_percent)) return;
        out.resize(answer.packet.size());
        at(now + delay, [this, &leaf, out = std::move(out)]() mutable {
            leaf.feed.arrive(dataplane::Arbiter::kRepair, packets.emplace_back(std::move(out)),
                             nullptr, now);
            turn(leaf);
        });
    }
    [[nodiscard]] Ipv4Address address_of(const Leaf& leaf) const {
        const auto found = std::ranges::find(leaves, &leaf, &std::unique_ptr<Leaf>::get);
        return Ipv4Address(0x0a000001 + static_cast<std::uint32_t>(found - leaves.begin()));
    }
    void at(Instant when, std::function<void()> what) { events.emplace(when, std::move(what)); }
    void run_for(Duration time) {
        const Instant end = now + time;
        while (!events.empty() && events.begin()->first <= end) {
            now = std::max(now, events.begin()->first);
            const auto what = std::move(events.begin()->second);
            events.erase(events.begin());
            what();
        }
        now = end;
    }
    void keep_last(std::size_t messages) {
        log = std::make_unique<dataplane::MessageLog>(net::MoldSession::from("S1").value(),
                                                      messages, messages * kMessageOctets);
    }
    void use(const RepairLimits& limits) { server.emplace(limits, kStart); }
    [[nodiscard]] std::uint64_t refused() const {
        return server->count(RepairOutcome::leaf_limit) + server->count(RepairOutcome::total_limit);
    }

    Instant now = kStart;
    Duration delay = 50us;  // each way
    unsigned loss_percent = 0;
    bool is_dead = false;
    Chance chance{1};
    std::multimap<Instant, std::function<void()>> events;
    std::vector<std::unique_ptr<Leaf>> leaves;
    std::list<std::vector<std::byte>> packets;
    std::uint64_t next = 1;
    std::unique_ptr<dataplane::MessageLog> log = std::make_unique<dataplane::MessageLog>(
        net::MoldSession::from("S1").value(), 1 << 20, 1 << 24);
    std::optional<RepairServer> server{std::in_place, RepairLimits{}, kStart};
};

TEST_F(CatchUp, OfMuchMoreThanTheLimitAllowsAtOnceGoesAtTheLimit) {
    use({.leaf_octets_per_second = 2'500'000, .leaf_burst_octets = 64 * 1024});
    publish_all(5000);
    add_leaf(StartAt::history);
    publish();
    run_for(1900ms);
    EXPECT_GT(leaves[0]->delivered, 400'000u);
    run_for(10s);
    EXPECT_EQ(leaves[0]->delivered, next - 1);
    EXPECT_TRUE(leaves[0]->gaps.empty());
    EXPECT_EQ(server->counters().quarantines, 0u);
    // It has learnt the limit: few are asked in vain.
    EXPECT_LT(refused(), server->count(RepairOutcome::answered) / 4);
}

TEST_F(CatchUp, OfManyAtOnceSharesWhatThereIs) {
    constexpr std::size_t kLeaves = 100;
    use({.octets_per_second = 5'000'000, .burst_octets = 64 * 1024});
    publish_all(50);
    for (std::size_t i = 0; i < kLeaves; ++i) add_leaf(StartAt::history);
    publish();
    // 100 times 51 kB at 5 MB/s are a second; what is asked in vain costs some of it.
    run_for(1500ms);
    std::size_t done = 0;
    for (const auto& leaf : leaves) done += leaf->delivered == next - 1 ? 1 : 0;
    EXPECT_GT(done, kLeaves * 3 / 4);
    run_for(10s);
    for (const auto& leaf : leaves) {
        EXPECT_EQ(leaf->delivered, next - 1);
        EXPECT_TRUE(leaf->gaps.empty());
    }
    EXPECT_EQ(server->counters().quarantines, 0u);
}

TEST_F(CatchUp, GoesOnWhenAFifthOfAllIsLost) {
    publish_all(1000);
    add_leaf(StartAt::history);
    loss_percent = 20;
    publish();
    run_for(20s);
    EXPECT_EQ(leaves[0]->delivered, next - 1);
    EXPECT_TRUE(leaves[0]->gaps.empty());
    EXPECT_EQ(server->counters().quarantines, 0u);
}

TEST_F(CatchUp, IsNotHarmedByWhoFloodsAndIsNamed) {
    constexpr Ipv4Address kFlooder(10, 9, 9, 9);
    use({.leaf_octets_per_second = 2'500'000, .leaf_burst_octets = 64 * 1024});
    publish_all(1000);
    add_leaf(StartAt::history);
    publish();
    std::vector<std::byte> request(net::kMoldHeaderSize), out(kAnswer);
    int named = 0;
    // What it asks for is there, and it never asks for the same twice in a row.
    for (std::uint64_t i = 0; i < 200'000; ++i) {
        run_for(50us);
        net::emit_mold_request({net::MoldSession::from("S1").value(), 1 + i * 1009 % 50'000, 100},
                               request.data());
        named += server->serve(*log, kFlooder, request, out, now).to_be_named ? 1 : 0;
    }
    EXPECT_EQ(named, 1);
    EXPECT_GT(server->count(RepairOutcome::quarantined), 100'000u);
    EXPECT_EQ(leaves[0]->delivered, next - 1);
    EXPECT_EQ(server->counters().quarantines, 1u);
}

TEST_F(CatchUp, FromAServerThatDiesIsGivenUpOnceAndNotSlowlyForEachHole) {
    publish_all(1000);
    add_leaf(StartAt::history);
    publish();
    run_for(20ms);
    is_dead = true;
    for (int i = 0; i < 10; ++i) {
        next += kMessages;  // the line loses it
        publish();
    }
    run_for(5s);
    EXPECT_EQ(leaves[0]->feed.arbiter().next_sequence(), next);
    EXPECT_EQ(leaves[0]->gaps.size(), 11u);
}

// ---- Where the history begins ----

TEST_F(CatchUp, BeginsWithTheOldestThatAServerWithoutAWordForItHas) {
    for (const std::size_t kept : {1u << 7, 1u << 10, 1u << 13}) {
        keep_last(kept);
        publish_all(200);
        add_leaf(StartAt::history);
        publish();
        const std::uint64_t oldest = log->range().first;
        ASSERT_GT(oldest, 1u);
        run_for(5s);
        const Leaf& leaf = *leaves.back();
        EXPECT_EQ(leaf.began, oldest);
        EXPECT_EQ(leaf.delivered, next - oldest);
        EXPECT_TRUE(leaf.gaps.empty());
        EXPECT_LT(leaf.requests, 120u);
        leaves.clear();
        events.clear();
        next = 1;
    }
}

TEST_F(CatchUp, FromASequenceThatIsGoneTellsExactlyWhatIs) {
    keep_last(8192);
    publish_all(200);
    add_leaf(StartAt::sequence, 1001);
    publish();
    run_for(5s);
    const Leaf& leaf = *leaves[0];
    const std::uint64_t oldest = log->range().first;
    EXPECT_EQ(leaf.gaps, (std::vector<dataplane::SequenceRange>{{1001, oldest}}));
    EXPECT_EQ(leaf.began, oldest);
    EXPECT_EQ(leaf.delivered, next - oldest);
}

TEST_F(CatchUp, FindsTheBeginningThoughAFifthOfAllIsLost) {
    std::size_t exact = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        chance = Chance(seed);
        loss_percent = 20;
        next = 1;
        keep_last(8192);
        publish_all(120);
        add_leaf(StartAt::history);
        publish();
        const std::uint64_t oldest = log->range().first;
        run_for(20s);
        const Leaf& leaf = *leaves.back();
        EXPECT_EQ(leaf.feed.arbiter().next_sequence(), next);
        EXPECT_TRUE(leaf.gaps.empty()) << seed;
        exact += leaf.began == oldest ? 1 : 0;
        leaves.clear();
        events.clear();
    }
    EXPECT_GE(exact, 98u);
}

TEST_F(CatchUp, FindsTheBeginningWhileItMoves) {
    keep_last(8192);
    publish_all(200);
    add_leaf(StartAt::history);
    publish();
    const std::uint64_t oldest = log->range().first;
    for (int i = 0; i < 50; ++i) {
        run_for(50ms);
        publish();
    }
    run_for(5s);
    const Leaf& leaf = *leaves[0];
    EXPECT_TRUE(leaf.gaps.empty());
    ASSERT_TRUE(leaf.began);
    EXPECT_GE(*leaf.began, oldest);
    EXPECT_LT(*leaf.began, oldest + 4096);
    EXPECT_EQ(leaf.delivered, next - *leaf.began);
}

TEST_F(CatchUp, FromAServerThatIsFarAwayFindsTheBeginningToo) {
    delay = 40ms;
    keep_last(8192);
    publish_all(200);
    add_leaf(StartAt::history);
    publish();
    run_for(60s);
    EXPECT_EQ(leaves[0]->began, log->range().first);
    EXPECT_TRUE(leaves[0]->gaps.empty());
}

TEST_F(CatchUp, FromAServerThatIsSilentIsGivenUp) {
    is_dead = true;
    publish_all(200);
    add_leaf(StartAt::sequence, 101);
    publish();
    run_for(4s);
    EXPECT_EQ(leaves[0]->gaps, (std::vector<dataplane::SequenceRange>{{101, next - kMessages}}));
    EXPECT_EQ(leaves[0]->delivered, kMessages);
    EXPECT_LT(leaves[0]->requests, 100u);
}

}  // namespace
}  // namespace joinleaf::controlplane
