// What an operator may set on the IGMP host of one port.
#pragma once

#include <igmp/message.h>
#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace joinleaf::igmp {

struct HostOptions {
    Ipv4Address address;              ///< 0.0.0.0: none yet, report all the same (ENC-10)
    std::uint8_t prefix_length = 24;  ///< of the subnet of `address`
    std::uint16_t mtu = 1500;         ///< of the port; bounds every report (PKG-1)

    std::uint8_t robustness = 2;  ///< until a querier says otherwise (D5); 1 to 7 (SCR-21)
    Duration unsolicited_report_interval = std::chrono::seconds(1);         ///< IGMPv3, §8.11
    Duration older_unsolicited_report_interval = std::chrono::seconds(10);  ///< IGMPv1 and v2
    /// Older Version Querier Present Interval; none: RFC 9776 §8.12's formula (D4).
    std::optional<Duration> older_querier_present_interval;

    bool require_router_alert = false;        ///< drop version 2 and 3 queries without it (D1)
    bool accept_any_ttl = false;              ///< also answer messages whose TTL is not 1 (D2)
    bool report_link_local = true;            ///< report groups in 224.0.0.0/24 (D6)
    bool compatibility = true;                ///< follow older queriers (CMP-13)
    Version minimum_version = Version::v1;    ///< ignore queries that are older (D9)
    std::optional<Version> forced_version{};  ///< speak this, whatever is heard (CMP-14)
    Ipv4Interface ssm_range{Ipv4Address(232, 0, 0, 0), 8};  ///< RFC 4604 §1

    double reports_per_second = 1000;          ///< token bucket over all messages sent
    std::uint32_t report_burst = 32;           ///< its depth
    std::size_t max_groups = 131072;           ///< more: no_buffer_space
    std::size_t max_sources_per_group = 4096;  ///< more: no_buffer_space; bounds recorded lists too
    std::size_t max_recorded_sources = 65536;  ///< of unanswered Q(G,S), over all groups (RSP-15)
};

/// The smallest MTU: a report with one record of one source.
inline constexpr std::uint16_t kSmallestMtu = 24 + 8 + 8 + 4;

/// Throws std::system_error (invalid_argument) naming the option that cannot be.
void validate(const HostOptions& options);

/// Sentences for the operator about settings that work but that the RFC advises against.
[[nodiscard]] std::vector<std::string_view> warnings(const HostOptions& options);

}  // namespace joinleaf::igmp
