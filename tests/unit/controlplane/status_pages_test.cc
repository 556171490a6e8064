// Telemetry's answers: bounded, whole when read page by page, and ASCII.
#include <controlplane/status_pages.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace joinleaf::controlplane {
namespace {

using dataplane::dpdk::kMaxTelemetryAnswer;
using dataplane::dpdk::kMaxTelemetryEntries;
using dataplane::dpdk::kMaxTelemetryText;
using dataplane::dpdk::TelemetryDict;
using testing::ElementsAre;
using testing::EndsWith;
using testing::SizeIs;

/// As DPDK writes it.
std::string json_of(const TelemetryDict& dict) {
    std::string json = "{";
    for (const auto& [name, value] : dict) {
        if (json.size() > 1) json += ",";
        json += "\"" + name + "\":";
        if (const auto* number = std::get_if<std::uint64_t>(&value)) {
            json += std::to_string(*number);
        } else if (const auto* inner = std::get_if<TelemetryDict>(&value)) {
            json += json_of(*inner);
        } else {
            json += "\"";
            for (const char c : std::get<std::string>(value)) {
                if (c == '"' || c == '\\') json += '\\';
                json += c;
            }
            json += "\"";
        }
    }
    return json + "}";
}

const TelemetryDict& rows_of(const Page& page) {
    return std::get<TelemetryDict>(page.dict.at(1).value);
}

Status with_groups(std::size_t count) {
    Status status;
    status.ports.resize(1);
    status.ports[0].spec = R"("\"\"\"\)";  // the worst that there is to write
    for (std::uint32_t i = 0; i < count; ++i) {
        status.memberships.push_back(
            {.socket = i,
             .group = {GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)},
             .sources = SourceFilter::only(
                 {Ipv4Address(192, 168, 100, 100), Ipv4Address(192, 168, 100, 101)}),
             .connected_at = status.taken_at});
    }
    return status;
}

TEST(StatusPages, TenThousandGroupsAreWholeAndNoPageIsTooLong) {
    constexpr std::size_t kGroups = 10'000;
    const Table table = table_of("groups", with_groups(kGroups));
    std::size_t told = 0;
    std::size_t pages = 0;
    for (std::size_t first = 0; first < kGroups; ++pages) {
        const Page page = page_of(table, first);
        EXPECT_LT(json_of(page.dict).size() + 100, kMaxTelemetryAnswer);
        EXPECT_LE(rows_of(page).size(), kMaxTelemetryEntries);
        EXPECT_EQ(page.total, kGroups);
        EXPECT_EQ(rows_of(page).front().name, std::to_string(first));
        ASSERT_GT(page.end, first);
        told += rows_of(page).size();
        first = page.end;
    }
    EXPECT_EQ(told, kGroups);
    EXPECT_LT(pages, 500u);
}

TEST(StatusPages, BehindTheEndThereAreNoRows) {
    const Page page = page_of(table_of("groups", with_groups(3)), 7);
    EXPECT_THAT(rows_of(page), SizeIs(0));
    EXPECT_EQ(page.total, 3u);
}

TEST(StatusPages, AWideTableHasARowForWhatItsLabelsHaveInCommon) {
    Status status;
    status.ports.resize(2);
    status.ports[0].spec = "eth1";
    status.ports[1].spec = "eth2";
    status.ports[1].counters.missed = 7;
    const Page page = page_of(table_of("losses", status), 0);
    EXPECT_EQ(page.total, 2u);
    EXPECT_EQ(json_of(page.dict),
              R"({"total":2,"rows":{)"
              R"("0":{"port":"eth1","wire":0,"nic":0,"no_mbuf":0,"worker_queue":0,)"
              R"("application_queue":0,"source_filter":0,"transmit":0},)"
              R"("1":{"port":"eth2","wire":0,"nic":7,"no_mbuf":0,"worker_queue":0,)"
              R"("application_queue":0,"source_filter":0,"transmit":0}}})");
}

TEST(StatusPages, ATextIsAsciiAndShort) {
    EXPECT_EQ(telemetry_text("desk-7"), "desk-7");
    EXPECT_EQ(telemetry_text("d\xc3\xa9sk 100%\n"), "d%C3%A9sk 100%25%0A");
    const std::string longest(kMaxTelemetryText, 'x');
    EXPECT_EQ(telemetry_text(longest), longest);
    EXPECT_THAT(telemetry_text(longest + "x"),
                testing::AllOf(SizeIs(kMaxTelemetryText), EndsWith("x...")));
    // Never within the three of "%C3".
    const std::string accents = [] {
        std::string text = "x";
        for (int i = 0; i < 100; ++i) text += "\xc3\xa9";
        return text;
    }();
    EXPECT_THAT(telemetry_text(accents), testing::MatchesRegex("x(%C3|%A9)*\\.\\.\\."));
    EXPECT_LE(telemetry_text(accents).size(), kMaxTelemetryText);
}

TEST(StatusPages, ACursorIsANumberAndNothingElse) {
    EXPECT_EQ(parse_cursor(""), 0u);
    EXPECT_EQ(parse_cursor("120"), 120u);
    EXPECT_EQ(parse_cursor("12x"), std::nullopt);
    EXPECT_EQ(parse_cursor("-1"), std::nullopt);
    EXPECT_EQ(parse_cursor("99999999999999999999"), std::nullopt);
}

}  // namespace
}  // namespace joinleaf::controlplane
