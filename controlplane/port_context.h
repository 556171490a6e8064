// One port as the control thread owns it: device, pools, filter, IGMP, answers for its address.
#pragma once

#include <controlplane/igmp_agent.h>
#include <controlplane/kernel_interface.h>
#include <controlplane/neighbours.h>
#include <controlplane/port_lock.h>
#include <controlplane/port_spec.h>
#include <controlplane/responder.h>
#include <controlplane/steering.h>
#include <controlplane/worker_proxy.h>
#include <dataplane/dpdk/mempool.h>
#include <dataplane/dpdk/port.h>
#include <dataplane/multicast_filter.h>
#include <dataplane/port_clock.h>
#include <dataplane/worker.h>

#include <joinleaf/runtime.h>
#include <joinleaf/status.h>
#include <map>
#include <memory>
#include <optional>

namespace joinleaf::controlplane {

/// The buffers of one port. They outlive the port itself, because applications may still hold some
/// when it closes.
struct PortPools {
    /// `node`: the NUMA node of the worker that polls the port's first queue. `memory`: what the
    /// port's driver takes without hugepages.
    PortPools(unsigned number, const PortOptions& options, int node,
              dataplane::dpdk::BufferMemory memory);

    /// Pools that live on until their last buffer has come home: the other end of a wire, or an
    /// application, may still hold some when the port is gone.
    [[nodiscard]] static std::shared_ptr<PortPools> make(unsigned number,
                                                         const PortOptions& options, int node,
                                                         dataplane::dpdk::BufferMemory memory);

    const int node;
    const dataplane::dpdk::BufferMemory memory;
    dataplane::dpdk::Mempool receive;
    dataplane::dpdk::Mempool transmit;
    dataplane::dpdk::Mempool control;  ///< its own, so that reports leave whatever the load

    /// Frames of datagrams that go to many destinations, apart from the payloads, so that neither
    /// starves the other. Made when first asked for.
    std::optional<dataplane::dpdk::Mempool> replicas;

    [[nodiscard]] bool is_home() const;
    /// Of all their memory, once they are made.
    [[nodiscard]] std::uint64_t octets() const;
    /// Megabytes that these pools will take.
    [[nodiscard]] static unsigned megabytes(const PortOptions& options);
};

/// Somebody's interest in a next hop.
struct NeighbourWatch {
    Ipv4Address next_hop;
    std::uint64_t number = 0;
    friend auto operator<=>(const NeighbourWatch&, const NeighbourWatch&) = default;
};

/// Control thread only.
class PortContext {
public:
    using Log = std::function<void(std::string_view)>;

    /// Opens and starts the port. Errors: throws std::system_error that names the port and the
    /// cure.
    PortContext(unsigned number, const PortOptions& options, const PortSpec& spec,
                const net::VlanStack& vlan, std::shared_ptr<PortPools> pools, Log log);

    /// Before the workers run. `proxies` speak to the workers that poll the port's queues, in their
    /// order; `relays` connect them.
    void attach(std::span<WorkerProxy* const> proxies, const Relays& relays,
                std::size_t max_subscriptions);

    /// A frame that the worker passed on; frees the packet.
    void handle(const dataplane::ControlFrame& frame);
    /// Sends what is due, looks at the link now and then.
    void tick(Instant now);
    /// Tells the network where the port's address is.
    void announce();

    /// Finds out who is next on the way to a host, and tells `changed` whenever that is news: the
    /// MAC address, or none when nobody answers. Never from within the call. None is returned when
    /// there is no way there.
    using NeighbourChanged = std::function<void(std::optional<MacAddress>)>;
    [[nodiscard]] std::optional<NeighbourWatch> watch_neighbour(Ipv4Address host,
                                                                NeighbourChanged changed);
    void release_neighbour(const NeighbourWatch& watch);

    [[nodiscard]] const PortOptions& options() const { return options_; }
    [[nodiscard]] dataplane::dpdk::Port& port() { return port_; }
    [[nodiscard]] const net::VlanStack& vlan() const { return vlan_; }
    [[nodiscard]] dataplane::MulticastFilter& filter() { return filter_; }
    [[nodiscard]] IgmpAgent& igmp() { return *igmp_; }
    [[nodiscard]] Steering& steering() { return steering_; }
    [[nodiscard]] const Steering& steering() const { return steering_; }
    /// Whether this is a lane of this port.
    [[nodiscard]] bool owns(const WorkerProxy& proxy, dataplane::LaneIndex lane) const;
    [[nodiscard]] const std::shared_ptr<PortPools>& pools() const { return pools_; }
    /// Where the frames of a Replication come from, small ones where the port takes chains. Errors:
    /// throws std::system_error (ENOMEM).
    [[nodiscard]] dataplane::dpdk::Mempool& replica_pool();
    [[nodiscard]] bool link_up() const { return link_up_; }
    /// Counts the ways out that are lent to the worker. False: it takes no more.
    [[nodiscard]] bool take_outlet() {
        if (outlets_ == dataplane::Lane::kMaxOutlets) return false;
        ++outlets_;
        return true;
    }
    void give_outlet_back() { --outlets_; }
    [[nodiscard]] PortStatus status() const;

private:
    void handle_packet(const dataplane::dpdk::Packet* packet, const dataplane::ControlFrame& frame);
    void send_frame(std::span<const std::byte> frame, IgmpAgent::Sent sent);
    void reply(std::span<const std::byte> frame);
    void count(DropReason reason) { ++drops_[static_cast<std::size_t>(reason)]; }
    /// Whose transmit queue control frames leave by.
    [[nodiscard]] const Seat& control_seat() const { return steering_.seat(0); }
    [[nodiscard]] bool has_link() const;
    void watch_link(Instant now);
    void watch_clock(Instant now);
    void ask_and_tell_neighbours(Instant now);

    PortOptions options_;
    unsigned number_;
    PortLock lock_;
    std::shared_ptr<PortPools> pools_;
    net::VlanStack vlan_;
    std::unique_ptr<KernelInterface> interface_;  // outlives the port; unset: no kernel interface
    dataplane::dpdk::Port port_;
    dataplane::MulticastFilter filter_;
    Responder responder_;
    Neighbours neighbours_;
    std::map<NeighbourWatch, NeighbourChanged> neighbour_watchers_;
    std::uint64_t last_watch_ = 0;
    Neighbours::Actions neighbour_news_;  ///< to be carried out by the next tick
    std::unique_ptr<IgmpAgent> igmp_;
    Steering steering_;
    std::size_t outlets_ = 0;
    Log log_;
    DropCounts drops_{};  ///< of control frames that never got as far as a worker
    bool link_up_;
    Instant link_watched_{};
    std::optional<dataplane::PortClock> clock_;  ///< that the port sends by, if it sends on time
    Instant clock_watched_{};
};

}  // namespace joinleaf::controlplane
