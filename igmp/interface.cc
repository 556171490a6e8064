#include <igmp/interface.h>
#include <igmp/report_packer.h>

#include <algorithm>
#include <utility>

namespace joinleaf::igmp {

Group* Interface::find(GroupAddress which) {
    const auto found = groups.find(which);
    return found == groups.end() ? nullptr : &found->second;
}

const Group* Interface::find(GroupAddress which) const {
    const auto found = groups.find(which);
    return found == groups.end() ? nullptr : &found->second;
}

Group& Interface::find_or_add(GroupAddress which) {
    return groups.try_emplace(which, which).first->second;
}

void Interface::set_state(Group& group, SourceFilter state) {
    cost_of_all_ -= cost_of(group.address, group.state);
    cost_of_all_ += cost_of(group.address, state);
    if (group.state.is_nothing() != state.is_nothing()) {
        const bool is_ssm = options.ssm_range.contains(group.address.address());
        const std::size_t one_more = state.is_nothing() ? std::size_t{0} - 1 : 1;
        groups_with_state += one_more;
        if (is_ssm) ssm_groups_with_state += one_more;
    }
    group.state = std::move(state);
}

void Interface::drop_if_done(Group& group) {
    if (group.members.empty() && !group.is_unsent() && !group.owed) groups.erase(group.address);
}

bool Interface::is_reportable(GroupAddress which) const {
    if (which == kAllSystems) return false;
    constexpr std::uint32_t kLinkLocalPrefix = 0xe00000;  // 224.0.0.0/24
    return options.report_link_local || which.value() >> 8 != kLinkLocalPrefix;
}

Ticket Interface::ticket_for(Group& group) {
    if (!group.is_unsent()) group.ticket = Ticket{++last_ticket_};
    return group.ticket;
}

// The octets that the group's current-state record takes of its reports. A record that fills more
// than half a report seldom shares one, so it is counted as whole reports.
std::size_t Interface::cost_of(GroupAddress which, const SourceFilter& state) const {
    if (state.is_nothing() || !is_reportable(which)) return 0;
    const std::size_t capacity = report_capacity(options.mtu);
    const std::size_t size = kRecordHeaderSize + state.sources().size() * kSourceSize;
    if (size <= capacity / 2) return size;
    if (size <= capacity || state.mode() == FilterMode::exclude) return capacity;
    const std::size_t most = (capacity - kRecordHeaderSize) / kSourceSize;
    return (state.sources().size() + most - 1) / most * capacity;
}

std::size_t Interface::reports_for_all() const {
    // Records do not straddle reports: what is left at a report's end is below one record head.
    const std::size_t capacity =
        report_capacity(options.mtu) / kRecordHeaderSize * kRecordHeaderSize;
    return (cost_of_all_ + capacity - 1) / capacity;
}

}  // namespace joinleaf::igmp
