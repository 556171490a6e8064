// Who may be let in: rules in a TOML file, asked in order, before the application's own condition.
// Reading is for people; deciding is pure.
#pragma once

#include <joinleaf/session.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::controlplane {

/// Addresses that share their first bits, as in 192.0.2.0/24.
struct Ipv4Prefix {
    Ipv4Address address;
    std::uint8_t length = 32;

    /// 192.0.2.0/24, or 192.0.2.7 for the one address. Bits past the length must be 0.
    [[nodiscard]] static Parsed<Ipv4Prefix> parse(std::string_view text);
    [[nodiscard]] bool contains(Ipv4Address other) const;
    friend bool operator==(const Ipv4Prefix&, const Ipv4Prefix&) = default;
};

/// Groups that a rule lets join: a prefix of addresses, on one port or any.
struct GroupRange {
    Ipv4Prefix groups;
    std::optional<UdpPort> port;

    /// 239.1.0.0/16, 239.1.1.1, or either with :PORT behind it.
    [[nodiscard]] static Parsed<GroupRange> parse(std::string_view text);
    [[nodiscard]] bool contains(GroupEndpoint group) const;
};

/// A text in which * stands for any characters, none included, and ? for one octet.
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view text);

/// What is not given matches whoever asks.
struct PolicyRule {
    std::string name;
    bool allow = true;
    std::vector<Ipv4Prefix> from;       ///< the control connection's address
    std::vector<std::string> leaf;      ///< globs: what the leaf calls itself; proves nothing
    std::vector<std::string> identity;  ///< globs: what TLS has proven
    std::vector<GroupRange> groups;
    std::optional<std::size_t> max_leaves;  ///< that this rule has let in, at a time

    [[nodiscard]] bool matches(const Peer& peer, GroupEndpoint group) const;
    /// Whether it matches but for the name.
    [[nodiscard]] bool matches_unnamed(const Peer& peer, GroupEndpoint group) const;
};

/// How many leaves there are now, by the rule that let them in.
struct PolicyCounts {
    std::size_t total = 0;
    std::vector<std::size_t> by_rule;  ///< index as in Decision::rule; what is missing is 0
};

struct Decision {
    bool allow = false;
    bool is_full = false;             ///< it would have been let in, were there fewer leaves
    std::optional<std::size_t> rule;  ///< that decided; none: the default, or the total
    std::string rule_name;            ///< its name; else "default" or "max_leaves"
    std::string text;                 ///< one sentence, for the log; not for the leaf
};

class Policy {
public:
    /// Nobody is let in.
    Policy() = default;

    /// The text of a policy file; `file` is its name for the errors, which say FILE:LINE and what
    /// to write instead. An empty text lets nobody in. See apps/examples/policy.toml.
    [[nodiscard]] static Parsed<Policy> parse(std::string_view text, std::string_view file);
    [[nodiscard]] static Parsed<Policy> load(const std::string& file);

    /// The first rule that matches decides; a rule that is full denies. Pure.
    [[nodiscard]] Decision decide(const Peer& peer, GroupEndpoint group,
                                  const PolicyCounts& counts) const;
    /// The same before `peer` has said its name: as for the name that has the best of it.
    [[nodiscard]] Decision decide_unnamed(const Peer& peer, GroupEndpoint group,
                                          const PolicyCounts& counts) const;

    [[nodiscard]] const std::vector<PolicyRule>& rules() const { return rules_; }

private:
    [[nodiscard]] Decision decided(std::optional<std::size_t> rule,
                                   const PolicyCounts& counts) const;

    std::vector<PolicyRule> rules_;
    bool allow_by_default_ = false;
    std::optional<std::size_t> max_leaves_;
};

}  // namespace joinleaf::controlplane
