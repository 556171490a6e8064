#include <controlplane/policy.h>
#include <controlplane/whole_file.h>
#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <charconv>

namespace joinleaf::controlplane {
namespace {

/// Says where in the file something is, and turns its values into ours.
class Reader {
public:
    explicit Reader(std::string_view file) : file_(file) {}

    [[nodiscard]] tl::unexpected<std::string> complaint(const toml::source_region& at,
                                                        std::string_view text) const {
        return tl::unexpected(fmt::format("{}:{}: {}", file_, at.begin.line, text));
    }

    [[nodiscard]] Parsed<std::string> text(const toml::node& node, std::string_view key) const {
        const auto value = node.value_exact<std::string>();
        if (!value || value->empty()) {
            return complaint(node.source(),
                             fmt::format("{} should be a text, as in {} = \"...\"", key, key));
        }
        return *value;
    }

    [[nodiscard]] Parsed<bool> allow(const toml::node& node, std::string_view key) const {
        const auto value = node.value_exact<std::string>();
        if (value == "allow") return true;
        if (value == "deny") return false;
        return complaint(node.source(), fmt::format("{} should be \"allow\" or \"deny\"", key));
    }

    [[nodiscard]] Parsed<std::size_t> count(const toml::node& node, std::string_view key) const {
        const auto value = node.value_exact<std::int64_t>();
        if (!value || *value < 0) {
            return complaint(node.source(), fmt::format("{} should be a number from 0 up", key));
        }
        return static_cast<std::size_t>(*value);
    }

    /// A text, or a list of texts, each read by `parse`.
    template <class T, class Parse>
    [[nodiscard]] Parsed<std::vector<T>> list(const toml::node& node, std::string_view key,
                                              Parse parse) const {
        std::vector<T> out;
        const auto add = [&](const toml::node& element) -> Parsed<void> {
            const auto written = text(element, key);
            if (!written) return tl::unexpected(written.error());
            auto parsed = parse(*written);
            if (!parsed) {
                return complaint(element.source(), fmt::format("{}: {}", key, parsed.error()));
            }
            out.push_back(std::move(*parsed));
            return {};
        };
        const toml::array* const elements = node.as_array();
        if (elements == nullptr) {
            if (const auto added = add(node); !added) return tl::unexpected(added.error());
            return out;
        }
        // An empty list could be meant as nobody and be read as whoever asks.
        if (elements->empty()) {
            return complaint(node.source(),
                             fmt::format("{} is empty; leave it out to match whoever asks", key));
        }
        for (const toml::node& element : *elements) {
            if (const auto added = add(element); !added) return tl::unexpected(added.error());
        }
        return out;
    }

private:
    std::string_view file_;
};

/// Stores what was read; the error, if any, is for the caller to hand on.
template <class T, class Target>
Parsed<void> store(Parsed<T> read, Target& target) {
    if (!read) return tl::unexpected(std::move(read.error()));
    target = std::move(*read);
    return {};
}

Parsed<std::string> as_it_is(std::string_view text) { return std::string(text); }

Parsed<PolicyRule> read_rule(const toml::table& table, const Reader& reader) {
    PolicyRule rule;
    for (const auto& [key, node] : table) {
        Parsed<void> read;
        if (key == "name") {
            read = store(reader.text(node, "name"), rule.name);
        } else if (key == "action") {
            read = store(reader.allow(node, "action"), rule.allow);
        } else if (key == "from") {
            read = store(reader.list<Ipv4Prefix>(node, "from", Ipv4Prefix::parse), rule.from);
        } else if (key == "leaf") {
            read = store(reader.list<std::string>(node, "leaf", as_it_is), rule.leaf);
        } else if (key == "identity") {
            read = store(reader.list<std::string>(node, "identity", as_it_is), rule.identity);
        } else if (key == "groups") {
            read = store(reader.list<GroupRange>(node, "groups", GroupRange::parse), rule.groups);
        } else if (key == "max_leaves") {
            read = store(reader.count(node, "max_leaves"), rule.max_leaves);
        } else {
            return reader.complaint(
                key.source(),
                fmt::format("a rule has no key {}; there are name, action, from, leaf, identity, "
                            "groups and max_leaves",
                            key.str()));
        }
        if (!read) return tl::unexpected(read.error());
    }
    if (rule.name.empty()) {
        return reader.complaint(table.source(), "the rule has no name; add name = \"...\"");
    }
    if (!table.contains("action")) {
        return reader.complaint(
            table.source(),
            fmt::format("the rule {} has no action; add action = \"allow\" or \"deny\"",
                        rule.name));
    }
    if (!rule.allow && rule.max_leaves) {
        return reader.complaint(
            table.source(), fmt::format("the rule {} denies, and max_leaves says nothing in it; "
                                        "leave it out",
                                        rule.name));
    }
    return rule;
}

Parsed<std::vector<PolicyRule>> read_rules(const toml::node& node, const Reader& reader) {
    const toml::array* const tables = node.as_array();
    if (tables == nullptr || !tables->is_homogeneous<toml::table>()) {
        return reader.complaint(node.source(),
                                "rules are written as [[rule]], one after the other");
    }
    std::vector<PolicyRule> rules;
    for (const toml::node& table : *tables) {
        auto rule = read_rule(*table.as_table(), reader);
        if (!rule) return tl::unexpected(rule.error());
        const bool twice = std::any_of(rules.begin(), rules.end(), [&](const PolicyRule& other) {
            return other.name == rule->name;
        });
        if (twice) {
            return reader.complaint(
                table.source(), fmt::format("a second rule {}; give it another name", rule->name));
        }
        rules.push_back(std::move(*rule));
    }
    return rules;
}

template <class Elements, class Matches>
bool none_or_any(const Elements& elements, Matches matches) {
    return elements.empty() || std::any_of(elements.begin(), elements.end(), matches);
}

}  // namespace

Parsed<Ipv4Prefix> Ipv4Prefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = Ipv4Address::parse(text.substr(0, slash));
    if (!address) return tl::unexpected(address.error());
    if (slash == std::string_view::npos) return Ipv4Prefix{*address, 32};
    const auto digits = text.substr(slash + 1);
    std::uint8_t length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size() || length > 32) {
        return tl::unexpected(fmt::format("'{}' is no prefix; write one as in 192.0.2.0/24", text));
    }
    const Ipv4Prefix prefix{*address, length};
    const Ipv4Address first(address->value() &
                            (length == 0 ? 0 : ~std::uint32_t{0} << (32 - length)));
    if (first != *address) {
        return tl::unexpected(fmt::format("'{}' has bits past its prefix; write {}/{}", text,
                                          first.to_string(), length));
    }
    return prefix;
}

bool Ipv4Prefix::contains(Ipv4Address other) const {
    return length == 0 || (other.value() ^ address.value()) >> (32 - length) == 0;
}

Parsed<GroupRange> GroupRange::parse(std::string_view text) {
    const auto colon = text.find(':');
    const auto groups = Ipv4Prefix::parse(text.substr(0, colon));
    if (!groups) return tl::unexpected(groups.error());
    if (!groups->address.is_multicast() || groups->length < 4) {
        return tl::unexpected(
            fmt::format("'{}' is not multicast; groups are in 224.0.0.0/4", text));
    }
    if (colon == std::string_view::npos) return GroupRange{*groups, std::nullopt};
    const auto port = UdpPort::parse(text.substr(colon + 1));
    if (!port) return tl::unexpected(port.error());
    return GroupRange{*groups, *port};
}

bool GroupRange::contains(GroupEndpoint group) const {
    return groups.contains(group.group.address()) && (!port || *port == group.port);
}

// Goes back to the last star only: what an earlier one could take, the last can.
bool glob_matches(std::string_view pattern, std::string_view text) {
    std::size_t at = 0;
    std::size_t star = std::string_view::npos;
    std::size_t retry = 0;
    for (std::size_t i = 0; i < text.size();) {
        if (at < pattern.size() && pattern[at] == '*') {
            star = at++;
            retry = i;
        } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[i])) {
            ++at;
            ++i;
        } else if (star != std::string_view::npos) {
            at = star + 1;
            i = ++retry;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

bool PolicyRule::matches(const Peer& peer, GroupEndpoint group) const {
    return matches_unnamed(peer, group) &&
           none_or_any(leaf, [&](const std::string& g) { return glob_matches(g, peer.name); });
}

bool PolicyRule::matches_unnamed(const Peer& peer, GroupEndpoint group) const {
    return none_or_any(from,
                       [&](const Ipv4Prefix& p) { return p.contains(peer.endpoint.address); }) &&
           none_or_any(identity,
                       [&](const std::string& g) {
                           // Who has proven nothing is nobody, not even "*".
                           return !peer.identity.empty() && glob_matches(g, peer.identity);
                       }) &&
           none_or_any(groups, [&](const GroupRange& range) { return range.contains(group); });
}

Parsed<Policy> Policy::parse(std::string_view text, std::string_view file) {
    const Reader reader(file);
    toml::table table;
    try {
        table = toml::parse(text, file);
    } catch (const toml::parse_error& error) {
        return reader.complaint(error.source(), error.description());
    }
    Policy policy;
    for (const auto& [key, node] : table) {
        Parsed<void> read;
        if (key == "default") {
            read = store(reader.allow(node, "default"), policy.allow_by_default_);
        } else if (key == "max_leaves") {
            read = store(reader.count(node, "max_leaves"), policy.max_leaves_);
        } else if (key == "rule") {
            read = store(read_rules(node, reader), policy.rules_);
        } else {
            return reader.complaint(
                key.source(), fmt::format("a policy has no key {}; there are default, max_leaves "
                                          "and [[rule]]",
                                          key.str()));
        }
        if (!read) return tl::unexpected(read.error());
    }
    return policy;
}

Parsed<Policy> Policy::load(const std::string& file) {
    const auto text = read_whole(file);
    if (!text) return tl::unexpected(fmt::format("{}: {}", file, why_not_read(text.error())));
    return parse(*text, file);
}

Decision Policy::decide(const Peer& peer, GroupEndpoint group, const PolicyCounts& counts) const {
    const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const PolicyRule& rule) {
        return rule.matches(peer, group);
    });
    if (found == rules_.end()) return decided(std::nullopt, counts);
    return decided(static_cast<std::size_t>(found - rules_.begin()), counts);
}

Decision Policy::decide_unnamed(const Peer& peer, GroupEndpoint group,
                                const PolicyCounts& counts) const {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        if (!rules_[i].matches_unnamed(peer, group)) continue;
        const Decision decision = decided(i, counts);
        // A rule that goes by name may be passed by with another name.
        if (decision.allow || rules_[i].leaf.empty()) return decision;
    }
    return decided(std::nullopt, counts);
}

// `rule` is the first that matches; none: the default.
Decision Policy::decided(std::optional<std::size_t> rule, const PolicyCounts& counts) const {
    const PolicyRule* const by = rule ? &rules_[*rule] : nullptr;
    Decision decision{.allow = by != nullptr ? by->allow : allow_by_default_,
                      .is_full = false,
                      .rule = rule,
                      .rule_name = by != nullptr ? by->name : "default",
                      .text = {}};
    const std::size_t now = rule && *rule < counts.by_rule.size() ? counts.by_rule[*rule] : 0;
    if (decision.allow && by != nullptr && by->max_leaves && now >= *by->max_leaves) {
        decision.allow = false;
        decision.is_full = true;
        decision.text = fmt::format("rule {} has let in its {} leaves", by->name, *by->max_leaves);
        return decision;
    }
    if (decision.allow && max_leaves_ && counts.total >= *max_leaves_) {
        return {.allow = false,
                .is_full = true,
                .rule = {},
                .rule_name = "max_leaves",
                .text = fmt::format("there are {} leaves, as many as the policy lets in",
                                    counts.total)};
    }
    const std::string_view verdict = decision.allow ? "allow" : "deny";
    decision.text =
        by == nullptr
            ? fmt::format("no rule matches, and the default is to {}", verdict)
            : fmt::format("rule {} {}", by->name, decision.allow ? "allows it" : "denies it");
    return decision;
}

}  // namespace joinleaf::controlplane
