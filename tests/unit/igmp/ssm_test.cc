// Source-specific and special addresses (RFC 4604, RFC 4607, RFC 9776 §5).
#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kInvalid = std::errc::invalid_argument;

// SSM-1, SSM-2, SSM-3
TEST(SourceSpecific, AnySourceJoinsAreRefusedIn232) {
    HostUnderTest host(options());
    for (const GroupAddress group :
         {GroupAddress::of(232, 0, 0, 1), kChannel, GroupAddress::of(232, 255, 255, 255)}) {
        EXPECT_EQ(host.join(group), tl::unexpected(kInvalid));
        EXPECT_EQ(host.set(group, excluding({kS1})), tl::unexpected(kInvalid));
        EXPECT_TRUE(host.set(group, including({kS1})));
    }
    host.advance(1h);
    host.sent();
    EXPECT_EQ(host.set(kChannel, excluding({kS1})), tl::unexpected(kInvalid));
    EXPECT_EQ(host.host.status_of(kChannel)->filter, including({kS1}));
    EXPECT_THAT(host.sent(), IsEmpty());
    EXPECT_TRUE(host.join(GroupAddress::of(231, 255, 255, 255)));
    EXPECT_TRUE(host.join(GroupAddress::of(233, 0, 0, 0)));
}

// SSM-1
TEST(SourceSpecific, TheRangeMayBeSet) {
    auto wanted = options();
    wanted.ssm_range = {Ipv4Address(239, 7, 0, 0), 16};
    HostUnderTest host(wanted);
    EXPECT_EQ(host.join(kOther), tl::unexpected(kInvalid));
    EXPECT_TRUE(host.join(kGroup));
    wanted.ssm_range = {Ipv4Address(10, 0, 0, 0), 8};
    KnownDelays delays;
    EXPECT_THROW(Host(wanted, delays), std::system_error);
}

// SSM-4
TEST(SourceSpecific, SharesReportsWithAnySource) {
    HostUnderTest host(options());
    host.set_quietly(kChannel, including({kS1}));
    host.set_quietly(kGroup, SourceFilter::any());
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(report({{RecordType::allow, kChannel, {kS1}},
                                                 {RecordType::to_exclude, kGroup, {}}})));
}

// SSM-5
TEST(SourceSpecific, IsReportedAsAGroupToAnOlderQuerierAndThatIsCounted) {
    HostUnderTest host(options());
    host.set(kChannel, including({kS1}));
    host.advance(1h);
    host.sent();
    host.hear(v2_query(kChannel));
    EXPECT_EQ(host.host.counters().older_queries_in_ssm_range, 1u);
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(is_include(kChannel, {kS1})));
    host.hear(v2_query());
    EXPECT_EQ(host.host.counters().older_queries_in_ssm_range, 2u);
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kChannel)));
    host.hear(v1_query());
    EXPECT_EQ(host.host.counters().older_queries_in_ssm_range, 3u);
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(v1_report(kChannel)));
    host.leave(kChannel);
    host.hear(v2_query());
    EXPECT_EQ(host.host.counters().older_queries_in_ssm_range, 3u) << "nobody is concerned";
}

// SSM-5
TEST(SourceSpecific, AnOlderQueryAboutAnotherGroupDoesNotConcernIt) {
    HostUnderTest host(options());
    host.set(kChannel, including({kS1}));
    host.join(kGroup);
    host.hear(v2_query(kGroup));
    EXPECT_EQ(host.host.counters().older_queries_in_ssm_range, 0u);
}

// SSM-6
TEST(SourceSpecific, AGroupSpecificQueryIsAnswered) {
    HostUnderTest host(options());
    host.set(kChannel, including({kS1, kS2}));
    host.advance(1h);
    host.sent();
    host.hear(group_query(kChannel));
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(is_include(kChannel, {kS1, kS2})));
}

// SSM-9
TEST(SourceSpecific, ItsFirstAddressIsNoChannel) {
    HostUnderTest host(options());
    EXPECT_EQ(host.set(GroupAddress::of(232, 0, 0, 0), including({kS1})), tl::unexpected(kInvalid));
}

// ADR-1
TEST(Special, AllSystemsIsReceivedAlwaysAndNeverTold) {
    HostUnderTest host(options());
    EXPECT_EQ(host.join(kAllSystems), std::nullopt);
    EXPECT_EQ(host.set(kAllSystems, including({kS1})), std::nullopt);
    host.hear(general_query());
    host.hear(group_query(kAllSystems));
    EXPECT_EQ(host.leave(kAllSystems), std::nullopt);
    EXPECT_EQ(host.host.next_deadline(), std::nullopt);
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());
    EXPECT_THAT(host.delays.limits, IsEmpty());
    EXPECT_FALSE(host.host.status_of(kAllSystems));
}

// ADR-2, D6
TEST(Special, LinkLocalGroupsAreReportedLikeAny) {
    constexpr GroupAddress kMdns = GroupAddress::of(224, 0, 0, 251);
    HostUnderTest host(options());
    host.join(kMdns);
    host.advance(1h);
    host.leave(kMdns);
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(kMdns), to_exclude(kMdns), to_include(kMdns),
                                         to_include(kMdns)));
}

// ADR-2, D6
TEST(Special, LinkLocalGroupsMayBeKeptSilent) {
    constexpr GroupAddress kMdns = GroupAddress::of(224, 0, 0, 251);
    auto wanted = options();
    wanted.report_link_local = false;
    for (const bool older : {false, true}) {
        HostUnderTest host(wanted);
        if (older) host.hear(v2_query());
        EXPECT_EQ(host.join(kMdns), std::nullopt);
        EXPECT_EQ(host.host.status_of(kMdns)->filter, SourceFilter::any());
        EXPECT_FALSE(host.host.status_of(kMdns)->is_reported);
        host.hear(general_query());
        host.hear(group_query(kMdns));
        host.hear(older ? v1_query() : general_query());
        host.host.link_down(host.now());
        host.host.link_up(host.now());
        host.advance(60s);
        EXPECT_EQ(host.leave(kMdns), std::nullopt);
        host.advance(60s);
        EXPECT_THAT(host.sent(), IsEmpty());
        EXPECT_FALSE(host.host.status_of(kMdns));
        host.join(GroupAddress::of(224, 0, 1, 251));
        EXPECT_EQ(host.sent().size(), 1u) << "its neighbour is not link-local";
    }
}

// ADR-3
TEST(Special, RoutersGroupsAreNotJoinedOfItself) {
    HostUnderTest host(options());
    EXPECT_EQ(host.host.next_deadline(), std::nullopt);
    EXPECT_THAT(host.host.status(), IsEmpty());
}

}  // namespace
}  // namespace joinleaf::igmp::test
