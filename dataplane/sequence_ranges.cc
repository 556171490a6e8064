#include <dataplane/sequence_ranges.h>

#include <algorithm>
#include <cassert>

namespace joinleaf::dataplane {

void SequenceRanges::add(SequenceRange range) noexcept {
    assert(range.first < range.end && (empty() || ranges_.back().end <= range.first));
    if (!ranges_.empty() && ranges_.back().end == range.first) {
        ranges_.back().end = range.end;
        return;
    }
    if (capacity_ == 0) return;
    if (ranges_.size() == capacity_) ranges_.erase(ranges_.begin());
    ranges_.push_back(range);
}

std::optional<SequenceRange> SequenceRanges::take(SequenceRange wanted) noexcept {
    const auto at = std::ranges::upper_bound(ranges_, wanted.first, {}, &SequenceRange::end);
    if (at == ranges_.end() || at->first >= wanted.end) return std::nullopt;
    const SequenceRange whole = *at;
    const SequenceRange taken{std::max(whole.first, wanted.first), std::min(whole.end, wanted.end)};
    if (taken == whole) {
        ranges_.erase(at);
    } else if (taken.first == whole.first) {
        at->first = taken.end;
    } else {
        at->end = taken.first;
        // Both sides remain: there is room for one more than the capacity until the next line.
        if (taken.end < whole.end) ranges_.insert(at + 1, {taken.end, whole.end});
        if (ranges_.size() > capacity_) ranges_.erase(ranges_.begin());
    }
    return taken;
}

}  // namespace joinleaf::dataplane
