// Who may come in by the policy, and who counts for what.
#include <controlplane/doorkeeper.h>
#include <gtest/gtest.h>

namespace joinleaf::controlplane {
namespace {

constexpr GroupEndpoint kGroup{GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)};

Policy policy(std::string_view text) {
    auto parsed = Policy::parse(text, "policy.toml");
    EXPECT_TRUE(parsed) << parsed.error();
    return parsed ? *parsed : Policy();
}

Peer peer(std::string name) {
    return {.endpoint = {Ipv4Address(192, 0, 2, 7), UdpPort::of(40000)},
            .name = std::move(name),
            .identity = {},
            .data_address = {}};
}

bool lets_in(const Doorkeeper& keeper, const std::string& name) {
    return keeper.decide(peer(name), true).allow;
}

constexpr std::string_view kTwoDesks = R"(
    [[rule]]
    name = "desks"
    action = "allow"
    leaf = "desk-*"
    max_leaves = 2
)";

TEST(Doorkeeper, CountsWhoIsInOnceAndNoLonger) {
    Doorkeeper keeper(policy(kTwoDesks), kGroup);
    keeper.came(LeafId{1}, peer("desk-1"));
    keeper.came(LeafId{1}, peer("desk-1"));
    EXPECT_TRUE(lets_in(keeper, "desk-2"));
    keeper.came(LeafId{2}, peer("desk-2"));
    const auto full = keeper.decide(peer("desk-3"), true);
    EXPECT_FALSE(full.allow);
    EXPECT_TRUE(full.is_full);
    keeper.went(LeafId{1});
    keeper.went(LeafId{1});
    EXPECT_TRUE(lets_in(keeper, "desk-3"));
    const auto stranger = keeper.decide(peer("van"), true);
    EXPECT_FALSE(stranger.allow);
    EXPECT_FALSE(stranger.is_full);
}

// A root that invites does not know the leaf's name yet.
TEST(Doorkeeper, BeforeItsNameALeafIsAsGoodAsTheBestName) {
    Doorkeeper keeper(policy(kTwoDesks), kGroup);
    EXPECT_TRUE(keeper.decide(peer(""), false).allow);
    EXPECT_FALSE(keeper.decide(peer(""), true).allow);
    keeper.came(LeafId{1}, peer("desk-1"));
    keeper.came(LeafId{2}, peer("desk-2"));
    EXPECT_FALSE(keeper.decide(peer(""), false).allow);
    const Doorkeeper but_one(policy(R"(
        default = "allow"
        [[rule]]
        name = "thief"
        action = "deny"
        leaf = "thief"
    )"),
                             kGroup);
    EXPECT_TRUE(but_one.decide(peer(""), false).allow);
    const Doorkeeper elsewhere(policy(R"(
        [[rule]]
        name = "hall"
        action = "deny"
        from = "192.0.2.0/24"
        [[rule]]
        name = "desks"
        action = "allow"
        leaf = "desk-*"
    )"),
                               kGroup);
    EXPECT_FALSE(elsewhere.decide(peer(""), false).allow);
}

// Those who are in stay in, and count for what holds now.
TEST(Doorkeeper, AnotherPolicyCountsAnew) {
    Doorkeeper keeper(policy(kTwoDesks), kGroup);
    keeper.came(LeafId{1}, peer("desk-1"));
    keeper.came(LeafId{2}, peer("van"));
    keeper.use(policy(R"(
        [[rule]]
        name = "other"
        action = "allow"
        leaf = "other-*"
        [[rule]]
        name = "desks"
        action = "allow"
        leaf = "desk-*"
        max_leaves = 1
    )"));
    EXPECT_TRUE(lets_in(keeper, "other-1"));
    EXPECT_FALSE(lets_in(keeper, "desk-2"));
    keeper.went(LeafId{1});
    EXPECT_TRUE(lets_in(keeper, "desk-2"));
    keeper.use(policy("default = 'allow'\nmax_leaves = 1"));
    EXPECT_TRUE(keeper.decide(peer("x"), true).is_full);  // by the one whom no rule let in
    keeper.went(LeafId{2});
    EXPECT_TRUE(lets_in(keeper, "x"));
}

}  // namespace
}  // namespace joinleaf::controlplane
