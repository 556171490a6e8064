#include <controlplane/history.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace joinleaf::controlplane {

History::History(std::size_t messages, std::size_t octets)
    : octets_(std::bit_ceil(std::max<std::size_t>(octets, 1))),
      offsets_(std::bit_ceil(std::max<std::size_t>(messages, 1))) {}

void History::clear() noexcept {
    first_ = end_ = 1;
    written_ = 0;
}

void History::append(std::uint64_t sequence, net::MoldMessages messages) noexcept {
    const bool is_empty = first_ == end_;
    if (is_empty || sequence > end_) first_ = end_ = sequence;
    for (const auto message : messages) {
        if (sequence++ == end_) append(message);
    }
}

void History::append(std::span<const std::byte> message) noexcept {
    const std::size_t size = net::kMoldLengthSize + message.size();
    if (size > octets_.size()) {
        first_ = ++end_;
        return;
    }
    // A message lies in one piece: the rest of the ring is left out where it does not fit.
    const std::size_t rest = octets_.size() - (written_ & (octets_.size() - 1));
    if (size > rest) written_ += rest;
    const std::uint64_t after = written_ + size;
    while (first_ != end_ &&
           (after - offset(first_) > octets_.size() || end_ - first_ >= offsets_.size())) {
        ++first_;
    }
    std::byte* const to = &octets_[written_ & (octets_.size() - 1)];
    net::emit_mold_length(message.size(), to);
    if (!message.empty()) {
        std::memcpy(to + net::kMoldLengthSize, message.data(), message.size());
    }
    offset(end_++) = written_;
    written_ = after;
}

std::uint16_t History::copy(std::uint64_t sequence, std::uint16_t count, std::span<std::byte> out,
                            std::size_t& octets) const noexcept {
    octets = 0;
    std::uint16_t copied = 0;
    while (copied < count && sequence + copied < end_) {
        const std::byte* const from = at(sequence + copied);
        const std::size_t size =
            net::kMoldLengthSize + net::load<net::BigEndian<std::uint16_t>>(from);
        if (size > out.size() - octets) break;
        std::memcpy(out.data() + octets, from, size);
        octets += size;
        ++copied;
    }
    return copied;
}

}  // namespace joinleaf::controlplane
