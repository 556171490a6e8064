// The IGMP host of one port: membership and queries in, messages to send out. Pure: no clock, no
// chance, no I/O of its own; one owner, no lock.
//
// Versions 1, 2 and 3 by RFC 9776 (STD 100), RFC 2236 and RFC 1112. Read next: v3_reporter.h, which
// tells memberships and answers queries; retransmission.h; older_reporter.h.
#pragma once

#include <igmp/actions.h>
#include <igmp/counters.h>
#include <igmp/interface.h>
#include <igmp/message.h>
#include <igmp/older_reporter.h>
#include <igmp/options.h>
#include <igmp/querier.h>
#include <igmp/v3_reporter.h>
#include <joinleaf/address.h>
#include <joinleaf/clock.h>
#include <joinleaf/source_filter.h>
#include <net/ipv4.h>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace joinleaf::igmp {

/// What an operator asks about one group.
struct GroupStatus {
    GroupAddress group;
    SourceFilter filter;                 ///< all members merged
    std::size_t members = 0;             ///< 0: left, and the leave is still being told
    bool is_reported = false;            ///< the network has been told the latest change
    std::optional<Instant> last_report;  ///< when a message of ours last named the group
    unsigned transmissions_left = 0;     ///< of the latest change
    std::optional<Instant> answer_due;   ///< a query about this group waits for its answer
    bool reported_last = false;          ///< v1 and v2: by us, and not by another host since
};

class Host {
public:
    /// Throws std::system_error when an option cannot be (see validate). `delays` outlives the
    /// host.
    Host(const HostOptions& options, DelaySource& delays);
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    /// Replaces what `member` wants of `group` (RFC 9776 §2); nothing() leaves. Sends nothing
    /// itself: the next advance does, so that changes made together share reports.
    ///
    /// Returns the ticket of the report that will tell the network, carried by the Send that does.
    /// None: the network need not be told (the port's state stays as it is and has been told; the
    /// group is never reported; the version in force cannot say it). Members whose changes one
    /// report tells may get the same ticket. A later change before that report merges into it and
    /// keeps its ticket, be it a leave; no ticket is lost to a change of version or a link that is
    /// down, it waits.
    ///
    /// 224.0.0.1 is received always: joining it succeeds and is never told (ADR-1).
    ///
    /// Errors: invalid_argument: EXCLUDE in the source-specific range, its first address, or a
    /// source that cannot be one (SSM-2, SSM-9). address_not_available: a leave without a
    /// membership. no_buffer_space: a limit of the options; nothing changed (MRG-10).
    tl::expected<std::optional<Ticket>, std::errc> set_filter(MemberId member, GroupAddress group,
                                                              const SourceFilter& filter,
                                                              Instant now);

    /// This address has joined `group` as `filter` says, by a program that went without a leave:
    /// tells the network of the leave as if a member of ours had gone. Nothing, when the group has
    /// members or a change of its own to tell. Errors: as set_filter.
    tl::expected<void, std::errc> leave_for_another(GroupAddress group, const SourceFilter& filter,
                                                    Instant now);

    /// Ends everything that `member` holds (MRG-7).
    void remove_member(MemberId member, Instant now);

    /// An IGMP message has arrived; `from` has passed net::parse_ipv4. One that is ignored is
    /// counted by its reason.
    void receive(const net::Ipv4Header& from, std::span<const std::byte> message, Instant now);

    /// Appends to `out` all that is due at `now` and that the pace allows, in the fewest messages.
    void advance(Instant now, Actions& out);

    /// When advance() next has something to do: in the past if it has now, none if nothing is
    /// pending. Never before the pace allows what waits.
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// The port's address is new; all memberships are told again from it (SCR-20).
    void set_address(Ipv4Interface address, Instant now);
    /// The link is gone: nothing is sent or answered. An older querier stays in force as long as
    /// its timer runs, since the link may come back to the same one.
    void link_down(Instant now);
    /// The link is back: all memberships are told again (SCR-20).
    void link_up(Instant now);

    /// Whether some change, leaves included, has yet to be told as often as it should. A program
    /// that stops in good order waits for false. False while the link is down.
    [[nodiscard]] bool has_pending_state_changes() const;

    [[nodiscard]] const Counters& counters() const { return interface_.counters; }
    [[nodiscard]] QuerierStatus querier() const { return querier_.status(); }
    [[nodiscard]] std::optional<GroupStatus> status_of(GroupAddress group) const;
    /// Every group, in order of address.
    [[nodiscard]] std::vector<GroupStatus> status() const;

private:
    [[nodiscard]] Reporter& reporter();
    [[nodiscard]] const Reporter& reporter() const;
    [[nodiscard]] std::optional<std::errc> refuse(GroupAddress group,
                                                  const SourceFilter& filter) const;
    std::optional<Ticket> update(Group& group, SourceFilter merged, Instant now);
    void follow_querier(Instant now);
    void receive_query(const net::Ipv4Header& from, std::span<const std::byte> message,
                       Instant now);
    void receive_report(const net::Ipv4Header& from, std::span<const std::byte> message);
    void answer(const Query& query, Instant now);
    [[nodiscard]] bool is_own_address(Ipv4Address destination) const;
    /// The group if it has state that the network hears of.
    [[nodiscard]] Group* find_told(GroupAddress group);
    void ignore(std::uint64_t Counters::*reason) { ++(interface_.counters.*reason); }
    [[nodiscard]] GroupStatus status_of(const Group& group) const;

    Interface interface_;
    Querier querier_;
    V3Reporter v3_;
    OlderReporter older_;
    Version version_;
    bool link_is_up_ = true;
    std::set<std::pair<MemberId, GroupAddress>> memberships_;  // by member, for remove_member
};

}  // namespace joinleaf::igmp
