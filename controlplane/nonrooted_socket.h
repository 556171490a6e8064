// A socket of a scheme without control root: it joins a group by IGMP alone (M7, M8, M26).
#pragma once

#include <controlplane/socket_core.h>

namespace joinleaf::controlplane {

class NonrootedSocket final : public SocketCore {
public:
    using SocketCore::SocketCore;

    Result<void> start_group_join(GroupEndpoint group, const JoinOptions& options) override;
    Result<void> set_sources(const SourceFilter& sources, Held applied) override;

private:
    std::optional<GroupAddress> group_;
};

}  // namespace joinleaf::controlplane
