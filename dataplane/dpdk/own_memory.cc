#include <dataplane/dpdk/own_memory.h>
#include <rte_mempool.h>
#include <sys/mman.h>

#include <cerrno>
#include <fstream>
#include <limits>
#include <string>

namespace joinleaf::dataplane::dpdk {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t rounded_up(std::size_t octets) {
    return (octets + kHugePage - 1) / kHugePage * kHugePage;
}

// Octets behind `name` in a file of /proc that says "NAME:   N kB", or `otherwise`.
std::uint64_t octets_in(const char* path, const std::string& name, std::uint64_t otherwise) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(name)) continue;
        return std::stoull(line.substr(name.size())) * 1024;
    }
    return otherwise;
}

// At the beginning of a huge page; null when it cannot be had.
std::byte* map_aligned(std::size_t octets) {
    void* const mapped = mmap(nullptr, octets + kHugePage, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* const begin = static_cast<std::byte*>(mapped);
    const std::size_t before = rounded_up(reinterpret_cast<std::uintptr_t>(begin)) -
                               reinterpret_cast<std::uintptr_t>(begin);
    if (before > 0) munmap(begin, before);
    munmap(begin + before + octets, kHugePage - before);
    return begin + before;
}

void unmap(rte_mempool_memhdr* chunk, void*) { munmap(chunk->addr, chunk->len); }

}  // namespace

int populate_with_own_memory(rte_mempool& pool) {
    std::size_t smallest = 0;
    std::size_t alignment = 0;
    const auto needed =
        rte_mempool_op_calc_mem_size_default(&pool, pool.size, 0, &smallest, &alignment);
    if (needed < 0) return static_cast<int>(needed);
    const std::size_t octets = rounded_up(static_cast<std::size_t>(needed));
    // The kernel grants more than there is, and ends a process when it is used: this one.
    if (octets >
        octets_in("/proc/meminfo", "MemAvailable:", std::numeric_limits<std::uint64_t>::max())) {
        return -ENOMEM;
    }
    std::byte* const memory = map_aligned(octets);
    if (memory == nullptr) return -ENOMEM;
    // Refused where the kernel was built without them: ordinary pages do, more slowly.
    static_cast<void>(madvise(memory, octets, MADV_HUGEPAGE));
    const int populated = rte_mempool_populate_virt(&pool, reinterpret_cast<char*>(memory), octets,
                                                    kHugePage, unmap, nullptr);
    if (populated < 0) munmap(memory, octets);
    return populated;
}

std::uint64_t octets_in_transparent_pages() {
    return octets_in("/proc/self/smaps_rollup", "AnonHugePages:", 0);
}

}  // namespace joinleaf::dataplane::dpdk
