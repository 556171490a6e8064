#include <controlplane/replicas.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace joinleaf::controlplane {

using dataplane::Acknowledgement;
using dataplane::HeaderTemplate;

Replicas::Replicas(PortContext& port, WorkerProxy& proxy, std::shared_ptr<dataplane::Outlet> outlet)
    : port_(port), proxy_(proxy), outlet_(std::move(outlet)) {}

Replicas::~Replicas() {
    for (const auto& [key, place] : places_) {
        if (place.next_hop) port_.release_neighbour(*place.next_hop);
    }
}

// A slot that was given back can be used at once, because commands are carried out in order.
Replicas::Places::iterator Replicas::take_slot(const Key& key) {
    Place place{.number = ++last_place_};
    if (free_.empty()) {
        assert(unused_ < outlet_->replication->destinations.capacity());
        place.slot = unused_++;
    } else {
        place.slot = free_.top();
        free_.pop();
    }
    return places_.emplace(key, std::move(place)).first;
}

void Replicas::leaf_came(Ipv4Address leaf, UdpPort port, Placed placed) {
    const Key key{leaf, port};
    auto place = places_.find(key);
    const bool is_new = place == places_.end();
    if (is_new) place = take_slot(key);
    ++place->second.users;
    place->second.waiting.push_back(std::move(placed));
    if (!is_new) return look(place);
    place->second.next_hop =
        port_.watch_neighbour(leaf, [self = weak_from_this(), key](std::optional<MacAddress> mac) {
            const auto replicas = self.lock();
            if (!replicas) return;
            const auto found = replicas->places_.find(key);
            if (found == replicas->places_.end()) return;
            found->second.mac = mac;
            found->second.is_settled = true;
            replicas->tell(found);
        });
    // Without a way there, nobody will ever answer.
    place->second.is_settled = !place->second.next_hop;
    tell(place);
}

void Replicas::when_placed(Ipv4Address leaf, UdpPort port, Placed done) {
    const auto place = places_.find({leaf, port});
    if (place == places_.end()) return done();
    place->second.waiting.push_back(std::move(done));
    look(place);
}

void Replicas::leaf_went(Ipv4Address leaf, UdpPort port) {
    const auto place = places_.find({leaf, port});
    if (place == places_.end() || --place->second.users > 0) return;
    if (place->second.next_hop) port_.release_neighbour(*place->second.next_hop);
    const auto slot = place->second.slot;
    proxy_.send(dataplane::RemoveReplica{.outlet = outlet_.get(), .slot = slot},
                [outlet = outlet_](const Acknowledgement&) {});
    free_.push(slot);
    const auto waiting = std::move(place->second.waiting);
    places_.erase(place);
    for (const auto& done : waiting) done();
}

void Replicas::add_group(GroupEndpoint group) {
    const Key key{group.group.address(), group.port};
    if (places_.contains(key)) return;
    const auto place = take_slot(key);
    place->second.mac = MacAddress::of_group(group.group);
    place->second.is_settled = true;
    tell(place);
}

void Replicas::set_scope(std::uint8_t scope, const Held& applied) {
    scope_ = scope;
    for (auto place = places_.begin(); place != places_.end(); ++place) tell(place, applied);
}

void Replicas::tell(Places::iterator at, const Held& applied) {
    const auto& [address, udp_port] = at->first;
    Place& place = at->second;
    const auto header = std::make_shared<const HeaderTemplate>(HeaderTemplate(
        {.ethernet = {.source = port_.port().mac(),
                      .destination = place.mac.value_or(MacAddress()),
                      .vlan = port_.vlan()},
         .source = port_.options().address.address,
         .destination = address,
         .ports = {.source_port = outlet_->source_port, .destination_port = udp_port.value()},
         .ttl = std::max<std::uint8_t>(scope_, 1)}));
    ++place.under_way;
    proxy_.send(dataplane::PutReplica{.outlet = outlet_.get(),
                                      .slot = place.slot,
                                      .header = header.get(),
                                      .resolved = place.mac.has_value()},
                [self = weak_from_this(), outlet = outlet_, header, applied, key = at->first,
                 number = place.number](const Acknowledgement&) {
                    const auto replicas = self.lock();
                    if (!replicas) return;
                    const auto found = replicas->places_.find(key);
                    if (found == replicas->places_.end() || found->second.number != number) return;
                    --found->second.under_way;
                    replicas->look(found);
                });
}

void Replicas::look(Places::iterator at) {
    Place& place = at->second;
    if (!place.is_settled || place.under_way > 0) return;
    // Who is told may change the places.
    const auto waiting = std::exchange(place.waiting, {});
    for (const auto& done : waiting) done();
}

}  // namespace joinleaf::controlplane
