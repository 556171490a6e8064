// Whole frames for the control thread: Ethernet, then IPv4 or ARP, then padding. Pure.
#pragma once

#include <net/arp.h>
#include <net/ethernet.h>
#include <net/ipv4.h>
#include <net/udp.h>
#include <cstddef>
#include <span>

namespace joinleaf::net {

// Each returns the octets written to `out`, at least kMinFrameSize (zeros fill up short frames), or
// no_buffer_space when `out` is too small, or message_size when the packet would be too long.

/// An IPv4 packet around `payload`: an IGMP or ICMP message.
[[nodiscard]] Result<std::size_t> build_control_frame(const EthernetFields& ethernet,
                                                      const Ipv4Fields& ip,
                                                      std::span<const std::byte> payload,
                                                      std::span<std::byte> out) noexcept;

/// A UDP datagram around `payload`; `ip.protocol` is set to UDP.
[[nodiscard]] Result<std::size_t> build_udp_frame(const EthernetFields& ethernet,
                                                  const Ipv4Fields& ip, const UdpFields& udp,
                                                  std::span<const std::byte> payload,
                                                  std::span<std::byte> out) noexcept;

[[nodiscard]] Result<std::size_t> build_arp_frame(const EthernetFields& ethernet,
                                                  const ArpMessage& message,
                                                  std::span<std::byte> out) noexcept;

}  // namespace joinleaf::net
