// Who among the strangers at a listening root may stay: half-open connections by address, so that
// whoever is greedy pays for it. Pure: time is an argument; one owner.
#pragma once

#include <controlplane/admission_actions.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <set>
#include <unordered_map>

namespace joinleaf::controlplane {

struct GatekeeperOptions {
    Duration within = std::chrono::seconds(2);  ///< from accept to a whole first message
    std::uint32_t burst = 200;                  ///< connections that one address may speak on
    std::uint32_t per_second = 100;             ///< at once, and in the long run
};

/// A connection is half-open from opened() to passed() or closed(). As long as it says nothing it
/// costs a descriptor and no more; its address's token is taken when it speaks.
class Gatekeeper {
public:
    /// A burst or rate of 0 counts as 1.
    explicit Gatekeeper(GatekeeperOptions options);

    /// `connection` is higher than all before it.
    void opened(ConnectionId connection, Ipv4Address from, Instant now);
    /// The first octets have come. False: its address has used up its tokens.
    [[nodiscard]] bool spoke(ConnectionId connection, Instant now);
    /// Its first message was good: half-open no more. Unknown numbers are ignored.
    void passed(ConnectionId connection) { forget(connection); }
    void closed(ConnectionId connection) { forget(connection); }

    /// Who has to go first when there are too many: of the address with the most half-open
    /// connections the oldest, one that has said nothing before one that has; between equals the
    /// address that has waited longest.
    [[nodiscard]] std::optional<ConnectionId> greediest() const;
    /// The oldest connection, when its time is over.
    [[nodiscard]] std::optional<ConnectionId> overdue(Instant now) const;
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] std::size_t half_open() const { return strangers_.size(); }
    /// Addresses with half-open connections, or without all of their tokens.
    [[nodiscard]] std::size_t addresses() const { return addresses_.size(); }

private:
    struct Address {
        std::list<ConnectionId> silent;   // oldest first
        std::list<ConnectionId> talking;  // in the order in which they spoke
        Instant full_again;               // when its bucket is full (a bucket kept as one instant)
        bool resting = false;             // in resting_
        [[nodiscard]] std::size_t count() const { return silent.size() + talking.size(); }
    };
    struct Stranger {
        Ipv4Address address;
        Instant deadline;
        bool talks = false;
        std::list<ConnectionId>::iterator place;  // in its address's list
        std::list<ConnectionId>::iterator turn;   // in order_
    };
    // The greediest first: most connections, then the oldest of those next to go.
    struct Rank {
        std::size_t count;
        ConnectionId next_to_go;
        Ipv4Address address;
        friend bool operator<(const Rank& a, const Rank& b) {
            if (a.count != b.count) return a.count > b.count;
            if (a.next_to_go != b.next_to_go) return a.next_to_go < b.next_to_go;
            return a.address < b.address;
        }
    };

    [[nodiscard]] static Rank rank(Ipv4Address address, const Address& of);
    void forget(ConnectionId connection);
    void tidy(Instant now);
    [[nodiscard]] Duration per_token() const {
        return Duration(std::chrono::seconds(1)) / options_.per_second;
    }

    GatekeeperOptions options_;
    std::unordered_map<ConnectionId, Stranger> strangers_;
    std::unordered_map<Ipv4Address, Address> addresses_;
    std::set<Rank> ranks_;             // of the addresses with half-open connections
    std::list<ConnectionId> order_;    // as they came
    std::deque<Ipv4Address> resting_;  // addresses to forget once their bucket is full
};

}  // namespace joinleaf::controlplane
