// What the benchmarks of the packet path have in common: groups, headers, lanes, commands to a
// worker that nobody else feeds.
#pragma once

#include <dataplane/header_template.h>
#include <dataplane/worker.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>

namespace joinleaf::bench {

inline constexpr std::uint32_t kBuffers = 16384;
inline constexpr std::uint16_t kDataRoom = 2048;
/// As at the product's ports whose driver copies.
inline constexpr auto kMemory = dataplane::dpdk::BufferMemory::own;
inline constexpr std::uint16_t kUdpPort = 5000;
inline constexpr Ipv4Address kSource(10, 0, 0, 1);
inline constexpr std::size_t kHeaders = 42;  ///< Ethernet, IPv4 and UDP in front of a payload
inline constexpr std::uint32_t kMaxPayload = 1472;

[[nodiscard]] inline GroupAddress group_number(std::uint32_t i) {
    return *GroupAddress::from(Ipv4Address(0xef010000u + i));
}

[[nodiscard]] inline dataplane::HeaderTemplate header_to(const MacAddress& source,
                                                         GroupAddress group) {
    return dataplane::HeaderTemplate(
        {.ethernet = {.source = source, .destination = MacAddress::of_group(group), .vlan = {}},
         .source = kSource,
         .destination = group.address(),
         .ports = {.source_port = kUdpPort, .destination_port = kUdpPort},
         .ttl = 1});
}

[[nodiscard]] inline std::unique_ptr<dataplane::Lane> lane_of(dataplane::dpdk::Port& port,
                                                              dataplane::dpdk::Mempool& pool,
                                                              std::uint32_t groups = 1) {
    const dataplane::Identity identity{
        .mac = port.mac(), .address = Ipv4Address(10, 0, 0, 2), .vlan = {}};
    return std::make_unique<dataplane::Lane>(port, pool, identity, std::max(groups, 1024u));
}

/// Carries out one command by a turn of a worker that no other thread runs. Errors: throws when it
/// is refused.
inline void send_command(dataplane::Worker& worker, const dataplane::Command& command) {
    if (!worker.commands().push(command)) throw std::runtime_error("command queue full");
    worker.turn(Instant{} + std::chrono::seconds(1));
    for (dataplane::Acknowledgement answer; worker.acknowledgements().pop(answer);) {
        if (!answer.done) throw std::runtime_error("command refused");
    }
}

/// Makes an outlet send to `group` what `source` gives.
inline void equip(dataplane::Outlet& outlet, GroupAddress group, const InlineSource& source,
                  bool udp_checksum) {
    outlet.key = {group.address(), kUdpPort};
    outlet.source = kSource;
    outlet.source_port = kUdpPort;
    outlet.payload_capacity = kMaxPayload;
    outlet.inline_source = source;
    outlet.udp_checksum = udp_checksum;
}

}  // namespace joinleaf::bench
