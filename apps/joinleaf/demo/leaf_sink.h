// What a leaf of the demonstration does with datagrams, inline on the worker: counts them, and
// hashes them or measures how long they took.
#pragma once

#include <apps/joinleaf/demo/digest.h>
#include <apps/joinleaf/demo/latency_samples.h>
#include <joinleaf/receiver.h>

#include <atomic>
#include <cstdint>
#include <span>

namespace joinleaf::app {

/// What a measured datagram begins with.
struct Stamp {
    std::int64_t sent_at = 0;  ///< of the monotonic clock, in nanoseconds
    std::uint64_t number = 0;  ///< 0, 1, 2 ...
};

class LeafSink {
public:
    enum class Work : std::uint8_t { count, hash, measure };

    explicit LeafSink(std::size_t most_samples) : latencies_(most_samples) {}
    LeafSink(const LeafSink&) = delete;
    LeafSink& operator=(const LeafSink&) = delete;

    [[nodiscard]] InlineHandler handler() noexcept { return {&LeafSink::call, this}; }

    /// Counts from zero again. While no datagram is on its way.
    void begin(Work work) noexcept;

    /// Any thread; what they were used for is complete up to this count.
    [[nodiscard]] std::uint64_t datagrams() const noexcept {
        return datagrams_.load(std::memory_order_acquire);
    }
    [[nodiscard]] std::uint64_t octets() const noexcept {
        return octets_.load(std::memory_order_relaxed);
    }
    // After datagrams() has told that all have come.
    [[nodiscard]] const Sha256& sha256() const noexcept { return sha256_; }
    [[nodiscard]] const LatencySamples& latencies() const noexcept { return latencies_; }
    [[nodiscard]] std::uint64_t out_of_order() const noexcept { return out_of_order_; }

private:
    static void call(void* self, std::span<const Datagram> datagrams) noexcept;
    void take(const Datagram& datagram) noexcept;
    void hash(const Datagram& datagram) noexcept;
    void measure(const Datagram& datagram) noexcept;

    std::atomic<Work> work_{Work::count};
    std::atomic<std::uint64_t> datagrams_{0};
    std::atomic<std::uint64_t> octets_{0};
    Sha256 sha256_;
    LatencySamples latencies_;
    std::uint64_t next_number_ = 0;
    std::uint64_t out_of_order_ = 0;
};

}  // namespace joinleaf::app
