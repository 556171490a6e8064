// A bounded queue between two threads, one that pushes and one that pops, without locks: commands
// to a worker, packets to an application, buffers back.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>

namespace joinleaf::dataplane {

/// Push is for the producer's thread alone, pop for the consumer's. Nothing blocks, allocates or
/// throws after construction.
template <class T>
requires std::is_trivially_copyable_v<T>
class SpscQueue {
public:
    /// Room for at least `capacity` elements: the next power of two.
    explicit SpscQueue(std::size_t capacity)
        : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 1)) - 1),
          slots_(std::make_unique_for_overwrite<T[]>(mask_ + 1)) {}

    SpscQueue(const SpscQueue&) = delete;
    SpscQueue& operator=(const SpscQueue&) = delete;

    [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }

    /// Producer. Pushes as many elements from the front as there is room for, in order; returns how
    /// many. The consumer sees all of them at once.
    [[nodiscard]] std::size_t push(std::span<const T> elements) noexcept {
        const std::size_t tail = producer_.own.load(std::memory_order_relaxed);
        if (capacity() - (tail - producer_.other) < elements.size()) {
            producer_.other = consumer_.own.load(std::memory_order_acquire);
        }
        const std::size_t room = capacity() - (tail - producer_.other);
        const std::size_t count = std::min(room, elements.size());
        if (count == 0) return 0;
        const std::size_t first = std::min(count, capacity() - (tail & mask_));
        std::copy_n(elements.data(), first, &slots_[tail & mask_]);
        std::copy_n(elements.data() + first, count - first, &slots_[0]);
        producer_.own.store(tail + count, std::memory_order_release);
        return count;
    }
    /// Producer. False when the queue is full.
    [[nodiscard]] bool push(const T& element) noexcept { return push(std::span(&element, 1)) == 1; }

    /// Consumer. Pops as many elements as there are and `out` holds, in order; returns how many.
    [[nodiscard]] std::size_t pop(std::span<T> out) noexcept {
        const std::size_t head = consumer_.own.load(std::memory_order_relaxed);
        if (consumer_.other - head < out.size()) {
            consumer_.other = producer_.own.load(std::memory_order_acquire);
        }
        const std::size_t count = std::min(consumer_.other - head, out.size());
        if (count == 0) return 0;  // an idle poll writes nothing that the producer reads
        const std::size_t first = std::min(count, capacity() - (head & mask_));
        std::copy_n(&slots_[head & mask_], first, out.data());
        std::copy_n(&slots_[0], count - first, out.data() + first);
        consumer_.own.store(head + count, std::memory_order_release);
        return count;
    }
    /// Consumer. False when the queue is empty; `out` is then untouched.
    [[nodiscard]] bool pop(T& out) noexcept { return pop(std::span(&out, 1)) == 1; }

    /// Either thread. How many elements there were a moment ago.
    [[nodiscard]] std::size_t size() const noexcept {
        const std::size_t head = consumer_.own.load(std::memory_order_acquire);
        const std::size_t tail = producer_.own.load(std::memory_order_acquire);
        return tail - head;
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

private:
    // std::hardware_destructive_interference_size is 64 on x86, but cores fetch lines in pairs.
    static constexpr std::size_t kApart = 128;

    // Counts of all elements ever pushed and popped; they wrap around with no harm. Each side keeps
    // a copy of the other's count and reads the real one, which costs a cache miss, only when the
    // copy says that there is not enough.
    struct alignas(kApart) Side {
        std::atomic<std::size_t> own = 0;
        std::size_t other = 0;
    };

    alignas(kApart) const std::size_t mask_;
    const std::unique_ptr<T[]> slots_;
    Side producer_;
    Side consumer_;
};

}  // namespace joinleaf::dataplane
