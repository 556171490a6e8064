// What is told of a status: one description for telemetry, Prometheus and joinleaf stat.
#include <controlplane/loss_place.h>
#include <controlplane/status_tables.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const Instant kNow(1000s);
const GroupEndpoint kGroup{GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)};

PortStatus port(std::string spec) {
    PortStatus port;
    port.spec = std::move(spec);
    port.igmp = {{"v3_queries", 2}};
    return port;
}

Status status_of(std::vector<PortStatus> ports) {
    Status status;
    status.taken_at = kNow;
    status.ports = std::move(ports);
    return status;
}

/// The value in a table's row, by the column's name.
Value value(const Table& table, std::size_t row, std::string_view column) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        if (table.columns[i].name == column) return table.rows.at(row).at(i);
    }
    ADD_FAILURE() << "no column " << column;
    return {};
}
std::uint64_t number(const Table& table, std::size_t row, std::string_view column) {
    return std::get<std::uint64_t>(value(table, row, column));
}
std::string text(const Table& table, std::size_t row, std::string_view column) {
    return std::get<std::string>(value(table, row, column));
}

TEST(StatusTables, NamesAreWhatTelemetryAndPrometheusTake) {
    std::set<std::string_view> tables;
    for (const auto& head : table_heads()) {
        SCOPED_TRACE(head.name);
        EXPECT_TRUE(tables.insert(head.name).second);
        EXPECT_FALSE(head.help.empty());
        EXPECT_LT(head.help.size(), 128u);
        std::set<std::string_view> columns;
        for (const auto& column : head.columns) {
            EXPECT_TRUE(columns.insert(column.name).second) << column.name;
            EXPECT_THAT(std::string(column.name), testing::MatchesRegex("[a-z][a-z0-9_]*"));
            EXPECT_FALSE(column.help.empty()) << column.name;
        }
        EXPECT_THAT(head.rows, IsEmpty());
    }
}

TEST(StatusTables, EachRowHasAValueForEachColumn) {
    Status status = status_of({port("eth1"), port("eth2")});
    status.memberships = {{.socket = 1, .group = kGroup}};
    status.admissions = {{.socket = 2, .group = kGroup}};
    status.workers = {{}};
    status.feeds.resize(1);
    status.feeds[0].lines.resize(2);
    status.repairs.push_back(
        {.endpoint = {Ipv4Address(192, 0, 2, 11), UdpPort::of(6000)}, .session = "S1"});
    for (const auto& table : tables_of(status)) {
        EXPECT_FALSE(table.rows.empty()) << table.name;
        for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
    }
}

TEST(StatusTables, PortsThatAreOpenedAlikeAreToldApart) {
    const auto table = table_of("ports", status_of({port("null"), port("eth1"), port("null")}));
    EXPECT_EQ(text(table, 0, "port"), "null#0");
    EXPECT_EQ(text(table, 1, "port"), "eth1");
    EXPECT_EQ(text(table, 2, "port"), "null#2");
}

TEST(StatusTables, WhatHasNotHappenedHasNoAge) {
    Status status = status_of({port("eth1")});
    status.memberships = {
        {.socket = 7, .group = kGroup, .health = JoinHealth::no_data, .connected_at = kNow - 90s}};
    const auto table = table_of("groups", status);
    EXPECT_EQ(number(table, 0, "connected"), 90'000'000'000u);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(value(table, 0, "datagram_age")));
    EXPECT_EQ(text(table, 0, "health"), "no_data");
    EXPECT_EQ(text(table, 0, "group"), "239.1.1.1:5000");
    EXPECT_EQ(text(table, 0, "port"), "eth1");
}

TEST(StatusTables, EveryReasonOfALossHasOnePlaceAndTheOthersHaveNone) {
    const std::set<DropReason> not_for_us{DropReason::own_echo,       DropReason::other_mac,
                                          DropReason::other_vlan,     DropReason::not_ipv4,
                                          DropReason::fragment,       DropReason::other_address,
                                          DropReason::other_protocol, DropReason::no_subscriber};
    for (std::size_t i = 0; i < kDropReasonCount; ++i) {
        PortCounters counters;
        counters.drops[i] = 5;
        std::uint64_t all = 0;
        for (std::size_t place = 0; place < kLossPlaceCount; ++place) {
            all += lost(counters, static_cast<LossPlace>(place));
        }
        const auto reason = static_cast<DropReason>(i);
        EXPECT_EQ(all, not_for_us.contains(reason) ? 0u : 5u) << name(reason);
    }
}

TEST(StatusTables, TheDriversWordCountsWhereTheLossWas) {
    const PortCounters counters{.missed = 1, .errors = 2, .no_mbuf = 3};
    EXPECT_EQ(lost(counters, LossPlace::nic), 1u);
    EXPECT_EQ(lost(counters, LossPlace::wire), 2u);
    EXPECT_EQ(lost(counters, LossPlace::no_mbuf), 3u);
    EXPECT_EQ(lost(counters, LossPlace::application_queue), 0u);
}

TEST(StatusTables, AWorkerThatHasMovedNothingHasNoTimeForAFrame) {
    Status status;
    status.workers = {{.lcore = 1}, {.lcore = 2, .busy = 300ms, .running = 1s, .frames = 3}};
    const auto table = table_of("workers", status);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(value(table, 0, "busy_percent")));
    EXPECT_TRUE(std::holds_alternative<std::monostate>(value(table, 0, "per_frame")));
    EXPECT_EQ(number(table, 1, "busy_percent"), 30u);
    EXPECT_EQ(number(table, 1, "per_frame"), 100'000'000u);
}

TEST(StatusTables, JoinsAreCountedByHealthForEachPort) {
    Status status = status_of({port("eth1"), port("eth2")});
    status.memberships = {{.socket = 1, .port = 1, .group = kGroup, .health = JoinHealth::silent},
                          {.socket = 2, .port = 1, .group = kGroup, .health = JoinHealth::silent}};
    std::vector<std::string> counted;
    const auto table = table_of("health", status);
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        if (number(table, i, "groups") == 0) continue;
        counted.push_back(text(table, i, "port") + " " + text(table, i, "health") + " " +
                          std::to_string(number(table, i, "groups")));
    }
    EXPECT_THAT(counted, ElementsAre("eth2 silent 2"));
}

TEST(StatusTables, ATableThatIsNotThereHasNoColumns) {
    EXPECT_THAT(table_of("nonsense", {}).columns, IsEmpty());
}

}  // namespace
}  // namespace joinleaf::controlplane
