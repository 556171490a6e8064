// Whom each datagram is sent to: a flat array of headers, changed while datagrams are on their way
// through it. Pure.
#pragma once

#include <dataplane/header_template.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace joinleaf::dataplane {

/// How far one datagram has come on its way through a set.
struct ReplicaCursor {
    std::uint32_t slot = 0;         ///< the next to be looked at
    std::uint32_t passed_over = 0;  ///< unresolved destinations so far
};

/// Destinations keep their slots, and a datagram passes the slots in order. So each destination
/// that is there all the while gets a datagram exactly once, one that comes or goes meanwhile at
/// most once, whatever else changes. Slots are given out by the owner; low ones first keep the set
/// short.
///
/// The memory is the constructor's. Changed and read by one thread.
class ReplicaSet {
public:
    explicit ReplicaSet(std::size_t capacity);

    [[nodiscard]] std::size_t capacity() const noexcept { return headers_.size(); }

    /// Puts a destination into a slot, or another in its place. One that is not `resolved` (nobody
    /// has told its MAC address) is passed over.
    void put(std::uint32_t slot, const HeaderTemplate& header, bool resolved) noexcept;
    /// Nothing when the slot is empty.
    void remove(std::uint32_t slot) noexcept;

    /// Destinations that get datagrams, and such as are passed over.
    [[nodiscard]] std::size_t ready() const noexcept { return ready_count_; }
    [[nodiscard]] std::size_t unresolved() const noexcept { return unresolved_count_; }

    /// The headers of the next destinations, at least one place for them. Returns how many; fewer
    /// than out.size(): those were the last.
    std::size_t next(ReplicaCursor& cursor, std::span<const HeaderTemplate*> out) const noexcept;

private:
    using Word = std::uint64_t;
    static constexpr std::uint32_t kWordBits = 64;

    std::vector<HeaderTemplate> headers_;
    // A bit for each slot, so that empty ones cost next to nothing to pass.
    std::vector<Word> ready_;
    std::vector<Word> unresolved_;
    std::size_t words_ = 0;  ///< those after it are empty
    std::size_t ready_count_ = 0;
    std::size_t unresolved_count_ = 0;
};

}  // namespace joinleaf::dataplane
