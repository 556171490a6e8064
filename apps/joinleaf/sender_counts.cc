// Who has sent how much to a root.
#include <apps/joinleaf/sender_counts.h>

#include <algorithm>

namespace joinleaf::app {

void SenderCounts::expect(Ipv4Address leaf, const std::string& name) {
    const auto known = senders_.find(leaf);
    if (known == senders_.end()) {
        if (senders_.size() - strangers_ >= kMostLeaves) return;
        senders_[leaf] = {.address = leaf, .name = name, .is_leaf = true};
        return;
    }
    // What it sent before we were told of it is its own.
    if (!known->second.is_leaf) --strangers_;
    known->second.is_leaf = true;
    known->second.name = name;
}

void SenderCounts::count(Ipv4Address sender, std::size_t octets) {
    auto known = senders_.find(sender);
    if (known == senders_.end() && strangers_ < kMostStrangers) {
        ++strangers_;
        known = senders_.emplace(sender, SenderFacts{.address = sender}).first;
    }
    auto& facts = known == senders_.end() ? others_ : known->second;
    ++facts.datagrams;
    facts.octets += octets;
}

std::optional<SenderFacts> SenderCounts::of(Ipv4Address sender) const {
    const auto known = senders_.find(sender);
    if (known == senders_.end()) return {};
    return known->second;
}

std::vector<SenderFacts> SenderCounts::all() const {
    std::vector<SenderFacts> all;
    for (const auto& [address, facts] : senders_) all.push_back(facts);
    std::ranges::sort(all, {}, &SenderFacts::address);
    if (others_.datagrams != 0) all.push_back(others_);
    return all;
}

}  // namespace joinleaf::app
