// The IGMP host of one port: membership and queries in, messages to send out. Pure: no clock, no
// chance, no I/O of its own; one owner, no lock.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <joinleaf/source_filter.h>
#include <net/ipv4.h>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace joinleaf::igmp {

/// Who holds a membership; the owner of the host chooses the numbers.
enum class MemberId : std::uint64_t {};

/// Names one state change that the network has yet to be told of.
enum class Ticket : std::uint64_t {};

/// Where random delays come from (RFC 9776 §5.2 wants them independent on every host).
class DelaySource {
public:
    virtual ~DelaySource() = default;
    /// Uniform in (0, limit]; `limit` is positive.
    virtual Duration delay(Duration limit) = 0;
};

/// One message for the wire. The owner adds IPv4 (TTL 1, TOS 0xC0, Router Alert) and Ethernet.
struct Send {
    Ipv4Address destination;
    std::vector<std::byte> message;  ///< the IGMP message, checksum filled in
    std::vector<Ticket> tickets;     ///< the state changes that this message is the first to report
};

/// What `advance` wants done, in order.
using Actions = std::vector<Send>;

}  // namespace joinleaf::igmp
