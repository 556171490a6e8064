// Names of the states that the status shows.
#include <joinleaf/status.h>

namespace joinleaf {

std::string_view name(MulticastFilterMode mode) noexcept {
    switch (mode) {
        case MulticastFilterMode::exact_list:
            return "exact_list";
        case MulticastFilterMode::mac_table:
            return "mac_table";
        case MulticastFilterMode::all_multicast:
            return "all_multicast";
        case MulticastFilterMode::promiscuous:
            return "promiscuous";
        case MulticastFilterMode::everything:
            return "everything";
    }
    return "unknown";
}

std::string_view name(JoinHealth health) noexcept {
    switch (health) {
        case JoinHealth::not_reported:
            return "not_reported";
        case JoinHealth::no_querier:
            return "no_querier";
        case JoinHealth::older_querier:
            return "older_querier";
        case JoinHealth::no_data:
            return "no_data";
        case JoinHealth::silent:
            return "silent";
        case JoinHealth::receiving:
            return "receiving";
    }
    return "unknown";
}

std::string_view name(RefusalReason reason) noexcept {
    switch (reason) {
        case RefusalReason::policy:
            return "policy";
        case RefusalReason::full:
            return "full";
        case RefusalReason::backlog:
            return "backlog";
        case RefusalReason::address:
            return "address";
        case RefusalReason::flow:
            return "flow";
        case RefusalReason::application:
            return "application";
    }
    return "unknown";
}

std::string_view name(RepairOutcome outcome) noexcept {
    switch (outcome) {
        case RepairOutcome::answered:
            return "answered";
        case RepairOutcome::malformed:
            return "malformed";
        case RepairOutcome::other_session:
            return "other_session";
        case RepairOutcome::too_old:
            return "too_old";
        case RepairOutcome::not_yet:
            return "not_yet";
        case RepairOutcome::duplicate:
            return "duplicate";
        case RepairOutcome::leaf_limit:
            return "leaf_limit";
        case RepairOutcome::total_limit:
            return "total_limit";
        case RepairOutcome::quarantined:
            return "quarantined";
    }
    return "unknown";
}

}  // namespace joinleaf
