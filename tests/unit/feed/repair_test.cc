// Who is answered, with what, and who is not.
#include <controlplane/repair.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "tests/support/mold_packets.h"

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Ge;
using testing::Le;
using enum RepairOutcome;

constexpr Instant kStart{1000h};
constexpr Ipv4Address kLeaf(10, 0, 0, 1);

class Repair : public testing::Test {
protected:
    Repair() { publish(1, 1000); }

    void publish(std::uint64_t first, std::uint16_t count) {
        const auto bytes = test::mold_packet("S1", first, count);
        log.append(first, net::parse_mold(bytes)->messages);
    }
    void use(RepairLimits limits) { server = RepairServer(limits, kStart); }
    RepairAnswer ask(std::uint64_t sequence, std::uint16_t count, Ipv4Address leaf = kLeaf,
                     std::string_view session = "S1") {
        std::vector<std::byte> request(net::kMoldHeaderSize);
        net::emit_mold_request({net::MoldSession::from(session).value(), sequence, count},
                               request.data());
        return ask_octets(request, leaf);
    }
    RepairAnswer ask_octets(std::span<const std::byte> request, Ipv4Address leaf = kLeaf) {
        return server.serve(log, leaf, request, out_, now);
    }

    Instant now = kStart;
    dataplane::MessageLog log{net::MoldSession::from("S1").value(), 512, 1 << 20};
    RepairServer server{{}, kStart};

private:
    std::array<std::byte, 2048> out_{};
};

TEST_F(Repair, AnAnswerIsOnePacketWithWhatWasAskedFor) {
    const auto answer = ask(600, 3);
    EXPECT_EQ(answer.outcome, answered);
    EXPECT_EQ(std::vector(answer.packet.begin(), answer.packet.end()),
              test::mold_packet("S1", 600, 3));
    EXPECT_EQ(server.counters().messages, 3u);
    EXPECT_EQ(server.counters().octets, 50u);
}

TEST_F(Repair, AnAnswerHasNoMoreThanFits) {
    const auto answer = ask(600, 0xffff);
    const auto packet = net::parse_mold(answer.packet);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->sequence, 600u);
    EXPECT_EQ(packet->messages.size(), (1472u - 20) / 10);
}

TEST_F(Repair, WhatIsNotPublishedYetIsNotAnswered) {
    EXPECT_EQ(ask(1001, 1).outcome, not_yet);
    EXPECT_EQ(net::parse_mold(ask(1000, 5).packet)->messages.size(), 1u);
}

TEST_F(Repair, WhatIsTooOldIsRefusedAndToldWhereTheHistoryBegins) {
    const std::uint64_t begins = log.range().first;
    ASSERT_GT(begins, 480u);
    const auto answer = ask(begins - 1, 5);
    EXPECT_EQ(answer.outcome, too_old);
    EXPECT_EQ(answer.history_begins, begins);
    EXPECT_EQ(ask(begins, 1).outcome, answered);
    EXPECT_EQ(server.count(too_old), 1u);
}

TEST_F(Repair, AMessageThatNoAnswerHoldsIsGone) {
    use({.capacity = 29});
    const auto answer = ask(600, 1);
    EXPECT_EQ(answer.outcome, too_old);
    EXPECT_EQ(answer.history_begins, 601u);
}

TEST_F(Repair, AnotherSessionAndNonsenseAreRefused) {
    EXPECT_EQ(ask(600, 1, kLeaf, "S2").outcome, other_session);
    EXPECT_EQ(ask(600, 0).outcome, malformed);
    EXPECT_EQ(ask_octets({}).outcome, malformed);
}

TEST_F(Repair, WhoeverAsksAgainTooSoonIsNotAnswered) {
    EXPECT_EQ(ask(600, 10).outcome, answered);
    now += 999us;
    EXPECT_EQ(ask(600, 10).outcome, duplicate);
    EXPECT_EQ(ask(609, 10).outcome, duplicate);
    EXPECT_EQ(ask(610, 10).outcome, answered);
    EXPECT_EQ(ask(610, 10, Ipv4Address(10, 0, 0, 2)).outcome, answered);
    now += 1ms;
    EXPECT_EQ(ask(610, 10).outcome, answered);
}

TEST_F(Repair, ALeafHasNoMoreThanItsShare) {
    use({.leaf_octets_per_second = 100'000,
         .leaf_burst_octets = 3000,
         .refusals_per_second = 1'000'000,
         .burst_refusals = 1'000'000});
    for (; now < kStart + 1s; now += 10us) {
        ask(500 + static_cast<std::uint64_t>((now - kStart) / 10us) % 2 * 200, 0xffff);
    }
    EXPECT_THAT(server.counters().octets, AllOf(Ge(100'000u), Le(103'000u + 1472)));
    EXPECT_GT(server.count(leaf_limit), 0u);
    EXPECT_EQ(ask(700, 1, Ipv4Address(10, 0, 0, 2)).outcome, answered);
}

TEST_F(Repair, AllLeavesTogetherHaveNoMoreThanTheirs) {
    use({.octets_per_second = 100'000, .burst_octets = 3000});
    for (std::uint32_t i = 0; i < 100'000; ++i, now += 10us) {
        ask(600, 0xffff, Ipv4Address(0x0a000000 + i % 1000));
    }
    EXPECT_THAT(server.counters().octets, AllOf(Ge(100'000u), Le(103'000u + 1472)));
    EXPECT_GT(server.count(total_limit), 0u);
}

TEST_F(Repair, ALeafThatNeverStopsAskingIsPutIntoQuarantineAndNamedOnce) {
    use({.refusals_per_second = 10, .burst_refusals = 20, .quarantine = 10s});
    int named = 0;
    for (int i = 0; i < 1000; ++i, now += 1ms) named += ask(5000, 1).to_be_named ? 1 : 0;
    EXPECT_EQ(named, 1);
    EXPECT_TRUE(server.is_quarantined(kLeaf, now));
    EXPECT_EQ(ask(600, 1).outcome, quarantined);
    EXPECT_EQ(ask(600, 1, Ipv4Address(10, 0, 0, 2)).outcome, answered);
    now += 10s;
    EXPECT_FALSE(server.is_quarantined(kLeaf, now));
    EXPECT_EQ(ask(600, 1).outcome, answered);
    EXPECT_EQ(server.counters().quarantines, 1u);
}

TEST_F(Repair, WhoMeetsALimitHasMorePatienceThanWhoAsksForNothing) {
    use({.leaf_octets_per_second = 1, .leaf_burst_octets = 1, .refusals_per_second = 10});
    EXPECT_EQ(ask(600, 0xffff).outcome, answered);
    now += 1ms;
    // 400 refusals per second by a limit are borne for ever.
    for (int i = 0; i < 20'000; ++i, now += 2500us) {
        EXPECT_EQ(ask(700, 1).outcome, leaf_limit);
    }
    for (int i = 0; i < 25'000; ++i, now += 100us) ask(700, 1);
    EXPECT_TRUE(server.is_quarantined(kLeaf, now));
    EXPECT_EQ(server.counters().quarantines, 1u);
}

TEST_F(Repair, ALeafThatIsRefusedNowAndThenIsLeftInPeace) {
    for (int i = 0; i < 10'000; ++i, now += 20ms) ask(5000, 1);
    EXPECT_EQ(server.counters().quarantines, 0u);
}

TEST_F(Repair, NoMoreLeavesAreKeptThanThereIsRoomFor) {
    use({.max_leaves = 10});
    for (std::uint32_t i = 0; i < 1000; ++i) ask(600, 1, Ipv4Address(0x0a000000 + i));
    EXPECT_EQ(server.leaves(), 10u);
    EXPECT_EQ(server.counters().forgotten, 990u);
}

TEST_F(Repair, EveryOutcomeHasANameOfItsOwn) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kRepairOutcomeCount; ++i) {
        names.insert(name(static_cast<RepairOutcome>(i)));
    }
    EXPECT_EQ(names.size(), kRepairOutcomeCount);
    EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace joinleaf::controlplane
