#include <igmp/querier.h>

#include <algorithm>

namespace joinleaf::igmp {

Querier::Querier(const HostOptions& options)
    : configured_robustness_(options.robustness),
      configured_present_interval_(options.older_querier_present_interval),
      forced_(options.forced_version),
      compatibility_(options.compatibility) {
    status_.robustness = configured_robustness_;
}

void Querier::heard(const Query& query, Ipv4Address from, Instant now) {
    expire(now);
    if (query.version == Version::v3) {
        // D5: 0 says nothing; 1 would lose a membership with one lost report.
        constexpr std::uint8_t kLeast = 2;
        status_.robustness =
            query.robustness == 0 ? configured_robustness_ : std::max(query.robustness, kLeast);
        status_.query_interval = query.query_interval;
    }
    if (query.group) return;
    status_.heard_version = query.version;
    status_.address = from;
    status_.last_heard = now;
    status_.max_response_time = query.max_response_time;
    if (query.version == Version::v1) status_.v1_until = now + present_interval(query);
    if (query.version == Version::v2) status_.v2_until = now + present_interval(query);
}

void Querier::expire(Instant now) {
    if (status_.v1_until && *status_.v1_until <= now) status_.v1_until.reset();
    if (status_.v2_until && *status_.v2_until <= now) status_.v2_until.reset();
}

Version Querier::version() const {
    if (forced_) return *forced_;
    if (!compatibility_) return Version::v3;
    if (status_.v1_until) return Version::v1;
    return status_.v2_until ? Version::v2 : Version::v3;
}

std::optional<Instant> Querier::next_change() const {
    if (!is_followed()) return std::nullopt;
    return status_.v1_until ? status_.v1_until : status_.v2_until;
}

QuerierStatus Querier::status() const {
    QuerierStatus status = status_;
    status.version_in_force = version();
    return status;
}

// RFC 9776 §8.12: the Robustness Variable times the Query Interval, both at their defaults, and
// ten times the last query's Max Response Time.
Duration Querier::present_interval(const Query& query) const {
    if (configured_present_interval_) return *configured_present_interval_;
    constexpr int kDefaultRobustness = 2;
    constexpr std::chrono::seconds kDefaultQueryInterval(125);
    return kDefaultRobustness * kDefaultQueryInterval + 10 * query.max_response_time;
}

}  // namespace joinleaf::igmp
