// IGMPv3: state-change reports and answers with current-state records (RFC 9776 §5).
#pragma once

#include <igmp/general_response.h>
#include <igmp/reporter.h>
#include <igmp/timer_queue.h>
#include <cstddef>

namespace joinleaf::igmp {

class V3Reporter final : public Reporter {
public:
    explicit V3Reporter(Interface& interface) : interface_(interface) {}

    void start(Instant now, bool again) override;
    void stop() override;
    std::optional<Ticket> changed(Group& group, const SourceFilter& before, Instant now) override;
    void asked(const Query& query, Duration within, Instant now) override;
    void asked_about(Group& group, const Query& query, Duration within, Instant now) override;
    void advance(Instant now, Actions& out) override;
    [[nodiscard]] std::optional<Instant> next_due() const override;
    [[nodiscard]] bool owes_changes() const override {
        return !changes_.empty() || !repeats_.empty();
    }

private:
    void send_state_changes(Instant now, Actions& out);
    void retire(Group& group);
    void send_group_responses(Instant now, Actions& out);
    void send_general_response(Instant now, Actions& out);
    void send_general_report(Instant now, Actions& out);
    [[nodiscard]] std::optional<Record> response_of(const Group& group) const;
    void record_sources(Group& group, const Query& query);
    void forget_recorded(Group& group);

    Interface& interface_;
    // A group is in one of these two at most. Somebody may be waiting for a first report; those go
    // before repetitions.
    TimerQueue<&Group::change_due> changes_;
    TimerQueue<&Group::change_due> repeats_;
    TimerQueue<&Group::response_due> responses_;
    GeneralResponse general_;
    std::size_t recorded_sources_ = 0;  // over all groups
};

}  // namespace joinleaf::igmp
