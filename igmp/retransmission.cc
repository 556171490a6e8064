#include <igmp/reception_state.h>
#include <igmp/retransmission.h>

#include <algorithm>
#include <utility>

namespace joinleaf::igmp {

void Retransmission::changed(const SourceFilter& before, const SourceFilter& after,
                             std::uint8_t robustness) {
    if (before.mode() != after.mode()) {
        mode_left_ = robustness;
        // Every source owed until now is owed fewer times than the mode change, whose records
        // carry the whole list; none of them can outlive it.
        sources_.clear();
        return;
    }
    const Sources changed = symmetric_difference_of(before.sources(), after.sources());
    std::vector<Owed> merged;
    merged.reserve(sources_.size() + changed.size());
    auto old = sources_.begin();
    for (const Ipv4Address source : changed) {
        for (; old != sources_.end() && old->source < source; ++old) merged.push_back(*old);
        if (old != sources_.end() && old->source == source) ++old;
        merged.push_back({source, robustness});
    }
    merged.insert(merged.end(), old, sources_.end());
    sources_ = std::move(merged);
}

std::vector<Record> Retransmission::records(GroupAddress group, const SourceFilter& current) const {
    std::vector<Record> records;
    if (mode_left_ > 0) {
        const bool includes = current.mode() == FilterMode::include;
        records.push_back(
            {includes ? RecordType::to_include : RecordType::to_exclude, group, current.sources()});
        return records;
    }
    Sources allowed;
    Sources blocked;
    for (const Owed& owed : sources_) {
        (current.admits(owed.source) ? allowed : blocked).push_back(owed.source);
    }
    if (!allowed.empty()) records.push_back({RecordType::allow, group, std::move(allowed)});
    if (!blocked.empty()) records.push_back({RecordType::block, group, std::move(blocked)});
    return records;
}

void Retransmission::sent() {
    if (mode_left_ > 0) --mode_left_;
    for (Owed& owed : sources_) --owed.left;
    std::erase_if(sources_, [](const Owed& owed) { return owed.left == 0; });
}

unsigned Retransmission::left() const {
    unsigned most = mode_left_;
    for (const Owed& owed : sources_) most = std::max<unsigned>(most, owed.left);
    return most;
}

}  // namespace joinleaf::igmp
