// A hundred leaves that lose the same: what they ask for is spread in time, and what is sent again
// stays within its budget.
#include <controlplane/repair.h>
#include <dataplane/feed.h>
#include <gtest/gtest.h>

#include <list>
#include <map>
#include <memory>
#include <vector>

#include "tests/support/mold_packets.h"

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000h};
constexpr std::uint32_t kLeaves = 100;
constexpr std::uint16_t kMessages = 20;  // in each packet

class ManyLeaves : public testing::Test {
protected:
    ManyLeaves() {
        for (std::uint32_t i = 0; i < kLeaves; ++i) {
            leaves.push_back(std::make_unique<dataplane::Feed>(
                dataplane::FeedOptions{.arbiter = {.lines = 1}, .recovery = {.deadline = 500ms}},
                i));
        }
    }
    void publish(bool is_lost) {
        const auto& bytes = packets.emplace_back(test::mold_packet("S1", next, kMessages));
        log.append(next, net::parse_mold(bytes)->messages);
        next += kMessages;
        for (auto& leaf : leaves) {
            if (!is_lost) leaf->arrive(0, bytes, nullptr, now);
            take(*leaf);
        }
    }
    void take(dataplane::Feed& leaf) {
        dataplane::FeedItem item;
        while (leaf.next(item)) gaps += item.kind == dataplane::FeedItem::Kind::gap ? 1 : 0;
    }
    // All leaves ask whenever they like; the way there and back takes 50 microseconds.
    void run_for(Duration time) {
        for (const Instant end = now + time; now < end; now += 10us) {
            for (std::uint32_t i = 0; i < kLeaves; ++i) {
                if (const auto request = leaves[i]->advance(now)) serve(i, *request);
                take(*leaves[i]);
            }
            while (!answers.empty() && answers.begin()->first <= now) {
                const auto& [leaf, bytes] = answers.begin()->second;
                leaves[leaf]->arrive(dataplane::Arbiter::kRepair, packets.emplace_back(bytes),
                                     nullptr, now);
                take(*leaves[leaf]);
                answers.erase(answers.begin());
            }
        }
    }
    void serve(std::uint32_t leaf, const net::MoldRequest& request) {
        std::vector<std::byte> bytes(net::kMoldHeaderSize), out(1472);
        net::emit_mold_request(request, bytes.data());
        const auto answer = server->serve(log, Ipv4Address(0x0a000001 + leaf), bytes, out, now);
        busiest = std::max(busiest, ++asked_at[(now - kStart) / 100us]);
        if (answer.packet.empty()) return;
        out.resize(answer.packet.size());
        answers.emplace(now + 50us, std::pair(leaf, std::move(out)));
    }

    Instant now = kStart;
    std::vector<std::unique_ptr<dataplane::Feed>> leaves;
    std::list<std::vector<std::byte>> packets;
    std::multimap<Instant, std::pair<std::uint32_t, std::vector<std::byte>>> answers;
    std::map<std::int64_t, std::uint64_t> asked_at;
    std::uint64_t busiest = 0;
    std::uint64_t next = 1;
    std::uint64_t gaps = 0;
    dataplane::MessageLog log{net::MoldSession::from("S1").value(), 1 << 16, 1 << 20};
    std::optional<RepairServer> server{std::in_place, RepairOptions{}, kStart};
};

TEST_F(ManyLeaves, ThatLoseTheSameAllHaveItSoonAndDoNotAskAllAtOnce) {
    publish(false);
    publish(true);
    publish(false);
    run_for(5ms);
    for (const auto& leaf : leaves) EXPECT_EQ(leaf->arbiter().next_sequence(), next);
    EXPECT_EQ(gaps, 0u);
    EXPECT_EQ(server->counters().messages, std::uint64_t{kLeaves} * kMessages);
    EXPECT_LT(busiest, kLeaves / 2);
}

TEST_F(ManyLeaves, HaveNoMoreThanTheBudgetAndStillHaveAll) {
    constexpr std::uint64_t kBudget = 1'000'000;
    constexpr std::uint64_t kBurst = 5000;
    server.emplace(RepairOptions{.octets_per_second = kBudget, .burst_octets = kBurst}, kStart);
    publish(false);
    for (int i = 0; i < 3; ++i) publish(true);
    publish(false);
    for (int ms = 0; ms < 400; ++ms) {
        run_for(1ms);
        const auto elapsed = static_cast<std::uint64_t>((now - kStart) / 1us);
        ASSERT_LE(server->counters().octets, kBurst + kBudget * elapsed / 1'000'000 + 1472);
    }
    for (const auto& leaf : leaves) EXPECT_EQ(leaf->arbiter().next_sequence(), next);
    EXPECT_EQ(gaps, 0u);
    EXPECT_EQ(server->counters().quarantines, 0u);
    EXPECT_GT(server->count(RepairOutcome::total_limit), 0u);
}

}  // namespace
}  // namespace joinleaf::controlplane
