#include <dataplane/hold_window.h>

#include <algorithm>
#include <bit>
#include <cassert>

namespace joinleaf::dataplane {

HoldWindow::HoldWindow(std::size_t capacity)
    : ring_(std::bit_ceil(std::max<std::size_t>(capacity, 1))), mask_(ring_.size() - 1) {}

std::size_t HoldWindow::upto(std::uint64_t sequence) const noexcept {
    if (size_ == 0 || at(size_ - 1).first <= sequence) return size_;
    std::size_t low = 0;
    std::size_t high = size_ - 1;
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (at(middle).first <= sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool HoldWindow::holds(std::uint64_t first, std::uint64_t end) const noexcept {
    const std::size_t n = upto(first);
    return n != 0 && at(n - 1).end() >= end;
}

void HoldWindow::insert(const HeldPacket& packet) noexcept {
    assert(!full());
    const std::size_t place = upto(packet.first);
    if (place >= size_ / 2) {
        for (std::size_t i = size_; i > place; --i) at(i) = at(i - 1);
    } else {
        head_ = (head_ - 1) & mask_;
        for (std::size_t i = 0; i < place; ++i) at(i) = at(i + 1);
    }
    ++size_;
    at(place) = packet;
}

HeldPacket HoldWindow::pop_front() noexcept {
    assert(!empty());
    const HeldPacket packet = front();
    head_ = (head_ + 1) & mask_;
    --size_;
    return packet;
}

}  // namespace joinleaf::dataplane
