// Few reports, none above the MTU (RFC 9776 §4.2.17).
#include <igmp/report_packer.h>

#include <algorithm>

#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::SizeIs;

std::vector<Message> joined(HostUnderTest& host, std::uint32_t groups) {
    for (std::uint32_t i = 0; i < groups; ++i) {
        host.set_quietly(nth_group(i), SourceFilter::any());
    }
    host.let_send();
    return host.sent();
}

std::vector<std::size_t> records_of(const std::vector<Message>& messages) {
    std::vector<std::size_t> counts;
    for (const Message& message : messages) {
        counts.push_back(std::get<Report>(message.content).records.size());
    }
    return counts;
}

std::vector<std::size_t> sources_of(const std::vector<Message>& messages) {
    std::vector<std::size_t> counts;
    for (const Message& message : messages) {
        for (const Record& record : std::get<Report>(message.content).records) {
            counts.push_back(record.sources.size());
        }
    }
    return counts;
}

HostOptions with_mtu(std::uint16_t mtu) {
    auto wanted = options();
    wanted.mtu = mtu;
    wanted.report_burst = 100'000;
    return wanted;
}

// PKG-1, PKG-2
TEST(Packing, FourHundredGroupsTakeThreeReportsAsStateChange) {
    HostUnderTest host(options());
    EXPECT_THAT(records_of(joined(host, 400)), ElementsAre(183, 183, 34));
    host.advance(1h);
    EXPECT_THAT(records_of(host.sent()), ElementsAre(183, 183, 34));
}

// PKG-1, PKG-2
TEST(Packing, FourHundredGroupsTakeThreeReportsAsAnswer) {
    HostUnderTest host(options());
    joined(host, 400);
    host.advance(1h);
    host.sent();
    host.hear(general_query());
    host.advance(1h);
    EXPECT_THAT(records_of(host.sent()), ElementsAre(183, 183, 34));
}

// PKG-3
TEST(Packing, AnOversizedListIsSplitOverReports) {
    HostUnderTest host(options());
    host.set(kChannel, {FilterMode::include, sources(800)});
    const auto change = host.sent();
    EXPECT_THAT(sources_of(change), ElementsAre(365, 365, 70));
    EXPECT_THAT(records_of(change), ElementsAre(1, 1, 1));
    std::vector<Ipv4Address> all;
    for (const Message& message : change) {
        const Record& record = std::get<Report>(message.content).records.front();
        EXPECT_EQ(record.type, RecordType::allow);
        all.insert(all.end(), record.sources.begin(), record.sources.end());
    }
    EXPECT_EQ(all, sources(800));

    host.advance(1h);
    EXPECT_THAT(sources_of(host.sent()), ElementsAre(365, 365, 70));
    host.hear(general_query());
    host.advance(1h);
    EXPECT_THAT(sources_of(host.sent()), ElementsAre(365, 365, 70));
    host.hear(group_query(kChannel));
    host.advance(1h);
    EXPECT_THAT(sources_of(host.sent()), ElementsAre(365, 365, 70));
}

// PKG-4, PKG-5
TEST(Packing, AnOversizedExcludeListIsCutAtTheSamePlaceEachTime) {
    HostUnderTest host(options());
    host.set(kGroup, {FilterMode::exclude, sources(800)});
    host.advance(1h);
    EXPECT_THAT(host.sent(),
                ElementsAre(to_exclude(kGroup, sources(365)), to_exclude(kGroup, sources(365))));
    for (int i = 0; i < 2; ++i) {
        host.hear(general_query());
        host.advance(1h);
        EXPECT_THAT(host.sent(), ElementsAre(is_exclude(kGroup, sources(365))));
    }
}

// PKG-6
TEST(Packing, ARecordThatFitsOneReportIsNotSplitToFillAnother) {
    HostUnderTest host(with_mtu(1500));
    host.set_quietly(nth_group(0), {FilterMode::include, sources(200)});
    host.set_quietly(nth_group(1), {FilterMode::include, sources(200)});
    host.set_quietly(nth_group(2), {FilterMode::include, sources(100)});
    host.let_send();
    const auto sent = host.sent();
    EXPECT_THAT(sources_of(sent), ElementsAre(200, 200, 100));
    EXPECT_THAT(records_of(sent), ElementsAre(1, 2));
}

// REP-8: both records of one change stay together as long as one report can hold them.
TEST(Packing, AllowAndBlockOfOneGroupStayTogether) {
    HostUnderTest host(with_mtu(1500));
    const auto all = sources(362);
    const std::vector<Ipv4Address> first(all.begin(), all.begin() + 181);
    const std::vector<Ipv4Address> second(all.begin() + 181, all.end());
    host.set(nth_group(1), {FilterMode::include, first});
    host.advance(1h);
    host.sent();
    host.set_quietly(nth_group(0), SourceFilter::any());
    host.set_quietly(nth_group(1), {FilterMode::include, second});
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(nth_group(0)),
                                         report({{RecordType::allow, nth_group(1), second},
                                                 {RecordType::block, nth_group(1), first}})));
}

// PKG-7: 24 octets of IPv4, 8 of report, 8 a record, 4 a source.
TEST(Packing, KeepsToEveryMtu) {
    for (const std::uint16_t mtu :
         {std::uint16_t{44}, std::uint16_t{576}, std::uint16_t{1500}, std::uint16_t{9000}}) {
        const std::size_t empty_records = (mtu - 32u) / 8u;
        const std::size_t most_sources = (mtu - 40u) / 4u;
        HostUnderTest host(with_mtu(mtu));
        for (const Message& message : joined(host, static_cast<std::uint32_t>(empty_records * 2))) {
            EXPECT_THAT(message, report_of(empty_records)) << mtu;
        }
        const auto list = sources(static_cast<std::uint32_t>(most_sources + 1));
        host.set(kChannel, {FilterMode::include, list});
        EXPECT_THAT(sources_of(host.sent()), ElementsAre(most_sources, 1)) << mtu;
        host.set(kGroup, {FilterMode::exclude, list});
        EXPECT_THAT(sources_of(host.sent()), ElementsAre(most_sources)) << mtu;
        host.advance(1h);
        host.sent();
        host.hear(general_query());
        host.advance(1h);
        EXPECT_THAT(sources_of(host.sent()), SizeIs(empty_records * 2 + 3)) << mtu;
    }
}

// PKG-7
TEST(Packing, AnMtuBelowTheSmallestIsRefused) {
    KnownDelays delays;
    EXPECT_THROW(Host(with_mtu(43), delays), std::system_error);
}

// RSP-8: a long answer is spread over the response time, one report to a slot.
TEST(Spreading, ALongAnswerIsSpreadOverTheResponseTime) {
    HostUnderTest host(options());
    constexpr std::uint32_t kReports = 9;
    joined(host, 183 * kReports);
    host.advance(1h);
    host.sent();
    host.delays.share = 1.0;  // the latest moment of each slot
    host.hear(general_query());
    const Duration asked_at = host.elapsed();
    EXPECT_THAT(host.sent(), SizeIs(0)) << "never at once";
    host.advance(10s);
    const auto answer = host.sent();
    ASSERT_THAT(answer, SizeIs(kReports));
    const Duration slot = 10s / (kReports + 1);
    for (std::uint32_t i = 0; i < kReports; ++i) {
        EXPECT_EQ(answer[i].at - asked_at, slot * (i + 1));
        EXPECT_THAT(answer[i], report_of(183));
    }
    host.advance(1h);
    EXPECT_THAT(host.sent(), SizeIs(0));
}

// RSP-8, RSP-1
TEST(Spreading, NoPartOfAnAnswerComesAtOnce) {
    HostUnderTest host(options());
    joined(host, 183 * 9);
    host.advance(1h);
    host.sent();
    host.delays.share = 0;  // the earliest moment of each slot
    host.hear(general_query());
    const Duration asked_at = host.elapsed();
    host.advance(10s);
    const auto answer = host.sent();
    ASSERT_THAT(answer, SizeIs(9));
    for (std::uint32_t i = 0; i < 9; ++i) EXPECT_EQ(answer[i].at - asked_at, i * 1s + 1ns);
}

// RSP-3, RSP-4, RSP-8: a second query amid the answer is owed a full answer, and gets just one.
TEST(Spreading, AQueryAmidTheAnswerIsAnsweredInFullToo) {
    HostUnderTest host(options());
    joined(host, 183 * 9);
    host.advance(1h);
    host.sent();
    host.hear(general_query());
    host.advance(4s + 1ms);
    const auto before = host.sent();
    EXPECT_THAT(before, SizeIs(4));
    const Duration asked_at = host.elapsed();
    host.hear(general_query());
    host.advance(1h);
    const auto after = host.sent();
    EXPECT_THAT(after, SizeIs(9));
    EXPECT_LE(after.back().at - asked_at, 10s);
    // The first query's answer is completed before the second's begins anew.
    const auto& fifth = std::get<Report>(after.front().content).records.front();
    EXPECT_EQ(fifth.group, nth_group(183 * 4));
    std::vector<GroupAddress> told;
    for (const Message& message : after) {
        for (const Record& record : std::get<Report>(message.content).records) {
            told.push_back(record.group);
        }
    }
    std::sort(told.begin(), told.end());
    EXPECT_EQ(std::unique(told.begin(), told.end()) - told.begin(), 183 * 9);
}

// RSP-3
TEST(Spreading, AFasterQueryAmidTheAnswerHurriesIt) {
    HostUnderTest host(options());
    joined(host, 183 * 9);
    host.advance(1h);
    host.sent();
    host.hear(general_query(Deciseconds(200)));
    host.advance(9s);
    host.sent();
    const Duration asked_at = host.elapsed();
    host.hear(general_query(Deciseconds(20)));
    host.advance(1h);
    const auto after = host.sent();
    EXPECT_THAT(after, SizeIs(9));
    EXPECT_LE(after.back().at - asked_at, 2s);
}

// RSP-8, RSP-13: the walk minds groups that come and go while it is under way.
TEST(Spreading, GroupsMayComeAndGoAmidTheAnswer) {
    HostUnderTest host(options());
    joined(host, 183 * 3);
    host.advance(1h);
    host.sent();
    host.hear(general_query());
    host.advance(5s);
    for (std::uint32_t i = 183 * 2; i < 183 * 3; ++i) {
        host.set_quietly(nth_group(i), SourceFilter::nothing());
    }
    host.set_quietly(kChannel, including({kS1}));
    host.let_send();
    host.advance(1h);
    for (const Message& message : host.sent()) {
        for (const Record& record : std::get<Report>(message.content).records) {
            if (record.type == RecordType::is_exclude) {
                EXPECT_LT(record.group, nth_group(183 * 2));
            }
        }
    }
}

}  // namespace
}  // namespace joinleaf::igmp::test
