// Older queriers, and the version we speak because of them (RFC 9776 §7.2).
#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Version version_of(const HostUnderTest& host) { return host.host.querier().version_in_force; }

HostUnderTest& settled(HostUnderTest& host) {
    host.join(kGroup);
    host.advance(1h);
    host.sent();
    return host;
}

// CMP-1, CMP-3, CMP-6, CMP-9
TEST(Compatibility, AVersion2GeneralQueryIsFollowedAtOnce) {
    HostUnderTest host(options());
    settled(host).hear(v2_query());
    EXPECT_EQ(version_of(host), Version::v2);
    host.advance(10s);
    host.join(kOther);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kGroup), v2_report(kOther)));
    EXPECT_EQ(host.host.counters().version_changes, 1u);
}

// CMP-1, CMP-2, CMP-6, CMP-9
TEST(Compatibility, AVersion1QueryIsFollowedAtOnce) {
    HostUnderTest host(options());
    settled(host).hear(v1_query());
    EXPECT_EQ(version_of(host), Version::v1);
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(v1_report(kGroup)));
}

// CMP-1, CMP-8
TEST(Compatibility, Version1GoesBeforeVersion2AndFallsBackToIt) {
    HostUnderTest host(options());
    host.hear(v1_query());
    host.advance(100s);
    host.hear(v2_query());
    EXPECT_EQ(version_of(host), Version::v1);
    host.advance(250s - 1ns);
    EXPECT_EQ(version_of(host), Version::v1);
    host.advance(1ns);
    EXPECT_EQ(version_of(host), Version::v2);
    host.advance(100s - 1ns);
    EXPECT_EQ(version_of(host), Version::v2);
    host.advance(1ns);
    EXPECT_EQ(version_of(host), Version::v3);
}

// CMP-8
TEST(Compatibility, Version1FallsBackToVersion3IfNothingElseWasHeard) {
    HostUnderTest host(options());
    host.hear(v1_query());
    host.advance(350s);
    EXPECT_EQ(version_of(host), Version::v3);
    EXPECT_EQ(host.host.next_deadline(), std::nullopt);
}

// CMP-4: where Linux and FreeBSD switch.
TEST(Compatibility, AnOlderGroupSpecificQueryChangesNothing) {
    HostUnderTest host(options());
    settled(host).hear(v2_query(kGroup, Deciseconds(5)));
    EXPECT_EQ(version_of(host), Version::v3);
    host.advance(500ms);
    EXPECT_THAT(host.sent(), ElementsAre(is_exclude(kGroup)));
    host.hear(general_query());
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(is_exclude(kGroup)));
}

// CMP-5, D4, DEF-2, DEF-7: 2 * 125 s + 10 * Max Response Time.
TEST(Compatibility, TheOlderQuerierIsPresentForTheTimeOfTheFormula) {
    for (const auto& [tenths, seconds] :
         {std::pair(100, 350s), std::pair(1, 251s), std::pair(255, 505s)}) {
        HostUnderTest host(options());
        host.hear(v2_query({}, Deciseconds(tenths)));
        EXPECT_EQ(host.host.querier().v2_until, host.now() + seconds);
        host.advance(seconds - 1ns);
        EXPECT_EQ(version_of(host), Version::v2);
        host.advance(1ns);
        EXPECT_EQ(version_of(host), Version::v3);
    }
}

// CMP-5, D4
TEST(Compatibility, TheTimeOfTheOlderQuerierMayBeSet) {
    auto wanted = options();
    wanted.older_querier_present_interval = 260s;
    HostUnderTest host(wanted);
    host.hear(v1_query());
    host.hear(v2_query());
    EXPECT_EQ(host.host.querier().v1_until, host.now() + 260s);
    EXPECT_EQ(host.host.querier().v2_until, host.now() + 260s);
}

// CMP-3
TEST(Compatibility, EachOlderQueryProlongsTheTime) {
    HostUnderTest host(options());
    for (int i = 0; i < 10; ++i) {
        host.hear(v2_query());
        host.advance(349s);
        EXPECT_EQ(version_of(host), Version::v2);
    }
    EXPECT_EQ(host.host.counters().version_changes, 1u);
}

// CMP-7
TEST(Compatibility, AChangeOfVersionCancelsAllThatIsPending) {
    HostUnderTest host(options());
    host.delays.share = 1;
    host.join(kGroup);
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(kGroup)));
    host.hear(group_query(kGroup));
    host.hear(general_query());
    host.hear(v2_query({}, Deciseconds(30)));  // still owed: a repetition, and two answers
    const Duration asked_at = host.elapsed();
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(at(asked_at + 3s), v2_report(kGroup))));
}

// CMP-7, CMP-8: up again, in the midst of an answer of version 2.
TEST(Compatibility, AReturnToVersion3CancelsAllThatIsPending) {
    auto wanted = options();
    wanted.older_querier_present_interval = 5s;
    HostUnderTest host(wanted);
    settled(host).delays.share = 1;
    host.hear(v2_query({}, Deciseconds(200)));
    host.join(kOther);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kOther)));
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());
    host.hear(general_query());
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(report({{RecordType::is_exclude, kGroup, {}},
                                                 {RecordType::is_exclude, kOther, {}}})));
}

// CMP-7: the leave that was told once is not told again in another version, and is forgotten.
TEST(Compatibility, AChangeOfVersionEndsALeaveThatWasTold) {
    HostUnderTest host(options());
    settled(host).leave(kGroup);
    EXPECT_THAT(host.sent(), ElementsAre(to_include(kGroup)));
    host.hear(v2_query());
    EXPECT_FALSE(host.host.status_of(kGroup));
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
}

// CMP-10, D7
TEST(Compatibility, AVersion3QueryIsAnsweredInTheVersionInForce) {
    HostUnderTest host(options());
    settled(host).hear(v2_query());
    host.advance(60s);
    host.sent();
    host.hear(general_query());
    EXPECT_EQ(version_of(host), Version::v2);
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kGroup)));
    host.hear(source_query(kGroup, {kS1}));
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kGroup)));
    host.hear(v1_query());
    host.advance(60s);
    host.sent();
    host.hear(general_query());
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(v1_report(kGroup)));
}

// CMP-12
TEST(Compatibility, InVersion2OnlyMembershipAsSuchIsTold) {
    HostUnderTest host(options());
    host.hear(v2_query());
    EXPECT_TRUE(host.set(kGroup, including({kS1}))->has_value());
    host.advance(60s);
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kGroup), v2_report(kGroup)));
    EXPECT_EQ(host.set(kGroup, including({kS1, kS2})), std::nullopt);
    EXPECT_EQ(host.set(kGroup, excluding({kS3})), std::nullopt);
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
    EXPECT_EQ(host.host.status_of(kGroup)->filter, excluding({kS3}));
    host.leave(kGroup);
    EXPECT_THAT(host.sent(), ElementsAre(v2_leave(kGroup)));
}

// CMP-13
TEST(Compatibility, MayBeDisabled) {
    auto wanted = options();
    wanted.compatibility = false;
    HostUnderTest host(wanted);
    settled(host).hear(v2_query());
    host.hear(v1_query());
    EXPECT_EQ(version_of(host), Version::v3);
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(is_exclude(kGroup)));
    EXPECT_EQ(host.host.next_deadline(), std::nullopt);
}

// CMP-14
TEST(Compatibility, AVersionMayBeForced) {
    for (const Version forced : {Version::v1, Version::v2, Version::v3}) {
        auto wanted = options();
        wanted.forced_version = forced;
        HostUnderTest host(wanted);
        host.join(kGroup);
        host.advance(1h);
        const Says joined = forced == Version::v1   ? v1_report(kGroup)
                            : forced == Version::v2 ? v2_report(kGroup)
                                                    : to_exclude(kGroup);
        const Says answered = forced == Version::v3 ? is_exclude(kGroup) : joined;
        EXPECT_THAT(host.sent(), ElementsAre(joined, joined));
        for (const Query& query : {general_query(), v2_query(), v1_query()}) {
            host.hear(query);
            EXPECT_EQ(version_of(host), forced);
            host.advance(10s);
            EXPECT_THAT(host.sent(), ElementsAre(answered));
        }
    }
}

// CMP-15, SSM-7
TEST(Compatibility, OlderReportsOfOthersNeverSaveAVersion3Record) {
    HostUnderTest host(options());
    settled(host).set(kChannel, including({kS1}));
    host.advance(1h);
    host.sent();
    host.hear(general_query());
    host.hear_report(Version::v2, kGroup);
    host.hear_report(Version::v1, kChannel);
    host.advance(10s);
    EXPECT_THAT(host.sent(), ElementsAre(report({{RecordType::is_include, kChannel, {kS1}},
                                                 {RecordType::is_exclude, kGroup, {}}})));
}

// D9
TEST(Compatibility, QueriesBelowAMinimumVersionAreIgnored) {
    auto wanted = options();
    wanted.minimum_version = Version::v2;
    HostUnderTest host(wanted);
    settled(host).hear(v1_query());
    EXPECT_EQ(version_of(host), Version::v3);
    EXPECT_EQ(host.host.counters().ignored_version, 1u);
    host.advance(60s);
    EXPECT_THAT(host.sent(), IsEmpty());
    host.hear(v2_query());
    EXPECT_EQ(version_of(host), Version::v2);

    wanted.minimum_version = Version::v3;
    HostUnderTest strict(wanted);
    settled(strict).hear(v2_query());
    strict.hear(v2_query(kGroup));
    EXPECT_EQ(strict.host.counters().ignored_version, 2u);
    strict.advance(60s);
    EXPECT_THAT(strict.sent(), IsEmpty());
}

}  // namespace
}  // namespace joinleaf::igmp::test
