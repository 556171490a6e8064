// Which frames a port lets through, with drivers that can this or that, and tables that fill up.
#include <dataplane/multicast_filter.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace joinleaf::dataplane {
namespace {

using Mode = MulticastFilterMode;

constexpr auto kGroup = GroupAddress::of(239, 1, 1, 1);

/// The n-th of many groups with MAC addresses of their own.
GroupAddress nth(std::uint32_t n) {
    return GroupAddress::from(Ipv4Address((239u << 24) + 0x10000 + n)).value();
}

class FakeDriver final : public FilterDriver {
public:
    bool filters = true;
    std::size_t exact_room = 0;  ///< MACs its list holds; 0: it has none
    std::size_t table_room = 0;
    bool has_all_multicast = true;
    bool has_promiscuous = true;

    std::set<MacAddress> list;
    std::multiset<MacAddress> table;
    bool all = false;
    bool promiscuous = false;
    std::size_t calls = 0;

    [[nodiscard]] bool can_filter() const override { return filters; }
    bool set_exact_list(std::span<const MacAddress> macs) override {
        ++calls;
        if (macs.size() > exact_room) return false;
        list = {macs.begin(), macs.end()};
        EXPECT_EQ(list.size(), macs.size()) << "a MAC address twice in the list";
        return true;
    }
    bool add_mac(const MacAddress& mac) override {
        ++calls;
        if (table.size() >= table_room) return false;
        EXPECT_FALSE(table.contains(mac)) << "a MAC address twice in the table";
        table.insert(mac);
        return true;
    }
    bool remove_mac(const MacAddress& mac) override {
        ++calls;
        const auto found = table.find(mac);
        EXPECT_NE(found, table.end()) << "removed what was not there";
        if (found != table.end()) table.erase(found);
        return true;
    }
    bool set_all_multicast() override {
        ++calls;
        all = has_all_multicast;
        return all;
    }
    bool set_promiscuous() override {
        ++calls;
        promiscuous = has_promiscuous;
        return promiscuous;
    }
    /// As after a restart of the device.
    void forget() {
        list.clear();
        table.clear();
        all = promiscuous = false;
    }
    [[nodiscard]] bool passes(GroupAddress group) const {
        const auto mac = MacAddress::of_group(group);
        return !filters || promiscuous || all || list.contains(mac) || table.contains(mac);
    }
};

// ADR-1: 224.0.0.1 is always a member.
TEST(MulticastFilter, HearsAllSystemsFromTheStartInEveryMode) {
    for (const std::size_t exact_room : {8, 0}) {
        for (const std::size_t table_room : {8, 0}) {
            FakeDriver driver;
            driver.exact_room = exact_room;
            driver.table_room = table_room;
            const MulticastFilter filter(driver);
            EXPECT_TRUE(driver.passes(GroupAddress::of(224, 0, 0, 1)));
            EXPECT_EQ(filter.mac_count(), 1u);
        }
    }
}

// ENC-13: 32 groups share a MAC address, and one reference each.
TEST(MulticastFilter, TheLastOf32GroupsThatShareAMacTakesItAway) {
    FakeDriver driver;
    driver.exact_room = 8;
    MulticastFilter filter(driver);
    std::vector<GroupAddress> sharing;
    for (std::uint32_t high = 0; high < 16; ++high) {
        for (std::uint32_t bit : {0u, 0x800000u}) {
            sharing.push_back(
                GroupAddress::from(Ipv4Address((0xe0 + high) << 24 | bit | 0x010101)).value());
        }
    }
    ASSERT_EQ(sharing.size(), 32u);
    filter.add(sharing[0]);
    const auto calls = driver.calls;
    for (std::size_t i = 1; i < sharing.size(); ++i) filter.add(sharing[i]);
    EXPECT_EQ(driver.calls, calls);  // the driver has heard all it needs
    EXPECT_EQ(filter.mac_count(), 2u);
    for (std::size_t i = 0; i < sharing.size(); ++i) {
        EXPECT_TRUE(driver.passes(kGroup)) << i;
        filter.remove(sharing[i]);
    }
    EXPECT_FALSE(driver.passes(kGroup));
    EXPECT_EQ(filter.mac_count(), 1u);
}

TEST(MulticastFilter, AGroupJoinedTwiceIsLeftTwice) {
    FakeDriver driver;
    driver.exact_room = 8;
    MulticastFilter filter(driver);
    filter.add(kGroup);
    filter.add(kGroup);
    filter.remove(kGroup);
    EXPECT_TRUE(driver.passes(kGroup));
    filter.remove(kGroup);
    EXPECT_FALSE(driver.passes(kGroup));
    filter.remove(kGroup);  // never joined: nothing happens
    EXPECT_EQ(filter.mac_count(), 1u);
    EXPECT_TRUE(driver.passes(GroupAddress::of(224, 0, 0, 1)));
}

TEST(MulticastFilter, SeveralGroupsCostOneCall) {
    FakeDriver driver;
    driver.exact_room = 1000;
    MulticastFilter filter(driver);
    const auto calls = driver.calls;
    std::vector<GroupAddress> many;
    for (std::uint32_t i = 0; i < 500; ++i) many.push_back(nth(i));
    filter.add(many);
    EXPECT_EQ(driver.calls, calls + 1);
    for (const auto group : many) EXPECT_TRUE(driver.passes(group));
}

struct Chain {
    std::size_t exact_room;
    std::size_t table_room;
    bool all_multicast;
    bool promiscuous;
    Mode mode;
};

class FilterChain : public testing::TestWithParam<Chain> {};

// The first that the driver can: exact list, table, allmulticast, promiscuous, nothing at all.
TEST_P(FilterChain, IsWalkedToWhatTheDriverCan) {
    FakeDriver driver;
    driver.exact_room = GetParam().exact_room;
    driver.table_room = GetParam().table_room;
    driver.has_all_multicast = GetParam().all_multicast;
    driver.has_promiscuous = GetParam().promiscuous;
    MulticastFilter filter(driver);
    EXPECT_EQ(filter.mode(), GetParam().mode);
    filter.add(kGroup);
    EXPECT_EQ(filter.mode(), GetParam().mode);
    EXPECT_EQ(driver.passes(kGroup), filter.mode() != Mode::everything);
    filter.remove(kGroup);
    const bool exact = filter.mode() == Mode::exact_list || filter.mode() == Mode::mac_table;
    EXPECT_EQ(driver.passes(kGroup), !exact && filter.mode() != Mode::everything);
}

INSTANTIATE_TEST_SUITE_P(, FilterChain,
                         testing::Values(Chain{8, 8, true, true, Mode::exact_list},
                                         Chain{0, 8, true, true, Mode::mac_table},
                                         Chain{0, 0, true, true, Mode::all_multicast},
                                         Chain{0, 0, false, true, Mode::promiscuous},
                                         Chain{0, 0, false, false, Mode::everything}));

class FullTable : public testing::TestWithParam<Chain> {};

// A table that fills up moves the port down the chain; no group is lost on the way, and the port
// does not move up again when there is room.
TEST_P(FullTable, StepsDownAndLosesNoGroup) {
    FakeDriver driver;
    driver.exact_room = GetParam().exact_room;
    driver.table_room = GetParam().table_room;
    driver.has_all_multicast = GetParam().all_multicast;
    MulticastFilter filter(driver);
    constexpr std::uint32_t kGroups = 40;
    for (std::uint32_t i = 0; i < kGroups; ++i) {
        filter.add(nth(i));
        for (std::uint32_t j = 0; j <= i; ++j) ASSERT_TRUE(driver.passes(nth(j))) << i << ' ' << j;
        ASSERT_TRUE(driver.passes(GroupAddress::of(224, 0, 0, 1)));
    }
    EXPECT_EQ(filter.mode(), GetParam().mode);
    for (std::uint32_t i = 0; i + 1 < kGroups; ++i) filter.remove(nth(i));
    EXPECT_EQ(filter.mode(), GetParam().mode);
    EXPECT_TRUE(driver.passes(nth(kGroups - 1)));
    filter.add(nth(0));
    EXPECT_TRUE(driver.passes(nth(0)));
}

INSTANTIATE_TEST_SUITE_P(, FullTable,
                         testing::Values(Chain{16, 0, true, true, Mode::all_multicast},
                                         Chain{16, 30, true, true, Mode::all_multicast},
                                         Chain{16, 64, true, true, Mode::mac_table},
                                         Chain{0, 16, true, true, Mode::all_multicast},
                                         Chain{0, 16, false, true, Mode::promiscuous}));

// In one call as one by one.
TEST(MulticastFilter, ABatchThatOverfillsTheTableLosesNoGroup) {
    FakeDriver driver;
    driver.table_room = 10;
    MulticastFilter filter(driver);
    std::vector<GroupAddress> many;
    for (std::uint32_t i = 0; i < 20; ++i) many.push_back(nth(i));
    filter.add(many);
    EXPECT_EQ(filter.mode(), Mode::all_multicast);
    for (const auto group : many) EXPECT_TRUE(driver.passes(group));
}

TEST(MulticastFilter, IsSetAgainAfterARestart) {
    for (const auto& chain : {Chain{64, 0, true, true, {}}, Chain{0, 64, true, true, {}},
                              Chain{0, 0, true, true, {}}, Chain{0, 0, false, true, {}}}) {
        FakeDriver driver;
        driver.exact_room = chain.exact_room;
        driver.table_room = chain.table_room;
        driver.has_all_multicast = chain.all_multicast;
        MulticastFilter filter(driver);
        for (std::uint32_t i = 0; i < 20; ++i) filter.add(nth(i));
        const auto mode = filter.mode();
        driver.forget();
        EXPECT_FALSE(driver.passes(nth(0)));
        filter.reapply();
        EXPECT_EQ(filter.mode(), mode);
        for (std::uint32_t i = 0; i < 20; ++i) EXPECT_TRUE(driver.passes(nth(i)));
    }
}

// Ring, null and memif say yes to everything and keep nothing away: they are not asked.
TEST(MulticastFilter, APortThatCannotFilterIsNotAsked) {
    FakeDriver driver;
    driver.filters = false;
    driver.exact_room = 100;
    MulticastFilter filter(driver);
    filter.add(kGroup);
    filter.reapply();
    filter.remove(kGroup);
    EXPECT_EQ(filter.mode(), Mode::everything);
    EXPECT_EQ(driver.calls, 0u);
}

}  // namespace
}  // namespace joinleaf::dataplane
