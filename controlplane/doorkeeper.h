// Asks a root's policy who may come in, and keeps count of whom each rule has let in.
#pragma once

#include <controlplane/admission_actions.h>
#include <controlplane/policy.h>
#include <joinleaf/clock.h>
#include <functional>
#include <map>
#include <optional>
#include <string_view>

namespace joinleaf::controlplane {

/// Control thread only.
class Doorkeeper {
public:
    using Log = std::function<void(std::string_view)>;
    using Refused = std::function<void(const Peer&, std::string_view why)>;
    /// `refused`, when it is set, is told of each refusal.
    Doorkeeper(Policy policy, GroupEndpoint group, Log log, Refused refused)
        : policy_(std::move(policy)),
          group_(group),
          log_(std::move(log)),
          refused_(std::move(refused)) {}

    /// Whether `peer` may come in now. A refusal is told to the operator, at most once a second.
    [[nodiscard]] bool lets_in(const Peer& peer, Instant now);
    /// Counts once, however often it is told.
    void came(LeafId leaf, const Peer& peer);
    void went(LeafId leaf);

private:
    Policy policy_;
    GroupEndpoint group_;
    Log log_;
    Refused refused_;
    PolicyCounts counts_;
    std::map<LeafId, std::optional<std::size_t>> rule_of_;
    std::optional<Instant> told_at_;
    std::uint64_t untold_ = 0;
};

}  // namespace joinleaf::controlplane
