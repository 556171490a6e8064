// A pcapng file as it is written: one section, one Ethernet interface, times in nanoseconds. Pure.
#pragma once

#include <apps/joinleaf/feed_files/layout.h>
#include <joinleaf/address.h>
#include <string_view>

namespace joinleaf::app {

/// Appends what a file begins with: the section, which names the `program` that writes it, and its
/// interface.
void append_pcapng_begin(std::string_view program, std::vector<std::byte>& out);

/// Where a datagram came from and went to.
struct DatagramEnds {
    Ipv4Address source;
    std::uint16_t source_port = 0;
    GroupEndpoint to;
};

/// Appends a UDP datagram of at most net::kMaxUdpPayload octets, in headers that are made for it,
/// at a time since 1970.
void append_pcapng_datagram(const DatagramEnds& ends, std::span<const std::byte> payload,
                            RecordedTime at, std::vector<std::byte>& out);

}  // namespace joinleaf::app
