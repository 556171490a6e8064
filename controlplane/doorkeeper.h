// Asks a root's policy who may come in, and keeps count of whom each rule has let in.
#pragma once

#include <controlplane/admission_actions.h>
#include <controlplane/policy.h>
#include <map>
#include <optional>

namespace joinleaf::controlplane {

/// One owner.
class Doorkeeper {
public:
    Doorkeeper(Policy policy, GroupEndpoint group) : policy_(std::move(policy)), group_(group) {}

    /// Whether `peer` may come in now. `named`: it has said its name; if not, whether some name
    /// would be let in.
    [[nodiscard]] Decision decide(const Peer& peer, bool named) const;
    /// Counts once, however often it is told.
    void came(LeafId leaf, const Peer& peer);
    void went(LeafId leaf);
    /// From now on. Those who are in stay, and count for the rules that would let them in now.
    void use(Policy policy);

private:
    struct Inside {
        Peer peer;
        std::optional<std::size_t> rule;
    };
    void count(Inside& inside);

    Policy policy_;
    GroupEndpoint group_;
    PolicyCounts counts_;
    std::map<LeafId, Inside> inside_;
};

}  // namespace joinleaf::controlplane
