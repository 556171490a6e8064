// Memory for packet buffers outside the EAL's, for where no hugepages are reserved: the kernel is
// asked to back it by transparent ones. The EAL's own cannot be: it does not begin where a huge
// page does.
#pragma once

#include <cstdint>

struct rte_mempool;

namespace joinleaf::dataplane::dpdk {

/// Gives a pool that is still empty memory for all its buffers; the pool gives it back when it is
/// freed. No device and no other process knows of this memory. Returns how many, or a negative
/// errno
/// (-ENOMEM: there is not so much, or using it would have the kernel end a process).
[[nodiscard]] int populate_with_own_memory(rte_mempool& pool);

/// Octets of this process that lie in transparent huge pages now; 0 also where the kernel does not
/// say. Any thread; reads a file.
[[nodiscard]] std::uint64_t octets_in_transparent_pages();

}  // namespace joinleaf::dataplane::dpdk
