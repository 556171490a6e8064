// An Ethernet switch that listens to IGMP.
#include <apps/joinleaf/demo/snooping_switch.h>
#include <net/ethernet.h>
#include <net/ipv4.h>

#include <algorithm>
#include <iterator>

namespace joinleaf::app {
namespace {

using Sources = std::vector<Ipv4Address>;

constexpr PortSet bit(std::size_t port) { return PortSet{1} << port; }

Sources joined(const Sources& a, const Sources& b) {
    Sources both(a);
    both.insert(both.end(), b.begin(), b.end());
    return both;
}

Sources without(const Sources& a, const Sources& b) {
    Sources rest;
    std::ranges::copy_if(a, std::back_inserter(rest), [&](Ipv4Address source) {
        return std::ranges::find(b, source) == b.end();
    });
    return rest;
}

bool is_local_network(Ipv4Address group) { return group.value() >> 8 == 0xe00000; }

igmp::Report one_record(igmp::RecordType type, GroupAddress group) {
    return {.records = {{.type = type, .group = group, .sources = {}}}};
}

/// What older reports and leaves mean in version 3 (RFC 9776 §7.3.2).
std::optional<igmp::Report> read_report(std::span<const std::byte> message) {
    const auto type = igmp::verify(message);
    if (!type) return {};
    switch (*type) {
        case igmp::MessageType::v3_report:
            if (auto report = igmp::parse_report(message)) return *std::move(report);
            return {};
        case igmp::MessageType::v1_report:
        case igmp::MessageType::v2_report:
            if (const auto report = igmp::parse_older_report(message)) {
                return one_record(igmp::RecordType::is_exclude, report->group);
            }
            return {};
        case igmp::MessageType::v2_leave:
            if (const auto group = igmp::parse_leave(message)) {
                return one_record(igmp::RecordType::to_include, *group);
            }
            return {};
        case igmp::MessageType::query:
            return {};
    }
    return {};
}

}  // namespace

SourceFilter after(const SourceFilter& filter, const igmp::Record& record) {
    const auto mode = filter.mode();
    const bool including = mode == FilterMode::include;
    switch (record.type) {
        case igmp::RecordType::is_include:
        case igmp::RecordType::to_include:
            return {FilterMode::include, record.sources};
        case igmp::RecordType::is_exclude:
        case igmp::RecordType::to_exclude:
            return {FilterMode::exclude, record.sources};
        case igmp::RecordType::allow:
            return {mode, including ? joined(filter.sources(), record.sources)
                                    : without(filter.sources(), record.sources)};
        case igmp::RecordType::block:
            return {mode, including ? without(filter.sources(), record.sources)
                                    : joined(filter.sources(), record.sources)};
    }
    return filter;
}

Forwarding SnoopingSwitch::receive(std::size_t from, std::span<const std::byte> frame) {
    const auto ethernet = net::parse_ethernet(frame);
    if (!ethernet) return {};
    const auto& header = ethernet->header;
    if (!header.source.is_multicast()) hosts_.try_emplace(header.source, from);
    if (header.destination.is_multicast()) {
        if (ethernet->ethertype == net::ethertype::kIpv4) {
            return receive_ipv4(from, ethernet->payload);
        }
        return {.to = all_but(from)};
    }
    const auto host = hosts_.find(header.destination);
    if (host == hosts_.end()) return {.to = all_but(from)};
    return {.to = host->second == from ? 0 : bit(host->second)};
}

Forwarding SnoopingSwitch::receive_ipv4(std::size_t from, std::span<const std::byte> packet) {
    if (packet.size() < net::kIpv4HeaderSize) return {};
    const auto fixed = net::load<net::Ipv4Wire>(packet.data());
    if (fixed.protocol == net::ip_protocol::kIgmp) {
        const auto whole = net::parse_ipv4(packet);
        if (!whole) return {};
        if (auto report = learn(from, whole->payload)) return {.report = std::move(report)};
    }
    const Ipv4Address destination(fixed.destination);
    const auto group = GroupAddress::from(destination);
    if (!group || is_local_network(destination)) return {.to = all_but(from)};
    return {.to = members(*group, Ipv4Address(fixed.source)) & ~bit(from)};
}

std::optional<igmp::Report> SnoopingSwitch::learn(std::size_t from,
                                                  std::span<const std::byte> message) {
    auto report = read_report(message);
    if (!report) return {};
    for (const auto& record : report->records) {
        auto& filters = groups_[record.group];
        filters.resize(ports_);
        filters[from] = after(filters[from], record);
    }
    return report;
}

PortSet SnoopingSwitch::members(GroupAddress group, Ipv4Address source) const {
    const auto filters = groups_.find(group);
    if (filters == groups_.end()) return 0;
    PortSet ports = 0;
    for (std::size_t port = 0; port < ports_; ++port) {
        if (filters->second[port].admits(source)) ports |= bit(port);
    }
    return ports;
}

PortSet SnoopingSwitch::all_but(std::size_t port) const { return (bit(ports_) - 1) & ~bit(port); }

}  // namespace joinleaf::app
