// Metrics: names and units as Prometheus wants them, labels, and no more series than are allowed.
#include <apps/joinleaf/metric_families.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using prometheus::MetricFamily;
using prometheus::MetricType;
using testing::ElementsAre;
using testing::EndsWith;
using testing::IsNull;
using testing::Not;
using testing::NotNull;
using testing::SizeIs;

Status status_with(std::size_t groups) {
    Status status;
    status.taken_at = Instant(100s);
    status.ports.resize(1);
    status.ports[0].spec = "eth1";
    status.ports[0].driver = "net_ice";
    status.ports[0].counters.received = 12;
    status.workers = {{.busy = 250ms, .running = 1s}};
    for (std::uint32_t i = 0; i < groups; ++i) {
        status.memberships.push_back({.socket = i,
                                      .group = {GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)},
                                      .health = JoinHealth::silent,
                                      .last_datagram_at = Instant(93s)});
    }
    return status;
}

std::vector<MetricFamily> families(const Status& status) {
    return metric_families(controlplane::tables_of(status));
}

const MetricFamily* find(const std::vector<MetricFamily>& all, std::string_view name) {
    for (const auto& family : all) {
        if (family.name == name) return &family;
    }
    return nullptr;
}

std::string labels(const prometheus::ClientMetric& metric) {
    std::string text;
    for (const auto& label : metric.label) text += label.name + "=" + label.value + " ";
    return text;
}

TEST(MetricFamilies, ACounterEndsInTotalAndATimeIsInSeconds) {
    const auto all = families(status_with(1));
    const auto* frames = find(all, "joinleaf_port_received_frames_total");
    ASSERT_THAT(frames, NotNull());
    EXPECT_EQ(frames->type, MetricType::Counter);
    ASSERT_THAT(frames->metric, SizeIs(1));
    EXPECT_EQ(frames->metric[0].counter.value, 12);
    EXPECT_EQ(labels(frames->metric[0]), "port=eth1 ");

    const auto* busy = find(all, "joinleaf_worker_busy_seconds_total");
    ASSERT_THAT(busy, NotNull());
    EXPECT_DOUBLE_EQ(busy->metric.at(0).counter.value, 0.25);
    const auto* age = find(all, "joinleaf_group_datagram_age_seconds");
    ASSERT_THAT(age, NotNull());
    EXPECT_EQ(age->type, MetricType::Gauge);
    EXPECT_DOUBLE_EQ(age->metric.at(0).gauge.value, 7);
    EXPECT_THAT(find(all, "joinleaf_worker_busy_percent"), IsNull()) << "is for people";
}

TEST(MetricFamilies, EachFamilyIsToldOnceAndExplained) {
    std::set<std::string> names;
    for (const auto& family : families(status_with(1))) {
        EXPECT_TRUE(names.insert(family.name).second) << family.name;
        EXPECT_FALSE(family.help.empty()) << family.name;
        EXPECT_FALSE(family.metric.empty()) << family.name;
        if (family.type == MetricType::Counter) {
            EXPECT_THAT(family.name, EndsWith("_total"));
        } else {
            EXPECT_THAT(family.name, Not(EndsWith("_total")));
        }
        std::set<std::string> series;
        for (const auto& metric : family.metric) {
            EXPECT_TRUE(series.insert(labels(metric)).second) << family.name << labels(metric);
        }
    }
}

TEST(MetricFamilies, AStateIsALabelAndTextsAreTogether) {
    const auto all = families(status_with(1));
    const auto* health = find(all, "joinleaf_group_health");
    ASSERT_THAT(health, NotNull());
    EXPECT_EQ(labels(health->metric.at(0)),
              "socket=0 port=eth1 group=239.1.1.1:5000 health=silent ");
    EXPECT_EQ(health->metric.at(0).gauge.value, 1);
    const auto* info = find(all, "joinleaf_port_info");
    ASSERT_THAT(info, NotNull());
    EXPECT_THAT(labels(info->metric.at(0)), testing::HasSubstr("driver=net_ice"));
}

TEST(MetricFamilies, HowTimesAreSpreadIsASummary) {
    Status status = status_with(1);
    status.feeds.resize(2);
    for (int i = 0; i < 4; ++i) status.feeds[0].latency.record(100us);
    const auto all = families(status);
    const auto* latency = find(all, "joinleaf_feed_latency_seconds");
    ASSERT_THAT(latency, NotNull());
    EXPECT_EQ(latency->type, MetricType::Summary);
    ASSERT_THAT(latency->metric, SizeIs(2));
    const auto& summary = latency->metric[0].summary;
    EXPECT_EQ(summary.sample_count, 4U);
    EXPECT_DOUBLE_EQ(summary.sample_sum, 400e-6);
    ASSERT_THAT(summary.quantile, SizeIs(4));
    EXPECT_EQ(summary.quantile[1].quantile, 0.99);
    EXPECT_NEAR(summary.quantile[1].value, 100e-6, 2e-6);
    EXPECT_DOUBLE_EQ(summary.quantile[3].value, 100e-6) << "the longest";
    EXPECT_TRUE(std::isnan(latency->metric[1].summary.quantile[0].value)) << "of nothing";
    for (const auto& family : all) {
        EXPECT_THAT(family.name, Not(testing::HasSubstr("latency_p"))) << "and nothing more";
    }
}

TEST(MetricFamilies, TenThousandGroupsAreCountedButNotAllTold) {
    const auto all = families(status_with(10'000));
    EXPECT_THAT(find(all, "joinleaf_group_health")->metric, SizeIs(kMostRowsScraped));
    for (const auto& metric : find(all, "joinleaf_rows_left_out")->metric) {
        const bool groups = metric.label.at(0).value == "groups";
        EXPECT_EQ(metric.gauge.value, groups ? 10'000 - kMostRowsScraped : 0);
    }
    for (const auto& metric : find(all, "joinleaf_joined_groups")->metric) {
        EXPECT_EQ(metric.gauge.value, labels(metric) == "port=eth1 health=silent " ? 10'000 : 0);
    }
}

}  // namespace
}  // namespace joinleaf::app
