// Which roles go with which scheme, and what a join means for them: M1, M2, M3, M7, M8. Pure.
#pragma once

#include <joinleaf/error.h>
#include <joinleaf/socket.h>

namespace joinleaf::controlplane {

/// Whether a socket may be opened so. Errors: invalid_argument (M1, M2), operation_not_supported
/// (a scheme that schemes() does not list).
[[nodiscard]] Result<void> check_roles(const SocketOptions& options);

/// What joining a group will do.
struct JoinPlan {
    bool sends = false;
    bool receives = false;
    SourceFilter sources;  ///< what to receive; empty include list when it does not
};

/// Errors: invalid_argument when the direction does not fit the role, when a source is not a
/// unicast address, or when the group or scheme is source-specific and no source is named.
[[nodiscard]] Result<JoinPlan> plan_join(const SocketOptions& socket, GroupAddress group,
                                         const JoinOptions& options);

/// The same checks for a later change of the sources (RFC 9776 §2).
[[nodiscard]] Result<void> check_sources(const Scheme& scheme, GroupAddress group,
                                         const SourceFilter& sources);

}  // namespace joinleaf::controlplane
