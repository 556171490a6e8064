#include <controlplane/roles.h>

#include <algorithm>
#include <array>

namespace joinleaf {
namespace {

constexpr std::array kSchemes{
    SchemeInfo{kRootedRooted, "rooted",
               "admission by the root; (S,G) multicast of the root's data, a leaf's data to the "
               "root by unicast"},
    SchemeInfo{kRootedControl, "rooted-control",
               "admission by the root; (*,G) multicast, every member's data reaches every other"},
    SchemeInfo{kAnySource, "any-source",
               "IP multicast: IGMP join (*,G); every member's data reaches every other member"},
    SchemeInfo{kSourceSpecific, "source-specific",
               "IP multicast: IGMPv3 join (S,G); only the named sources' data reaches a leaf"},
};

}  // namespace

std::span<const SchemeInfo> schemes() noexcept { return kSchemes; }

namespace controlplane {

Result<void> check_roles(const SocketOptions& options) {
    const Scheme& scheme = options.scheme;
    if (options.control_role == ControlRole::root && scheme.control != Plane::rooted) {
        return failure(std::errc::invalid_argument);
    }
    if (options.data_role == DataRole::root && scheme.data != Plane::rooted) {
        return failure(std::errc::invalid_argument);
    }
    const bool listed = std::any_of(kSchemes.begin(), kSchemes.end(),
                                    [&](const SchemeInfo& info) { return info.scheme == scheme; });
    if (!listed) return failure(std::errc::operation_not_supported);
    return {};
}

Result<void> check_sources(const Scheme& scheme, GroupAddress group, const SourceFilter& sources) {
    const auto& list = sources.sources();
    if (!std::all_of(list.begin(), list.end(), [](Ipv4Address s) { return s.is_unicast(); })) {
        return failure(std::errc::invalid_argument);
    }
    const bool source_specific = scheme == kSourceSpecific || group.is_source_specific();
    if (source_specific && sources.mode() == FilterMode::exclude) {
        return failure(std::errc::invalid_argument);
    }
    if (sources.is_nothing()) return failure(std::errc::invalid_argument);
    return {};
}

Result<JoinPlan> plan_join(const SocketOptions& socket, GroupAddress group,
                           const JoinOptions& options) {
    // 232.0.0.0 itself names no channel (RFC 4607 §1).
    if (group == GroupAddress::of(232, 0, 0, 0)) return failure(std::errc::invalid_argument);
    // Where the data plane is rooted and the control plane is not, a root has nobody to hear and a
    // leaf nobody to tell.
    const bool rooted_data = socket.scheme.data == Plane::rooted;
    const bool may_send = !rooted_data || socket.data_role == DataRole::root;
    const bool may_receive = !rooted_data || socket.data_role == DataRole::leaf;

    JoinPlan plan;
    plan.sends = may_send && options.direction != Direction::receiver_only;
    plan.receives = may_receive && options.direction != Direction::sender_only;
    if (!plan.sends && !plan.receives) return failure(std::errc::invalid_argument);
    if (plan.receives) {
        if (auto checked = check_sources(socket.scheme, group, options.sources); !checked) {
            return tl::unexpected(checked.error());
        }
        if (socket.handler.call == nullptr && socket.receiver == nullptr) {
            return failure(std::errc::invalid_argument);
        }
        plan.sources = options.sources;
    }
    return plan;
}

}  // namespace controlplane
}  // namespace joinleaf
