// Who is at which MAC address on the port's subnet: ARP (RFC 826, RFC 1122 §2.3.2) as pure logic.
// Time and ARP messages in, requests to broadcast out.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <net/arp.h>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <vector>

namespace joinleaf::controlplane {

struct NeighbourOptions {
    Ipv4Interface own;
    MacAddress mac;
    /// The next hop for what lies outside of the subnet; unspecified: there is none.
    Ipv4Address gateway;
    Duration request_every = std::chrono::seconds(1);  ///< RFC 1122 §2.3.2.1: at most one a second
    unsigned requests = 3;                             ///< unanswered ones before giving up
    Duration fresh_for = std::chrono::seconds(60);     ///< then it is asked again, in use meanwhile
    std::size_t max_entries = 65536;
};

/// Only what was asked for is learnt, so nobody fills the table from outside. Control thread.
class Neighbours {
public:
    explicit Neighbours(const NeighbourOptions& options);

    /// What became known: `mac` is none when the neighbour did not answer.
    struct Change {
        Ipv4Address next_hop;
        std::optional<MacAddress> mac;
    };
    /// ARP requests to broadcast, and what became known, in order.
    struct Actions {
        std::vector<net::ArpMessage> requests;
        std::vector<Change> changes;
    };

    /// Where a packet for `destination` goes next: itself on the subnet, else the gateway. None:
    /// unreachable (network_unreachable for the caller).
    [[nodiscard]] std::optional<Ipv4Address> next_hop(Ipv4Address destination) const;

    /// Starts to watch a next hop, or counts one more user. Returns its MAC if it is known; else a
    /// Change follows. False in `admitted` when the table is full.
    [[nodiscard]] std::optional<MacAddress> watch(Ipv4Address next_hop, Instant now, Actions& out,
                                                  bool& admitted);
    /// One user less; the last one forgets the entry.
    void release(Ipv4Address next_hop);

    void received(const net::ArpMessage& message, Instant now, Actions& out);
    void advance(Instant now, Actions& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] std::optional<MacAddress> mac_of(Ipv4Address next_hop) const;
    [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        std::optional<MacAddress> mac;
        std::size_t users = 0;
        unsigned asked = 0;  ///< requests since the last answer
        Instant due;         ///< when to ask (again), or to give up
    };
    void ask(Ipv4Address target, Entry& entry, Instant now, Actions& out);
    void schedule(Ipv4Address target, Entry& entry, Instant due);

    NeighbourOptions options_;
    std::map<Ipv4Address, Entry> entries_;
    std::multimap<Instant, Ipv4Address> due_;
};

}  // namespace joinleaf::controlplane
