// The last messages of a sequenced feed, as they lie in its packets: where a root's datagrams are
// cut from, and where lost messages are sent from again.
#pragma once

#include <dataplane/sequence_ranges.h>
#include <net/moldudp64.h>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace joinleaf::dataplane {

/// A ring of messages, each two octets of length and its own; the oldest give way to the new. One
/// thread writes. One other may take what is there, in order, and is never overtaken: then there is
/// no room. Any number may copy messages of the past, and find them gone instead when they were
/// overtaken.
///
/// The ring's memory is mapped twice in a row, so that messages that follow each other always lie
/// in one piece. All of it is the constructor's.
class MessageLog {
public:
    /// At most `messages`, in at most `octets`, each with two octets for its length. Octets are
    /// rounded up to a power of two, and to what holds any message. Errors: throws
    /// std::system_error (no memory).
    MessageLog(const net::MoldSession& session, std::size_t messages, std::size_t octets);

    // The writer's.
    /// Room for a message of `length` octets, behind the last one. None where the one who takes is
    /// a whole ring behind.
    [[nodiscard]] std::byte* reserve(std::size_t length) noexcept {
        const std::size_t size = net::kMoldLengthSize + length;
        if (next_ == room_before_ || room_until_ - written_ < size) [[unlikely]] {
            if (!make_room(size, taken_.load(std::memory_order_acquire))) return nullptr;
        }
        return memory_.get() + (written_ & octet_mask_) + net::kMoldLengthSize;
    }
    /// The message that reserve() gave room for is there; others see it after commit().
    void add(std::size_t length) noexcept {
        net::emit_mold_length(length, memory_.get() + (written_ & octet_mask_));
        written_ += net::kMoldLengthSize + length;
        position(++next_).store(written_, std::memory_order_relaxed);
    }
    /// Both, with a copy; at most net::kMoldMaxMessage octets. False: there is no room.
    [[nodiscard]] bool append(std::span<const std::byte> message) noexcept {
        std::byte* const to = reserve(message.size());
        if (to == nullptr) [[unlikely]]
            return false;
        if (!message.empty()) std::memcpy(to, message.data(), message.size());
        add(message.size());
        return true;
    }
    /// Others see from now on what has been appended.
    void commit() noexcept { end_.store(next_, std::memory_order_release); }
    /// The sequence of the next message that is appended.
    [[nodiscard]] std::uint64_t next_sequence() const noexcept { return next_; }

    /// The writer's at a leaf, where nobody takes: appends what follows the newest there is, or
    /// anything where there is nothing, and commits it. A gap forgets all that is before it.
    /// Messages that are known already are passed over.
    void append(std::uint64_t sequence, net::MoldMessages messages) noexcept;
    /// Forgets all: another session begins.
    void begin_session(const net::MoldSession& session) noexcept;

    // Of the one who takes.
    /// The sequence after the newest message; up to there all may be read.
    [[nodiscard]] std::uint64_t end() const noexcept {
        return end_.load(std::memory_order_acquire);
    }
    /// Octets of the messages from `first` up to `end`, with their lengths.
    [[nodiscard]] std::size_t octets(std::uint64_t first, std::uint64_t end) const noexcept {
        return position(end).load(std::memory_order_relaxed) -
               position(first).load(std::memory_order_relaxed);
    }
    /// Where the messages from `first` on lie, in one piece.
    [[nodiscard]] const std::byte* at(std::uint64_t first) const noexcept {
        return memory_.get() + (position(first).load(std::memory_order_relaxed) & octet_mask_);
    }
    /// All before `sequence` has been read, and may give way.
    void take(std::uint64_t sequence) noexcept {
        taken_.store(sequence, std::memory_order_release);
    }

    // Anybody's.
    /// What there was a moment ago.
    struct Known {
        net::MoldSession session;
        SequenceRange range;  ///< from the oldest to the newest, plus one
        std::uint64_t change = 0;
    };
    [[nodiscard]] Known known() const noexcept;
    [[nodiscard]] SequenceRange range() const noexcept { return known().range; }

    /// Copies messages from `sequence` on, at most `count`, as many as fit, each with its length in
    /// front. `sequence` is within what is `known`. Returns how many, and in `octets` their length:
    /// none where the first does not fit, has given way meanwhile, or another session has begun.
    std::uint16_t copy(const Known& known, std::uint64_t sequence, std::uint16_t count,
                       std::span<std::byte> out, std::size_t& octets) const noexcept;

private:
    static constexpr std::size_t kApart = 128;  // as in SpscQueue
    // Whoever waits for nobody.
    static constexpr std::uint64_t kAll = ~std::uint64_t{0};

    struct Unmap {
        std::size_t octets;
        void operator()(std::byte* memory) const noexcept;
    };
    using Memory = std::unique_ptr<std::byte, Unmap>;
    using Position = std::atomic<std::uint64_t>;

    static Memory map_twice(std::size_t octets);
    // Where a message begins, counted from the first octet ever written.
    [[nodiscard]] Position& position(std::uint64_t sequence) noexcept {
        return positions_[sequence & position_mask_];
    }
    [[nodiscard]] const Position& position(std::uint64_t sequence) const noexcept {
        return positions_[sequence & position_mask_];
    }
    [[nodiscard]] bool make_room(std::size_t size, std::uint64_t taken) noexcept;
    void forget_before(std::uint64_t first) noexcept;

    const std::size_t messages_;
    const std::size_t octet_mask_;
    const std::size_t position_mask_;
    const Memory memory_;
    const std::unique_ptr<Position[]> positions_;

    // The writer's alone.
    alignas(kApart) std::uint64_t next_ = 1;
    std::uint64_t written_ = 0;      // where the next message will begin
    std::uint64_t first_ = 1;        // the oldest that has not given way
    std::uint64_t room_before_ = 0;  // sequences and octets that are free to be written to
    std::uint64_t room_until_ = 0;

    // Written by the writer, read by others.
    alignas(kApart) std::atomic<std::uint64_t> end_{1};
    alignas(kApart) std::atomic<std::uint64_t> begin_{1};
    std::atomic<std::uint64_t> change_{0};  // odd while another session begins
    std::atomic<std::uint64_t> session_low_{0};
    std::atomic<std::uint16_t> session_high_{0};

    // Written by the one who takes.
    alignas(kApart) std::atomic<std::uint64_t> taken_{1};
};

}  // namespace joinleaf::dataplane
