#include <dataplane/dpdk/error.h>
#include <dataplane/dpdk/mempool.h>
#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_lcore.h>

namespace joinleaf::dataplane::dpdk {
namespace {

constexpr unsigned kCache = 256;

}  // namespace

Mempool::Mempool(const std::string& name, unsigned count, std::uint16_t data_room)
    : pool_(rte_pktmbuf_pool_create(name.c_str(), count, kCache, 0,
                                    static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + data_room),
                                    SOCKET_ID_ANY)),
      data_room_(data_room) {
    if (!pool_) {
        fail(rte_errno, fmt::format("no memory for {} packet buffers ({} MB); free memory or "
                                    "hugepages, or ask for fewer buffers",
                                    count, megabytes(count, data_room)));
    }
}

unsigned Mempool::megabytes(unsigned count, std::uint16_t data_room) noexcept {
    const std::uint64_t each =
        sizeof(rte_mbuf) + sizeof(rte_mempool_objhdr) + RTE_PKTMBUF_HEADROOM + data_room + 64u;
    return static_cast<unsigned>((each * count >> 20) + 4);
}

}  // namespace joinleaf::dataplane::dpdk
