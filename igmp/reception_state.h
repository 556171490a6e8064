// What one port wants of a group when all of its members are taken together (RFC 9776 §3.2). Pure.
#pragma once

#include <igmp/actions.h>
#include <joinleaf/source_filter.h>
#include <span>
#include <vector>

namespace joinleaf::igmp {

/// One member's record of a group. Its filter is never INCLUDE({}): that is no membership.
struct Member {
    MemberId id;
    SourceFilter filter;
};

/// The interface's filter: EXCLUDE of what all EXCLUDE members shun and no INCLUDE member wants;
/// or, without an EXCLUDE member, INCLUDE of all that is wanted.
[[nodiscard]] SourceFilter merge(std::span<const Member> members);

using Sources = std::vector<Ipv4Address>;

/// Set algebra on sorted source lists.
[[nodiscard]] Sources union_of(const Sources& a, const Sources& b);
[[nodiscard]] Sources intersection_of(const Sources& a, const Sources& b);
[[nodiscard]] Sources difference_of(const Sources& a, const Sources& b);
[[nodiscard]] Sources symmetric_difference_of(const Sources& a, const Sources& b);

}  // namespace joinleaf::igmp
