// What all versions' reporters share: the groups of one port, its options, pace and counters.
#pragma once

#include <igmp/actions.h>
#include <igmp/counters.h>
#include <igmp/options.h>
#include <igmp/reception_state.h>
#include <igmp/retransmission.h>
#include <igmp/token_bucket.h>
#include <joinleaf/clock.h>
#include <joinleaf/source_filter.h>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace joinleaf::igmp {

/// A timer that does not run, or an event that has not been.
inline constexpr Instant kNever = Instant::max();

/// One group of the port. It lives while it has members or while its end is yet to be told.
struct Group {
    explicit Group(GroupAddress which) : address(which) {}

    GroupAddress address;
    bool reported_last = false;     ///< by us and not by another host (RFC 2236 §6's flag)
    std::uint8_t repeats_left = 0;  ///< of a version 1 or 2 join
    Ticket ticket{};                ///< of the change that no report has told yet; 0: none
    Instant change_due = kNever;    ///< timer: next state-change report (version 3)
    Instant response_due = kNever;  ///< timer: answer to a specific query; any report of v1 and v2
    Instant last_report = kNever;   ///< when a report of ours last named the group
    std::vector<Member> members;
    SourceFilter state;                    ///< all members merged
    std::unique_ptr<Retransmission> owed;  ///< version 3; only while something is owed
    Sources recorded;                      ///< of unanswered Q(G,S); empty: the whole group

    [[nodiscard]] bool is_unsent() const { return ticket != Ticket{}; }
};

class Interface {
public:
    Interface(const HostOptions& host_options, DelaySource& delay_source)
        : options(host_options),
          address{host_options.address, host_options.prefix_length},
          robustness(host_options.robustness),
          delays(delay_source),
          pace(host_options.reports_per_second, host_options.report_burst) {}

    /// In order of address, so that an answer can stop and go on anywhere.
    using Groups = std::map<GroupAddress, Group>;

    [[nodiscard]] Group* find(GroupAddress address);
    [[nodiscard]] const Group* find(GroupAddress address) const;
    Group& find_or_add(GroupAddress address);
    /// Sets the group's merged state and keeps the sums below.
    void set_state(Group& group, SourceFilter state);
    /// Forgets the group if it has neither members nor anything owed; it must have no timer then.
    void drop_if_done(Group& group);

    /// Whether the network hears of this group at all (ADR-1, D6).
    [[nodiscard]] bool is_reportable(GroupAddress address) const;
    /// The group's ticket, a new one if it has none.
    Ticket ticket_for(Group& group);
    /// Notes that a report of ours has named the group.
    static void note_report(Group& group, Instant now) {
        group.last_report = now;
        group.reported_last = true;
    }
    /// How many reports a full answer takes; 0: there is nothing to report.
    [[nodiscard]] std::size_t reports_for_all() const;

    HostOptions options;
    Ipv4Interface address;
    std::uint8_t robustness;
    DelaySource& delays;
    TokenBucket pace;
    Counters counters;
    Groups groups;
    std::size_t groups_with_state = 0;
    std::size_t ssm_groups_with_state = 0;  ///< those in the source-specific range

private:
    [[nodiscard]] std::size_t cost_of(GroupAddress address, const SourceFilter& state) const;

    std::size_t cost_of_all_ = 0;
    std::uint64_t last_ticket_ = 0;
};

}  // namespace joinleaf::igmp
