#include <controlplane/repair.h>

#include <algorithm>

namespace joinleaf::controlplane {
namespace {

// A leaf that asks faster than it is served does no wrong: it cannot know the limit, and learns it
// from silence. What a refusal by a limit takes of its patience is so little that none is named but
// one that does not listen to silence at all.
constexpr std::uint64_t kPatience = 40;

std::uint64_t patience_taken(RepairOutcome outcome) {
    switch (outcome) {
        case RepairOutcome::answered:
            return 0;
        case RepairOutcome::leaf_limit:
        case RepairOutcome::total_limit:
            return 1;
        default:
            return kPatience;
    }
}

dataplane::TokenBucket full_bucket(std::uint64_t rate, std::uint64_t burst, Instant now) {
    using dataplane::TokenBucket;
    burst = std::min(burst, TokenBucket::kMaxBurst);
    return {std::min(rate, TokenBucket::kMaxRate), burst, burst, now};
}

}  // namespace

RepairServer::RepairServer(const RepairLimits& limits, Instant now)
    : limits_(limits), octets_(full_bucket(limits.octets_per_second, limits.burst_octets, now)) {
    leaves_.reserve(limits.max_leaves);
}

bool RepairServer::is_quarantined(Ipv4Address leaf, Instant now) const {
    const auto found = leaves_.find(leaf);
    if (found == leaves_.end()) return false;
    const auto until = found->second->quarantined_until;
    return until && now < *until;
}

RepairServer::Leaf& RepairServer::leaf_of(Ipv4Address address, Instant now) {
    if (const auto found = leaves_.find(address); found != leaves_.end()) {
        by_time_.splice(by_time_.begin(), by_time_, found->second);
        return by_time_.front();
    }
    if (leaves_.size() >= std::max<std::size_t>(limits_.max_leaves, 1)) {
        leaves_.erase(by_time_.back().address);
        by_time_.pop_back();
        ++counters_.forgotten;
    }
    by_time_.push_front({
        .address = address,
        .octets = full_bucket(limits_.leaf_octets_per_second, limits_.leaf_burst_octets, now),
        .patience = full_bucket(limits_.refusals_per_second * kPatience,
                                limits_.burst_refusals * kPatience, now),
    });
    leaves_.emplace(address, by_time_.begin());
    return by_time_.front();
}

RepairAnswer RepairServer::serve(const dataplane::MessageLog& log, Ipv4Address address,
                                 std::span<const std::byte> request, std::span<std::byte> out,
                                 Instant now) {
    Leaf& leaf = leaf_of(address, now);
    RepairAnswer answer;
    if (leaf.quarantined_until && now < *leaf.quarantined_until) {
        answer.outcome = RepairOutcome::quarantined;
    } else {
        leaf.quarantined_until.reset();
        answer = judge(log, leaf, request, out, now);
        if (const std::uint64_t taken = patience_taken(answer.outcome); taken != 0) {
            if (leaf.patience.available(now) < taken) {
                leaf.quarantined_until = now + limits_.quarantine;
                ++counters_.quarantines;
                answer.to_be_named = true;
            } else {
                leaf.patience.consume(taken);
            }
        }
    }
    ++counters_.outcomes[static_cast<std::size_t>(answer.outcome)];
    return answer;
}

RepairAnswer RepairServer::judge(const dataplane::MessageLog& log, Leaf& leaf,
                                 std::span<const std::byte> bytes, std::span<std::byte> out,
                                 Instant now) {
    const auto known = log.known();
    const auto request = net::parse_mold_request(bytes, &known.session);
    if (!request) {
        return {.outcome = request.error() == net::MoldError::other_session
                               ? RepairOutcome::other_session
                               : RepairOutcome::malformed};
    }
    if (request->sequence >= known.range.end) return {.outcome = RepairOutcome::not_yet};
    if (request->sequence < known.range.first) {
        return {.outcome = RepairOutcome::too_old, .history_begins = known.range.first};
    }
    const bool was_answered = request->sequence >= leaf.answered.first &&
                              request->sequence < leaf.answered.end &&
                              now - leaf.answered_at < limits_.duplicate_within;
    if (was_answered) return {.outcome = RepairOutcome::duplicate};
    // An answer is paid for when its length is known; what it owes delays the next.
    if (leaf.octets.available(now) == 0) return {.outcome = RepairOutcome::leaf_limit};
    if (octets_.available(now) == 0) return {.outcome = RepairOutcome::total_limit};

    const auto room = out.first(std::min(out.size(), limits_.capacity));
    std::size_t octets = 0;
    const std::uint16_t count =
        log.copy(known, request->sequence, std::min(request->count, net::kMoldMaxCount),
                 room.subspan(net::kMoldHeaderSize), octets);
    // It has given way meanwhile; and a message that no answer holds is as good as gone.
    if (count == 0) {
        return {.outcome = RepairOutcome::too_old,
                .history_begins = std::max(log.range().first, request->sequence + 1)};
    }
    net::emit_mold_header(known.session, request->sequence, count, room.data());
    octets += net::kMoldHeaderSize;
    leaf.octets.consume(octets);
    octets_.consume(octets);
    leaf.answered = {request->sequence, request->sequence + count};
    leaf.answered_at = now;
    counters_.messages += count;
    counters_.octets += octets;
    return {.outcome = RepairOutcome::answered, .packet = room.first(octets)};
}

}  // namespace joinleaf::controlplane
