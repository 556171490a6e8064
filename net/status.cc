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

}  // namespace joinleaf
