#include <dataplane/dpdk/error.h>
#include <dataplane/dpdk/mempool.h>
#include <dataplane/dpdk/own_memory.h>
#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf_pool_ops.h>

namespace joinleaf::dataplane::dpdk {
namespace {

constexpr unsigned kCache = 256;
static_assert(Mempool::kAnyNode == SOCKET_ID_ANY);

std::uint16_t buffer_size(std::uint16_t data_room) {
    return static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + data_room);
}

// What rte_pktmbuf_pool_create does, but where a device uses our virtual addresses, or none at all,
// buffers may cross pages: without hugepages DPDK would else give each a page of its own, twice the
// memory.
rte_mempool* make_pool(const std::string& name, unsigned count, std::uint16_t data_room,
                       BufferMemory memory, int node) {
    const bool own = memory == BufferMemory::own && rte_eal_has_hugepages() == 0;
    const unsigned flags =
        own || rte_eal_iova_mode() == RTE_IOVA_VA ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0;
    rte_mempool* pool =
        rte_mempool_create_empty(name.c_str(), count, sizeof(rte_mbuf) + buffer_size(data_room),
                                 kCache, sizeof(rte_pktmbuf_pool_private), node, flags);
    if (pool == nullptr) return nullptr;
    rte_pktmbuf_pool_private sizes{};
    sizes.mbuf_data_room_size = buffer_size(data_room);
    int result = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr);
    if (result == 0) {
        rte_pktmbuf_pool_init(pool, &sizes);
        result = own ? populate_with_own_memory(*pool) : rte_mempool_populate_default(pool);
    }
    if (result < 0) {
        rte_mempool_free(pool);
        rte_errno = -result;
        return nullptr;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
    return pool;
}

}  // namespace

Mempool::Mempool(const std::string& name, unsigned count, std::uint16_t data_room,
                 BufferMemory memory, int node)
    : pool_(make_pool(name, count, data_room, memory, node)), data_room_(data_room) {
    if (!pool_) {
        fail(rte_errno, fmt::format("no memory for {} packet buffers ({} MB); free memory or "
                                    "hugepages, or ask for fewer buffers",
                                    count, megabytes(count, data_room)));
    }
}

std::uint64_t Mempool::octets() const noexcept {
    const rte_mempool& pool = *pool_;
    const std::uint64_t each = pool.header_size + pool.elt_size + pool.trailer_size;
    return each * pool.populated_size;
}

unsigned Mempool::megabytes(unsigned count, std::uint16_t data_room) noexcept {
    const std::uint64_t each =
        sizeof(rte_mbuf) + sizeof(rte_mempool_objhdr) + RTE_PKTMBUF_HEADROOM + data_room + 64u;
    return static_cast<unsigned>((each * count >> 20) + 4);
}

}  // namespace joinleaf::dataplane::dpdk
