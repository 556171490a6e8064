// The last messages of a sequenced feed, as they lay in their packets, to be sent again. Pure.
#pragma once

#include <dataplane/sequence_ranges.h>
#include <net/moldudp64.h>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace joinleaf::controlplane {

/// A ring of messages: the oldest give way when there are too many, or too many octets. The memory
/// is the constructor's. One owner.
class History {
public:
    /// At most `messages`, in at most `octets`, each with two octets for its length; both are
    /// rounded up to powers of two.
    History(std::size_t messages, std::size_t octets);

    /// What follows the newest there is, or anything where there is nothing. A gap, which a history
    /// kept by a leaf may have, forgets all that is before. Messages that are known already are
    /// passed over, and one that is longer than the whole ring forgets all.
    void append(std::uint64_t sequence, net::MoldMessages messages) noexcept;
    /// Forgets all: another session.
    void clear() noexcept;

    /// What there is: from the oldest to the newest, plus one.
    [[nodiscard]] dataplane::SequenceRange range() const noexcept { return {first_, end_}; }

    /// Copies messages from `sequence` on, at most `count`, as many as fit, each with its length in
    /// front. `sequence` is within range(). Returns how many, and in `octets` their length.
    std::uint16_t copy(std::uint64_t sequence, std::uint16_t count, std::span<std::byte> out,
                       std::size_t& octets) const noexcept;

private:
    void append(std::span<const std::byte> message) noexcept;
    [[nodiscard]] std::uint64_t& offset(std::uint64_t sequence) noexcept {
        return offsets_[sequence & (offsets_.size() - 1)];
    }
    [[nodiscard]] const std::byte* at(std::uint64_t sequence) const noexcept {
        return &octets_[offsets_[sequence & (offsets_.size() - 1)] & (octets_.size() - 1)];
    }

    std::vector<std::byte> octets_;
    std::vector<std::uint64_t> offsets_;  // by sequence; they count on, whatever the ring's size
    std::uint64_t first_ = 1;
    std::uint64_t end_ = 1;
    std::uint64_t written_ = 0;  // the offset of the next message
};

}  // namespace joinleaf::controlplane
