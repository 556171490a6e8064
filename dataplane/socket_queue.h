// The application's side of the data plane: the queues behind Receiver and Sender.
#pragma once

#include <dataplane/dpdk/packet.h>
#include <dataplane/spsc_queue.h>

#include <joinleaf/receiver.h>
#include <joinleaf/sender.h>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

namespace joinleaf::dataplane {

/// Received datagrams on their way to one application thread, and their buffers on the way back.
/// At most `capacity` are out at any time, waiting or held, so giving back never fails and a slow
/// application cannot starve the port's pool.
class ReceiveQueue {
public:
    explicit ReceiveQueue(std::size_t capacity) : ready_(capacity), returned_(capacity) {}
    ~ReceiveQueue();
    ReceiveQueue(const ReceiveQueue&) = delete;
    ReceiveQueue& operator=(const ReceiveQueue&) = delete;

    /// Worker. Returns how many datagrams from the front were taken.
    [[nodiscard]] std::size_t deliver(std::span<const Datagram> datagrams) noexcept;
    /// Worker. Frees buffers that the application gave back, a bounded number a call.
    void reclaim() noexcept;

    /// Application.
    [[nodiscard]] std::size_t receive(std::span<Datagram> out) noexcept;
    void release(std::span<const Datagram> datagrams) noexcept;
    /// The same, by their buffers (Datagram::buffer_) alone.
    void release(std::span<void* const> buffers) noexcept;
    /// Any thread.
    [[nodiscard]] std::size_t capacity() const noexcept { return ready_.capacity(); }

private:
    SpscQueue<Datagram> ready_;
    SpscQueue<dpdk::Packet*> returned_;
    std::size_t out_ = 0;  ///< worker's: buffers with the application or on the way
};

/// A buffer on its way to the worker.
struct Filled {
    dpdk::Packet* packet;
    std::uint32_t length;
};

/// Empty buffers on their way to the application, and filled ones on the way back. At most
/// `capacity` buffers, and at least a burst, are out, so sending never fails.
class SendQueue {
public:
    SendQueue(std::size_t capacity, std::uint32_t payload_capacity)
        : empty_(std::max<std::size_t>(capacity, dpdk::kBurst)),
          filled_(empty_.capacity()),
          payload_capacity_(payload_capacity) {}
    ~SendQueue();
    SendQueue(const SendQueue&) = delete;
    SendQueue& operator=(const SendQueue&) = delete;

    /// Worker. Whether the application may be given another burst of empty buffers. At first one
    /// may lie there unused, and twice as many whenever it has used up all, up to `share`: who does
    /// not send, or no longer, leaves the pool to others.
    [[nodiscard]] bool wants_burst(std::size_t share) noexcept {
        if (empty_.capacity() - out_ < dpdk::kBurst) return false;  // all that it may have
        unused_limit_ = std::max<std::size_t>(std::min(unused_limit_, share), dpdk::kBurst);
        if (out_ + dpdk::kBurst <= unused_limit_) return true;
        const std::size_t unused = empty_.size();
        if (unused == 0 && unused_limit_ < share) unused_limit_ *= 2;
        return unused + dpdk::kBurst <= unused_limit_;
    }
    void supply(std::span<dpdk::Packet* const> empties) noexcept;
    /// Worker. Takes filled buffers in order; those that were cancelled are freed on the way.
    [[nodiscard]] std::size_t collect(std::span<Filled> out) noexcept;
    /// Worker. The port took, or the worker dropped, `n` datagrams.
    void complete(std::size_t n) noexcept;

    /// Control thread, once the socket has closed: the application gets no more buffers, and
    /// nothing is in flight any more.
    void close() noexcept { closed_.store(true, std::memory_order_relaxed); }

    /// Application.
    [[nodiscard]] std::size_t reserve(std::span<SendBuffer> out) noexcept;
    void send(std::span<const SendBuffer> filled) noexcept;
    void cancel(std::span<const SendBuffer> unused) noexcept;
    /// Any thread.
    [[nodiscard]] std::size_t in_flight() const noexcept;

private:
    static constexpr std::size_t kApart = 128;  // as in SpscQueue

    SpscQueue<dpdk::Packet*> empty_;
    SpscQueue<Filled> filled_;
    std::uint32_t payload_capacity_;
    std::atomic<bool> closed_{false};
    // The worker's.
    alignas(kApart) std::size_t out_ = 0;      ///< buffers with the application or on the way
    std::size_t unused_limit_ = dpdk::kBurst;  ///< how many may lie there and not be reserved
    std::atomic<std::uint64_t> completed_{0};
    // The application's.
    alignas(kApart) std::atomic<std::uint64_t> handed_over_{0};
};

}  // namespace joinleaf::dataplane
