// The group table against a model, and against keys chosen to hurt it.
#include <dataplane/group_table.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace joinleaf::dataplane {
namespace {

GroupKey key(std::uint32_t destination, std::uint32_t port = 5000) {
    return {Ipv4Address(destination), static_cast<std::uint16_t>(port)};
}

// The table keeps pointers and never looks behind them; a number will do for one.
Subscription* value(std::uintptr_t number) { return reinterpret_cast<Subscription*>(number); }

TEST(GroupTable, FindsWhatWasInserted) {
    GroupTable table(4);
    EXPECT_EQ(table.find(key(0xe0000001)), nullptr);
    EXPECT_TRUE(table.insert(key(0xe0000001, 1), value(10)));
    EXPECT_TRUE(table.insert(key(0xe0000001, 2), value(20)));
    EXPECT_TRUE(table.insert(key(0xe0000002, 1), value(30)));
    EXPECT_EQ(table.find(key(0xe0000001, 1)), value(10));
    EXPECT_EQ(table.find(key(0xe0000001, 2)), value(20));
    EXPECT_EQ(table.find(key(0xe0000002, 1)), value(30));
    EXPECT_EQ(table.find(key(0xe0000002, 2)), nullptr);
    EXPECT_EQ(table.size(), 3u);
}

TEST(GroupTable, InsertingAgainReplaces) {
    GroupTable table(1);
    EXPECT_TRUE(table.insert(key(0xe0000001), value(1)));
    EXPECT_TRUE(table.insert(key(0xe0000001), value(2)));
    EXPECT_EQ(table.find(key(0xe0000001)), value(2));
    EXPECT_EQ(table.size(), 1u);
}

TEST(GroupTable, AFullTableSaysSoAndKeepsWhatItHas) {
    GroupTable table(2);
    EXPECT_TRUE(table.insert(key(0xe0000001), value(1)));
    EXPECT_TRUE(table.insert(key(0xe0000002), value(2)));
    EXPECT_FALSE(table.insert(key(0xe0000003), value(3)));
    EXPECT_EQ(table.find(key(0xe0000003)), nullptr);
    EXPECT_TRUE(table.insert(key(0xe0000002), value(22)));
    EXPECT_TRUE(table.erase(key(0xe0000001)));
    EXPECT_TRUE(table.insert(key(0xe0000003), value(3)));
    EXPECT_EQ(table.find(key(0xe0000002)), value(22));
    EXPECT_EQ(table.find(key(0xe0000003)), value(3));
}

TEST(GroupTable, ATableForNothingHoldsNothing) {
    GroupTable table(0);
    EXPECT_FALSE(table.insert(key(0xe0000001), value(1)));
    EXPECT_EQ(table.find(key(0xe0000001)), nullptr);
    EXPECT_FALSE(table.erase(key(0xe0000001)));
}

TEST(GroupTable, TheZeroKeyIsAKeyLikeAnyOther) {
    GroupTable table(1);
    EXPECT_EQ(table.find(key(0, 0)), nullptr);
    EXPECT_FALSE(table.erase(key(0, 0)));
    EXPECT_TRUE(table.insert(key(0, 0), value(7)));
    EXPECT_EQ(table.find(key(0, 0)), value(7));
}

TEST(GroupTable, MoreKeysThanMemoryCanHoldThrows) {
    EXPECT_THROW(GroupTable(std::size_t{1} << 40), std::system_error);
}

// Against std::unordered_map, with few keys so that they meet often.

RC_GTEST_PROP(GroupTable, BehavesLikeAMap, ()) {
    constexpr std::size_t kCapacity = 24;
    GroupTable table(kCapacity);
    std::unordered_map<std::uint32_t, Subscription*> model;
    const auto steps = *rc::gen::container<std::vector<std::pair<std::uint32_t, bool>>>(
        rc::gen::pair(rc::gen::inRange<std::uint32_t>(0, 40), rc::gen::arbitrary<bool>()));
    std::uintptr_t step = 0;
    for (const auto& [number, insert] : steps) {
        Subscription* const fresh = value(++step);
        if (insert) {
            const bool fits = model.contains(number) || model.size() < kCapacity;
            RC_ASSERT(table.insert(key(number), fresh) == fits);
            if (fits) model[number] = fresh;
        } else {
            RC_ASSERT(table.erase(key(number)) == (model.erase(number) != 0));
        }
        RC_ASSERT(table.size() == model.size());
        for (std::uint32_t n = 0; n < 40; ++n) {
            const auto found = model.find(n);
            const auto expected = found == model.end() ? nullptr : found->second;
            RC_ASSERT((table.find(key(n)) == expected));
        }
    }
}

// Keys that hurt: `count` keys whose search starts in the same slot of a table for `count` keys.
std::vector<GroupKey> keys_of_one_bucket(std::size_t count, std::uint32_t slots,
                                         std::uint32_t bucket) {
    std::vector<GroupKey> keys;
    for (std::uint32_t group = 0xe0000000; keys.size() < count; ++group) {
        if ((GroupTable::hash(key(group)) & (slots - 1)) == bucket) keys.push_back(key(group));
    }
    return keys;
}

TEST(GroupTable, KeysOfOneBucketAreAllKeptApart) {
    constexpr std::size_t kCount = 64;
    for (const std::uint32_t bucket : {0u, 100u, 127u}) {  // the last one wraps around
        const auto keys = keys_of_one_bucket(kCount, 128, bucket);
        GroupTable table(kCount);
        for (std::uint32_t i = 0; i < kCount; ++i) ASSERT_TRUE(table.insert(keys[i], value(i + 1)));
        // Taken out from the middle outwards, the others stay found.
        for (std::uint32_t out = 0; out < kCount; ++out) {
            ASSERT_TRUE(table.erase(keys[(out * 37 + 11) % kCount]));
            for (std::uint32_t i = 0; i <= out; ++i) {
                ASSERT_EQ(table.find(keys[(i * 37 + 11) % kCount]), nullptr);
            }
            for (std::uint32_t i = out + 1; i < kCount; ++i) {
                const auto k = (i * 37 + 11) % kCount;
                ASSERT_EQ(table.find(keys[k]), value(k + 1));
            }
        }
        EXPECT_EQ(table.size(), 0u);
    }
}

RC_GTEST_PROP(GroupTable, RunsOfCollidingKeysBehaveLikeAMap, ()) {
    static const auto all = [] {
        auto keys = keys_of_one_bucket(8, 32, 30);
        const auto more = keys_of_one_bucket(8, 32, 31);
        const auto wrapped = keys_of_one_bucket(8, 32, 1);
        keys.insert(keys.end(), more.begin(), more.end());
        keys.insert(keys.end(), wrapped.begin(), wrapped.end());
        return keys;
    }();
    GroupTable table(16);
    std::map<GroupKey, Subscription*> model;
    const auto steps = *rc::gen::container<std::vector<std::pair<std::size_t, bool>>>(
        rc::gen::pair(rc::gen::inRange<std::size_t>(0, all.size()), rc::gen::arbitrary<bool>()));
    std::uintptr_t step = 0;
    for (const auto& [index, insert] : steps) {
        Subscription* const fresh = value(++step);
        if (insert) {
            if (table.insert(all[index], fresh)) model[all[index]] = fresh;
        } else {
            RC_ASSERT(table.erase(all[index]) == (model.erase(all[index]) != 0));
        }
        for (const auto& k : all) {
            const auto found = model.find(k);
            const auto expected = found == model.end() ? nullptr : found->second;
            RC_ASSERT((table.find(k) == expected));
        }
    }
}

// Patterns that people use must not pile up: no search may be long at the largest allowed load.

std::size_t longest_run(const std::vector<GroupKey>& keys) {
    std::size_t slots = 1;
    while (slots < 2 * keys.size()) slots *= 2;
    // Linear probing puts the keys of a run side by side in whatever order; so its length can be
    // computed from how many keys start where.
    std::vector<std::size_t> starts(slots);
    for (const auto& k : keys) ++starts[GroupTable::hash(k) & (slots - 1)];
    std::size_t carried = 0;
    std::size_t longest = 0;
    for (std::size_t i = 0; i < 2 * slots; ++i) {
        carried += starts[i % slots];
        longest = std::max(longest, carried);
        if (carried > 0) --carried;
    }
    return longest;
}

TEST(GroupTable, KeysInAPatternDoNotPileUp) {
    struct Pattern {
        const char* name;
        GroupKey (*key)(std::uint32_t);
    };
    const Pattern patterns[] = {
        {"sequential groups", [](std::uint32_t i) { return key(0xef000000 + i); }},
        {"sequential ports",
         [](std::uint32_t i) { return key(0xef000001 + (i >> 16), i & 0xffff); }},
        {"groups that share a MAC address",
         [](std::uint32_t i) { return key(0xe0010203 + ((i & 31) << 23), i >> 5 & 0xffff); }},
        {"one group in each /24", [](std::uint32_t i) { return key(0xe8000001 + (i << 8)); }},
        {"group and port go together",
         [](std::uint32_t i) { return key(0xef000000 + i, i & 0xffff); }},
        {"ten ports per group",
         [](std::uint32_t i) { return key(0xef000000 + i / 10, 5000 + i % 10); }},
    };
    for (const auto& pattern : patterns) {
        for (const std::uint32_t count : {1000u, 1024u, 65536u, 100000u}) {
            std::vector<GroupKey> keys;
            for (std::uint32_t i = 0; i < count; ++i) keys.push_back(pattern.key(i));
            EXPECT_LE(longest_run(keys), 32u) << pattern.name << ' ' << count;
        }
    }
}

}  // namespace
}  // namespace joinleaf::dataplane
