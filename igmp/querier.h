// What is known of the querier on the link, and which version we speak because of it
// (RFC 9776 §7.2.1). Pure.
#pragma once

#include <igmp/message.h>
#include <igmp/options.h>
#include <joinleaf/clock.h>
#include <cstdint>
#include <optional>

namespace joinleaf::igmp {

struct QuerierStatus {
    Version version_in_force = Version::v3;
    std::optional<Version> heard_version;  ///< of the last general query; none: none heard
    std::optional<Ipv4Address> address;    ///< who sent it
    std::optional<Instant> last_heard;     ///< and when
    Duration max_response_time{};          ///< as it said
    Duration query_interval{};             ///< QQIC of the last version 3 query; 0: unknown
    std::uint8_t robustness = 2;           ///< in force
    std::optional<Instant> v1_until;       ///< Version 1 Querier Present timer, while it runs
    std::optional<Instant> v2_until;       ///< Version 2 Querier Present timer, while it runs
};

class Querier {
public:
    explicit Querier(const HostOptions& options);

    /// A valid query has come in. Older group-specific queries leave the version alone (CMP-4).
    void heard(const Query& query, Ipv4Address from, Instant now);
    /// Lets timers that have run out by `now` take effect.
    void expire(Instant now);

    /// Host Compatibility Mode as of the last heard() or expire().
    [[nodiscard]] Version version() const;
    [[nodiscard]] std::uint8_t robustness() const { return status_.robustness; }
    /// When expire() would next change the version; none when no older querier is present.
    [[nodiscard]] std::optional<Instant> next_change() const;
    [[nodiscard]] QuerierStatus status() const;

private:
    [[nodiscard]] bool is_followed() const { return !forced_ && compatibility_; }
    [[nodiscard]] Duration present_interval(const Query& query) const;

    std::uint8_t configured_robustness_;
    std::optional<Duration> configured_present_interval_;
    std::optional<Version> forced_;
    bool compatibility_;
    QuerierStatus status_;
};

}  // namespace joinleaf::igmp
