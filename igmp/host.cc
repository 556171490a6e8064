#include <igmp/host.h>

#include <algorithm>
#include <chrono>

namespace joinleaf::igmp {
namespace {

using namespace std::chrono_literals;

/// A query that allows no time at all is answered within this, never at once (QRY-14, RSP-1).
constexpr Duration kShortestResponseTime = 1ms;

const HostOptions& validated(const HostOptions& options) {
    validate(options);
    return options;
}

std::uint64_t Counters::*counter_of(MessageError error) {
    switch (error) {
        case MessageError::truncated:
            return &Counters::ignored_truncated;
        case MessageError::bad_checksum:
            return &Counters::ignored_bad_checksum;
        case MessageError::unknown_type:
            return &Counters::ignored_unknown_type;
        case MessageError::bad_length:
            return &Counters::ignored_bad_length;
        case MessageError::bad_group:
            return &Counters::ignored_bad_group;
        case MessageError::bad_source_list:
            return &Counters::ignored_bad_source_list;
    }
    return &Counters::ignored_unknown_type;
}

// Sets what `member` wants of the group; returns what it wanted before.
SourceFilter exchange_filter(Group& group, MemberId member, const SourceFilter& filter) {
    const auto record = std::find_if(group.members.begin(), group.members.end(),
                                     [&](const Member& each) { return each.id == member; });
    if (record == group.members.end()) {
        if (!filter.is_nothing()) group.members.push_back({member, filter});
        return SourceFilter::nothing();
    }
    SourceFilter previous = std::move(record->filter);
    record->filter = filter;
    if (filter.is_nothing()) group.members.erase(record);
    return previous;
}

}  // namespace

Host::Host(const HostOptions& options, DelaySource& delays)
    : interface_(validated(options), delays),
      querier_(options),
      v3_(interface_),
      older_(interface_),
      version_(querier_.version()) {
    if (version_ != Version::v3) older_.speak(version_);
}

Reporter& Host::reporter() {
    return version_ == Version::v3 ? static_cast<Reporter&>(v3_) : older_;
}

const Reporter& Host::reporter() const {
    return version_ == Version::v3 ? static_cast<const Reporter&>(v3_) : older_;
}

// What no state of the host can make right (SSM-2, SSM-9, MRG-10).
std::optional<std::errc> Host::refuse(GroupAddress group, const SourceFilter& filter) const {
    if (filter.is_nothing()) return std::nullopt;
    const HostOptions& options = interface_.options;
    if (options.ssm_range.contains(group.address())) {
        const bool is_channel = group.address() != options.ssm_range.address;
        if (!is_channel || filter.mode() == FilterMode::exclude) return std::errc::invalid_argument;
    }
    if (filter.sources().size() > options.max_sources_per_group) return std::errc::no_buffer_space;
    const bool all_are_sources = std::all_of(filter.sources().begin(), filter.sources().end(),
                                             [](Ipv4Address each) { return each.is_unicast(); });
    if (!all_are_sources) return std::errc::invalid_argument;
    return std::nullopt;
}

tl::expected<std::optional<Ticket>, std::errc> Host::set_filter(MemberId member,
                                                                GroupAddress address,
                                                                const SourceFilter& filter,
                                                                Instant now) {
    if (address == kAllSystems) return std::nullopt;
    if (const auto refusal = refuse(address, filter)) return tl::unexpected(*refusal);
    follow_querier(now);

    const HostOptions& options = interface_.options;
    const Group* known = interface_.find(address);
    if (filter.is_nothing()) {
        if (memberships_.erase({member, address}) == 0) {
            return tl::unexpected(std::errc::address_not_available);
        }
    } else if (known == nullptr || known->state.is_nothing()) {
        // Groups that were left linger until their leaves are told; they are bounded as well.
        if (interface_.groups_with_state >= options.max_groups ||
            interface_.groups.size() >= 2 * options.max_groups) {
            return tl::unexpected(std::errc::no_buffer_space);
        }
    }
    Group& group = interface_.find_or_add(address);
    const SourceFilter previous = exchange_filter(group, member, filter);
    SourceFilter merged = merge(group.members);
    if (!filter.is_nothing()) {
        if (merged.sources().size() > options.max_sources_per_group) {
            exchange_filter(group, member, previous);
            return tl::unexpected(std::errc::no_buffer_space);
        }
        memberships_.emplace(member, address);
    }
    return update(group, std::move(merged), now);
}

tl::expected<void, std::errc> Host::leave_for_another(GroupAddress address,
                                                      const SourceFilter& filter, Instant now) {
    if (address == kAllSystems || filter.is_nothing() || interface_.find(address) != nullptr) {
        return {};
    }
    if (const auto refusal = refuse(address, filter)) return tl::unexpected(*refusal);
    if (interface_.groups.size() >= 2 * interface_.options.max_groups) {
        return tl::unexpected(std::errc::no_buffer_space);
    }
    follow_querier(now);
    Group& group = interface_.find_or_add(address);
    interface_.set_state(group, filter);
    group.reported_last = true;
    update(group, SourceFilter::nothing(), now);
    return {};
}

void Host::remove_member(MemberId member, Instant now) {
    follow_querier(now);
    constexpr GroupAddress kFirst = GroupAddress::of(224, 0, 0, 0);
    auto held = memberships_.lower_bound({member, kFirst});
    while (held != memberships_.end() && held->first == member) {
        Group& group = *interface_.find(held->second);
        exchange_filter(group, member, SourceFilter::nothing());
        update(group, merge(group.members), now);
        held = memberships_.erase(held);
    }
}

// The group's members have changed. MRG-7: an equal result is no change, and is not told.
std::optional<Ticket> Host::update(Group& group, SourceFilter merged, Instant now) {
    if (merged == group.state) {
        return group.is_unsent() ? std::optional(group.ticket) : std::nullopt;
    }
    const SourceFilter before = group.state;
    interface_.set_state(group, std::move(merged));
    if (!interface_.is_reportable(group.address)) {
        interface_.drop_if_done(group);
        return std::nullopt;
    }
    if (!link_is_up_) return interface_.ticket_for(group);
    return reporter().changed(group, before, now);
}

void Host::receive(const net::Ipv4Header& from, std::span<const std::byte> message, Instant now) {
    follow_querier(now);
    if (!link_is_up_) return ignore(&Counters::ignored_link_down);
    const bool has_address = !interface_.address.address.is_unspecified();
    if (has_address && from.source == interface_.address.address) {
        return ignore(&Counters::ignored_own);
    }
    const auto type = verify(message);
    if (!type) return ignore(counter_of(type.error()));
    if (from.ttl != 1 && !interface_.options.accept_any_ttl) return ignore(&Counters::ignored_ttl);
    switch (*type) {
        case MessageType::query:
            return receive_query(from, message, now);
        case MessageType::v1_report:
        case MessageType::v2_report:
            return receive_report(from, message);
        case MessageType::v2_leave:
        case MessageType::v3_report:
            return ignore(&Counters::ignored_not_for_hosts);
    }
}

void Host::receive_query(const net::Ipv4Header& from, std::span<const std::byte> message,
                         Instant now) {
    const HostOptions& options = interface_.options;
    const auto query = parse_query(message);
    if (!query) return ignore(counter_of(query.error()));
    if (query->version < options.minimum_version) return ignore(&Counters::ignored_version);
    // QRY-22: any address of ours will do for a specific query. QRY-23: a general one comes to
    // 224.0.0.1, or to our own address.
    const auto joined = GroupAddress::from(from.destination);
    const bool is_to_a_group_of_ours = query->group && joined && find_told(*joined) != nullptr;
    if (!is_own_address(from.destination) && !is_to_a_group_of_ours) {
        return ignore(&Counters::ignored_destination);
    }
    if (query->version != Version::v1 && !from.router_alert) {
        if (options.require_router_alert) return ignore(&Counters::ignored_no_router_alert);
        ++interface_.counters.queries_without_router_alert;
    }
    querier_.heard(*query, from.source, now);
    follow_querier(now);
    answer(*query, now);
}

void Host::answer(const Query& query, Instant now) {
    Counters& counters = interface_.counters;
    const Duration within = std::max<Duration>(query.max_response_time, kShortestResponseTime);
    bool is_about_ssm = interface_.ssm_groups_with_state > 0;
    if (query.group) {
        Group* group = find_told(*query.group);
        if (group == nullptr) return ignore(&Counters::ignored_no_membership);
        is_about_ssm = interface_.options.ssm_range.contains(query.group->address());
        reporter().asked_about(*group, query, within, now);
    } else {
        reporter().asked(query, within, now);
    }
    if (query.version != Version::v3 && is_about_ssm) ++counters.older_queries_in_ssm_range;
    ++(query.version == Version::v1   ? counters.v1_queries
       : query.version == Version::v2 ? counters.v2_queries
                                      : counters.v3_queries);
}

// Reports of other hosts matter to versions 1 and 2 alone: they save ours (RFC 2236 §6).
void Host::receive_report(const net::Ipv4Header& from, std::span<const std::byte> message) {
    if (version_ == Version::v3) return ignore(&Counters::ignored_not_for_hosts);
    const auto report = parse_older_report(message);
    if (!report) return ignore(counter_of(report.error()));
    const Ipv4Interface& subnet = interface_.address;
    const bool has_address = !subnet.address.is_unspecified();
    if (from.source.is_unspecified()) {
        // Without an address we send from 0.0.0.0 ourselves, and cannot tell this from our own.
        if (!has_address) return ignore(&Counters::ignored_own);
    } else if (has_address && !subnet.contains(from.source)) {
        return ignore(&Counters::ignored_off_subnet);
    }
    const auto joined = GroupAddress::from(from.destination);
    const bool is_to_a_group_of_ours = joined && find_told(*joined) != nullptr;
    Group* group = find_told(report->group);
    if (group == nullptr) return ignore(&Counters::ignored_no_membership);
    if (!is_own_address(from.destination) && !is_to_a_group_of_ours) {
        return ignore(&Counters::ignored_destination);
    }
    ++interface_.counters.reports_heard;
    older_.report_heard(*group);
}

bool Host::is_own_address(Ipv4Address destination) const {
    if (destination == kAllSystems.address()) return true;
    return !destination.is_unspecified() && destination == interface_.address.address;
}

Group* Host::find_told(GroupAddress address) {
    Group* group = interface_.find(address);
    const bool is_told =
        group != nullptr && !group->state.is_nothing() && interface_.is_reportable(address);
    return is_told ? group : nullptr;
}

// CMP-6 and CMP-7: a change of version takes effect at once and cancels all that is pending.
void Host::follow_querier(Instant now) {
    querier_.expire(now);
    interface_.robustness = querier_.robustness();
    if (querier_.version() == version_) return;
    if (link_is_up_) reporter().stop();
    version_ = querier_.version();
    if (version_ != Version::v3) older_.speak(version_);
    ++interface_.counters.version_changes;
    if (link_is_up_) reporter().start(now, false);
}

void Host::advance(Instant now, Actions& out) {
    follow_querier(now);
    if (link_is_up_) reporter().advance(now, out);
}

std::optional<Instant> Host::next_deadline() const {
    std::optional<Instant> soonest = querier_.next_change();
    if (!link_is_up_) return soonest;
    if (const auto due = reporter().next_due()) {
        const Instant allowed = std::max(*due, interface_.pace.ready_at());
        if (!soonest || allowed < *soonest) soonest = allowed;
    }
    return soonest;
}

void Host::set_address(Ipv4Interface address, Instant now) {
    if (address == interface_.address) return;
    interface_.address = address;
    follow_querier(now);
    if (!link_is_up_) return;
    reporter().stop();
    reporter().start(now, true);
}

void Host::link_down(Instant now) {
    follow_querier(now);
    if (link_is_up_) reporter().stop();
    link_is_up_ = false;
}

void Host::link_up(Instant now) {
    follow_querier(now);
    if (!link_is_up_) reporter().start(now, true);
    link_is_up_ = true;
}

bool Host::has_pending_state_changes() const { return link_is_up_ && reporter().owes_changes(); }

GroupStatus Host::status_of(const Group& group) const {
    GroupStatus status{.group = group.address, .filter = group.state};
    status.members = group.members.size();
    status.is_reported = !group.is_unsent() && interface_.is_reportable(group.address);
    if (group.last_report != kNever) status.last_report = group.last_report;
    status.transmissions_left = group.owed ? group.owed->left() : group.repeats_left;
    if (group.response_due != kNever) status.answer_due = group.response_due;
    status.reported_last = group.reported_last;
    return status;
}

std::optional<GroupStatus> Host::status_of(GroupAddress address) const {
    const Group* group = interface_.find(address);
    return group == nullptr ? std::nullopt : std::optional(status_of(*group));
}

std::vector<GroupStatus> Host::status() const {
    std::vector<GroupStatus> all;
    all.reserve(interface_.groups.size());
    for (const auto& [address, group] : interface_.groups) all.push_back(status_of(group));
    return all;
}

}  // namespace joinleaf::igmp
