#include <controlplane/attach_plan.h>

namespace joinleaf::controlplane {

AttachPlan plan_session(DataRole role, const SessionOffer& offer, Direction direction,
                        Ipv4Address own_address) {
    const Ipv4Address group = offer.group.group.address();
    const UdpPort port = offer.group.port;
    const bool rooted = offer.scheme.data == Plane::rooted;
    AttachPlan plan;
    if (direction != Direction::sender_only) {
        if (!rooted) {
            plan.reception = {group, port, SourceFilter::any()};
        } else if (role == DataRole::leaf && offer.fan_out == FanOut::replicate) {
            plan.reception = {own_address, port, SourceFilter::only({offer.root_address}),
                              offer.group.group};
        } else if (role == DataRole::leaf) {
            plan.reception = {group, port, SourceFilter::only({offer.root_address})};
        } else {
            plan.reception = {own_address, port, SourceFilter::nothing()};
        }
    }
    if (direction != Direction::receiver_only) {
        const bool to_root = rooted && role == DataRole::leaf;
        plan.sending = {to_root ? offer.root_address : group, port};
    }
    return plan;
}

Result<void> check_offer(const SessionOffer& offer) {
    if (!offer.root_address.is_unicast()) return failure(std::errc::invalid_argument);
    if (offer.fan_out == FanOut::replicate && offer.scheme.data == Plane::nonrooted) {
        return failure(std::errc::invalid_argument);
    }
    const bool source_specific = offer.group.group.is_source_specific();
    if (source_specific && offer.scheme.data == Plane::nonrooted) {
        return failure(std::errc::invalid_argument);
    }
    return {};
}

}  // namespace joinleaf::controlplane
