#include <controlplane/igmp_agent.h>
#include <net/frame.h>

#include <iterator>

namespace joinleaf::controlplane {
namespace {

// Ethernet with two tags, or the padding of a short frame.
constexpr std::size_t kLinkRoom = 64;

}  // namespace

IgmpAgent::IgmpAgent(const igmp::HostOptions& options, const MacAddress& mac,
                     const net::VlanStack& vlan, SendFrame send_frame)
    : address_(options.address),
      mac_(mac),
      vlan_(vlan),
      send_frame_(std::move(send_frame)),
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
    host_.receive(from, message, now);
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
