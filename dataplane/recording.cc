#include <dataplane/recording.h>

#include <cstring>

namespace joinleaf::dataplane {

Recording::Recording(std::size_t packets, std::size_t snap)
    : packets_(packets),
      snap_(snap),
      slots_(slots_for(packets)),
      stride_(stride_for(snap)),
      octets_(std::make_unique_for_overwrite<std::byte[]>(slots_ * stride_)) {
    std::memset(octets_.get(), 0, slots_ * stride_);
}

std::byte* Recording::slot_of(std::uint64_t position) const noexcept {
    const std::uint64_t back = end_ - position;  // 1: the newest
    const std::size_t slot = next_ >= back ? next_ - back : next_ + slots_ - back;
    return octets_.get() + slot * stride_;
}

void Recording::set_reason(std::uint64_t position, DropReason why) noexcept {
    std::memcpy(slot_of(position) + offsetof(Recorded, reason), &why, sizeof why);
}

void Recording::set_time(std::uint64_t position, Instant at) noexcept {
    std::memcpy(slot_of(position) + offsetof(Recorded, at), &at, sizeof at);
}

Recording::Entry Recording::operator[](std::uint64_t position) const noexcept {
    const std::byte* const slot = slot_of(position);
    Entry entry;
    std::memcpy(&entry.what, slot, sizeof entry.what);
    entry.octets = {slot + sizeof(Recorded), entry.what.kept};
    return entry;
}

void Recording::clear() noexcept {
    next_ = 0;
    end_ = 0;
}

}  // namespace joinleaf::dataplane
