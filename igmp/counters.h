// What the IGMP host of one port has heard, ignored and sent, each by its name.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace joinleaf::igmp {

struct Counters {
    // Heard and acted upon.
    std::uint64_t v1_queries = 0;
    std::uint64_t v2_queries = 0;
    std::uint64_t v3_queries = 0;
    std::uint64_t queries_without_router_alert = 0;  ///< accepted all the same (D1)
    std::uint64_t older_queries_in_ssm_range = 0;    ///< v1 or v2, while SSM is in use (SSM-5)
    std::uint64_t reports_heard = 0;                 ///< of other hosts, in v1 or v2 mode
    std::uint64_t suppressed = 0;                    ///< own v1 or v2 reports saved by these
    std::uint64_t version_changes = 0;
    std::uint64_t recorded_overflows = 0;  ///< Q(G,S) answered as Q(G) (RSP-15)

    // Ignored: each received message that changed nothing is counted once, here.
    std::uint64_t ignored_link_down = 0;
    std::uint64_t ignored_own = 0;              ///< looped back to us (ENC-14)
    std::uint64_t ignored_truncated = 0;        ///< below four octets
    std::uint64_t ignored_bad_checksum = 0;     ///< QRY-7
    std::uint64_t ignored_unknown_type = 0;     ///< RXO-1
    std::uint64_t ignored_bad_length = 0;       ///< QRY-6
    std::uint64_t ignored_bad_source_list = 0;  ///< QRY-9
    std::uint64_t ignored_bad_group = 0;        ///< QRY-20, QRY-21
    std::uint64_t ignored_ttl = 0;              ///< D2
    std::uint64_t ignored_no_router_alert = 0;  ///< D1
    std::uint64_t ignored_destination = 0;      ///< QRY-22, QRY-23
    std::uint64_t ignored_version = 0;          ///< below minimum_version (D9)
    std::uint64_t ignored_off_subnet = 0;       ///< reports (V2-10)
    std::uint64_t ignored_not_for_hosts = 0;    ///< reports in v3 mode, leaves, v3 reports (RXO-2)
    std::uint64_t ignored_no_membership = 0;    ///< about groups without state (QRY-28)

    // Sent.
    std::uint64_t sent_v1_reports = 0;
    std::uint64_t sent_v2_reports = 0;
    std::uint64_t sent_v2_leaves = 0;
    std::uint64_t sent_v3_state_change_reports = 0;
    std::uint64_t sent_v3_current_state_reports = 0;
    std::uint64_t sent_v3_records = 0;
};

struct NamedCounter {
    std::string_view name;
    std::uint64_t Counters::*value;
};

/// Every counter by name, for the status page.
inline constexpr std::array kCounters{
    NamedCounter{"v1_queries", &Counters::v1_queries},
    NamedCounter{"v2_queries", &Counters::v2_queries},
    NamedCounter{"v3_queries", &Counters::v3_queries},
    NamedCounter{"queries_without_router_alert", &Counters::queries_without_router_alert},
    NamedCounter{"older_queries_in_ssm_range", &Counters::older_queries_in_ssm_range},
    NamedCounter{"reports_heard", &Counters::reports_heard},
    NamedCounter{"suppressed", &Counters::suppressed},
    NamedCounter{"version_changes", &Counters::version_changes},
    NamedCounter{"recorded_overflows", &Counters::recorded_overflows},
    NamedCounter{"ignored_link_down", &Counters::ignored_link_down},
    NamedCounter{"ignored_own", &Counters::ignored_own},
    NamedCounter{"ignored_truncated", &Counters::ignored_truncated},
    NamedCounter{"ignored_bad_checksum", &Counters::ignored_bad_checksum},
    NamedCounter{"ignored_unknown_type", &Counters::ignored_unknown_type},
    NamedCounter{"ignored_bad_length", &Counters::ignored_bad_length},
    NamedCounter{"ignored_bad_source_list", &Counters::ignored_bad_source_list},
    NamedCounter{"ignored_bad_group", &Counters::ignored_bad_group},
    NamedCounter{"ignored_ttl", &Counters::ignored_ttl},
    NamedCounter{"ignored_no_router_alert", &Counters::ignored_no_router_alert},
    NamedCounter{"ignored_destination", &Counters::ignored_destination},
    NamedCounter{"ignored_version", &Counters::ignored_version},
    NamedCounter{"ignored_off_subnet", &Counters::ignored_off_subnet},
    NamedCounter{"ignored_not_for_hosts", &Counters::ignored_not_for_hosts},
    NamedCounter{"ignored_no_membership", &Counters::ignored_no_membership},
    NamedCounter{"sent_v1_reports", &Counters::sent_v1_reports},
    NamedCounter{"sent_v2_reports", &Counters::sent_v2_reports},
    NamedCounter{"sent_v2_leaves", &Counters::sent_v2_leaves},
    NamedCounter{"sent_v3_state_change_reports", &Counters::sent_v3_state_change_reports},
    NamedCounter{"sent_v3_current_state_reports", &Counters::sent_v3_current_state_reports},
    NamedCounter{"sent_v3_records", &Counters::sent_v3_records},
};
static_assert(kCounters.size() * sizeof(std::uint64_t) == sizeof(Counters));

}  // namespace joinleaf::igmp
