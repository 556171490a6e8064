// A wire inside one process: two rings, one for each direction, with a port or a WireEnd at each
// end. What `--port ring:NAME` names.
#pragma once

#include <dataplane/dpdk/packet.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

struct rte_ring;

namespace joinleaf::dataplane::dpdk {

/// One end: what it receives is what the other end transmits. The wire lives until both ends are
/// gone; packets still on it are freed then. Each direction has one sender and one receiver.
class WireEnd {
public:
    /// The first call with a name gives one end, the second the other. Errors: throws
    /// std::system_error (address_in_use: both ends are taken; ENOMEM).
    static WireEnd attach(std::string_view name);

    WireEnd(WireEnd&&) noexcept = default;
    WireEnd& operator=(WireEnd&&) noexcept = default;
    ~WireEnd() = default;

    /// Returns how many of `out` were filled; the caller owns them.
    [[nodiscard]] std::size_t receive(std::span<Packet*> out) noexcept;
    /// Returns how many from the front were taken; the caller keeps the rest.
    [[nodiscard]] std::size_t transmit(std::span<Packet*> packets) noexcept;

    [[nodiscard]] rte_ring* receive_ring() const noexcept;
    [[nodiscard]] rte_ring* transmit_ring() const noexcept;

private:
    struct Wire;
    struct End;
    explicit WireEnd(std::shared_ptr<End> end) : end_(std::move(end)) {}
    std::shared_ptr<End> end_;
};

}  // namespace joinleaf::dataplane::dpdk
