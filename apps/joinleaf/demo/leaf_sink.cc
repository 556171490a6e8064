// What a leaf of the demonstration does with datagrams.
#include <apps/joinleaf/demo/leaf_sink.h>

#include <array>
#include <cstring>

namespace joinleaf::app {

void LeafSink::begin(Work work) noexcept {
    datagrams_ = 0;
    octets_ = 0;
    work_ = work;
}

void LeafSink::call(void* self, std::span<const Datagram> datagrams) noexcept {
    auto& sink = *static_cast<LeafSink*>(self);
    std::uint64_t octets = 0;
    for (const auto& datagram : datagrams) {
        sink.take(datagram);
        octets += datagram.size();
    }
    sink.octets_.fetch_add(octets, std::memory_order_relaxed);
    sink.datagrams_.fetch_add(datagrams.size(), std::memory_order_release);
}

void LeafSink::take(const Datagram& datagram) noexcept {
    switch (work_.load(std::memory_order_relaxed)) {
        case Work::count:
            return;
        case Work::hash:
            return hash(datagram);
        case Work::measure:
            return measure(datagram);
    }
}

void LeafSink::hash(const Datagram& datagram) noexcept {
    if (datagram.is_contiguous()) return sha256_.update(datagram.bytes());
    std::array<std::byte, 65536> whole;
    const std::size_t size = datagram.copy_to(whole);
    sha256_.update(std::span(whole).first(size));
}

void LeafSink::measure(const Datagram& datagram) noexcept {
    Stamp stamp;
    if (datagram.copy_to(std::as_writable_bytes(std::span(&stamp, 1))) != sizeof stamp) return;
    latencies_.record(Instant::clock::now().time_since_epoch() -
                      std::chrono::nanoseconds(stamp.sent_at));
    if (stamp.number != next_number_) ++out_of_order_;
    next_number_ = stamp.number + 1;
}

}  // namespace joinleaf::app
