#include <igmp/older_reporter.h>

#include <algorithm>
#include <utility>

namespace joinleaf::igmp {

void OlderReporter::start(Instant now, bool again) {
    for (auto& [address, group] : interface_.groups) {
        if (!interface_.is_reportable(address)) continue;
        if (group.state.is_nothing()) {
            timers_.start(group, now);  // a leave that no message has told yet
        } else if (again || group.is_unsent()) {
            begin_join(group, now);
        } else {
            timers_.start(group, kNever);
        }
    }
}

void OlderReporter::stop() {
    while (Group* group = timers_.first()) {
        timers_.stop(*group);
        group->repeats_left = 0;
    }
}

// RFC 2236 §6: filters cannot be told, only whether there is a member at all (CMP-12).
std::optional<Ticket> OlderReporter::changed(Group& group, const SourceFilter& before,
                                             Instant now) {
    const bool was_member = !before.is_nothing();
    const bool is_member = !group.state.is_nothing();
    if (!was_member && is_member) {
        begin_join(group, now);
        return interface_.ticket_for(group);
    }
    if (was_member && !is_member) {
        if (!group.is_unsent() && !tells_leave_of(group)) {
            timers_.stop(group);
            interface_.drop_if_done(group);
            return std::nullopt;
        }
        timers_.start_by(group, now);
        return interface_.ticket_for(group);
    }
    return group.is_unsent() ? std::optional(group.ticket) : std::nullopt;
}

// V2-2: at once, and 'once or twice' more.
void OlderReporter::begin_join(Group& group, Instant now) {
    constexpr int kMostRepeats = 2;
    group.repeats_left =
        static_cast<std::uint8_t>(std::min<int>(interface_.robustness - 1, kMostRepeats));
    timers_.start_by(group, now);
}

// V2-3 and V2-5: a timer that runs out later than the query allows, or not at all, is set anew.
// These are the last in the queue; nobody else is touched, so a flood of queries costs little.
void OlderReporter::asked(const Query&, Duration within, Instant now) {
    while (Group* group = timers_.last()) {
        if (group->response_due <= now + within) break;
        timers_.start(*group, now + interface_.delays.delay(within));
    }
}

void OlderReporter::asked_about(Group& group, const Query&, Duration within, Instant now) {
    if (group.response_due <= now + within) return;
    timers_.start(group, now + interface_.delays.delay(within));
}

// V2-6 and V2-7. A first report that waits for its turn is not a delayed one: it must go.
void OlderReporter::report_heard(Group& group) {
    if (group.response_due == kNever || group.is_unsent()) return;
    timers_.start(group, kNever);
    group.reported_last = false;
    group.repeats_left = 0;
    ++interface_.counters.suppressed;
}

void OlderReporter::advance(Instant now, Actions& out) {
    while (Group* group = timers_.due(now)) {
        if (!interface_.pace.ready(now)) break;
        if (group->state.is_nothing()) {
            send_leave(*group, now, out);
        } else {
            send_report(*group, now, out);
        }
    }
}

void OlderReporter::send_report(Group& group, Instant now, Actions& out) {
    Send send{group.address.address(), emit(OlderReport{version_, group.address}), {}};
    if (group.is_unsent()) send.tickets.push_back(std::exchange(group.ticket, Ticket{}));
    out.push_back(std::move(send));
    interface_.pace.spend(1, now);
    ++(version_ == Version::v1 ? interface_.counters.sent_v1_reports
                               : interface_.counters.sent_v2_reports);
    Interface::note_report(group, now);
    if (group.repeats_left == 0) {
        timers_.start(group, kNever);
        return;
    }
    --group.repeats_left;
    const Duration limit = interface_.options.older_unsolicited_report_interval;
    timers_.start(group, now + interface_.delays.delay(limit));
}

void OlderReporter::send_leave(Group& group, Instant now, Actions& out) {
    Send send{kAllRouters.address(), {}, {}};
    if (group.is_unsent()) send.tickets.push_back(std::exchange(group.ticket, Ticket{}));
    if (tells_leave_of(group)) {
        send.message = emit_leave(group.address);
        interface_.pace.spend(1, now);
        ++interface_.counters.sent_v2_leaves;
    }
    out.push_back(std::move(send));
    timers_.stop(group);
    interface_.drop_if_done(group);
}

bool OlderReporter::owes_changes() const {
    for (const auto& [address, group] : interface_.groups) {
        if (group.is_unsent() || group.repeats_left > 0) return true;
    }
    return false;
}

}  // namespace joinleaf::igmp
