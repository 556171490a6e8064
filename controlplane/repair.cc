#include <controlplane/repair.h>

#include <algorithm>

namespace joinleaf::controlplane {
namespace {

constexpr std::array<std::string_view, kRepairOutcomeCount> kNames{
    "answered",  "malformed",  "other_session", "too_old",    "not_yet",
    "duplicate", "leaf_limit", "total_limit",   "quarantined"};

dataplane::TokenBucket full_bucket(std::uint64_t rate, std::uint64_t burst, Instant now) {
    return {rate, burst, burst, now};
}

}  // namespace

std::string_view name(RepairOutcome outcome) noexcept {
    const auto index = static_cast<std::size_t>(outcome);
    return index < kNames.size() ? kNames[index] : std::string_view("unknown");
}

RepairServer::RepairServer(const RepairOptions& options, Instant now)
    : options_(options),
      octets_(full_bucket(options.octets_per_second, options.burst_octets, now)) {
    leaves_.reserve(options.max_leaves);
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
    if (leaves_.size() >= std::max<std::size_t>(options_.max_leaves, 1)) {
        leaves_.erase(by_time_.back().address);
        by_time_.pop_back();
        ++counters_.forgotten;
    }
    by_time_.push_front({
        .address = address,
        .octets = full_bucket(options_.leaf_octets_per_second, options_.leaf_burst_octets, now),
        .patience = full_bucket(options_.refusals_per_second, options_.burst_refusals, now),
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
        if (answer.outcome != RepairOutcome::answered) {
            if (leaf.patience.available(now) == 0) {
                leaf.quarantined_until = now + options_.quarantine;
                ++counters_.quarantines;
                answer.to_be_named = true;
            } else {
                leaf.patience.consume(1);
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
                              now - leaf.answered_at < options_.duplicate_within;
    if (was_answered) return {.outcome = RepairOutcome::duplicate};
    // An answer is paid for when its length is known; what it owes delays the next.
    if (leaf.octets.available(now) == 0) return {.outcome = RepairOutcome::leaf_limit};
    if (octets_.available(now) == 0) return {.outcome = RepairOutcome::total_limit};

    const auto room = out.first(std::min(out.size(), options_.capacity));
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
