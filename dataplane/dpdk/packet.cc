#include <dataplane/dpdk/packet.h>

#include <algorithm>
#include <cstring>

namespace joinleaf::dataplane::dpdk {

std::size_t copy_out(const Packet* packet, std::size_t offset, std::span<std::byte> out) noexcept {
    std::size_t copied = 0;
    for (; packet != nullptr && copied < out.size(); packet = packet->next) {
        const auto segment = first_segment(packet);
        if (offset >= segment.size()) {
            offset -= segment.size();
            continue;
        }
        const std::size_t n = std::min(segment.size() - offset, out.size() - copied);
        std::memcpy(out.data() + copied, segment.data() + offset, n);
        copied += n;
        offset = 0;
    }
    return copied;
}

}  // namespace joinleaf::dataplane::dpdk
