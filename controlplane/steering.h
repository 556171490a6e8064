// Where a port's sockets are at home when it has several queues, and how datagrams get there: by
// the NIC where it can be told (rte_flow), passed on between workers where it cannot.
#pragma once

#include <controlplane/worker_proxy.h>
#include <dataplane/dpdk/port.h>
#include <dataplane/relay.h>
#include <dataplane/subscription.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace joinleaf::controlplane {

/// One queue of a port, and the worker that polls it.
struct Seat {
    WorkerProxy* proxy = nullptr;
    dataplane::LaneIndex lane = 0;
};

/// The queues between the workers of a runtime. They outlive the workers.
class Relays {
public:
    Relays() = default;
    /// Frees what is still on its way.
    ~Relays() { clear(); }
    Relays(const Relays&) = delete;
    Relays& operator=(const Relays&) = delete;

    /// Before the workers run. One queue for each pair and direction.
    void connect(dataplane::Worker& from, dataplane::Worker& to);
    /// The queue that connect() made.
    [[nodiscard]] dataplane::RelayQueue& between(const dataplane::Worker& from,
                                                 const dataplane::Worker& to) const;
    /// When the workers are gone.
    void clear();

private:
    std::map<std::pair<const dataplane::Worker*, const dataplane::Worker*>,
             std::unique_ptr<dataplane::RelayQueue>>
        queues_;
};

/// Control thread only. A port with one queue has nothing to steer.
class Steering {
public:
    /// `tags`: how many VLAN tags the NIC leaves in the port's frames.
    Steering(dataplane::dpdk::Port& port, std::size_t tags) : port_(port), tags_(tags) {}

    /// Before the workers run; in the order of the port's queues.
    void add_seat(const Seat& seat) { seats_.push_back(seat); }
    void set_relays(const Relays& relays) { relays_ = &relays; }

    [[nodiscard]] const Seat& seat(std::size_t queue) const { return seats_[queue]; }
    [[nodiscard]] const std::vector<Seat>& seats() const { return seats_; }
    /// The queue for a socket that does not say: each in turn.
    [[nodiscard]] std::size_t next_queue() { return next_++ % seats_.size(); }

    /// Brings datagrams for `key` to `queue`, wherever they arrive. Counted: as many calls of
    /// drop() undo it. `done` tells when that is so, or false: a worker's table is full.
    using Done = std::function<void(bool)>;
    void bring(const dataplane::GroupKey& key, std::size_t queue, Done done);
    void drop(const dataplane::GroupKey& key, std::size_t queue);

    /// How many keys the NIC itself puts on their queue.
    [[nodiscard]] std::size_t steered() const { return steered_; }

private:
    // From one other worker; lent to it until it has given it back.
    struct Way {
        dataplane::Relay relay;
        dataplane::Subscription subscription;
    };
    struct Home {
        std::size_t users = 0;
        std::optional<dataplane::dpdk::SteeringRule> rule;
        std::vector<std::pair<const Seat*, std::shared_ptr<Way>>> ways;
        std::size_t under_way = 0;  ///< commands that workers have not answered
        bool failed = false;
        std::vector<Done> waiting;
    };
    using Key = std::pair<dataplane::GroupKey, std::size_t>;

    [[nodiscard]] bool has_rule(const dataplane::GroupKey& key) const;
    void make_ways(const dataplane::GroupKey& key, std::size_t queue,
                   const std::shared_ptr<Home>& home);

    dataplane::dpdk::Port& port_;
    const std::size_t tags_;
    const Relays* relays_ = nullptr;
    std::vector<Seat> seats_;
    std::size_t next_ = 0;
    std::map<Key, std::shared_ptr<Home>> homes_;
    std::size_t steered_ = 0;
};

}  // namespace joinleaf::controlplane
