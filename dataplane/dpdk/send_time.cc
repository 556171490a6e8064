#include <dataplane/dpdk/send_time.h>

namespace joinleaf::dataplane::dpdk {

std::optional<SendTime> SendTime::field() noexcept {
    int offset = -1;
    std::uint64_t flag = 0;
    if (rte_mbuf_dyn_tx_timestamp_register(&offset, &flag) != 0) return std::nullopt;
    return SendTime(offset, flag);
}

}  // namespace joinleaf::dataplane::dpdk
