// Scale and defence: pace, floods, forged messages, and 100 000 groups.
#include <algorithm>

#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint32_t kMany = 100'000;
constexpr std::size_t kReportsForMany = (kMany + 182) / 183;

std::uint64_t heard(const HostUnderTest& host) {
    const Counters& counters = host.host.counters();
    return counters.v1_queries + counters.v2_queries + counters.v3_queries + counters.reports_heard;
}

std::size_t groups_told(const std::vector<Message>& messages) {
    std::vector<GroupAddress> told;
    for (const Message& message : messages) {
        for (const Record& record : std::get<Report>(message.content).records) {
            told.push_back(record.group);
        }
    }
    std::sort(told.begin(), told.end());
    return static_cast<std::size_t>(std::unique(told.begin(), told.end()) - told.begin());
}

// Each token is 1 ms; 32 may be saved up.
void expect_paced(const std::vector<Message>& messages) {
    for (std::size_t i = 32; i < messages.size(); ++i) {
        EXPECT_GE(messages[i].at - messages[i - 32].at, 1ms) << i;
        if (i >= 1032) {
            EXPECT_GE(messages[i].at - messages[i - 1032].at, 1s) << i;
        }
    }
}

// The fewest packets there can be: 183 records to each; every ticket comes back.
TEST(Scale, AHundredThousandGroupsAreJoinedInTheFewestReportsPaced) {
    auto wanted = options();
    wanted.robustness = 1;
    HostUnderTest host(wanted);
    for (std::uint32_t i = 0; i < kMany; ++i) {
        ASSERT_TRUE(host.set_quietly(nth_group(i), SourceFilter::any()));
    }
    host.let_send();
    auto all = host.sent();
    EXPECT_THAT(all, SizeIs(32)) << "the burst, and no more";
    host.advance(1h);
    for (Message& message : host.sent()) all.push_back(std::move(message));
    EXPECT_THAT(all, SizeIs(kReportsForMany));
    EXPECT_EQ(groups_told(all), kMany);
    expect_paced(all);
    for (const Message& message : all) {
        EXPECT_EQ(message.tickets.size(), std::get<Report>(message.content).records.size());
    }
    EXPECT_EQ(host.host.next_deadline(), std::nullopt);
}

// SCR-8: what was packed together is repeated together, at a random moment for each report.
TEST(Scale, RepetitionsArePackedAsWell) {
    HostUnderTest host(options());
    host.delays.randomize(1);
    for (std::uint32_t i = 0; i < kMany; ++i) host.set_quietly(nth_group(i), SourceFilter::any());
    host.advance(1h);
    const auto all = host.sent();
    EXPECT_LE(all.size(), 2 * kReportsForMany * 105 / 100);
    EXPECT_LE(all.back().at, 3s);
    expect_paced(all);
}

// RSP-8
TEST(Scale, AHundredThousandGroupsAnswerInTimeAndSpread) {
    HostUnderTest host(options());
    for (std::uint32_t i = 0; i < kMany; ++i) host.set_quietly(nth_group(i), SourceFilter::any());
    host.advance(1h);
    host.sent();
    host.hear(general_query());
    const Duration asked_at = host.elapsed();
    host.advance(1h);
    const auto answer = host.sent();
    EXPECT_THAT(answer, SizeIs(kReportsForMany));
    EXPECT_EQ(groups_told(answer), kMany);
    EXPECT_LE(answer.back().at - asked_at, 10s);
    for (std::size_t i = 1; i < answer.size(); ++i) {
        EXPECT_GT(answer[i].at - answer[i - 1].at, 1ms) << "not in bursts";
    }
}

TEST(Scale, AThousandSourcesComeAndGo) {
    HostUnderTest host(options());
    for (std::uint32_t i = 1; i <= 1000; ++i) {
        host.set_quietly(kChannel, {FilterMode::include, sources(i)});
    }
    host.advance(1h);
    std::size_t told = 0;
    for (const Message& message : host.sent()) {
        for (const Record& record : std::get<Report>(message.content).records) {
            EXPECT_EQ(record.type, RecordType::allow);
            told += record.sources.size();
        }
    }
    EXPECT_EQ(told, 2000u);
}

// One member that held everything goes: everything is told, packed and paced.
TEST(Scale, AMemberOfAHundredThousandGroupsGoes) {
    HostUnderTest host(options());
    for (std::uint32_t i = 0; i < kMany; ++i) host.set_quietly(nth_group(i), SourceFilter::any());
    host.advance(1h);
    host.sent();
    host.host.remove_member(kAlice, host.now());
    host.advance(1h);
    const auto sent = host.sent();
    EXPECT_LE(sent.size(), 2 * kReportsForMany);
    expect_paced(sent);
    EXPECT_THAT(host.host.status(), IsEmpty());
}

// In version 2 each group is a packet of its own: the pace decides, and nothing is lost.
TEST(Scale, Version2IsPacedToo) {
    HostUnderTest host(options());
    host.hear(v2_query({}, Deciseconds(255)));
    constexpr std::uint32_t kGroups = 2000;
    for (std::uint32_t i = 0; i < kGroups; ++i) host.set_quietly(nth_group(i), SourceFilter::any());
    host.let_send();
    EXPECT_THAT(host.sent(), SizeIs(32));
    host.advance(60s);
    const auto sent = host.sent();
    EXPECT_THAT(sent, SizeIs(2 * kGroups - 32));
    expect_paced(sent);
}

// The deadline is never before the pace allows, so that nobody calls in vain.
TEST(Pace, TheDeadlineMindsIt) {
    auto wanted = options();
    wanted.reports_per_second = 10;
    wanted.report_burst = 1;
    HostUnderTest host(wanted);
    host.join(kGroup);
    host.join(kOther);
    EXPECT_THAT(host.sent(), SizeIs(1));
    EXPECT_EQ(host.host.next_deadline(), host.now() + 100ms);
    host.advance(100ms - 1ns);
    EXPECT_THAT(host.sent(), IsEmpty());
    host.advance(1ns);
    EXPECT_THAT(host.sent(), SizeIs(1));
}

// Somebody waits for a first report, nobody for its repetition.
TEST(Pace, AJoinGoesBeforeTheRepetitionOfAnother) {
    auto wanted = options();
    wanted.mtu = kSmallestMtu;  // a record fills a report
    wanted.reports_per_second = 1;
    wanted.report_burst = 1;
    HostUnderTest host(wanted);
    host.join(kGroup);
    host.advance(900ms);
    host.join(kOther);
    host.advance(1h);
    EXPECT_THAT(host.sent(), ::testing::ElementsAre(to_exclude(kGroup), to_exclude(kOther),
                                                    to_exclude(kGroup), to_exclude(kOther)));
}

// State changes go before answers: a flood of queries does not keep a join waiting.
TEST(Pace, ChangesGoBeforeAnswers) {
    auto wanted = options();
    wanted.reports_per_second = 1;
    wanted.report_burst = 1;
    HostUnderTest host(wanted);
    host.join(kGroup);
    host.advance(10s);
    host.sent();
    host.hear(general_query(Deciseconds(1)));
    host.advance(100ms);
    EXPECT_THAT(host.sent(), SizeIs(1));
    host.hear(general_query(Deciseconds(1)));
    host.hear(group_query(kGroup, Deciseconds(1)));
    host.advance(100ms);
    host.join(kOther);
    host.advance(900ms);
    EXPECT_THAT(host.sent(), ::testing::ElementsAre(to_exclude(kOther)));
}

// RSP-3, RSP-15: 100 000 queries in a second; the answers stay bounded by the pace.
TEST(Flood, OfQueriesIsAnsweredAtTheOwnPace) {
    HostUnderTest host(options());
    for (std::uint32_t i = 0; i < 10'000; ++i) host.set_quietly(nth_group(i), SourceFilter::any());
    host.set_quietly(kChannel, {FilterMode::include, sources(1000)});
    host.advance(1h);
    host.sent();
    const auto before = host.host.counters().sent_v3_current_state_reports;
    for (int i = 0; i < 100'000; ++i) {
        switch (i % 4) {
            case 0:
                host.hear(general_query(Deciseconds(i / 4 % 2 == 0 ? 0 : 100)));
                break;
            case 1:
                host.hear(group_query(nth_group(static_cast<std::uint32_t>(i % 10'000))));
                break;
            case 2:
                host.hear(source_query(kChannel, {nth_source(static_cast<std::uint32_t>(i))}));
                break;
            default:
                host.hear(group_query(GroupAddress::of(239, 255, 255, 255)));
        }
        host.advance(10us);
    }
    EXPECT_LE(host.host.counters().sent_v3_current_state_reports - before, 1032u);
    EXPECT_EQ(heard(host) + host.ignored(), 100'000u);
    host.sent();
    host.advance(60s);
    host.sent();
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());
}

// V2-5: a flood costs each group no more than it takes to answer.
TEST(Flood, OfVersion2QueriesDrawsNoMoreDelaysThanItSendsReports) {
    HostUnderTest host(options());
    host.hear(v2_query());
    for (std::uint32_t i = 0; i < 1000; ++i) host.set_quietly(nth_group(i), SourceFilter::any());
    host.advance(60s);
    host.sent();
    host.delays.limits.clear();
    host.delays.share = 1;
    for (int i = 0; i < 21'000; ++i) {
        host.hear(v2_query({}, Deciseconds(20)));
        host.advance(100us);
    }
    const auto sent = host.sent().size();
    EXPECT_GT(sent, 100u);
    EXPECT_LE(host.delays.limits.size(), 1000 + sent);
}

// QRY-29: no bit error of a message crashes or moves the host, and each is counted.
TEST(Forgery, EveryBitErrorAndTruncationIsCounted) {
    HostUnderTest host(options());
    host.set(kGroup, including({kS1}));
    host.advance(1h);
    host.sent();
    std::uint64_t messages = 0;
    for (const auto& good :
         {emit(general_query()), emit(source_query(kGroup, {kS1, kS2})), emit(v2_query(kGroup)),
          emit(OlderReport{Version::v2, kGroup}), emit_leave(kGroup),
          emit(Report{{{RecordType::allow, kGroup, {kS1}}}})}) {
        for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
            auto bad = good;
            bad[bit / 8] ^= std::byte(1u << bit % 8);
            host.hear(bad);
            ++messages;
        }
        for (std::size_t n = 0; n < good.size(); ++n) {
            host.hear(std::vector<std::byte>(good.begin(), good.begin() + static_cast<long>(n)));
            ++messages;
        }
    }
    EXPECT_EQ(heard(host) + host.ignored(), messages);
    EXPECT_EQ(host.host.querier().version_in_force, Version::v3);
    host.advance(1h);
    EXPECT_LE(host.sent().size(), 1u) << "a truncation may by chance sum up";
}

TEST(Counters, HaveNamesOfTheirOwn) {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : kCounters) names.push_back(name);
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

// DEF-1, DEF-5, DEF-6
TEST(Options, DefaultToTheRfcs) {
    const HostOptions defaults;
    EXPECT_EQ(defaults.robustness, 2);
    EXPECT_EQ(defaults.unsolicited_report_interval, 1s);
    EXPECT_EQ(defaults.older_unsolicited_report_interval, 10s);
    EXPECT_EQ(defaults.older_querier_present_interval, std::nullopt);
    EXPECT_EQ(defaults.ssm_range.to_string(), "232.0.0.0/8");
    EXPECT_EQ(defaults.minimum_version, Version::v1);
    EXPECT_TRUE(defaults.compatibility);
    EXPECT_TRUE(defaults.report_link_local);
}

TEST(Options, ThatCannotBeAreRefused) {
    KnownDelays delays;
    const auto refused = [&](auto change) {
        auto wanted = options();
        change(wanted);
        EXPECT_THROW(Host(wanted, delays), std::system_error);
    };
    refused([](HostOptions& o) { o.address = Ipv4Address(239, 1, 1, 1); });
    refused([](HostOptions& o) { o.prefix_length = 33; });
    refused([](HostOptions& o) { o.unsolicited_report_interval = 0s; });
    refused([](HostOptions& o) { o.older_unsolicited_report_interval = -1s; });
    refused([](HostOptions& o) { o.older_querier_present_interval = 0s; });
    refused([](HostOptions& o) { o.reports_per_second = 0; });
    refused([](HostOptions& o) { o.report_burst = 0; });
    EXPECT_NO_THROW(Host(options(), delays));
}

}  // namespace
}  // namespace joinleaf::igmp::test
