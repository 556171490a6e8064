// joinleaf stat: from two looks at a process to lines, and from lines to a screen of any size.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/stat/screen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Sample sample(Instant at, std::uint64_t frames, std::uint64_t queue_full) {
    Sample sample{.pid = 4711, .command = "joinleaf leaf", .at = at};
    sample.tables["ports"] = {{{"port", "eth1"},
                               {"driver", "net_ice"},
                               {"link_up", 1U},
                               {"filter_mode", "exact_list"},
                               {"received_frames", frames},
                               {"received_bytes", 100 * frames},
                               {"igmp_version", 3U}}};
    sample.tables["workers"] = {{{"worker", "0"},
                                 {"busy_ns", 10 * frames},
                                 {"running_ns", 1'000'000'000U + 20 * frames},
                                 {"frames", frames}}};
    sample.tables["groups"] = {
        {{"socket", "1"}, {"port", "eth1"}, {"group", "239.1.1.1:5000"}, {"health", "no_data"}}};
    sample.tables["drops"] = {{{"port", "eth1"},
                               {"other_mac", 5U},
                               {"fragment", 0U},
                               {"receive_queue_full", queue_full}}};
    return sample;
}

std::vector<std::string> texts(const std::vector<Line>& lines) {
    std::vector<std::string> all;
    for (const auto& line : lines) all.push_back(text_of(line));
    return all;
}

const Line& line_with(const std::vector<Line>& lines, std::string_view what) {
    static const Line kNone;
    for (const auto& line : lines) {
        if (text_of(line).find(what) != std::string::npos) return line;
    }
    ADD_FAILURE() << "no line with " << what;
    return kNone;
}

bool has_alarm(const Line& line) {
    return std::ranges::any_of(line.spans,
                               [](const Span& span) { return span.style == Style::alarm; });
}

TEST(Stat, RatesAreThoseBetweenTwoLooks) {
    const Sample before = sample(Instant(10s), 1000, 3);
    const Sample now = sample(Instant(12s), 41'000, 3);
    EXPECT_THAT(
        texts(body_of(now, &before)),
        ElementsAre(
            "Ports (1)",
            "  port  driver   link  filter      in/s  bit/s  delivered/s  out/s  bit/s  rx "
            "bufs  tx bufs  querier  igmp",
            "  eth1  net_ice  up    exact_list   20k    16M"
            "                                                           3",
            "", "Workers (1)", "  worker  lcore    busy  turns/s  frames/s  ns/frame",
            "  0              50.0 %                20k        10", "", "Groups (1)",
            "  socket  port  group           sources  health   delivered/s  delivered  last "
            " report",
            "  1       eth1  239.1.1.1:5000           no_data", "", "Drops (2)",
            "  port  reason              in all  per s",
            "  eth1  other_mac                5      0",
            "  eth1  receive_queue_full       3      0"));
}

TEST(Stat, WhatIsDroppedNowStandsOut) {
    const Sample before = sample(Instant(10s), 0, 3);
    const Sample now = sample(Instant(11s), 0, 53);
    const auto body = body_of(now, &before);
    EXPECT_THAT(text_of(line_with(body, "receive_queue_full")), HasSubstr("53     50"));
    EXPECT_TRUE(has_alarm(line_with(body, "receive_queue_full")));
    EXPECT_FALSE(has_alarm(line_with(body, "other_mac")));
}

// The tables of sixty groups fill a screen before the losses come.
TEST(Stat, WhatIsLostNowIsInTheTitleInFrontOfTheCommand) {
    Sample before = sample(Instant(10s), 0, 0);
    Sample now = sample(Instant(12s), 0, 0);
    before.tables["losses"] = {{{"port", "eth1"}, {"nic", 7U}, {"application_queue", 0U}},
                               {{"port", "eth2"}, {"nic", 0U}, {"application_queue", 0U}}};
    now.tables["losses"] = {{{"port", "eth1"}, {"nic", 7U}, {"application_queue", 100U}},
                            {{"port", "eth2"}, {"nic", 0U}, {"application_queue", 60U}}};
    before.tables["feeds"] = {{{"socket", "1"}, {"lost_messages", 2U}}};
    now.tables["feeds"] = {{{"socket", "1"}, {"lost_messages", 22U}}};
    const Line title = title_of(now, &before);
    EXPECT_EQ(text_of(title),
              "process 4711  loses a second: application_queue 80, messages of feeds 10  "
              "joinleaf leaf");
    EXPECT_TRUE(has_alarm(title));

    // Nothing more is lost, or nothing is known of it.
    EXPECT_EQ(text_of(title_of(now, &now)), "process 4711  joinleaf leaf");
    EXPECT_EQ(text_of(title_of(now, nullptr)), "process 4711  joinleaf leaf");
}

TEST(Stat, WhatIsNotWantedOfOtherSourcesIsNoLossOfTheTitle) {
    Sample before = sample(Instant(10s), 0, 0);
    Sample now = sample(Instant(11s), 0, 0);
    before.tables["losses"] = {{{"port", "eth1"}, {"source_filter", 0U}}};
    now.tables["losses"] = {{{"port", "eth1"}, {"source_filter", 1000U}}};
    EXPECT_EQ(text_of(title_of(now, &before)), "process 4711  joinleaf leaf");
}

TEST(Stat, AFeedThatLosesMessagesStandsOutAndItsTimesAreInUnitsThatFit) {
    Sample before;
    before.tables["feeds"] = {{{"socket", "1"}, {"gaps", 1U}, {"lost_messages", 5U}}};
    Sample now = before;
    now.tables["feeds"] = {{{"socket", "1"},
                            {"gaps", 2U},
                            {"lost_messages", 9U},
                            {"latency_p50_ns", 80'000U},
                            {"latency_p99_ns", 1'400'000U},
                            {"latency_max_ns", 2'500U}}};
    const auto body = body_of(now, &before);
    const Line& feed = line_with(body, "80 us");
    EXPECT_THAT(text_of(feed), testing::AllOf(HasSubstr("1.4 ms"), HasSubstr("2.5 us")));
    EXPECT_TRUE(has_alarm(feed));
    EXPECT_FALSE(has_alarm(line_with(body_of(now, &now), "80 us")));
}

TEST(Stat, AProcessIsLookedForWhereItsEnvironmentSays) {
    using namespace std::string_view_literals;
    EXPECT_THAT(dpdk_folders_in("HOME=/root\0RUNTIME_DIRECTORY=/run/joinleaf/x\0A=B\0"sv),
                ElementsAre("/run/joinleaf/x/dpdk"));
    EXPECT_THAT(dpdk_folders_in("XDG_RUNTIME_DIR=/run/user/7\0RUNTIME_DIRECTORY=/run/y"sv),
                ElementsAre("/run/user/7/dpdk", "/run/y/dpdk"));
    EXPECT_THAT(dpdk_folders_in("MY_RUNTIME_DIRECTORY=/a\0"sv), IsEmpty());
    EXPECT_THAT(dpdk_folders_in(""), IsEmpty());
}

TEST(Stat, AJoinThatBringsNothingAndALinkThatIsDownStandOut) {
    Sample now = sample(Instant(10s), 0, 0);
    EXPECT_TRUE(has_alarm(line_with(body_of(now, nullptr), "no_data")));
    EXPECT_FALSE(has_alarm(line_with(body_of(now, nullptr), "net_ice")));
    now.tables["groups"][0]["health"] = "receiving";
    now.tables["ports"][0]["link_up"] = 0U;
    EXPECT_FALSE(has_alarm(line_with(body_of(now, nullptr), "receiving")));
    EXPECT_TRUE(has_alarm(line_with(body_of(now, nullptr), "net_ice")));
}

TEST(Stat, WithoutAnEarlierLookAndAfterACounterBeganAnewThereAreNoRates) {
    const Sample now = sample(Instant(10s), 1000, 3);
    EXPECT_THAT(text_of(line_with(body_of(now, nullptr), "receive_queue")),
                testing::EndsWith(" 3"));
    const Sample before = sample(Instant(9s), 2000, 300);
    EXPECT_THAT(text_of(line_with(body_of(now, &before), "receive_queue")),
                testing::EndsWith(" 3"));
}

TEST(Stat, WhatIsNotThereHasNoSection) { EXPECT_THAT(body_of(Sample{}, nullptr), IsEmpty()); }

TEST(Stat, AScreenIsExactlyAsLargeAsTheTerminal) {
    const Sample now = sample(Instant(10s), 1000, 3);
    const auto body = body_of(now, nullptr);
    for (std::size_t rows = 0; rows < 30; ++rows) {
        for (const std::size_t columns : {0U, 1U, 20U, 200U}) {
            const auto screen = screen_of(title_of(now, nullptr), body,
                                          {.rows = rows, .columns = columns, .top = 99});
            EXPECT_THAT(screen, SizeIs(rows));
            for (const auto& line : screen) {
                const auto width = std::accumulate(
                    line.spans.begin(), line.spans.end(), std::size_t{0},
                    [](std::size_t sum, const Span& span) { return sum + span.text.size(); });
                EXPECT_LE(width, columns);
            }
        }
    }
}

TEST(Stat, AScreenShowsTheBodyFromItsTopAndNeverPastItsEnd) {
    std::vector<Line> body;
    for (int i = 0; i < 10; ++i) body.push_back({{{"line " + std::to_string(i)}}});
    const Line title{{{"title"}}};
    View view{.rows = 5, .columns = 80, .top = 2};
    EXPECT_THAT(texts(screen_of(title, body, view)),
                ElementsAre("title", "line 2", "line 3", "line 4",
                            "q quit  p pause  arrows scroll  lines 3-5 of 10"));
    view.top = 1000;
    EXPECT_THAT(texts(screen_of(title, body, view))[1], "line 7");
    EXPECT_EQ(last_top(10, view), 7u);
    view.paused = true;
    EXPECT_THAT(texts(screen_of(title, body, view)).back(),
                testing::AllOf(HasSubstr("p go on"), HasSubstr("PAUSED")));
    view.rows = 50;
    EXPECT_EQ(last_top(10, view), 0u);
}

TEST(Stat, ANameOfManyOctetsIsCutBetweenCharacters) {
    const Line line{{{"\xc3\xa9\xc3\xa9\xc3\xa9"}}};
    EXPECT_EQ(text_of(screen_of(line, {}, {.rows = 3, .columns = 2})[0]), "\xc3\xa9\xc3\xa9");
}

TEST(Stat, WhatAPeerCallsItselfCannotSteerTheTerminal) {
    Sample now;
    now.tables["leaves"] = {{{"socket", "1"}, {"name", "a\x1b[2Jb"}, {"stage", "member"}}};
    EXPECT_THAT(text_of(line_with(body_of(now, nullptr), "member")), HasSubstr("a?[2Jb"));
}

TEST(Stat, TheOnlyProcessNeedsNoName) {
    const RunningProcess one{.pid = 7, .path = "/a", .command = "joinleaf leaf"};
    const RunningProcess two{.pid = 8, .path = "/b", .command = "joinleaf root"};
    EXPECT_EQ(choose_process({one}, {}).pid, 7);
    EXPECT_EQ(choose_process({one, two}, 8).path, "/b");
    const auto complaint = [](const std::vector<RunningProcess>& running,
                              std::optional<pid_t> pid) -> std::string {
        try {
            return choose_process(running, pid).path;
        } catch (const Failure& failure) {
            return failure.what();
        }
    };
    EXPECT_THAT(complaint({}, {}), HasSubstr("no joinleaf runs on this host"));
    EXPECT_THAT(complaint({one}, 9), HasSubstr("process 9 is no running joinleaf"));
    EXPECT_THAT(complaint({one, two}, {}), testing::AllOf(HasSubstr("--pid 7  joinleaf leaf"),
                                                          HasSubstr("--pid 8  joinleaf root")));
}

TEST(Stat, TextsOfTelemetryAreReadBack) {
    EXPECT_EQ(plain_text("d%C3%A9sk 100%25"), "d\xc3\xa9sk 100%");
    EXPECT_EQ(plain_text("%"), "%");
    EXPECT_EQ(plain_text("%2"), "%2");
    EXPECT_EQ(plain_text("%zz%41"), "%zzA");
    EXPECT_EQ(plain_text("100%25"), "100%");
}

}  // namespace
}  // namespace joinleaf::app
