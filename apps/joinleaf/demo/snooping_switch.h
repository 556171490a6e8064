// An Ethernet switch that listens to IGMP and sends a group's frames only to the ports that asked
// for them (RFC 4541): frame in, ports out. Pure.
#pragma once

#include <igmp/message.h>
#include <joinleaf/address.h>
#include <joinleaf/source_filter.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace joinleaf::app {

/// Bit i: port i.
using PortSet = std::uint32_t;

struct Forwarding {
    PortSet to = 0;
    /// What a host said about its groups in this frame; such frames go to routers, and there is
    /// none here.
    std::optional<igmp::Report> report;
};

/// One host at each port, so that a leave takes effect at once. One thread.
class SnoopingSwitch {
public:
    explicit SnoopingSwitch(std::size_t ports) : ports_(ports) {}

    /// Where a frame that came in at `from` goes. `frame` holds at least its headers.
    Forwarding receive(std::size_t from, std::span<const std::byte> frame);

    /// The ports that want what `source` sends to `group`.
    [[nodiscard]] PortSet members(GroupAddress group, Ipv4Address source) const;

private:
    Forwarding receive_ipv4(std::size_t from, std::span<const std::byte> packet);
    std::optional<igmp::Report> learn(std::size_t from, std::span<const std::byte> message);
    [[nodiscard]] PortSet all_but(std::size_t port) const;

    std::size_t ports_;
    std::map<MacAddress, std::size_t> hosts_;
    std::unordered_map<GroupAddress, std::vector<SourceFilter>> groups_;  // a filter for each port
};

/// What a filter becomes by one record (RFC 9776 §6.4, without timers).
[[nodiscard]] SourceFilter after(const SourceFilter& filter, const igmp::Record& record);

}  // namespace joinleaf::app
