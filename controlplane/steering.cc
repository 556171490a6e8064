#include <controlplane/steering.h>

namespace joinleaf::controlplane {

using dataplane::Acknowledgement;
using dataplane::GroupKey;
using dataplane::Relay;
using dataplane::RelayedDatagram;
using dataplane::RelayQueue;
using dataplane::Worker;

void Relays::connect(Worker& from, Worker& to) {
    auto& queue = queues_[{&from, &to}];
    if (queue) return;
    queue = std::make_unique<RelayQueue>(dataplane::kRelaySlots);
    to.take_from(*queue);
}

RelayQueue& Relays::between(const Worker& from, const Worker& to) const {
    return *queues_.at({&from, &to});
}

void Relays::clear() {
    for (const auto& [pair, queue] : queues_) {
        for (RelayedDatagram datagram; queue->pop(datagram);) {
            dataplane::dpdk::free(datagram.arrival.packet);
        }
    }
    queues_.clear();
}

void Steering::bring(const GroupKey& key, std::size_t queue, Done done) {
    if (seats_.size() == 1) return done(true);
    auto& home = homes_[{key, queue}];
    const bool is_new = !home;
    if (is_new) {
        home = std::make_shared<Home>();
        // Two homes of one key: the NIC can serve one of them, and the other is passed on to.
        if (!has_rule(key)) {
            home->rule =
                port_.steer(key.destination, key.port, static_cast<std::uint16_t>(queue), tags_);
            if (home->rule) ++steered_;
        }
    }
    ++home->users;
    if (is_new) make_ways(key, queue, home);
    if (home->under_way == 0) return done(!home->failed);
    home->waiting.push_back(std::move(done));
}

bool Steering::has_rule(const GroupKey& key) const {
    for (auto home = homes_.lower_bound({key, 0}); home != homes_.end() && home->first.first == key;
         ++home) {
        if (home->second && home->second->rule) return true;
    }
    return false;
}

// Whatever the NIC does: datagrams that arrived before it was told are on other queues.
void Steering::make_ways(const GroupKey& key, std::size_t queue,
                         const std::shared_ptr<Home>& home) {
    const Seat& to = seats_[queue];
    for (const Seat& from : seats_) {
        if (&from == &to) continue;
        auto way = std::make_shared<Way>();
        way->relay = {.queue = &relays_->between(from.proxy->worker(), to.proxy->worker()),
                      .from = &from.proxy->worker().lane(from.lane),
                      .key = key,
                      .lane = to.lane};
        way->subscription.key = key;
        way->subscription.outgo = {Relay::pass_on, &way->relay};
        way->subscription.relays = true;
        ++home->under_way;
        from.proxy->send(
            dataplane::AddSubscription{.lane = from.lane, .subscription = &way->subscription},
            [home, way](const Acknowledgement& answer) {
                home->failed = home->failed || !answer.done;
                if (--home->under_way > 0) return;
                for (const auto& done : std::exchange(home->waiting, {})) done(!home->failed);
            });
        home->ways.emplace_back(&from, std::move(way));
    }
}

void Steering::drop(const GroupKey& key, std::size_t queue) {
    if (seats_.size() == 1) return;
    const auto found = homes_.find({key, queue});
    if (found == homes_.end() || --found->second->users > 0) return;
    const auto home = std::move(found->second);
    homes_.erase(found);
    if (home->rule) --steered_;
    home->rule.reset();
    for (const auto& [from, way] : home->ways) {
        from->proxy->send(
            dataplane::RemoveSubscription{.lane = from->lane, .subscription = &way->subscription},
            [held = way](const Acknowledgement&) {});
    }
}

}  // namespace joinleaf::controlplane
