// Packets of a session that may be followed next, in the order they came, until that is known.
// Pure.
#pragma once

#include <dataplane/hold_window.h>
#include <joinleaf/clock.h>
#include <net/moldudp64.h>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace joinleaf::dataplane {

/// A packet that is looked at later.
struct Waiting {
    std::uint8_t line = 0;
    net::MoldPacket packet;
    PacketHandle handle = nullptr;
    Instant at;
    Instant received;
};

/// First come, first served. The memory is the constructor's. One owner.
class Doorway {
public:
    explicit Doorway(std::size_t capacity)
        : ring_(std::bit_ceil(capacity + 1)), mask_(ring_.size() - 1) {}

    [[nodiscard]] bool full() const noexcept { return size_ == ring_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Of those, how many still may come in.
    [[nodiscard]] std::size_t hopeful() const noexcept { return size_ - sent_away_; }
    /// Whether the front one is not let in.
    [[nodiscard]] bool sends_away() const noexcept { return sent_away_ != 0; }

    /// Not when full.
    void add(const Waiting& packet) noexcept {
        assert(!full());
        ring_[(head_ + size_++) & mask_] = packet;
    }
    /// None of those who are here is let in.
    void send_away() noexcept { sent_away_ = size_; }
    /// Not when empty.
    Waiting pop_front() noexcept {
        assert(size_ != 0);
        const Waiting packet = ring_[head_];
        head_ = (head_ + 1) & mask_;
        --size_;
        if (sent_away_ != 0) --sent_away_;
        return packet;
    }

private:
    std::vector<Waiting> ring_;
    std::size_t mask_;
    std::size_t head_ = 0;
    std::size_t size_ = 0;
    std::size_t sent_away_ = 0;  // from the front
};

}  // namespace joinleaf::dataplane
