// Strangers at the gate: who goes first when there are too many, and who speaks too often.
#include <controlplane/gatekeeper.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <vector>

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};
constexpr Ipv4Address kHonest{192, 0, 2, 7};
constexpr Ipv4Address kGreedy{192, 0, 2, 66};
constexpr Ipv4Address kOther{198, 51, 100, 1};

constexpr ConnectionId id(std::uint64_t number) { return ConnectionId{number}; }

TEST(Gatekeeper, TheOldestOfTheGreediestAddressGoesFirst) {
    Gatekeeper gate({});
    EXPECT_EQ(gate.greediest(), std::nullopt);
    gate.opened(id(1), kHonest, kStart);
    gate.opened(id(2), kGreedy, kStart);
    gate.opened(id(3), kGreedy, kStart);
    EXPECT_EQ(gate.greediest(), id(2));
    gate.closed(id(2));
    EXPECT_EQ(gate.greediest(), id(1));  // equals: who has waited longest
    gate.closed(id(1));
    EXPECT_EQ(gate.greediest(), id(3));
    gate.closed(id(3));
    EXPECT_EQ(gate.greediest(), std::nullopt);
    EXPECT_EQ(gate.half_open(), 0u);
    EXPECT_EQ(gate.addresses(), 0u);
}

// An honest leaf behind the same address as a flood of bare connections.
TEST(Gatekeeper, OfOneAddressTheSilentGoBeforeThoseWhoSpeak) {
    Gatekeeper gate({});
    gate.opened(id(1), kGreedy, kStart);
    EXPECT_TRUE(gate.spoke(id(1), kStart));
    for (std::uint64_t i = 2; i < 10; ++i) gate.opened(id(i), kGreedy, kStart);
    for (std::uint64_t i = 2; i < 10; ++i) {
        EXPECT_EQ(gate.greediest(), id(i));
        gate.closed(id(i));
    }
    EXPECT_EQ(gate.greediest(), id(1));
}

TEST(Gatekeeper, WhoHasPassedIsNoStrangerAnyMore) {
    Gatekeeper gate({.within = 2s});
    gate.opened(id(1), kHonest, kStart);
    gate.passed(id(1));
    EXPECT_EQ(gate.half_open(), 0u);
    EXPECT_EQ(gate.next_deadline(), std::nullopt);
    EXPECT_EQ(gate.overdue(kStart + 1h), std::nullopt);
    gate.closed(id(1));
    EXPECT_EQ(gate.half_open(), 0u);
}

TEST(Gatekeeper, SpeakingDoesNotPutOffTheDeadline) {
    Gatekeeper gate({.within = 2s});
    gate.opened(id(1), kHonest, kStart);
    gate.opened(id(2), kHonest, kStart + 500ms);
    EXPECT_EQ(gate.next_deadline(), kStart + 2s);
    EXPECT_TRUE(gate.spoke(id(1), kStart + 1999ms));
    EXPECT_EQ(gate.overdue(kStart + 1999ms), std::nullopt);
    EXPECT_EQ(gate.overdue(kStart + 2s), id(1));
    gate.closed(id(1));
    EXPECT_EQ(gate.overdue(kStart + 2s), std::nullopt);
    EXPECT_EQ(gate.next_deadline(), kStart + 2500ms);
}

TEST(Gatekeeper, AnAddressSpeaksItsBurstAndThenAtItsRate) {
    Gatekeeper gate({.burst = 3, .per_second = 10});
    std::uint64_t last = 0;
    const auto speaks = [&](Ipv4Address from, Instant now) {
        gate.opened(id(++last), from, now);
        const bool may = gate.spoke(id(last), now);
        gate.closed(id(last));
        return may;
    };
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(speaks(kGreedy, kStart));
    EXPECT_FALSE(speaks(kGreedy, kStart));
    EXPECT_TRUE(speaks(kHonest, kStart));  // each address has its own
    EXPECT_FALSE(speaks(kGreedy, kStart + 99ms));
    EXPECT_TRUE(speaks(kGreedy, kStart + 100ms));
    EXPECT_FALSE(speaks(kGreedy, kStart + 100ms));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(speaks(kGreedy, kStart + 10s));
    EXPECT_FALSE(speaks(kGreedy, kStart + 10s));
}

TEST(Gatekeeper, OneConnectionTakesOneToken) {
    Gatekeeper gate({.burst = 1, .per_second = 1});
    gate.opened(id(1), kHonest, kStart);
    EXPECT_TRUE(gate.spoke(id(1), kStart));
    EXPECT_TRUE(gate.spoke(id(1), kStart));
    gate.opened(id(2), kHonest, kStart);
    EXPECT_FALSE(gate.spoke(id(2), kStart));
}

TEST(Gatekeeper, SilentConnectionsTakeNoToken) {
    Gatekeeper gate({.burst = 1, .per_second = 1});
    for (std::uint64_t i = 1; i <= 100; ++i) gate.opened(id(i), kHonest, kStart);
    EXPECT_TRUE(gate.spoke(id(100), kStart));
}

TEST(Gatekeeper, ARateOfNothingIsARateOfOne) {
    Gatekeeper gate({.burst = 0, .per_second = 0});
    gate.opened(id(1), kHonest, kStart);
    EXPECT_TRUE(gate.spoke(id(1), kStart));
}

// Addresses are kept as long as their buckets are not full, and no longer.
TEST(Gatekeeper, AddressesAreForgotten) {
    Gatekeeper gate({.burst = 2, .per_second = 2});
    std::uint64_t last = 0;
    for (std::uint32_t i = 0; i < 1000; ++i) {
        const Instant now = kStart + i * 10ms;
        // One that never rests, and one after another that comes once.
        for (const auto from : {kGreedy, Ipv4Address(0x0a000000 + i)}) {
            gate.opened(id(++last), from, now);
            const bool may = gate.spoke(id(last), now);
            EXPECT_TRUE(may || from == kGreedy);
            gate.closed(id(last));
        }
    }
    EXPECT_LT(gate.addresses(), 200u);  // 50 of them are not full yet
    for (std::uint32_t i = 0; i < 200; ++i) {
        gate.opened(id(++last), kOther, kStart + 1h);
        gate.closed(id(last));
    }
    EXPECT_EQ(gate.addresses(), 0u);
}

// Against a plain model: lists of who is there, searched from end to end.
RC_GTEST_PROP(Gatekeeper, AgreesWithAListThatIsSearched, ()) {
    struct Entry {
        Ipv4Address from;
        bool talks = false;
        std::uint64_t since = 0;
    };
    Gatekeeper gate({.burst = 1000, .per_second = 1000});
    std::map<std::uint64_t, Entry> model;
    std::uint64_t last = 0;
    std::uint64_t step = 0;
    for (int n = *rc::gen::inRange(0, 200); n > 0; --n, ++step) {
        const auto any = [&] {
            auto entry = model.begin();
            std::advance(entry, *rc::gen::inRange<std::size_t>(0, model.size()));
            return entry;
        };
        const int what = *rc::gen::inRange(0, 4);
        if (what == 0 && !model.empty()) {
            const auto entry = any();
            gate.closed(id(entry->first));
            model.erase(entry);
        } else if (what == 1 && !model.empty()) {
            const auto entry = any();
            RC_ASSERT(gate.spoke(id(entry->first), kStart));
            if (!entry->second.talks) entry->second.since = 1'000'000 + step;
            entry->second.talks = true;
        } else {
            const Ipv4Address from(0x0a000000u + *rc::gen::inRange<std::uint32_t>(0, 5));
            gate.opened(id(++last), from, kStart);
            model[last] = {from, false, last};
        }
        RC_ASSERT(gate.half_open() == model.size());
        std::map<Ipv4Address, std::size_t> counts;
        for (const auto& [number, entry] : model) ++counts[entry.from];
        std::size_t most = 0;
        for (const auto& [from, count] : counts) most = std::max(most, count);
        // The next to go of each of the greediest addresses; the lowest number of these.
        std::map<Ipv4Address, std::pair<std::uint64_t, std::uint64_t>> next;  // since, number
        for (const auto& [number, entry] : model) {
            if (counts[entry.from] != most) continue;
            const std::pair candidate{entry.since, number};
            const auto [at, added] = next.try_emplace(entry.from, candidate);
            if (!added) at->second = std::min(at->second, candidate);
        }
        std::optional<ConnectionId> expected;
        for (const auto& [from, candidate] : next) {
            if (!expected || id(candidate.second) < *expected) expected = id(candidate.second);
        }
        RC_ASSERT(gate.greediest() == expected);
    }
}

}  // namespace
}  // namespace joinleaf::controlplane
