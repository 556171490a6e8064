// From (destination, UDP port) to the subscriptions a datagram is for. Flat open
// addressing, at most half full, so that a look-up is nearly always one cache line, asked for
// before it is needed. One owner (a worker); no allocation after construction.
#pragma once

#include <nmmintrin.h>

#include <joinleaf/address.h>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace joinleaf::dataplane {

struct Subscription;

/// Where a datagram goes: a group, or the port's own address.
struct GroupKey {
    Ipv4Address destination;
    std::uint16_t port = 0;

    friend constexpr auto operator<=>(const GroupKey&, const GroupKey&) = default;
};

class GroupTable {
public:
    /// Room for `capacity` keys. The memory is obtained here, and the pages of slots that are never
    /// used are never touched. Throws std::system_error when there is none.
    explicit GroupTable(std::size_t capacity);

    [[nodiscard]] static std::uint32_t hash(const GroupKey& key) noexcept {
        return hash_of_packed(packed(key));
    }
    /// Asks for the cache line where the search for `hash` starts.
    void prefetch(std::uint32_t hash) const noexcept { __builtin_prefetch(&slots_[hash & mask_]); }

    /// The value of `key`, or null. `hash` is that of the key.
    [[nodiscard]] Subscription* find(const GroupKey& key, std::uint32_t hash) const noexcept {
        const std::uint64_t wanted = packed(key);
        for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
            const Slot& slot = slots_[i];
            if (slot.key == wanted) return slot.value;
            if (slot.key == kEmpty) return nullptr;
        }
    }
    [[nodiscard]] Subscription* find(const GroupKey& key) const noexcept {
        return find(key, hash(key));
    }
    /// Adds the key, or replaces its value. False, and nothing changed, when the table is full.
    /// `value` is not null.
    [[nodiscard]] bool insert(const GroupKey& key, Subscription* value) noexcept;
    /// False when the key was not there.
    bool erase(const GroupKey& key) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

private:
    // All zero is an empty slot, as the pages come from the kernel.
    struct Slot {
        std::uint64_t key;
        Subscription* value;
    };
    static constexpr std::uint64_t kEmpty = 0;

    struct Unmap {
        std::size_t octets;
        void operator()(Slot* slots) const noexcept;
    };

    // One bit above the key, so that no key is kEmpty.
    [[nodiscard]] static constexpr std::uint64_t packed(const GroupKey& key) noexcept {
        return std::uint64_t{1} << 48 | std::uint64_t{key.destination.value()} << 16 | key.port;
    }
    [[nodiscard]] static std::uint32_t hash_of_packed(std::uint64_t key) noexcept {
        return static_cast<std::uint32_t>(_mm_crc32_u64(0, key));
    }
    // Where `key` is, or the empty slot that ends the search for it.
    [[nodiscard]] std::size_t position(std::uint64_t key) const noexcept;

    std::unique_ptr<Slot[], Unmap> slots_;
    std::size_t mask_;
    std::size_t capacity_;
    std::size_t size_ = 0;
};

}  // namespace joinleaf::dataplane
