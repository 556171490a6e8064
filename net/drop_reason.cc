// The names and explanations of the drop reasons, in one table.
#include <joinleaf/drop_reason.h>

#include <array>

namespace joinleaf {
namespace {

struct Entry {
    DropReason reason;
    std::string_view name;
    std::string_view explanation;
};

constexpr std::array<Entry, kDropReasonCount> kEntries{{
    {DropReason::truncated_frame, "truncated_frame",
     "the frame ends before its headers say, or its first buffer does not hold all headers; look "
     "for a damaged link, a capture cut short or a buffer size below the MTU"},
    {DropReason::own_echo, "own_echo",
     "a frame came back with this port's own MAC address as its source; look for a loop, a mirror "
     "port or a second port with the same MAC address"},
    {DropReason::other_mac, "other_mac",
     "the destination MAC address is neither this port's nor that of the packet's group; usual in "
     "promiscuous mode, otherwise look at the sender's neighbour table"},
    {DropReason::other_vlan, "other_vlan",
     "the frame's VLAN tags are not this port's; compare --vlan with the switch port"},
    {DropReason::not_ipv4, "not_ipv4",
     "neither IPv4 nor ARP; usual for IPv6, LLDP and spanning tree, nothing to do"},
    {DropReason::bad_ipv4_header, "bad_ipv4_header",
     "the IPv4 header's version, lengths or source address cannot be; look at the sender"},
    {DropReason::bad_ipv4_checksum, "bad_ipv4_checksum",
     "the IPv4 header does not sum up; look for a damaged link, or a sender that leaves checksums "
     "to hardware that is not there (ethtool -K IF tx off)"},
    {DropReason::fragment, "fragment",
     "fragments are not reassembled; let the sender keep its datagrams within the MTU"},
    {DropReason::other_address, "other_address",
     "the unicast or broadcast IPv4 destination is not this port's address; compare --address "
     "with what the sender uses"},
    {DropReason::other_protocol, "other_protocol",
     "neither UDP, IGMP nor ICMP to this port's address; nothing here serves it"},
    {DropReason::bad_udp_length, "bad_udp_length",
     "the UDP length differs from what the IPv4 packet holds; look at the sender"},
    {DropReason::bad_udp_checksum, "bad_udp_checksum",
     "the UDP checksum is wrong; look for a damaged link, or a sender that leaves checksums to "
     "hardware that is not there (ethtool -K IF tx off)"},
    {DropReason::no_subscriber, "no_subscriber",
     "no socket has joined this group and port; usual where groups share a MAC address or the "
     "switch does not snoop IGMP"},
    {DropReason::source_filtered, "source_filtered",
     "every socket of this group and port filters this source out; usual in any-source networks"},
    {DropReason::receive_queue_full, "receive_queue_full",
     "the application reads too slowly; read in larger bursts, enlarge the receive queue or "
     "handle packets on the worker"},
    {DropReason::relay_queue_full, "relay_queue_full",
     "the worker of the group's socket does not keep up with what other workers' queues bring it; "
     "spread the groups, or use a NIC that steers them to their worker's queue"},
    {DropReason::control_queue_full, "control_queue_full",
     "more ARP, ICMP or IGMP than the control thread keeps up with; look for a storm"},
    {DropReason::transmit_ring_full, "transmit_ring_full",
     "the port takes packets more slowly than they are sent; lower --rate"},
    {DropReason::no_buffer, "no_buffer",
     "the packet pool is empty; give buffers back sooner or enlarge the pool"},
    {DropReason::link_down, "link_down", "the port has no link; check the cable or the peer"},
    {DropReason::oversized, "oversized",
     "the datagram does not fit the MTU; send smaller ones or raise the MTU"},
    {DropReason::unresolved_neighbour, "unresolved_neighbour",
     "no ARP answer for the unicast destination; check its address, subnet and VLAN"},
    {DropReason::sender_closed, "sender_closed",
     "the sender was closed before its queued datagrams went out; flush before closing"},
    {DropReason::no_leaf, "no_leaf",
     "nobody was in the session when this was to be sent to each of its leaves; wait for leaves "
     "first (--wait-leaves), or do not mind"},
    {DropReason::line_queue_full, "line_queue_full",
     "another port that sends the same feed takes it more slowly, or not at all; look at that "
     "port's link and what else it sends"},
}};

constexpr bool in_order() {
    for (std::size_t i = 0; i < kEntries.size(); ++i) {
        if (kEntries[i].reason != static_cast<DropReason>(i)) return false;
    }
    return true;
}
static_assert(in_order(), "the table follows the enumeration");

}  // namespace

std::string_view name(DropReason reason) noexcept {
    const auto index = static_cast<std::size_t>(reason);
    return index < kEntries.size() ? kEntries[index].name : std::string_view("unknown");
}

std::string_view explanation(DropReason reason) noexcept {
    const auto index = static_cast<std::size_t>(reason);
    return index < kEntries.size() ? kEntries[index].explanation : std::string_view();
}

}  // namespace joinleaf
