// IGMPv1 and IGMPv2: one report a group, suppressed by those of other hosts (RFC 1112 App. I,
// RFC 2236 §6).
#pragma once

#include <igmp/reporter.h>
#include <igmp/timer_queue.h>

namespace joinleaf::igmp {

/// Every group with state is in `timers_`; an idle member's timer stands at kNever.
class OlderReporter final : public Reporter {
public:
    explicit OlderReporter(Interface& interface) : interface_(interface) {}

    /// Version 1 or 2; only while stopped.
    void speak(Version version) { version_ = version; }
    /// Another host has reported `group`.
    void report_heard(Group& group);

    void start(Instant now, bool again) override;
    void stop() override;
    std::optional<Ticket> changed(Group& group, const SourceFilter& before, Instant now) override;
    void asked(const Query& query, Duration within, Instant now) override;
    void asked_about(Group& group, const Query& query, Duration within, Instant now) override;
    void advance(Instant now, Actions& out) override;
    [[nodiscard]] std::optional<Instant> next_due() const override { return timers_.next(); }
    [[nodiscard]] bool owes_changes() const override;

private:
    void begin_join(Group& group, Instant now);
    void send_report(Group& group, Instant now, Actions& out);
    void send_leave(Group& group, Instant now, Actions& out);
    [[nodiscard]] bool tells_leave_of(const Group& group) const {
        return version_ == Version::v2 && group.reported_last;
    }

    Interface& interface_;
    Version version_ = Version::v2;
    TimerQueue<&Group::response_due> timers_;
};

}  // namespace joinleaf::igmp
