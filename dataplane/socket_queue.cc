#include <dataplane/socket_queue.h>

#include <algorithm>

namespace joinleaf {

std::size_t Datagram::copy_to(std::span<std::byte> out) const noexcept {
    const std::size_t n = std::min<std::size_t>(out.size(), size_);
    if (is_contiguous()) {
        std::copy_n(data_, n, out.data());
        return n;
    }
    const auto* packet = static_cast<const dataplane::dpdk::Packet*>(buffer_);
    const auto offset = static_cast<std::size_t>(data_ - dataplane::dpdk::data(packet));
    return dataplane::dpdk::copy_out(packet, offset, out.first(n));
}

namespace dataplane {
namespace {

// A length no datagram has: the buffer comes back unused.
constexpr std::uint32_t kCancelled = UINT32_MAX;

// A queue shared by many sockets may get a burst many times over in one turn; its buffers must come
// home as fast.
constexpr std::size_t kReclaimBursts = 16;

dpdk::Packet* packet_of(const Datagram& datagram) noexcept {
    return static_cast<dpdk::Packet*>(datagram.buffer_);
}

}  // namespace

ReceiveQueue::~ReceiveQueue() {
    Datagram datagrams[dpdk::kBurst];
    while (const auto n = ready_.pop(datagrams)) {
        for (std::size_t i = 0; i < n; ++i) dpdk::free(packet_of(datagrams[i]));
    }
    dpdk::Packet* packets[dpdk::kBurst];
    while (const auto n = returned_.pop(packets)) dpdk::free_all({packets, n});
}

std::size_t ReceiveQueue::deliver(std::span<const Datagram> datagrams) noexcept {
    const std::size_t room = ready_.capacity() - out_;
    const auto taken = ready_.push(datagrams.first(std::min(room, datagrams.size())));
    out_ += taken;
    return taken;
}

void ReceiveQueue::reclaim() noexcept {
    dpdk::Packet* packets[2 * dpdk::kBurst];
    for (std::size_t bursts = 0; bursts < kReclaimBursts; ++bursts) {
        const auto n = returned_.pop(packets);
        out_ -= n;
        dpdk::free_all({packets, n});
        if (n < std::size(packets)) return;
    }
}

std::size_t ReceiveQueue::receive(std::span<Datagram> out) noexcept { return ready_.pop(out); }

void ReceiveQueue::release(std::span<const Datagram> datagrams) noexcept {
    dpdk::Packet* packets[dpdk::kBurst];
    while (!datagrams.empty()) {
        const auto n = std::min<std::size_t>(datagrams.size(), dpdk::kBurst);
        std::transform(datagrams.begin(), datagrams.begin() + static_cast<std::ptrdiff_t>(n),
                       packets, packet_of);
        // There is room for all that are out.
        static_cast<void>(returned_.push({packets, n}));
        datagrams = datagrams.subspan(n);
    }
}

void ReceiveQueue::release(std::span<void* const> buffers) noexcept {
    dpdk::Packet* packets[dpdk::kBurst];
    while (!buffers.empty()) {
        const auto n = std::min<std::size_t>(buffers.size(), dpdk::kBurst);
        std::transform(buffers.begin(), buffers.begin() + static_cast<std::ptrdiff_t>(n), packets,
                       [](void* buffer) { return static_cast<dpdk::Packet*>(buffer); });
        static_cast<void>(returned_.push({packets, n}));
        buffers = buffers.subspan(n);
    }
}

SendQueue::~SendQueue() {
    dpdk::Packet* packets[dpdk::kBurst];
    while (const auto n = empty_.pop(packets)) dpdk::free_all({packets, n});
    Filled filled[dpdk::kBurst];
    while (const auto n = filled_.pop(filled)) {
        for (std::size_t i = 0; i < n; ++i) dpdk::free(filled[i].packet);
    }
}

void SendQueue::supply(std::span<dpdk::Packet* const> empties) noexcept {
    out_ += empty_.push(empties);
}

std::size_t SendQueue::collect(std::span<Filled> out) noexcept {
    const auto n = filled_.pop(out);
    out_ -= n;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
        if (out[i].length == kCancelled) {
            dpdk::free(out[i].packet);
        } else {
            out[kept++] = out[i];
        }
    }
    return kept;
}

void SendQueue::complete(std::size_t n) noexcept {
    completed_.store(completed_.load(std::memory_order_relaxed) + n, std::memory_order_release);
}

std::size_t SendQueue::reserve(std::span<SendBuffer> out) noexcept {
    if (closed_.load(std::memory_order_relaxed)) return 0;
    dpdk::Packet* packets[dpdk::kBurst];
    std::size_t reserved = 0;
    while (reserved < out.size()) {
        const auto n =
            empty_.pop({packets, std::min<std::size_t>(out.size() - reserved, dpdk::kBurst)});
        if (n == 0) break;
        for (std::size_t i = 0; i < n; ++i) {
            out[reserved++] = {.data = dpdk::payload_start(packets[i]),
                               .capacity = payload_capacity_,
                               .length = 0,
                               .buffer = packets[i]};
        }
    }
    return reserved;
}

void SendQueue::send(std::span<const SendBuffer> filled) noexcept {
    // Before they can be completed.
    handed_over_.store(handed_over_.load(std::memory_order_relaxed) + filled.size(),
                       std::memory_order_relaxed);
    for (const auto& buffer : filled) {
        // kCancelled is far above any capacity; as a length it is oversized like any other.
        const Filled one{static_cast<dpdk::Packet*>(buffer.buffer),
                         std::min(buffer.length, kCancelled - 1)};
        static_cast<void>(filled_.push(one));  // there is room for all that are out
    }
}

void SendQueue::cancel(std::span<const SendBuffer> unused) noexcept {
    for (const auto& buffer : unused) {
        const Filled one{static_cast<dpdk::Packet*>(buffer.buffer), kCancelled};
        static_cast<void>(filled_.push(one));
    }
}

std::size_t SendQueue::in_flight() const noexcept {
    if (closed_.load(std::memory_order_relaxed)) return 0;
    // In this order: what was completed had been handed over before.
    const auto completed = completed_.load(std::memory_order_acquire);
    return handed_over_.load(std::memory_order_relaxed) - completed;
}

}  // namespace dataplane
}  // namespace joinleaf
