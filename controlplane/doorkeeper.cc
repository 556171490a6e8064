#include <controlplane/doorkeeper.h>
#include <algorithm>
#include <utility>

namespace joinleaf::controlplane {

Decision Doorkeeper::decide(const Peer& peer, bool named) const {
    return named ? policy_.decide(peer, group_, counts_)
                 : policy_.decide_unnamed(peer, group_, counts_);
}

void Doorkeeper::came(LeafId leaf, const Peer& peer) {
    const auto [at, inserted] = inside_.emplace(leaf, Inside{peer, std::nullopt});
    if (inserted) count(at->second);
}

void Doorkeeper::went(LeafId leaf) {
    const auto found = inside_.find(leaf);
    if (found == inside_.end()) return;
    --counts_.total;
    if (found->second.rule) --counts_.by_rule[*found->second.rule];
    inside_.erase(found);
}

void Doorkeeper::use(Policy policy) {
    policy_ = std::move(policy);
    counts_ = {};
    for (auto& [leaf, inside] : inside_) count(inside);
}

void Doorkeeper::count(Inside& inside) {
    inside.rule = policy_.decide(inside.peer, group_, {}).rule;
    ++counts_.total;
    if (!inside.rule) return;
    counts_.by_rule.resize(std::max(counts_.by_rule.size(), *inside.rule + 1));
    ++counts_.by_rule[*inside.rule];
}

}  // namespace joinleaf::controlplane
