// What a worker counts: plain numbers it alone writes, published for others to read.
#pragma once

#include <joinleaf/drop_reason.h>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace joinleaf::dataplane {

enum class Count : std::uint8_t {
    received,
    received_bytes,
    transmitted,
    transmitted_bytes,
    delivered,
    delivered_bytes,
    sent,
    sent_bytes,
    kCount,
};

inline constexpr std::size_t kCountCount = static_cast<std::size_t>(Count::kCount);

/// The worker's own tally of one lane: no atomics, no sharing.
class Tally {
public:
    void add(Count what, std::uint64_t n) noexcept { values_[static_cast<std::size_t>(what)] += n; }
    void drop(DropReason why, std::uint64_t n = 1) noexcept {
        values_[kCountCount + static_cast<std::size_t>(why)] += n;
    }

    static constexpr std::size_t kSize = kCountCount + kDropReasonCount;
    [[nodiscard]] const std::array<std::uint64_t, kSize>& values() const noexcept {
        return values_;
    }

private:
    std::array<std::uint64_t, kSize> values_{};
};

/// A tally as any thread may read it; at most a millisecond old while the worker turns.
class PublishedTally {
public:
    void publish(const Tally& tally) noexcept {
        for (std::size_t i = 0; i < Tally::kSize; ++i) {
            values_[i].store(tally.values()[i], std::memory_order_relaxed);
        }
    }
    [[nodiscard]] std::uint64_t get(Count what) const noexcept {
        return values_[static_cast<std::size_t>(what)].load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t get(DropReason why) const noexcept {
        return values_[kCountCount + static_cast<std::size_t>(why)].load(std::memory_order_relaxed);
    }

private:
    std::array<std::atomic<std::uint64_t>, Tally::kSize> values_{};
};

/// Adds to a counter that one thread writes and others read: no locked instruction.
inline void bump(std::atomic<std::uint64_t>& counter, std::uint64_t n = 1) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

}  // namespace joinleaf::dataplane
