// Ranges of sequences in a bounded list: what is missing somewhere, and may still come. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace joinleaf::dataplane {

/// Sequences from `first` up to, but without, `end`.
struct SequenceRange {
    std::uint64_t first = 0;
    std::uint64_t end = 0;

    [[nodiscard]] constexpr std::uint64_t count() const noexcept { return end - first; }
    friend bool operator==(const SequenceRange&, const SequenceRange&) = default;
};

/// Apart from each other and in order. When there are too many the oldest is forgotten, so that the
/// memory is the constructor's. One owner.
class SequenceRanges {
public:
    explicit SequenceRanges(std::size_t capacity) : capacity_(capacity) {
        ranges_.reserve(capacity + 1);
    }

    /// `range` begins at or after the end of all that are there, and is not empty.
    void add(SequenceRange range) noexcept;
    /// Takes out the first part of `wanted` that is there; none: nothing of it is.
    std::optional<SequenceRange> take(SequenceRange wanted) noexcept;
    void clear() noexcept { ranges_.clear(); }
    [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }

private:
    std::size_t capacity_;
    std::vector<SequenceRange> ranges_;
};

}  // namespace joinleaf::dataplane
