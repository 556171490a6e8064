// Tickets: whoever changes a filter learns which message tells the network, whatever comes between.
#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Ticket ticket_of(const HostUnderTest::Outcome& outcome) {
    EXPECT_TRUE(outcome && *outcome);
    return outcome && *outcome ? **outcome : Ticket{};
}

HostOptions slow() {
    auto wanted = options();
    wanted.reports_per_second = 1;
    wanted.report_burst = 1;
    return wanted;
}

// Spends the only token, so that what follows waits for a second.
void spend_the_token(HostUnderTest& host) {
    host.join(GroupAddress::of(239, 99, 99, 99), MemberId{99});
    host.sent();
}

TEST(Ticket, IsCarriedByTheFirstReportAndNoOther) {
    HostUnderTest host(options());
    const Ticket ticket = ticket_of(host.join(kGroup));
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(to_exclude(kGroup), carries({ticket}))));
    EXPECT_TRUE(host.host.status_of(kGroup)->is_reported);
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(to_exclude(kGroup), carries({}))));
}

TEST(Ticket, OfALeaveIsCarriedToo) {
    HostUnderTest host(options());
    host.join(kGroup);
    host.advance(1h);
    host.sent();
    const Ticket ticket = ticket_of(host.leave(kGroup));
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(to_include(kGroup), carries({ticket}))));
}

TEST(Ticket, EachGroupOfABatchHasItsOwn) {
    HostUnderTest host(options());
    const Ticket first = ticket_of(host.set_quietly(kGroup, SourceFilter::any()));
    const Ticket second = ticket_of(host.set_quietly(kOther, SourceFilter::any()));
    EXPECT_NE(first, second);
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(report_of(2), carries({first, second}))));
}

// A change that waits for its turn takes the later ones with it.
TEST(Ticket, IsSharedByTheChangesThatOneReportTells) {
    HostUnderTest host(slow());
    spend_the_token(host);
    const Ticket ticket = ticket_of(host.join(kGroup, kAlice));
    EXPECT_EQ(ticket_of(host.join(kGroup, kBob)), ticket) << "no change, but not told yet either";
    EXPECT_EQ(ticket_of(host.set(kGroup, excluding({kS1}), kAlice)), ticket);
    EXPECT_FALSE(host.host.status_of(kGroup)->is_reported);
    host.advance(1s);
    EXPECT_EQ(host.join(kGroup, MemberId{3}), std::nullopt);
    const auto sent = host.sent();
    ASSERT_FALSE(sent.empty());
    EXPECT_THAT(sent.front().tickets, ElementsAre(ticket));
}

// The report then tells the leave; the join's ticket is done with.
TEST(Ticket, SurvivesALeaveBeforeTheReportHasGone) {
    HostUnderTest host(slow());
    spend_the_token(host);
    const Ticket ticket = ticket_of(host.join(kGroup));
    EXPECT_EQ(ticket_of(host.leave(kGroup)), ticket);
    host.advance(1h);
    const auto sent = host.sent();
    ASSERT_FALSE(sent.empty());
    EXPECT_THAT(sent.front().tickets, ElementsAre(ticket));
    EXPECT_FALSE(host.host.status_of(kGroup));
}

TEST(Ticket, OfASplitRecordIsCarriedByItsLastPart) {
    HostUnderTest host(options());
    const Ticket ticket = ticket_of(host.set(kGroup, {FilterMode::include, sources(800)}));
    EXPECT_THAT(host.sent(), ElementsAre(carries({}), carries({}), carries({ticket})));
}

TEST(Ticket, IsCarriedByVersion2AndVersion1Too) {
    for (const Query& query : {v2_query(), v1_query()}) {
        HostUnderTest host(options());
        host.hear(query);
        const Ticket ticket = ticket_of(host.join(kGroup));
        host.advance(60s);
        EXPECT_THAT(host.sent(), ElementsAre(carries({ticket}), carries({})));
    }
    HostUnderTest host(options());
    host.hear(v2_query());
    host.join(kGroup);
    host.advance(60s);
    host.sent();
    const Ticket ticket = ticket_of(host.leave(kGroup));
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(v2_leave(kGroup), carries({ticket}))));
}

// CMP-7: what has not been told once is no retransmission; it is told in the new version.
TEST(Ticket, SurvivesAChangeOfVersion) {
    HostUnderTest host(slow());
    spend_the_token(host);
    const Ticket ticket = ticket_of(host.set(kGroup, including({kS1})));
    host.hear(v2_query());
    host.advance(1s);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(v2_report(kGroup), carries({ticket}))));
}

// And back: the change is told whole, since what the network knows of it is not known.
TEST(Ticket, SurvivesAReturnToVersion3) {
    auto wanted = slow();
    wanted.older_querier_present_interval = 1ms;
    HostUnderTest host(wanted);
    spend_the_token(host);
    const Ticket ticket = ticket_of(host.set(kGroup, including({kS1})));
    host.hear(v2_query());
    EXPECT_EQ(ticket_of(host.set(kGroup, excluding({kS2}))), ticket);
    host.advance(1s);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(to_exclude(kGroup, {kS2}), carries({ticket}))));
}

// V2-6: another host's report saves a repetition, never the first report.
TEST(Ticket, IsNotTakenByAnotherHostsReport) {
    HostUnderTest host(slow());
    host.hear(v2_query());
    spend_the_token(host);
    const Ticket ticket = ticket_of(host.join(kGroup));
    host.hear_report(Version::v2, kGroup);
    EXPECT_EQ(host.host.counters().suppressed, 0u);
    host.advance(1s);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(v2_report(kGroup), carries({ticket}))));
}

// A join taken back before it was told, where there is no word for that: nothing on the wire.
TEST(Ticket, OfAJoinTakenBackInVersion1ComesWithAnEmptyMessage) {
    HostUnderTest host(slow());
    host.hear(v1_query());
    spend_the_token(host);
    const Ticket ticket = ticket_of(host.join(kGroup));
    EXPECT_EQ(ticket_of(host.leave(kGroup)), ticket);
    host.advance(60s);
    EXPECT_THAT(host.empty_tickets, ElementsAre(ticket));
    EXPECT_FALSE(host.host.status_of(kGroup));
    for (const Message& message : host.sent()) EXPECT_THAT(message.tickets, IsEmpty());
}

TEST(Ticket, OfALeaveTakenBackIsCarriedByTheReport) {
    HostUnderTest host(slow());
    host.hear(v2_query());
    host.join(kGroup);
    host.advance(60s);
    spend_the_token(host);
    const Ticket ticket = ticket_of(host.leave(kGroup));
    EXPECT_EQ(ticket_of(host.join(kGroup)), ticket);
    host.advance(1s);
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(v2_report(kGroup), carries({ticket}))));
}

TEST(Ticket, WaitsForTheLink) {
    HostUnderTest host(options());
    host.host.link_down(host.now());
    const Ticket ticket = ticket_of(host.join(kGroup));
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());
    host.host.link_up(host.now());
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(to_exclude(kGroup), carries({ticket}))));
}

// SCR-20: the link goes before the report has, and comes back.
TEST(Ticket, SurvivesTheLossOfTheLink) {
    HostUnderTest host(slow());
    spend_the_token(host);
    const Ticket ticket = ticket_of(host.join(kGroup));
    host.host.link_down(host.now());
    host.advance(1h);
    host.host.link_up(host.now());
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(report_of(2), carries({ticket}))));
}

// SCR-20
TEST(Link, ItsReturnTellsEverythingAgain) {
    HostUnderTest host(options());
    host.join(kGroup);
    host.set(kOther, excluding({kS2}));
    host.set(kChannel, including({kS1}));
    host.advance(1h);
    host.sent();
    host.host.link_down(host.now());
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());
    host.host.link_up(host.now());
    host.let_send();
    const Says all = report({{RecordType::allow, kChannel, {kS1}},
                             {RecordType::to_exclude, kGroup, {}},
                             {RecordType::to_exclude, kOther, {kS2}}});
    EXPECT_THAT(host.sent(), ElementsAre(all));
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(all));
}

// SCR-20
TEST(Link, ItsLossEndsEveryTimer) {
    HostUnderTest host(options());
    host.join(kGroup);
    host.hear(general_query());
    host.hear(group_query(kGroup));
    host.sent();
    host.host.link_down(host.now());
    EXPECT_EQ(host.host.next_deadline(), std::nullopt);
    EXPECT_FALSE(host.host.has_pending_state_changes());
    host.hear(general_query());
    EXPECT_EQ(host.host.counters().ignored_link_down, 1u);
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());
}

// SCR-20: what was left meanwhile is told to be left.
TEST(Link, ALeaveWhileItIsDownIsToldOnItsReturn) {
    HostUnderTest host(options());
    host.join(kGroup);
    host.advance(1h);
    host.sent();
    host.host.link_down(host.now());
    const Ticket ticket = ticket_of(host.leave(kGroup));
    host.host.link_up(host.now());
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(AllOf(to_include(kGroup), carries({ticket}))));
}

// SCR-20: in version 2 as well, and the older querier is still minded.
TEST(Link, ItsReturnTellsEverythingAgainInVersion2) {
    HostUnderTest host(options());
    host.hear(v2_query());
    host.join(kGroup);
    host.advance(60s);
    host.sent();
    host.host.link_down(host.now());
    host.advance(60s);
    host.host.link_up(host.now());
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(v2_report(kGroup)));
    host.host.link_down(host.now());
    host.advance(1h);
    host.host.link_up(host.now());
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(kGroup))) << "the older querier is gone";
}

// SCR-20, ENC-9, ENC-10
TEST(Link, ANewAddressTellsEverythingAgain) {
    HostUnderTest host(HostOptions{});
    host.join(kGroup);
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(kGroup), to_exclude(kGroup)));
    const Ipv4Interface address{kOwn, 24};
    host.host.set_address(address, host.now());
    host.advance(1h);
    EXPECT_THAT(host.sent(), ElementsAre(to_exclude(kGroup), to_exclude(kGroup)));
    host.host.set_address(address, host.now());
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty()) << "it is not new";
    host.hear(general_query(), {.source = kOwn});
    EXPECT_EQ(host.host.counters().ignored_own, 1u);
}

}  // namespace
}  // namespace joinleaf::igmp::test
