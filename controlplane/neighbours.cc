#include <controlplane/neighbours.h>
#include <algorithm>

namespace joinleaf::controlplane {

Neighbours::Neighbours(const NeighbourOptions& options) : options_(options) {}

std::optional<Ipv4Address> Neighbours::next_hop(Ipv4Address destination) const {
    if (!destination.is_unicast()) return std::nullopt;
    if (options_.own.contains(destination)) return destination;
    if (options_.gateway.is_unspecified()) return std::nullopt;
    return options_.gateway;
}

void Neighbours::schedule(Ipv4Address target, Entry& entry, Instant due) {
    const auto [begin, end] = due_.equal_range(entry.due);
    const auto old =
        std::find_if(begin, end, [&](const auto& item) { return item.second == target; });
    if (old != end) due_.erase(old);
    entry.due = due;
    due_.emplace(due, target);
}

void Neighbours::ask(Ipv4Address target, Entry& entry, Instant now, Actions& out) {
    out.requests.push_back(net::arp_request(options_.mac, options_.own.address, target));
    ++entry.asked;
    schedule(target, entry, now + options_.request_every);
}

std::optional<MacAddress> Neighbours::watch(Ipv4Address next_hop, Instant now, Actions& out,
                                            bool& admitted) {
    const auto found = entries_.find(next_hop);
    admitted = found != entries_.end() || entries_.size() < options_.max_entries;
    if (!admitted) return std::nullopt;
    Entry& entry = entries_[next_hop];
    ++entry.users;
    if (entry.users == 1) ask(next_hop, entry, now, out);
    return entry.mac;
}

void Neighbours::release(Ipv4Address next_hop) {
    const auto found = entries_.find(next_hop);
    if (found == entries_.end() || --found->second.users != 0) return;
    const auto [begin, end] = due_.equal_range(found->second.due);
    const auto timer =
        std::find_if(begin, end, [&](const auto& item) { return item.second == next_hop; });
    if (timer != end) due_.erase(timer);
    entries_.erase(found);
}

// Replies, and requests of neighbours that we know (RFC 826: merge), tell where the sender is.
void Neighbours::received(const net::ArpMessage& message, Instant now, Actions& out) {
    const auto found = entries_.find(message.sender_address);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    const bool is_news = entry.mac != message.sender_mac;
    entry.mac = message.sender_mac;
    entry.asked = 0;
    schedule(found->first, entry, now + options_.fresh_for);
    if (is_news) out.changes.push_back({found->first, entry.mac});
}

void Neighbours::advance(Instant now, Actions& out) {
    while (!due_.empty() && due_.begin()->first <= now) {
        const Ipv4Address target = due_.begin()->second;
        Entry& entry = entries_.at(target);
        if (entry.asked >= options_.requests) {
            // Silent. It is asked on, at the slow pace, in case that it comes back.
            entry.asked = 0;
            entry.mac.reset();
            out.changes.push_back({target, std::nullopt});
            schedule(target, entry, now + options_.fresh_for);
        } else {
            ask(target, entry, now, out);
        }
    }
}

std::optional<Instant> Neighbours::next_deadline() const {
    if (due_.empty()) return std::nullopt;
    return due_.begin()->first;
}

std::optional<MacAddress> Neighbours::mac_of(Ipv4Address next_hop) const {
    const auto found = entries_.find(next_hop);
    return found == entries_.end() ? std::nullopt : found->second.mac;
}

}  // namespace joinleaf::controlplane
