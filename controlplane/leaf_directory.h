// Which of a root's leaves are at an address, to find who has asked its repair server. Pure.
#pragma once

#include <controlplane/admission_actions.h>
#include <joinleaf/address.h>
#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace joinleaf::controlplane {

/// A leaf's requests come from the address that it uses on the management network, as its admission
/// connection does; where a leaf has no way there but its data network, from its data address. The
/// first is looked at first. One owner.
class LeafDirectory {
public:
    void came(LeafId leaf, Ipv4Address connection, Ipv4Address data);
    void went(LeafId leaf);

    /// At most `most` leaves that may have asked from `address`, those who came first in front:
    /// several may share it, and nothing tells them apart.
    [[nodiscard]] std::vector<LeafId> at(Ipv4Address address, std::size_t most) const;

private:
    using Places = std::set<std::pair<Ipv4Address, LeafId>>;
    struct Addresses {
        Ipv4Address connection;
        Ipv4Address data;
    };
    static std::vector<LeafId> at(const Places& places, Ipv4Address address, std::size_t most);

    std::map<LeafId, Addresses> leaves_;
    Places by_connection_;
    Places by_data_;
};

}  // namespace joinleaf::controlplane
