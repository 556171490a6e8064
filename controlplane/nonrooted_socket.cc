#include <controlplane/nonrooted_socket.h>

namespace joinleaf::controlplane {

Result<void> NonrootedSocket::start_group_join(GroupEndpoint group, const JoinOptions& join) {
    if (auto ready = may_join(); !ready) return ready;
    const auto plan = plan_join(options(), group.group, join);
    if (!plan) return tl::unexpected(plan.error());
    if (!port().link_up()) return failure(std::errc::network_down);
    group_ = group.group;
    AttachPlan what;
    if (plan->receives) {
        what.reception = {
            .destination = group.group.address(), .port = group.port, .sources = plan->sources};
    }
    if (plan->sends) {
        what.sending = {.destination = group.group.address(), .port = group.port};
    }
    set_state(State::joining);
    attach(std::move(what), [self = weak_from_this()](std::error_code error, Instant at) {
        const auto socket = std::static_pointer_cast<NonrootedSocket>(self.lock());
        if (socket) socket->complete(error, at);
    });
    return {};
}

Result<void> NonrootedSocket::set_sources(const SourceFilter& sources, Held applied) {
    if (is_closed()) return failure(std::errc::not_a_socket);
    if (state() != State::joined || !attachment()->receives_group()) {
        return failure(std::errc::not_connected);
    }
    if (auto checked = check_sources(options().scheme, *group_, sources); !checked) {
        return checked;
    }
    return attachment()->set_sources(sources, std::move(applied));
}

}  // namespace joinleaf::controlplane
