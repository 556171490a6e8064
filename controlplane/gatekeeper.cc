#include <controlplane/gatekeeper.h>

#include <algorithm>

namespace joinleaf::controlplane {

Gatekeeper::Gatekeeper(GatekeeperOptions options) : options_(options) {
    options_.burst = std::max(options_.burst, 1u);
    options_.per_second = std::max(options_.per_second, 1u);
}

void Gatekeeper::opened(ConnectionId connection, Ipv4Address from, Instant now) {
    tidy(now);
    Address& address = addresses_[from];
    if (address.count() > 0) ranks_.erase(rank(from, address));
    address.silent.push_back(connection);
    order_.push_back(connection);
    strangers_[connection] = {.address = from,
                              .deadline = now + options_.within,
                              .place = std::prev(address.silent.end()),
                              .turn = std::prev(order_.end())};
    ranks_.insert(rank(from, address));
}

bool Gatekeeper::spoke(ConnectionId connection, Instant now) {
    const auto found = strangers_.find(connection);
    if (found == strangers_.end() || found->second.talks) return true;
    Stranger& stranger = found->second;
    Address& address = addresses_[stranger.address];
    const Instant full_again = std::max(address.full_again, now) + per_token();
    if (full_again - now > options_.burst * per_token()) return false;
    address.full_again = full_again;
    ranks_.erase(rank(stranger.address, address));
    stranger.talks = true;
    address.talking.splice(address.talking.end(), address.silent, stranger.place);
    ranks_.insert(rank(stranger.address, address));
    return true;
}

std::optional<ConnectionId> Gatekeeper::greediest() const {
    if (ranks_.empty()) return std::nullopt;
    return ranks_.begin()->next_to_go;
}

std::optional<ConnectionId> Gatekeeper::overdue(Instant now) const {
    const auto deadline = next_deadline();
    if (!deadline || now < *deadline) return std::nullopt;
    return order_.front();
}

std::optional<Instant> Gatekeeper::next_deadline() const {
    if (order_.empty()) return std::nullopt;
    return strangers_.at(order_.front()).deadline;
}

Gatekeeper::Rank Gatekeeper::rank(Ipv4Address address, const Address& of) {
    return {.count = of.count(),
            .next_to_go = of.silent.empty() ? of.talking.front() : of.silent.front(),
            .address = address};
}

void Gatekeeper::forget(ConnectionId connection) {
    const auto found = strangers_.find(connection);
    if (found == strangers_.end()) return;
    const Stranger& stranger = found->second;
    const auto place = addresses_.find(stranger.address);
    Address& address = place->second;
    ranks_.erase(rank(stranger.address, address));
    (stranger.talks ? address.talking : address.silent).erase(stranger.place);
    order_.erase(stranger.turn);
    strangers_.erase(found);
    if (address.count() > 0) {
        ranks_.insert(rank(place->first, address));
    } else if (address.full_again == Instant{}) {
        if (!address.resting) addresses_.erase(place);
    } else if (!address.resting) {
        address.resting = true;
        resting_.push_back(place->first);
    }
}

// Two looks for each new connection, so that addresses are forgotten faster than they come.
void Gatekeeper::tidy(Instant now) {
    for (std::size_t looks = std::min<std::size_t>(2, resting_.size()); looks > 0; --looks) {
        const Ipv4Address from = resting_.front();
        resting_.pop_front();
        const auto found = addresses_.find(from);
        Address& address = found->second;
        if (address.full_again > now) {
            resting_.push_back(from);
        } else if (address.count() > 0) {
            address.resting = false;
            address.full_again = {};
        } else {
            addresses_.erase(found);
        }
    }
}

}  // namespace joinleaf::controlplane
