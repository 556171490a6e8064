// The last packets of a lane: a ring of fixed size, the newest in place of the oldest. Pure.
#pragma once

#include <joinleaf/clock.h>
#include <joinleaf/drop_reason.h>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace joinleaf::dataplane {

/// Which way a packet went, seen from this host.
enum class Way : std::uint8_t { in, out };

/// What is kept of a packet besides its octets.
struct Recorded {
    Instant at{};
    std::uint32_t length = 0;  ///< on the wire
    std::uint16_t kept = 0;    ///< of its octets
    Way way = Way::in;
    DropReason reason = DropReason::kCount;  ///< kCount: it was not dropped

    [[nodiscard]] bool is_dropped() const noexcept { return reason != DropReason::kCount; }
};

/// One thread at a time. Nothing is allocated after construction, and by then all memory has been
/// touched, so that no page is missing on the packet path.
class Recording {
public:
    /// So many may be taken back, at most, without what was there before being lost.
    static constexpr std::size_t kMostTakenBack = 64;

    /// Keeps the last `packets`, `snap` octets of each at most. Errors: throws std::bad_alloc.
    Recording(std::size_t packets, std::size_t snap);

    /// Counts on for ever: the position of the next packet.
    [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
    [[nodiscard]] std::size_t snap() const noexcept { return snap_; }

    /// A place for min(length, snap()) octets, which the caller writes.
    [[nodiscard]] std::span<std::byte> append(Instant at, Way way, std::uint32_t length) noexcept {
        const auto kept = static_cast<std::uint16_t>(length < snap_ ? length : snap_);
        std::byte* const slot = octets_.get() + next_ * stride_;
        if (++next_ == slots_) next_ = 0;
        ++end_;
        put(slot, {.at = at, .length = length, .kept = kept, .way = way});
        return {slot + sizeof(Recorded), kept};
    }
    /// The last `n` have not happened.
    void take_back(std::size_t n) noexcept {
        next_ = next_ >= n ? next_ - n : next_ + slots_ - n;
        end_ -= n;
    }
    /// Of one that is still there, by its position.
    void set_reason(std::uint64_t position, DropReason why) noexcept;
    void set_time(std::uint64_t position, Instant at) noexcept;

    /// The oldest position that is there; begin() to end() are.
    [[nodiscard]] std::uint64_t begin() const noexcept {
        return end_ > packets_ ? end_ - packets_ : 0;
    }
    struct Entry {
        Recorded what;
        std::span<const std::byte> octets;
    };
    [[nodiscard]] Entry operator[](std::uint64_t position) const noexcept;
    void clear() noexcept;

    /// Octets of memory that one takes.
    [[nodiscard]] static std::size_t size_of(std::size_t packets, std::size_t snap) noexcept {
        return slots_for(packets) * stride_for(snap);
    }

private:
    static constexpr std::size_t slots_for(std::size_t packets) noexcept {
        return packets + kMostTakenBack;
    }
    static constexpr std::size_t stride_for(std::size_t snap) noexcept {
        return (sizeof(Recorded) + snap + alignof(Recorded) - 1) / alignof(Recorded) *
               alignof(Recorded);
    }
    static void put(std::byte* slot, const Recorded& what) noexcept {
        std::memcpy(slot, &what, sizeof what);
    }
    [[nodiscard]] std::byte* slot_of(std::uint64_t position) const noexcept;

    std::size_t packets_;
    std::size_t snap_;
    std::size_t slots_;
    std::size_t stride_;
    std::unique_ptr<std::byte[]> octets_;
    std::size_t next_ = 0;
    std::uint64_t end_ = 0;
};

}  // namespace joinleaf::dataplane
