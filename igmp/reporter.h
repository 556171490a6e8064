// How memberships are told to the network, in one version of the protocol.
#pragma once

#include <igmp/interface.h>
#include <igmp/message.h>
#include <joinleaf/clock.h>
#include <optional>

namespace joinleaf::igmp {

/// One of these is in force at a time; the host starts and stops them as the version in force and
/// the link change. Only a started reporter is called.
class Reporter {
public:
    virtual ~Reporter() = default;

    /// Owes the network the changes that no report has told yet, and, with `again`, every
    /// membership (the link or the address is new: SCR-20).
    virtual void start(Instant now, bool again) = 0;
    /// Drops every timer and all that is pending, except changes that no report has told yet.
    virtual void stop() = 0;

    /// The state of `group` was `before`; it differs now. Returns the ticket of the report that
    /// will tell it; none if there is nothing to tell. May drop the group.
    virtual std::optional<Ticket> changed(Group& group, const SourceFilter& before,
                                          Instant now) = 0;
    /// A valid query, to be answered within `within`; a specific one is about a known group.
    virtual void asked(const Query& query, Duration within, Instant now) = 0;
    virtual void asked_about(Group& group, const Query& query, Duration within, Instant now) = 0;

    /// Sends what is due and what the pace allows.
    virtual void advance(Instant now, Actions& out) = 0;
    /// When something is next due, whatever the pace; none: never.
    [[nodiscard]] virtual std::optional<Instant> next_due() const = 0;
    /// Whether some change has yet to be told as often as the robustness variable wants.
    [[nodiscard]] virtual bool owes_changes() const = 0;
};

}  // namespace joinleaf::igmp
