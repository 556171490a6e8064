#include <igmp/report_packer.h>
#include <igmp/v3_reporter.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>

namespace joinleaf::igmp {
namespace {

RecordType current_state_type(const SourceFilter& state) {
    return state.mode() == FilterMode::include ? RecordType::is_include : RecordType::is_exclude;
}

}  // namespace

void V3Reporter::start(Instant now, bool again) {
    for (auto& [address, group] : interface_.groups) {
        if (!interface_.is_reportable(address)) continue;
        const bool is_member = !group.state.is_nothing();
        if (!(again && is_member) && !group.is_unsent()) continue;
        // As if the group had just been joined, or left: what the network knows is not known.
        const SourceFilter before = is_member ? SourceFilter::nothing() : SourceFilter::any();
        group.owed = std::make_unique<Retransmission>();
        group.owed->changed(before, group.state, interface_.robustness);
        changes_.start(group, now);
    }
}

void V3Reporter::stop() {
    general_.end();
    while (Group* group = responses_.first()) {
        forget_recorded(*group);
        responses_.stop(*group);
    }
    for (auto* queue : {&changes_, &repeats_}) {
        while (Group* group = queue->first()) {
            queue->stop(*group);
            group->owed.reset();
            interface_.drop_if_done(*group);
        }
    }
}

std::optional<Ticket> V3Reporter::changed(Group& group, const SourceFilter& before, Instant now) {
    if (!group.owed) group.owed = std::make_unique<Retransmission>();
    group.owed->changed(before, group.state, interface_.robustness);
    repeats_.stop(group);  // SCR-10: this report ends the series before it
    changes_.start_by(group, now);
    return interface_.ticket_for(group);
}

void V3Reporter::asked(const Query&, Duration within, Instant now) {
    const std::size_t reports = interface_.reports_for_all();
    if (reports == 0) return;  // RSP-2
    general_.asked(now, within, reports, interface_.delays);
}

// RFC 9776 §5.2, rules 1, 3, 4 and 5.
void V3Reporter::asked_about(Group& group, const Query& query, Duration within, Instant now) {
    const Instant due = now + interface_.delays.delay(within);
    if (general_.covers(group.address, due)) return;
    const bool is_pending = group.response_due != kNever;
    if (query.sources.empty() || (is_pending && group.recorded.empty())) {
        forget_recorded(group);
    } else {
        record_sources(group, query);
    }
    responses_.start_by(group, due);
}

void V3Reporter::record_sources(Group& group, const Query& query) {
    Sources asked = query.sources;
    std::sort(asked.begin(), asked.end());
    asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
    const Sources& known = group.recorded;
    if (std::includes(known.begin(), known.end(), asked.begin(), asked.end())) return;
    Sources all = union_of(known, asked);
    const std::size_t elsewhere = recorded_sources_ - known.size();
    forget_recorded(group);
    if (all.size() > interface_.options.max_sources_per_group ||
        elsewhere + all.size() > interface_.options.max_recorded_sources) {
        ++interface_.counters.recorded_overflows;  // RSP-15: answered as if all were asked for
        return;
    }
    recorded_sources_ += all.size();
    group.recorded = std::move(all);
}

void V3Reporter::forget_recorded(Group& group) {
    recorded_sources_ -= group.recorded.size();
    group.recorded = Sources();
}

void V3Reporter::advance(Instant now, Actions& out) {
    send_state_changes(now, out);
    send_group_responses(now, out);
    send_general_response(now, out);
}

void V3Reporter::send_state_changes(Instant now, Actions& out) {
    ReportPacker packer(interface_.options.mtu, out);
    std::optional<Duration> gap;  // until all groups of the open report are told again
    while (true) {
        auto& queue = changes_.due(now) != nullptr ? changes_ : repeats_;
        Group* group = queue.due(now);
        if (group == nullptr) break;
        const auto records = group->owed->records(group->address, group->state);
        if (!packer.has_room_for(records) && !interface_.pace.ready(now)) break;
        const std::size_t reports_before = packer.reports();
        packer.add(records);
        if (packer.reports() != reports_before) {
            interface_.pace.spend(packer.reports() - reports_before, now);
            gap.reset();
        }
        if (group->is_unsent()) packer.carry(std::exchange(group->ticket, Ticket{}));
        Interface::note_report(*group, now);
        queue.stop(*group);
        group->owed->sent();
        if (group->owed->done()) {
            group->owed.reset();
            if (group->state.is_nothing()) retire(*group);
            continue;
        }
        // SCR-8. One gap for a report, so that what was packed together is repeated together.
        if (!gap) gap = interface_.delays.delay(interface_.options.unsolicited_report_interval);
        repeats_.start(*group, now + *gap);
    }
    interface_.counters.sent_v3_state_change_reports += packer.reports();
    interface_.counters.sent_v3_records += packer.records();
}

// A leave has been told as often as it should be.
void V3Reporter::retire(Group& group) {
    forget_recorded(group);
    responses_.stop(group);
    interface_.drop_if_done(group);
}

void V3Reporter::send_group_responses(Instant now, Actions& out) {
    ReportPacker packer(interface_.options.mtu, out);
    while (Group* group = responses_.due(now)) {
        if (const auto record = response_of(*group)) {
            const std::span<const Record> records(&*record, 1);
            if (!packer.has_room_for(records) && !interface_.pace.ready(now)) break;
            const std::size_t reports_before = packer.reports();
            packer.add(records);
            interface_.pace.spend(packer.reports() - reports_before, now);
            Interface::note_report(*group, now);
        }
        forget_recorded(*group);
        responses_.stop(*group);
    }
    interface_.counters.sent_v3_current_state_reports += packer.reports();
    interface_.counters.sent_v3_records += packer.records();
}

// RFC 9776 §5.2, the table of Q(G,S) answers; the state is that of now, not of when the query came.
std::optional<Record> V3Reporter::response_of(const Group& group) const {
    const SourceFilter& state = group.state;
    if (state.is_nothing()) return std::nullopt;
    if (group.recorded.empty()) {
        return Record{current_state_type(state), group.address, state.sources()};
    }
    Sources wanted = state.mode() == FilterMode::include
                         ? intersection_of(state.sources(), group.recorded)
                         : difference_of(group.recorded, state.sources());
    if (wanted.empty()) return std::nullopt;
    return Record{RecordType::is_include, group.address, std::move(wanted)};
}

void V3Reporter::send_general_response(Instant now, Actions& out) {
    while (general_.due() && *general_.due() <= now && interface_.pace.ready(now)) {
        send_general_report(now, out);
        general_.report_sent(now, interface_.delays);
    }
}

// One report full of the walk's next groups; more than one only for a group that needs more.
void V3Reporter::send_general_report(Instant now, Actions& out) {
    ReportPacker packer(interface_.options.mtu, out);
    Interface::Groups& groups = interface_.groups;
    bool is_full = false;
    auto at = general_.position_in(groups);
    while (at != groups.end() && general_.reaches(at->first)) {
        Group& group = at->second;
        if (!group.state.is_nothing() && interface_.is_reportable(group.address)) {
            const Record record{current_state_type(group.state), group.address,
                                group.state.sources()};
            const std::span<const Record> records(&record, 1);
            is_full = packer.reports() > 0 && !packer.has_room_for(records);
            if (is_full) break;
            packer.add(records);
            Interface::note_report(group, now);
        }
        general_.pass(group.address);
        if (++at == groups.end()) at = groups.begin();
    }
    if (!is_full) general_.end();
    interface_.pace.spend(packer.reports(), now);
    interface_.counters.sent_v3_current_state_reports += packer.reports();
    interface_.counters.sent_v3_records += packer.records();
}

std::optional<Instant> V3Reporter::next_due() const {
    std::optional<Instant> soonest = changes_.next();
    for (const auto due : {repeats_.next(), responses_.next(), general_.due()}) {
        if (due && (!soonest || *due < *soonest)) soonest = due;
    }
    return soonest;
}

}  // namespace joinleaf::igmp
