// A pool of packet buffers. Any thread may allocate and free; lcores do it through a cache.
#pragma once

#include <dataplane/dpdk/packet.h>
#include <rte_mempool.h>

#include <memory>
#include <span>
#include <string>

namespace joinleaf::dataplane::dpdk {

/// Where the buffers of a pool lie when there are no hugepages.
enum class BufferMemory : unsigned char {
    environment,  ///< in the EAL's memory, which devices and peer processes are told of
    own,          ///< in the pool's own, backed by transparent huge pages as far as there are any
};

class Mempool {
public:
    static constexpr int kAnyNode = -1;

    /// `count` buffers of `data_room` octets behind the head room, in the memory of one NUMA node.
    /// Errors: throws std::system_error (ENOMEM: what() says how much was asked for and the cure).
    Mempool(const std::string& name, unsigned count, std::uint16_t data_room,
            BufferMemory memory = BufferMemory::environment, int node = kAnyNode);

    /// All or none. Returns whether `out` was filled.
    [[nodiscard]] bool allocate(std::span<Packet*> out) noexcept {
        return rte_pktmbuf_alloc_bulk(pool_.get(), out.data(), static_cast<unsigned>(out.size())) ==
               0;
    }
    /// All or none, as free buffers lie in a pool: one segment, one reference, and anything in the
    /// fields that an Extent sets. For the packet path, which sets them all.
    [[nodiscard]] bool allocate_raw(std::span<Packet*> out) noexcept {
        return rte_mempool_get_bulk(pool_.get(), reinterpret_cast<void**>(out.data()),
                                    static_cast<unsigned>(out.size())) == 0;
    }
    [[nodiscard]] std::uint16_t data_room() const noexcept { return data_room_; }
    /// Buffers in all.
    [[nodiscard]] unsigned size() const noexcept { return pool_->size; }
    /// Of memory that the buffers lie in.
    [[nodiscard]] std::uint64_t octets() const noexcept;
    [[nodiscard]] unsigned in_use() const noexcept { return rte_mempool_in_use_count(pool_.get()); }
    [[nodiscard]] rte_mempool* raw() const noexcept { return pool_.get(); }

    /// Megabytes that `count` such buffers take, with DPDK's own overhead.
    [[nodiscard]] static unsigned megabytes(unsigned count, std::uint16_t data_room) noexcept;

private:
    struct Free {
        void operator()(rte_mempool* pool) const noexcept { rte_mempool_free(pool); }
    };
    std::unique_ptr<rte_mempool, Free> pool_;
    std::uint16_t data_room_;
};

}  // namespace joinleaf::dataplane::dpdk
