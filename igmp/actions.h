// What goes in and out of the IGMP host: who is a member, what is to be sent, where chance comes
// from. Values; the owner of the host.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <net/ipv4.h>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace joinleaf::igmp {

/// Who holds a membership; the owner of the host chooses the numbers.
enum class MemberId : std::uint64_t {};

/// Names one state change that the network has yet to be told of. Never 0.
enum class Ticket : std::uint64_t {};

/// Where random delays come from (RFC 9776 §5.2 wants them independent on every host).
class DelaySource {
public:
    virtual ~DelaySource() = default;
    /// Uniform in (0, limit]; `limit` is positive.
    virtual Duration delay(Duration limit) = 0;
};

/// One message for the wire. The owner adds the IPv4 header that `envelope` describes.
///
/// An empty message means: nothing for the wire, only tickets. It ends the tickets of a join that
/// was taken back before its report had left, in a version that has no word for that (IGMPv1;
/// IGMPv2 when another host reported last).
struct Send {
    Ipv4Address destination;
    std::vector<std::byte> message;  ///< the IGMP message, checksum filled in
    std::vector<Ticket> tickets;     ///< the state changes that this message is the first to report
};

/// What `advance` wants done, in order.
using Actions = std::vector<Send>;

/// The IPv4 header of every IGMP message: TTL 1, Internetwork Control, Router Alert (RFC 9776 §4).
[[nodiscard]] inline net::Ipv4Fields envelope(Ipv4Address source, Ipv4Address destination) {
    return {.source = source,
            .destination = destination,
            .protocol = net::ip_protocol::kIgmp,
            .ttl = 1,
            .tos = 0xc0,
            .router_alert = true};
}

}  // namespace joinleaf::igmp
