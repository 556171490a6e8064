#include <dataplane/dpdk/own_memory.h>
#include <dataplane/huge_pages.h>
#include <dataplane/kernel_memory.h>
#include <rte_mempool.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace joinleaf::dataplane::dpdk {
namespace {

std::optional<std::uint64_t> octets_said_by(const char* path, std::string_view name) {
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return octets_said(text, name);
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
    const auto available = octets_said_by("/proc/meminfo", "MemAvailable:");
    if (available && octets > *available) return -ENOMEM;
    void* const memory = map_huge(octets);
    if (memory == nullptr) return -ENOMEM;
    const int populated = rte_mempool_populate_virt(&pool, static_cast<char*>(memory), octets,
                                                    RTE_PGSIZE_4K, unmap, nullptr);
    if (populated < 0) unmap_huge(memory, octets);
    return populated;
}

std::uint64_t octets_in_transparent_pages() {
    return octets_said_by("/proc/self/smaps_rollup", "AnonHugePages:").value_or(0);
}

}  // namespace joinleaf::dataplane::dpdk
