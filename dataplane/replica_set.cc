#include <dataplane/replica_set.h>

#include <algorithm>
#include <bit>
#include <cassert>

namespace joinleaf::dataplane {

ReplicaSet::ReplicaSet(std::size_t capacity)
    : headers_(capacity, HeaderTemplate(Destination{})),
      ready_((capacity + kWordBits - 1) / kWordBits),
      unresolved_(ready_.size()) {}

void ReplicaSet::put(std::uint32_t slot, const HeaderTemplate& header, bool resolved) noexcept {
    assert(slot < capacity());
    remove(slot);
    headers_[slot] = header;
    const std::size_t word = slot / kWordBits;
    (resolved ? ready_ : unresolved_)[word] |= Word{1} << slot % kWordBits;
    ++(resolved ? ready_count_ : unresolved_count_);
    words_ = std::max(words_, word + 1);
}

void ReplicaSet::remove(std::uint32_t slot) noexcept {
    assert(slot < capacity());
    const std::size_t word = slot / kWordBits;
    const Word bit = Word{1} << slot % kWordBits;
    if ((ready_[word] & bit) != 0) --ready_count_;
    if ((unresolved_[word] & bit) != 0) --unresolved_count_;
    ready_[word] &= ~bit;
    unresolved_[word] &= ~bit;
    while (words_ > 0 && (ready_[words_ - 1] | unresolved_[words_ - 1]) == 0) --words_;
}

std::size_t ReplicaSet::next(ReplicaCursor& cursor,
                             std::span<const HeaderTemplate*> out) const noexcept {
    assert(!out.empty());
    const auto count = [](Word bits) { return static_cast<std::uint32_t>(std::popcount(bits)); };
    std::size_t n = 0;
    std::size_t word = cursor.slot / kWordBits;
    Word to_come = ~Word{0} << cursor.slot % kWordBits;
    for (; word < words_; ++word, to_come = ~Word{0}) {
        const HeaderTemplate* headers = headers_.data() + word * kWordBits;
        Word bits = ready_[word] & to_come;
        while (bits != 0) {
            // A run of neighbours at a time: sets are mostly full, and to look for each bit costs
            // as much as its header.
            const auto first = static_cast<std::uint32_t>(std::countr_zero(bits));
            const auto run = std::min<std::size_t>(
                static_cast<std::size_t>(std::countr_one(bits >> first)), out.size() - n);
            for (std::size_t i = 0; i < run; ++i) out[n + i] = headers + first + i;
            n += run;
            const auto last = first + static_cast<std::uint32_t>(run) - 1;
            const Word passed = ~Word{0} >> (kWordBits - 1 - last);
            bits &= ~passed;
            if (n < out.size()) continue;
            // What comes after it is for the next call.
            cursor.passed_over += count(unresolved_[word] & to_come & passed);
            cursor.slot = static_cast<std::uint32_t>(word * kWordBits + last + 1);
            return n;
        }
        cursor.passed_over += count(unresolved_[word] & to_come);
    }
    cursor.slot = static_cast<std::uint32_t>(word * kWordBits);
    return n;
}

}  // namespace joinleaf::dataplane
