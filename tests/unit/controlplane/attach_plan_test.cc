// What each member of a rooted session sends and receives, by multicast and by unicast (M20 to
// M22).
#include <controlplane/attach_plan.h>
#include <gtest/gtest.h>

namespace joinleaf::controlplane {
namespace {

constexpr Ipv4Address kRoot(10, 0, 0, 1);
constexpr Ipv4Address kLeaf(10, 0, 0, 7);

SessionOffer offer(FanOut fan_out, Scheme scheme = kRootedRooted) {
    return {.scheme = scheme,
            .group = {GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)},
            .root_address = kRoot,
            .fan_out = fan_out};
}

// A leaf that is sent copies listens at its own address, to the root alone, and joins nothing.
TEST(AttachPlan, ALeafOfAReplicatingRootListensAtItsOwnAddress) {
    const auto plan =
        plan_session(DataRole::leaf, offer(FanOut::replicate), Direction::both, kLeaf);
    ASSERT_TRUE(plan.reception);
    EXPECT_EQ(plan.reception->destination, kLeaf);
    EXPECT_EQ(plan.reception->port, UdpPort::of(5000));
    EXPECT_EQ(plan.reception->sources, SourceFilter::only({kRoot}));
    EXPECT_EQ(plan.reception->session, GroupAddress::of(239, 1, 1, 1));
    ASSERT_TRUE(plan.sending);
    EXPECT_EQ(plan.sending->destination, kRoot);
    EXPECT_EQ(plan.sending->leaves, 0u);
}

TEST(AttachPlan, ALeafOfAMulticastRootJoinsTheGroup) {
    const auto plan =
        plan_session(DataRole::leaf, offer(FanOut::multicast), Direction::receiver_only, kLeaf);
    ASSERT_TRUE(plan.reception);
    EXPECT_EQ(plan.reception->destination, Ipv4Address(239, 1, 1, 1));
    EXPECT_EQ(plan.reception->sources, SourceFilter::only({kRoot}));
    EXPECT_FALSE(plan.reception->session);
    EXPECT_FALSE(plan.sending);
}

TEST(AttachPlan, ARootHearsItsLeavesAlikeInBoth) {
    for (const auto fan_out : {FanOut::multicast, FanOut::replicate}) {
        const auto plan = plan_session(DataRole::root, offer(fan_out), Direction::both, kRoot);
        ASSERT_TRUE(plan.reception);
        EXPECT_EQ(plan.reception->destination, kRoot);
        EXPECT_TRUE(plan.reception->sources.is_nothing());
        EXPECT_FALSE(plan.reception->session);
        ASSERT_TRUE(plan.sending);
    }
}

TEST(AttachPlan, OnlyRootedDataCanBeReplicated) {
    EXPECT_TRUE(check_offer(offer(FanOut::replicate)));
    EXPECT_TRUE(check_offer(offer(FanOut::multicast, kRootedControl)));
    const auto refused = check_offer(offer(FanOut::replicate, kRootedControl));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), std::errc::invalid_argument);
}

}  // namespace
}  // namespace joinleaf::controlplane
