// Packets that came before their turn, by sequence, in a bounded window. Pure.
#pragma once

#include <joinleaf/clock.h>
#include <net/moldudp64.h>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace joinleaf::dataplane {

/// Names a packet to its owner, who alone knows what it is; never looked at here.
using PacketHandle = void*;

struct HeldPacket {
    std::uint64_t first = 0;
    net::MoldMessages messages;
    PacketHandle handle = nullptr;
    Instant arrived;   ///< when its owner was told of it
    Instant received;  ///< when it came from the wire
    std::uint8_t line = 0;

    [[nodiscard]] std::uint64_t end() const noexcept { return first + messages.size(); }
};

/// A ring ordered by first sequence. To add at the end costs the same however many there are;
/// elsewhere the shorter side moves. The memory is the constructor's. One owner.
class HoldWindow {
public:
    /// `capacity` packets, rounded up to a power of two.
    explicit HoldWindow(std::size_t capacity);

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] bool full() const noexcept { return size_ == ring_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return ring_.size(); }

    /// Whether one packet that is held has all of [first, end).
    [[nodiscard]] bool holds(std::uint64_t first, std::uint64_t end) const noexcept;
    /// Not when full.
    void insert(const HeldPacket& packet) noexcept;
    /// The packet of the lowest first sequence. Not when empty.
    [[nodiscard]] const HeldPacket& front() const noexcept { return at(0); }
    HeldPacket pop_front() noexcept;

private:
    [[nodiscard]] const HeldPacket& at(std::size_t i) const noexcept {
        return ring_[(head_ + i) & mask_];
    }
    [[nodiscard]] HeldPacket& at(std::size_t i) noexcept { return ring_[(head_ + i) & mask_]; }
    /// How many begin at or before `sequence`.
    [[nodiscard]] std::size_t upto(std::uint64_t sequence) const noexcept;

    std::vector<HeldPacket> ring_;
    std::size_t mask_;
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

}  // namespace joinleaf::dataplane
