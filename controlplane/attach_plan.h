// What a join asks of the data plane. Pure.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/session.h>
#include <joinleaf/socket.h>
#include <joinleaf/source_filter.h>
#include <optional>

namespace joinleaf::controlplane {

struct AttachPlan {
    /// Receive what goes to this address and port: a group, which is then also joined by IGMP, or
    /// the port's own address.
    struct Reception {
        Ipv4Address destination;
        UdpPort port;
        SourceFilter sources;
        /// The session's, where its data comes by unicast: it names what is received.
        std::optional<GroupAddress> session = {};
    };
    /// Send to this address and port: a group, or a host.
    struct Sending {
        Ipv4Address destination;
        UdpPort port;
        /// Not to the group, but to each of its leaves by unicast: so many at most.
        std::size_t leaves = 0;
    };
    std::optional<Reception> reception;
    std::optional<Sending> sending;
};

/// What a member of a rooted session sends and receives (M20 to M22). In a rooted data plane the
/// d_root sends to the group and hears, at its own address, whom it has admitted; a d_leaf hears
/// the root alone and sends to it alone; where the root replicates, it hears it at its own address
/// and joins nothing. In a nonrooted one everybody does both with the group.
[[nodiscard]] AttachPlan plan_session(DataRole role, const SessionOffer& offer, Direction direction,
                                      Ipv4Address own_address);

/// Whether a root may offer this. Errors: invalid_argument: any-source data in 232.0.0.0/8, or a
/// root address that no host can have, or replication of data that is not rooted.
[[nodiscard]] Result<void> check_offer(const SessionOffer& offer);

}  // namespace joinleaf::controlplane
