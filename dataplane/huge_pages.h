// Memory straight from the kernel, which is asked to back it by transparent huge pages: whoever
// goes to a random place in it finds the page in the TLB.
#pragma once

#include <cstddef>
#include <memory_resource>

namespace joinleaf::dataplane {

/// Zeros, in pages that are had when they are first touched; where there is room for a huge page
/// it begins with one, and where the kernel has none to give it is ordinary memory all the same.
/// Null: it cannot be had, as errno says. Any thread.
[[nodiscard]] void* map_huge(std::size_t octets) noexcept;
/// Gives back what map_huge() has given for so many octets.
void unmap_huge(void* memory, std::size_t octets) noexcept;

/// The same for containers and pools. Any thread. Errors: throws std::bad_alloc.
class HugePages final : public std::pmr::memory_resource {
    void* do_allocate(std::size_t octets, std::size_t alignment) override;
    void do_deallocate(void* memory, std::size_t octets, std::size_t) override {
        unmap_huge(memory, octets);
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override {
        return dynamic_cast<const HugePages*>(&other) != nullptr;
    }
};

}  // namespace joinleaf::dataplane
