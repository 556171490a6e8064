// Carries the IGMP host of one port: gives it time and queries, puts its messages into frames, and
// tells who waited for a report when that report has left for the wire.
#pragma once

#include <controlplane/random_delay.h>
#include <igmp/host.h>
#include <net/ethernet.h>

#include <joinleaf/clock.h>
#include <joinleaf/status.h>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace joinleaf::controlplane {

/// Control thread only.
class IgmpAgent {
public:
    /// A frame has left at `at` (the time stamp of its burst), or never will when `done` is false.
    using Sent = std::function<void(Instant at, bool done)>;
    using SendFrame = std::function<void(std::span<const std::byte> frame, Sent sent)>;

    using Log = std::function<void(std::string_view)>;

    IgmpAgent(const igmp::HostOptions& options, const MacAddress& mac, const net::VlanStack& vlan,
              SendFrame send_frame, Log log);

    /// Replaces what `member` wants of the group. `sent` is called once, when the report that tells
    /// the network has left, or at once when there is nothing to tell. Errors: those of the host;
    /// `sent` is then never called.
    tl::expected<void, std::errc> set_filter(igmp::MemberId member, GroupAddress group,
                                             const SourceFilter& filter, Instant now, Sent sent);
    void remove_member(igmp::MemberId member, Instant now);
    /// See igmp::Host.
    tl::expected<void, std::errc> leave_for_another(GroupAddress group, const SourceFilter& filter,
                                                    Instant now) {
        return host_.leave_for_another(group, filter, now);
    }

    void receive(const net::Ipv4Header& from, std::span<const std::byte> message, Instant now);
    /// Sends what is due.
    void advance(Instant now);

    void link_changed(bool up, Instant now);

    [[nodiscard]] const igmp::Host& host() const { return host_; }
    [[nodiscard]] QuerierStatus querier_status() const;
    [[nodiscard]] std::vector<NamedCount> counts() const;
    /// Of a membership whose data side is filled in already.
    void tell_health(MembershipStatus& membership, Instant now) const;

private:
    void transmit(igmp::Send& send, Instant now);
    void remark(const igmp::Counters& before, Instant now);

    Ipv4Address address_;
    MacAddress mac_;
    net::VlanStack vlan_;
    SendFrame send_frame_;
    Log log_;
    bool remarked_router_alert_ = false;
    std::optional<Instant> remarked_ssm_;
    RandomDelay delays_;
    std::vector<std::byte> frame_;
    igmp::Host host_;
    igmp::Actions actions_;
    std::unordered_map<igmp::Ticket, std::vector<Sent>> waiting_;
};

}  // namespace joinleaf::controlplane
