#include <dataplane/dpdk/own_memory.h>
#include <dataplane/huge_pages.h>
#include <rte_mempool.h>

#include <cerrno>
#include <fstream>
#include <limits>
#include <string>

namespace joinleaf::dataplane::dpdk {
namespace {

// Octets behind `name` in a file of /proc that says "NAME:   N kB", or `otherwise`.
std::uint64_t octets_in(const char* path, const std::string& name, std::uint64_t otherwise) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(name)) continue;
        return std::stoull(line.substr(name.size())) * 1024;
    }
    return otherwise;
}

void unmap(rte_mempool_memhdr* chunk, void*) { unmap_huge(chunk->addr, chunk->len); }

}  // namespace

int populate_with_own_memory(rte_mempool& pool) {
    std::size_t smallest = 0;
    std::size_t alignment = 0;
    const auto needed =
        rte_mempool_op_calc_mem_size_default(&pool, pool.size, 0, &smallest, &alignment);
    if (needed < 0) return static_cast<int>(needed);
    const auto octets = static_cast<std::size_t>(needed);
    // The kernel grants more than there is, and ends a process when it is used: this one.
    if (octets >
        octets_in("/proc/meminfo", "MemAvailable:", std::numeric_limits<std::uint64_t>::max())) {
        return -ENOMEM;
    }
    void* const memory = map_huge(octets);
    if (memory == nullptr) return -ENOMEM;
    const int populated = rte_mempool_populate_virt(&pool, static_cast<char*>(memory), octets,
                                                    RTE_PGSIZE_4K, unmap, nullptr);
    if (populated < 0) unmap_huge(memory, octets);
    return populated;
}

std::uint64_t octets_in_transparent_pages() {
    return octets_in("/proc/self/smaps_rollup", "AnonHugePages:", 0);
}

}  // namespace joinleaf::dataplane::dpdk
