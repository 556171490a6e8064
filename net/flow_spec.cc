// Whether a demand is met by an offer (M15).
#include <joinleaf/session.h>

namespace joinleaf {

bool FlowSpec::is_met_by(const FlowSpec& offered) const {
    // 0 is no demand here, and no limit there: any rate and size, but also any latency.
    const auto fits = [](auto demand, auto limit) {
        return demand == 0 || limit == 0 || demand <= limit;
    };
    const bool in_time =
        latency.count() == 0 || (offered.latency.count() != 0 && offered.latency <= latency);
    return fits(bits_per_second, offered.bits_per_second) &&
           fits(datagram_octets, offered.datagram_octets) && in_time;
}

}  // namespace joinleaf
