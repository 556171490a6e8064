// A wire inside one process: rings in each direction, one for each queue of a port, with a port or
// a WireEnd at each end. What `--port ring:NAME` names.
#pragma once

#include <dataplane/dpdk/packet.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct rte_ring;

namespace joinleaf::dataplane::dpdk {

/// One end: what it receives is what the other end transmits. The wire lives until both ends are
/// gone; packets still on it are freed then. Each ring has one sender and one receiver.
class WireEnd {
public:
    /// The first call with a name gives one end, the second the other. Errors: throws
    /// std::system_error (address_in_use: both ends are taken; EINVAL: the other end has another
    /// number of queues; ENOMEM).
    static WireEnd attach(std::string_view name, std::uint16_t queues = 1);

    WireEnd(WireEnd&&) noexcept = default;
    WireEnd& operator=(WireEnd&&) noexcept = default;
    ~WireEnd() = default;

    /// Returns how many of `out` were filled; the caller owns them.
    [[nodiscard]] std::size_t receive(std::span<Packet*> out, std::uint16_t queue = 0) noexcept;
    /// Returns how many from the front were taken; the caller keeps the rest.
    [[nodiscard]] std::size_t transmit(std::span<Packet*> packets,
                                       std::uint16_t queue = 0) noexcept;

    [[nodiscard]] std::uint16_t queues() const noexcept;
    [[nodiscard]] rte_ring* receive_ring(std::uint16_t queue = 0) const noexcept;
    [[nodiscard]] rte_ring* transmit_ring(std::uint16_t queue = 0) const noexcept;

private:
    struct Wire;
    struct End;
    explicit WireEnd(std::shared_ptr<End> end) : end_(std::move(end)) {}
    std::shared_ptr<End> end_;
};

}  // namespace joinleaf::dataplane::dpdk
