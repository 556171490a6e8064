#include <controlplane/igmp_agent.h>
#include <fmt/format.h>
#include <net/frame.h>

#include <iterator>
#include <utility>

namespace joinleaf::controlplane {
namespace {

// Ethernet with two tags, or the padding of a short frame.
constexpr std::size_t kLinkRoom = 64;

}  // namespace

IgmpAgent::IgmpAgent(const igmp::HostOptions& options, const MacAddress& mac,
                     const net::VlanStack& vlan, SendFrame send_frame, Log log)
    : address_(options.address),
      mac_(mac),
      vlan_(vlan),
      send_frame_(std::move(send_frame)),
      log_(std::move(log)),
      frame_(options.mtu + kLinkRoom),
      host_(options, delays_) {}

tl::expected<void, std::errc> IgmpAgent::set_filter(igmp::MemberId member, GroupAddress group,
                                                    const SourceFilter& filter, Instant now,
                                                    Sent sent) {
    const auto ticket = host_.set_filter(member, group, filter, now);
    if (!ticket) return tl::unexpected(ticket.error());
    if (*ticket) {
        waiting_[**ticket].push_back(std::move(sent));
    } else if (sent) {
        sent(now, true);
    }
    return {};
}

void IgmpAgent::remove_member(igmp::MemberId member, Instant now) {
    host_.remove_member(member, now);
}

void IgmpAgent::receive(const net::Ipv4Header& from, std::span<const std::byte> message,
                        Instant now) {
    const igmp::Counters before = host_.counters();
    host_.receive(from, message, now);
    remark(before, now);
}

// What an operator should know of the querier: D1 once, SSM-5 at most once a minute, D9 each time.
void IgmpAgent::remark(const igmp::Counters& before, Instant now) {
    const auto& after = host_.counters();
    if (after.queries_without_router_alert != before.queries_without_router_alert &&
        !std::exchange(remarked_router_alert_, true)) {
        log_(
            "IGMP queries come without the Router Alert option; they are answered all the same "
            "(--require-router-alert drops them)");
    }
    if (after.version_changes != before.version_changes) {
        log_(fmt::format("an IGMPv{} querier is in force; memberships are reported in its version",
                         static_cast<int>(host_.querier().version_in_force)));
    }
    if (after.older_queries_in_ssm_range != before.older_queries_in_ssm_range &&
        (!remarked_ssm_ || now - *remarked_ssm_ > std::chrono::minutes(1))) {
        remarked_ssm_ = now;
        log_(
            "an IGMPv1 or v2 querier speaks while source-specific groups are in use: it cannot "
            "understand sources; use an IGMPv3 querier");
    }
}

std::vector<NamedCount> IgmpAgent::counts() const {
    std::vector<NamedCount> counts;
    for (const auto& counter : igmp::kCounters) {
        counts.push_back({counter.name, host_.counters().*counter.value});
    }
    return counts;
}

void IgmpAgent::tell_health(MembershipStatus& membership, Instant now) const {
    const auto group = host_.status_of(membership.group.group);
    if (group) membership.last_report_at = group->last_report;
    const auto querier = host_.querier();
    const bool heard = querier.last_heard && now - *querier.last_heard < kNoQuerierAfter;
    const auto last = membership.last_datagram_at;
    membership.health = [&] {
        if (!membership.connected_at) return JoinHealth::not_reported;
        if (!heard) return JoinHealth::no_querier;
        if (querier.version_in_force != igmp::Version::v3) return JoinHealth::older_querier;
        if (!last) return JoinHealth::no_data;
        return now - *last > kSilentAfter ? JoinHealth::silent : JoinHealth::receiving;
    }();
}

QuerierStatus IgmpAgent::querier_status() const {
    const auto known = host_.querier();
    QuerierStatus status;
    status.heard = known.heard_version.has_value();
    status.address = known.address.value_or(Ipv4Address());
    status.version = known.heard_version ? static_cast<std::uint8_t>(*known.heard_version) : 0;
    status.last_heard = known.last_heard;
    status.version_in_force = static_cast<std::uint8_t>(known.version_in_force);
    return status;
}

void IgmpAgent::link_changed(bool up, Instant now) {
    if (up) {
        host_.link_up(now);
    } else {
        host_.link_down(now);
    }
}

void IgmpAgent::advance(Instant now) {
    const auto deadline = host_.next_deadline();
    if (!deadline || *deadline > now) return;
    actions_.clear();
    host_.advance(now, actions_);
    for (auto& send : actions_) transmit(send, now);
}

void IgmpAgent::transmit(igmp::Send& send, Instant now) {
    std::vector<Sent> waiters;
    for (const auto ticket : send.tickets) {
        const auto found = waiting_.find(ticket);
        if (found == waiting_.end()) continue;
        std::move(found->second.begin(), found->second.end(), std::back_inserter(waiters));
        waiting_.erase(found);
    }
    const auto tell = [waiters = std::move(waiters)](Instant at, bool done) {
        for (const auto& sent : waiters) {
            if (sent) sent(at, done);
        }
    };
    if (send.message.empty()) {
        tell(now, true);
        return;
    }
    const auto group = GroupAddress::from(send.destination);
    const net::EthernetFields ethernet{
        .source = mac_, .destination = MacAddress::of_group(*group), .vlan = vlan_};
    const auto size = net::build_control_frame(ethernet, igmp::envelope(address_, send.destination),
                                               send.message, frame_);
    if (!size) {
        tell(now, false);
        return;
    }
    send_frame_(std::span(frame_).first(*size), tell);
}

}  // namespace joinleaf::controlplane
