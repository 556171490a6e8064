#include <dataplane/group_table.h>
#include <dataplane/huge_pages.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cerrno>
#include <limits>
#include <system_error>

namespace joinleaf::dataplane {
namespace {

// At most half full: a search for a key that is not there ends after 2.5 slots on average
// (Knuth, The Art of Computer Programming, vol. 3, §6.4).
constexpr std::size_t kSlotsPerKey = 2;

}  // namespace

void GroupTable::Unmap::operator()(Slot* slots) const noexcept { unmap_huge(slots, octets); }

GroupTable::GroupTable(std::size_t capacity) : capacity_(capacity) {
    // The hash has 32 bits; more slots than that could not be told apart.
    if (capacity > std::numeric_limits<std::uint32_t>::max() / kSlotsPerKey) {
        throw std::system_error(std::make_error_code(std::errc::invalid_argument), "group table");
    }
    const std::size_t slots = std::bit_ceil(std::max<std::size_t>(capacity * kSlotsPerKey, 1));
    const std::size_t octets = slots * sizeof(Slot);
    void* const memory = map_huge(octets);  // a look-up goes to a random page
    if (memory == nullptr) {
        throw std::system_error(errno, std::generic_category(), "memory for the group table");
    }
    slots_ = {static_cast<Slot*>(memory), Unmap{octets}};
    mask_ = slots - 1;
}

std::size_t GroupTable::position(std::uint64_t key) const noexcept {
    std::size_t i = hash_of_packed(key) & mask_;
    while (slots_[i].key != key && slots_[i].key != kEmpty) i = (i + 1) & mask_;
    return i;
}

bool GroupTable::insert(const GroupKey& key, Subscription* value) noexcept {
    assert(value != nullptr);
    Slot& slot = slots_[position(packed(key))];
    if (slot.key == kEmpty) {
        if (size_ == capacity_) return false;
        slot.key = packed(key);
        ++size_;
    }
    slot.value = value;
    return true;
}

bool GroupTable::erase(const GroupKey& key) noexcept {
    std::size_t hole = position(packed(key));
    if (slots_[hole].key == kEmpty) return false;
    // Move back every later slot of the run that may stand in the hole: one whose home is not
    // between the hole and itself. So no search ever meets a gap, and no tombstone is needed.
    for (std::size_t i = (hole + 1) & mask_; slots_[i].key != kEmpty; i = (i + 1) & mask_) {
        const std::size_t home = hash_of_packed(slots_[i].key) & mask_;
        if (((i - home) & mask_) >= ((i - hole) & mask_)) {
            slots_[hole] = slots_[i];
            hole = i;
        }
    }
    slots_[hole] = Slot{};
    --size_;
    return true;
}

}  // namespace joinleaf::dataplane
