#include <controlplane/doorkeeper.h>
#include <fmt/format.h>
#include <algorithm>

namespace joinleaf::controlplane {

bool Doorkeeper::lets_in(const Peer& peer, Instant now) {
    const auto decision = policy_.decide(peer, group_, counts_);
    if (decision.allow) return true;
    if (refused_) refused_(peer, decision.text);
    if (told_at_ && now - *told_at_ < std::chrono::seconds(1)) {
        ++untold_;
        return false;
    }
    const auto others = untold_ == 0 ? std::string() : fmt::format(" ({} more since)", untold_);
    log_(fmt::format("not let in: {}{}: {}{}", peer.name.empty() ? "" : peer.name + " from ",
                     peer.endpoint.to_string(), decision.text, others));
    told_at_ = now;
    untold_ = 0;
    return false;
}

void Doorkeeper::came(LeafId leaf, const Peer& peer) {
    const auto rule = policy_.decide(peer, group_, {}).rule;
    if (!rule_of_.emplace(leaf, rule).second) return;
    ++counts_.total;
    if (!rule) return;
    counts_.by_rule.resize(std::max(counts_.by_rule.size(), *rule + 1));
    ++counts_.by_rule[*rule];
}

void Doorkeeper::went(LeafId leaf) {
    const auto found = rule_of_.find(leaf);
    if (found == rule_of_.end()) return;
    --counts_.total;
    if (found->second) --counts_.by_rule[*found->second];
    rule_of_.erase(found);
}

}  // namespace joinleaf::controlplane
