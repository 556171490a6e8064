#include <dataplane/dpdk/error.h>
#include <dataplane/dpdk/wire.h>
#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_ring.h>

#include <array>
#include <map>
#include <mutex>
#include <vector>

namespace joinleaf::dataplane::dpdk {
namespace {

constexpr unsigned kSlots = 4096;

struct RingFree {
    void operator()(rte_ring* ring) const noexcept {
        void* packet = nullptr;
        while (rte_ring_dequeue(ring, &packet) == 0) free(static_cast<Packet*>(packet));
        rte_ring_free(ring);
    }
};
using Ring = std::unique_ptr<rte_ring, RingFree>;

Ring make_ring(const std::string& name) {
    Ring ring(rte_ring_create(name.c_str(), kSlots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ));
    if (!ring) fail(rte_errno, fmt::format("no memory for the wire '{}'", name));
    return ring;
}

}  // namespace

struct WireEnd::Wire {
    Wire(unsigned number, std::uint16_t queues) {
        for (std::uint16_t queue = 0; queue < queues; ++queue) {
            direction[0].push_back(make_ring(fmt::format("jl_wire{}_a{}", number, queue)));
            direction[1].push_back(make_ring(fmt::format("jl_wire{}_b{}", number, queue)));
        }
    }
    std::array<std::vector<Ring>, 2> direction;
};

struct WireEnd::End {
    std::shared_ptr<Wire> wire;
    std::size_t side;
};

namespace {

// Names of wires that exist, with the ends that are taken.
struct Registry {
    std::mutex mutex;
    unsigned made = 0;
    std::map<std::string, std::array<std::weak_ptr<void>, 2>, std::less<>> ends;
    std::map<std::string, std::weak_ptr<void>, std::less<>> wires;
};

Registry& registry() {
    static auto* instance = new Registry;
    return *instance;
}

}  // namespace

WireEnd WireEnd::attach(std::string_view name, std::uint16_t queues) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    const std::string key(name);
    auto wire = std::static_pointer_cast<Wire>(all.wires[key].lock());
    if (!wire) {
        wire = std::make_shared<Wire>(all.made++, queues);
        all.wires[key] = wire;
    }
    if (wire->direction[0].size() != queues) {
        fail(EINVAL, fmt::format("the other end of ring:{} has {} queues, this one {}; give both "
                                 "the same number",
                                 name, wire->direction[0].size(), queues));
    }
    auto& taken = all.ends[key];
    for (std::size_t side = 0; side < 2; ++side) {
        if (!taken[side].expired()) continue;
        auto end = std::make_shared<End>(End{std::move(wire), side});
        taken[side] = end;
        return WireEnd(std::move(end));
    }
    fail(EADDRINUSE,
         fmt::format("ring:{} already has both its ends in use; choose another name", name));
}

std::uint16_t WireEnd::queues() const noexcept {
    return static_cast<std::uint16_t>(end_->wire->direction[0].size());
}

rte_ring* WireEnd::receive_ring(std::uint16_t queue) const noexcept {
    return end_->wire->direction[end_->side][queue].get();
}
rte_ring* WireEnd::transmit_ring(std::uint16_t queue) const noexcept {
    return end_->wire->direction[1 - end_->side][queue].get();
}

std::size_t WireEnd::receive(std::span<Packet*> out, std::uint16_t queue) noexcept {
    return rte_ring_sc_dequeue_burst(receive_ring(queue), reinterpret_cast<void**>(out.data()),
                                     static_cast<unsigned>(out.size()), nullptr);
}

std::size_t WireEnd::transmit(std::span<Packet*> packets, std::uint16_t queue) noexcept {
    return rte_ring_sp_enqueue_burst(transmit_ring(queue), reinterpret_cast<void**>(packets.data()),
                                     static_cast<unsigned>(packets.size()), nullptr);
}

}  // namespace joinleaf::dataplane::dpdk
