// The admission policy: what a file says, what is wrong with it, and who is let in.
#include <controlplane/policy.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace joinleaf::controlplane {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

constexpr GroupEndpoint kGroup{GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)};
constexpr GroupEndpoint kOther{GroupAddress::of(239, 2, 2, 2), UdpPort::of(5000)};

Policy policy(std::string_view text) {
    auto parsed = Policy::parse(text, "policy.toml");
    EXPECT_TRUE(parsed) << parsed.error();
    return parsed ? *parsed : Policy();
}

std::string complaint(std::string_view text) {
    const auto parsed = Policy::parse(text, "policy.toml");
    EXPECT_FALSE(parsed) << text;
    return parsed ? "" : parsed.error();
}

Peer peer(Ipv4Address address, std::string name = "desk-7", std::string identity = {}) {
    return Peer{.endpoint = {address, UdpPort::of(40000)},
                .name = std::move(name),
                .identity = std::move(identity),
                .data_address = Ipv4Address(10, 0, 0, 7)};
}

const Peer kDesk = peer(Ipv4Address(192, 0, 2, 7));

std::string decided_by(const Policy& policy, const Peer& peer, GroupEndpoint group = kGroup,
                       const PolicyCounts& counts = {}) {
    const auto decision = policy.decide(peer, group, counts);
    return (decision.allow ? "allow " : "deny ") + decision.rule_name;
}

TEST(Policy, AnEmptyFileLetsNobodyIn) {
    const auto decision = policy("").decide(kDesk, kGroup, {});
    EXPECT_FALSE(decision.allow);
    EXPECT_EQ(decision.rule, std::nullopt);
    EXPECT_EQ(decision.text, "no rule matches, and the default is to deny");
    EXPECT_EQ(decided_by(Policy(), kDesk), "deny default");
}

TEST(Policy, TheDefault) {
    EXPECT_EQ(decided_by(policy("default = 'allow'"), kDesk), "allow default");
    EXPECT_EQ(decided_by(policy("default = 'deny'"), kDesk), "deny default");
}

TEST(Policy, ByAddress) {
    const auto p = policy(R"(
        [[rule]]
        name = "desks"
        action = "allow"
        from = ["192.0.2.0/24", "198.51.100.1"]
    )");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(192, 0, 2, 255))), "allow desks");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(192, 0, 3, 0))), "deny default");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(198, 51, 100, 1))), "allow desks");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(198, 51, 100, 2))), "deny default");
}

TEST(Policy, ByName) {
    const auto p = policy(R"(
        [[rule]]
        name = "desks"
        action = "allow"
        leaf = ["desk-?", "lab-*"]
    )");
    const auto named = [&](std::string name) {
        return decided_by(p, peer(Ipv4Address(192, 0, 2, 7), std::move(name)));
    };
    EXPECT_EQ(named("desk-7"), "allow desks");
    EXPECT_EQ(named("desk-17"), "deny default");
    EXPECT_EQ(named("lab-"), "allow desks");
    EXPECT_EQ(named("my-lab-1"), "deny default");
    EXPECT_EQ(named(""), "deny default");
}

TEST(Policy, ByWhatTlsHasProven) {
    const auto p = policy(R"(
        [[rule]]
        name = "known"
        action = "allow"
        identity = "*"
    )");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(192, 0, 2, 7), "desk-7", "desk-7.example")),
              "allow known");
    // A name is no proof.
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(192, 0, 2, 7), "desk-7.example")), "deny default");
}

TEST(Policy, ByGroup) {
    const auto p = policy(R"(
        [[rule]]
        name = "open"
        action = "allow"
        groups = ["239.1.0.0/16:5000", "239.2.2.2"]
    )");
    EXPECT_EQ(decided_by(p, kDesk, kGroup), "allow open");
    EXPECT_EQ(decided_by(p, kDesk, {kGroup.group, UdpPort::of(5001)}), "deny default");
    EXPECT_EQ(decided_by(p, kDesk, {kOther.group, UdpPort::of(5001)}), "allow open");
    EXPECT_EQ(decided_by(p, kDesk, {GroupAddress::of(239, 2, 2, 3), UdpPort::of(5000)}),
              "deny default");
}

TEST(Policy, AllThatARuleSaysMustMatch) {
    const auto p = policy(R"(
        [[rule]]
        name = "one"
        action = "allow"
        from = "192.0.2.0/24"
        leaf = "desk-*"
        identity = "desk-7"
        groups = "239.1.1.1"
    )");
    const auto good = peer(Ipv4Address(192, 0, 2, 7), "desk-7", "desk-7");
    EXPECT_EQ(decided_by(p, good), "allow one");
    EXPECT_EQ(decided_by(p, good, kOther), "deny default");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(192, 0, 3, 7), "desk-7", "desk-7")), "deny default");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(192, 0, 2, 7), "lab", "desk-7")), "deny default");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(192, 0, 2, 7), "desk-7", "desk-8")), "deny default");
}

TEST(Policy, OfOverlappingRulesTheFirstDecides) {
    const auto p = policy(R"(
        default = "deny"
        [[rule]]
        name = "not this one"
        action = "deny"
        from = "192.0.2.66"
        [[rule]]
        name = "desks"
        action = "allow"
        from = "192.0.2.0/24"
        groups = "239.1.1.1"
        [[rule]]
        name = "anybody"
        action = "allow"
        groups = "239.2.0.0/16"
        [[rule]]
        name = "never reached"
        action = "deny"
        from = "192.0.2.0/24"
        groups = "239.1.1.1"
    )");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(192, 0, 2, 66))), "deny not this one");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(192, 0, 2, 66)), kOther), "deny not this one");
    EXPECT_EQ(decided_by(p, kDesk), "allow desks");
    EXPECT_EQ(decided_by(p, kDesk, kOther), "allow anybody");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(10, 0, 0, 1))), "deny default");
}

TEST(Policy, AFullRuleDeniesAndDoesNotPassOn) {
    const auto p = policy(R"(
        [[rule]]
        name = "desks"
        action = "allow"
        from = "192.0.2.0/24"
        max_leaves = 2
        [[rule]]
        name = "all"
        action = "allow"
    )");
    EXPECT_EQ(decided_by(p, kDesk, kGroup, {.total = 1, .by_rule = {1}}), "allow desks");
    EXPECT_EQ(decided_by(p, kDesk, kGroup, {.total = 2, .by_rule = {2}}), "deny desks");
    EXPECT_EQ(p.decide(kDesk, kGroup, {.total = 2, .by_rule = {2}}).text,
              "rule desks has let in its 2 leaves");
    EXPECT_EQ(decided_by(p, peer(Ipv4Address(10, 0, 0, 1)), kGroup, {.total = 2, .by_rule = {2}}),
              "allow all");
}

TEST(Policy, TheTotal) {
    const auto p = policy("default = 'allow'\nmax_leaves = 10");
    EXPECT_EQ(decided_by(p, kDesk, kGroup, {.total = 9, .by_rule = {}}), "allow default");
    const auto decision = p.decide(kDesk, kGroup, {.total = 10, .by_rule = {}});
    EXPECT_FALSE(decision.allow);
    EXPECT_EQ(decision.text, "there are 10 leaves, as many as the policy lets in");
    EXPECT_EQ(decided_by(policy("default = 'allow'\nmax_leaves = 0"), kDesk), "deny max_leaves");
}

TEST(Policy, AnErrorNamesItsLineAndTheCure) {
    EXPECT_THAT(complaint("default = "), StartsWith("policy.toml:1: "));
    EXPECT_EQ(complaint("\n\ndefault = 'maybe'"),
              "policy.toml:3: default should be \"allow\" or \"deny\"");
    EXPECT_EQ(complaint("\nfallback = 'deny'"),
              "policy.toml:2: a policy has no key fallback; there are default, max_leaves and "
              "[[rule]]");
    EXPECT_EQ(complaint("max_leaves = -1"),
              "policy.toml:1: max_leaves should be a number from 0 up");
    EXPECT_EQ(complaint("max_leaves = '7'"),
              "policy.toml:1: max_leaves should be a number from 0 up");
    EXPECT_EQ(complaint("rule = 7"),
              "policy.toml:1: rules are written as [[rule]], one after the other");
    EXPECT_EQ(complaint("[rule]\nname = 'a'"),
              "policy.toml:1: rules are written as [[rule]], one after the other");
}

TEST(Policy, ErrorsOfARule) {
    const std::string head = "[[rule]]\nname = 'a'\naction = 'allow'\n";
    EXPECT_THAT(complaint(head + "prefix = '10.0.0.0/8'"),
                StartsWith("policy.toml:4: a rule has no key prefix; "));
    EXPECT_EQ(complaint("[[rule]]\naction = 'allow'"),
              "policy.toml:1: the rule has no name; add name = \"...\"");
    EXPECT_EQ(complaint("[[rule]]\nname = ''\naction = 'allow'"),
              "policy.toml:2: name should be a text, as in name = \"...\"");
    EXPECT_EQ(complaint("[[rule]]\nname = 'a'"),
              "policy.toml:1: the rule a has no action; add action = \"allow\" or \"deny\"");
    EXPECT_EQ(complaint("[[rule]]\nname = 'a'\naction = 'permit'"),
              "policy.toml:3: action should be \"allow\" or \"deny\"");
    EXPECT_EQ(complaint("[[rule]]\nname = 'a'\naction = 'deny'\nmax_leaves = 3"),
              "policy.toml:1: the rule a denies, and max_leaves says nothing in it; leave it out");
    EXPECT_EQ(complaint(head + head), "policy.toml:4: a second rule a; give it another name");
    EXPECT_EQ(complaint(head + "from = []"),
              "policy.toml:4: from is empty; leave it out to match whoever asks");
    EXPECT_EQ(complaint(head + "leaf = ['a',\n7]"),
              "policy.toml:5: leaf should be a text, as in leaf = \"...\"");
    EXPECT_THAT(complaint(head + "from = ['10.0.0.0/8',\n'10.0.0/8']"),
                StartsWith("policy.toml:5: from: "));
    EXPECT_EQ(complaint(head + "from = '192.0.2.7/24'"),
              "policy.toml:4: from: '192.0.2.7/24' has bits past its prefix; write 192.0.2.0/24");
    EXPECT_EQ(complaint(head + "from = '192.0.2.0/33'"),
              "policy.toml:4: from: '192.0.2.0/33' is no prefix; write one as in 192.0.2.0/24");
    EXPECT_EQ(complaint(head + "groups = '10.0.0.0/8'"),
              "policy.toml:4: groups: '10.0.0.0/8' is not multicast; groups are in 224.0.0.0/4");
    EXPECT_THAT(complaint(head + "groups = '239.1.1.1:0'"), StartsWith("policy.toml:4: groups: "));
}

TEST(Policy, AFileThatCannotBeRead) {
    EXPECT_THAT(Policy::load("/nonexistent/policy.toml").error(),
                HasSubstr("/nonexistent/policy.toml: No such file or directory"));
}

TEST(Policy, TheDocumentedExample) {
    const auto loaded = Policy::load(EXAMPLE_POLICY);
    ASSERT_TRUE(loaded) << loaded.error();
    EXPECT_THAT(loaded->rules(), SizeIs(4));
    EXPECT_EQ(decided_by(*loaded, kDesk), "allow desks");
    EXPECT_EQ(decided_by(*loaded, peer(Ipv4Address(203, 0, 113, 1))), "deny default");
}

TEST(Prefix, OfEveryLength) {
    EXPECT_TRUE(Ipv4Prefix::parse("0.0.0.0/0")->contains(Ipv4Address(255, 1, 2, 3)));
    EXPECT_TRUE(Ipv4Prefix::parse("128.0.0.0/1")->contains(Ipv4Address(255, 1, 2, 3)));
    EXPECT_FALSE(Ipv4Prefix::parse("128.0.0.0/1")->contains(Ipv4Address(127, 1, 2, 3)));
    EXPECT_FALSE(Ipv4Prefix::parse("10.0.0.1/32")->contains(Ipv4Address(10, 0, 0, 0)));
    EXPECT_FALSE(Ipv4Prefix::parse("10.0.0.0/"));
    EXPECT_FALSE(Ipv4Prefix::parse("10.0.0.0/-1"));
    EXPECT_FALSE(Ipv4Prefix::parse("10.0.0.0/8 "));
    EXPECT_FALSE(Ipv4Prefix::parse(""));
}

TEST(Glob, StarsAndQuestionMarks) {
    EXPECT_TRUE(glob_matches("", ""));
    EXPECT_TRUE(glob_matches("*", ""));
    EXPECT_TRUE(glob_matches("**", "abc"));
    EXPECT_TRUE(glob_matches("a*c", "abbc"));
    EXPECT_TRUE(glob_matches("a*bc*d", "abxbcxd"));
    EXPECT_TRUE(glob_matches("?b?", "abc"));
    EXPECT_FALSE(glob_matches("?", ""));
    EXPECT_FALSE(glob_matches("a*c", "abcd"));
    EXPECT_FALSE(glob_matches("abc", "ab"));
    EXPECT_FALSE(glob_matches("ab", "abc"));
    EXPECT_FALSE(glob_matches("A", "a"));
    // Linear in the text for each star: no pattern of 256 octets takes long.
    std::string stars;
    for (int i = 0; i < 127; ++i) stars += "*a";
    EXPECT_FALSE(glob_matches(stars + "b", std::string(256, 'a')));
}

}  // namespace
}  // namespace joinleaf::controlplane
