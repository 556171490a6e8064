// When which part of the answer to general queries is sent (RFC 9776 §5.2, RSP-1 to RSP-8). Pure.
#pragma once

#include <igmp/actions.h>
#include <igmp/interface.h>
#include <joinleaf/clock.h>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace joinleaf::igmp {

/// A walk round the circle of all multicast addresses, one report at a time.
///
/// An answer that fits one report is sent at one moment, drawn from (0, Max Resp Time]. A longer
/// one is spread: the time is cut into as many slots as there are reports, and each goes at a
/// random moment of its slot. A query that comes during the walk makes it go on for one more full
/// circle from where it stands, so that a flood of queries costs a step each and no more reports
/// than the pace of one answer.
class GeneralResponse {
public:
    /// A general query asks for an answer of `reports` (at least one) reports.
    void asked(Instant now, Duration within, std::size_t reports, DelaySource& delays);
    /// The answer is complete, or not wanted any more.
    void end();

    /// When the next report is due; none while no answer is pending.
    [[nodiscard]] std::optional<Instant> due() const {
        return to_walk_ == 0 ? std::nullopt : std::optional(due_);
    }
    /// Whether the pending answer will have named `group` by then anyway (RSP-3).
    [[nodiscard]] bool covers(GroupAddress group, Instant by) const;

    /// Where the walk stands: its next group, or the end if there is none.
    [[nodiscard]] Interface::Groups::iterator position_in(Interface::Groups& groups) const;
    /// Whether `group`, the next one, is still part of the walk.
    [[nodiscard]] bool reaches(GroupAddress group) const { return distance_to(group) < to_walk_; }
    /// `group`, the next one, has been dealt with.
    void pass(GroupAddress group);
    /// A report has gone: draws the moment of the next one.
    void report_sent(Instant now, DelaySource& delays);

private:
    static constexpr std::uint32_t kCircle = std::uint32_t{1} << 28;  // addresses of 224/4
    [[nodiscard]] std::uint32_t distance_to(GroupAddress group) const {
        return (group.value() - position_) & (kCircle - 1);
    }

    std::uint32_t position_ = 0;  // the first address yet to be walked, less 224.0.0.0
    std::uint32_t to_walk_ = 0;   // how many addresses are yet to be walked; 0: no answer pending
    bool begun_ = false;          // some of the answer has been sent
    Instant due_{};
    Instant slot_{};       // when the slot of due_ began
    Instant finish_{};     // by when every group still ahead will have been reported
    Duration interval_{};  // of one slot; zero when the answer is not spread
};

}  // namespace joinleaf::igmp
