#include <dataplane/huge_pages.h>
#include <sys/mman.h>

#include <cassert>
#include <cstdint>
#include <new>

namespace joinleaf::dataplane {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t rounded_up(std::size_t octets, std::size_t to) { return (octets + to - 1) / to * to; }

// What is mapped for so many.
std::size_t mapped(std::size_t octets) {
    return rounded_up(octets, octets < kHugePage ? kPage : kHugePage);
}

std::byte* map(std::size_t octets) noexcept {
    void* const memory =
        mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory);
}

}  // namespace

void* map_huge(std::size_t octets) noexcept {
    const std::size_t size = mapped(octets);
    if (size < kHugePage) return map(size);
    std::byte* const begin = map(size + kHugePage);
    if (begin == nullptr) return nullptr;
    const auto address = reinterpret_cast<std::uintptr_t>(begin);
    const std::size_t before = rounded_up(address, kHugePage) - address;
    if (before > 0) munmap(begin, before);
    if (before < kHugePage) munmap(begin + before + size, kHugePage - before);
    // Refused where the kernel was built without them: ordinary pages do, more slowly.
    static_cast<void>(madvise(begin + before, size, MADV_HUGEPAGE));
    return begin + before;
}

void unmap_huge(void* memory, std::size_t octets) noexcept { munmap(memory, mapped(octets)); }

void* HugePages::do_allocate(std::size_t octets, [[maybe_unused]] std::size_t alignment) {
    assert(alignment <= kPage);
    if (void* const memory = map_huge(octets)) return memory;
    throw std::bad_alloc();
}

}  // namespace joinleaf::dataplane
