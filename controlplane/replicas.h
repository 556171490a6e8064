// Where an outlet's datagrams go that go to many: the leaves of a session, each by way of its next
// hop's MAC address, or several groups. Told to the worker while it sends.
#pragma once

#include <controlplane/port_context.h>
#include <dataplane/outlet.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <vector>

namespace joinleaf::controlplane {

/// Let go of when the worker has answered the command that holds it.
using Held = std::shared_ptr<const void>;

/// Control thread only.
class Replicas : public std::enable_shared_from_this<Replicas> {
public:
    /// `outlet` has a replication. It is lent to the worker that `proxy` speaks to before this is
    /// used, and taken back after this has gone.
    Replicas(PortContext& port, WorkerProxy& proxy, std::shared_ptr<dataplane::Outlet> outlet);
    ~Replicas();
    Replicas(const Replicas&) = delete;
    Replicas& operator=(const Replicas&) = delete;

    /// A leaf gets datagrams from the moment when `placed` is called: the worker knows it, and its
    /// next hop has answered. If none answers, or there is no way there, `placed` is called as
    /// well, and the leaf's datagrams are counted as unresolved_neighbour until one does.
    ///
    /// Leaves with the same address share one copy, which their host hands to each of them.
    using Placed = std::function<void()>;
    void leaf_came(Ipv4Address leaf, UdpPort port, Placed placed);
    /// Calls `done` once all that has come before is placed; at once when it is.
    void when_placed(Ipv4Address leaf, UdpPort port, Placed done);
    /// Calls what still waits for the leaf to be placed, if it was the last one there.
    void leaf_went(Ipv4Address leaf, UdpPort port);

    void add_group(GroupEndpoint group);

    /// The time to live of what is sent from now on (M23); at least 1. `applied` is let go of when
    /// the worker has taken it over.
    void set_scope(std::uint8_t scope, const Held& applied);

    [[nodiscard]] std::size_t size() const { return places_.size(); }

private:
    using Key = std::pair<Ipv4Address, UdpPort>;
    struct Place {
        std::uint64_t number = 0;  ///< never used again, unlike key and slot
        std::uint32_t slot = 0;
        std::size_t users = 0;
        std::optional<NeighbourWatch> next_hop;
        std::optional<MacAddress> mac;
        bool is_settled = false;    ///< the next hop has answered, or will not
        std::size_t under_way = 0;  ///< commands that the worker has not answered
        std::vector<Placed> waiting;
    };
    using Places = std::map<Key, Place>;

    Places::iterator take_slot(const Key& key);
    void tell(Places::iterator place, const Held& applied = {});
    void look(Places::iterator place);

    PortContext& port_;
    WorkerProxy& proxy_;
    std::shared_ptr<dataplane::Outlet> outlet_;
    std::uint8_t scope_ = 1;
    Places places_;
    /// Slots that were given back, the lowest first, and those that never were given out.
    std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> free_;
    std::uint32_t unused_ = 0;
    std::uint64_t last_place_ = 0;
};

}  // namespace joinleaf::controlplane
