// Many members, one filter (RFC 9776 §3.2), and what the host makes of it.
#include <igmp/reception_state.h>

#include "tests/unit/igmp/host_under_test.h"

namespace joinleaf::igmp::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

SourceFilter merged(std::initializer_list<SourceFilter> filters) {
    std::vector<Member> members;
    for (const SourceFilter& filter : filters)
        members.push_back({MemberId{members.size()}, filter});
    return merge(members);
}

constexpr Ipv4Address a(10, 9, 0, 1), b(10, 9, 0, 2), c(10, 9, 0, 3), d(10, 9, 0, 4),
    e(10, 9, 0, 5), f(10, 9, 0, 6);

// MRG-4, MRG-5, MRG-6
TEST(Merge, RfcExamples) {
    EXPECT_EQ(merged({excluding({a, b, c, d}), excluding({b, c, d, e}), including({d, e, f})}),
              excluding({b, c}));
    EXPECT_EQ(merged({including({a, b, c}), including({b, c, d}), including({e, f})}),
              including({a, b, c, d, e, f}));
    EXPECT_EQ(merged({excluding({a}), including({a})}), excluding({}));
    EXPECT_EQ(merged({excluding({a, b}), excluding({})}), excluding({}));
}

// MRG-3, MRG-8
TEST(Merge, OfNobodyIsNothing) { EXPECT_EQ(merge({}), SourceFilter::nothing()); }

// MRG-1
TEST(Membership, EachCallReplacesTheOneBefore) {
    HostUnderTest host(options());
    host.set(kGroup, including({kS1, kS2}));
    host.set(kGroup, including({kS3}));
    EXPECT_EQ(host.host.status_of(kGroup)->filter, including({kS3}));
    host.set(kGroup, excluding({kS4}));
    EXPECT_EQ(host.host.status_of(kGroup)->filter, excluding({kS4}));
    EXPECT_EQ(host.host.status_of(kGroup)->members, 1u);
}

// MRG-2, MRG-3, MRG-8
TEST(Membership, IncludingNothingLeaves) {
    HostUnderTest host(options());
    host.set(kGroup, excluding({}));
    EXPECT_EQ(host.host.status_of(kGroup)->filter, SourceFilter::any());
    host.set(kGroup, including({}));
    host.advance(1h);
    EXPECT_FALSE(host.host.status_of(kGroup));
    EXPECT_THAT(host.host.status(), IsEmpty());
}

// MRG-7
TEST(Membership, ASecondMemberOfTheSameKindChangesNothing) {
    HostUnderTest host(options());
    host.join(kGroup, kAlice);
    host.advance(1h);
    host.sent();
    EXPECT_EQ(host.join(kGroup, kBob), std::nullopt);
    EXPECT_EQ(host.leave(kGroup, kAlice), std::nullopt);
    host.advance(1h);
    EXPECT_THAT(host.sent(), IsEmpty());
    host.leave(kGroup, kBob);
    EXPECT_THAT(host.sent(), ElementsAre(to_include(kGroup)));
}

// MRG-4, MRG-7
TEST(Membership, TheNetworkHearsTheMergedFilter) {
    HostUnderTest host(options());
    host.set(kGroup, excluding({kS1, kS2}), kAlice);
    host.advance(1h);
    host.sent();
    host.set(kGroup, including({kS1}), kBob);
    EXPECT_THAT(host.sent(), ElementsAre(allow(kGroup, {kS1})));
    host.advance(1h);
    host.sent();
    host.leave(kGroup, kAlice);
    EXPECT_THAT(host.sent(), ElementsAre(to_include(kGroup, {kS1})));
}

// MRG-7: the end of a member ends all it had, and only that.
TEST(Membership, EndsWithItsMember) {
    HostUnderTest host(options());
    host.join(kGroup, kAlice);
    host.join(kGroup, kBob);
    host.join(kOther, kAlice);
    host.set(kChannel, including({kS1}), kAlice);
    host.advance(1h);
    host.sent();
    host.host.remove_member(kAlice, host.now());
    host.let_send();
    EXPECT_THAT(host.sent(), ElementsAre(report({{RecordType::block, kChannel, {kS1}},
                                                 {RecordType::to_include, kOther, {}}})));
    EXPECT_EQ(host.host.status_of(kGroup)->members, 1u);
    host.host.remove_member(kAlice, host.now());
    host.advance(1h);
    host.sent();
    host.host.remove_member(MemberId{77}, host.now());
    host.let_send();
    EXPECT_THAT(host.sent(), IsEmpty());
}

// MRG-10
TEST(Membership, ALeaveWithoutAJoinIsAnError) {
    HostUnderTest host(options());
    EXPECT_EQ(host.leave(kGroup), tl::unexpected(std::errc::address_not_available));
    host.join(kGroup, kAlice);
    EXPECT_EQ(host.leave(kGroup, kBob), tl::unexpected(std::errc::address_not_available));
    host.leave(kGroup, kAlice);
    EXPECT_EQ(host.leave(kGroup, kAlice), tl::unexpected(std::errc::address_not_available));
}

// MRG-10
TEST(Membership, LimitsFailTheCallAndChangeNothing) {
    auto wanted = options();
    wanted.max_groups = 2;
    wanted.max_sources_per_group = 3;
    HostUnderTest host(wanted);
    const auto full = tl::unexpected(std::errc::no_buffer_space);
    EXPECT_EQ(host.set(kGroup, including({kS1, kS2, kS3, kS4})), full);
    EXPECT_FALSE(host.host.status_of(kGroup));

    EXPECT_TRUE(host.set(kGroup, including({kS1, kS2}), kAlice));
    EXPECT_EQ(host.set(kGroup, including({kS3, kS4}), kBob), full);
    EXPECT_EQ(host.host.status_of(kGroup)->filter, including({kS1, kS2}));
    EXPECT_EQ(host.host.status_of(kGroup)->members, 1u);
    EXPECT_EQ(host.leave(kGroup, kBob), tl::unexpected(std::errc::address_not_available));
    EXPECT_TRUE(host.set(kGroup, including({kS3}), kBob));
    EXPECT_EQ(host.set(kGroup, including({kS3, kS4}), kBob), full);
    EXPECT_EQ(host.host.status_of(kGroup)->filter, including({kS1, kS2, kS3}));

    EXPECT_TRUE(host.join(kOther));
    EXPECT_EQ(host.set(kChannel, including({kS1})), full);
    EXPECT_TRUE(host.join(kOther, kBob)) << "a known group needs no place";
    host.leave(kOther, kAlice);
    host.leave(kOther, kBob);
    EXPECT_TRUE(host.set(kChannel, including({kS1}))) << "a group that was left gives its place";
}

// MRG-10: leaving may show more sources than a call may ask for; it works all the same.
TEST(Membership, ALeaveNeverFailsForALimit) {
    auto wanted = options();
    wanted.max_sources_per_group = 2;
    HostUnderTest host(wanted);
    host.join(kGroup, kAlice);
    EXPECT_TRUE(host.set(kGroup, including({kS1, kS2}), kBob));
    EXPECT_TRUE(host.set(kGroup, including({kS3, kS4}), MemberId{3}));
    EXPECT_TRUE(host.leave(kGroup, kAlice));
    EXPECT_EQ(host.host.status_of(kGroup)->filter, including({kS1, kS2, kS3, kS4}));
}

TEST(Membership, ASourceThatCannotBeOneIsAnError) {
    HostUnderTest host(options());
    for (const Ipv4Address bad : {Ipv4Address(), Ipv4Address(239, 1, 1, 1),
                                  Ipv4Address(127, 0, 0, 1), Ipv4Address(255, 255, 255, 255)}) {
        EXPECT_EQ(host.set(kGroup, including({bad})), tl::unexpected(std::errc::invalid_argument));
    }
    EXPECT_FALSE(host.host.status_of(kGroup));
}

// MRG-11: two hosts on one link are two hosts.
TEST(Membership, PortsKeepApart) {
    HostUnderTest first(options());
    HostUnderTest second(options());
    first.join(kGroup);
    second.join(kGroup);
    EXPECT_THAT(first.sent(), ElementsAre(to_exclude(kGroup)));
    EXPECT_THAT(second.sent(), ElementsAre(to_exclude(kGroup)));
}

}  // namespace
}  // namespace joinleaf::igmp::test
