// Octets become a life of an IGMP host: options, members, time, links, messages of every kind. What
// must hold whatever happens is checked at each step and at the end.
#include <igmp/host.h>
#include <net/checksum.h>

#include <array>
#include <chrono>
#include <set>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

using namespace joinleaf;
using namespace joinleaf::igmp;
using namespace std::chrono_literals;
using fuzz::Input;

constexpr std::array kGroups{GroupAddress::of(239, 1, 2, 3),
                             GroupAddress::of(239, 1, 2, 4),
                             GroupAddress::of(232, 1, 1, 1),
                             GroupAddress::of(224, 0, 0, 251),
                             GroupAddress::of(224, 0, 0, 1),
                             GroupAddress::of(224, 0, 0, 0),
                             GroupAddress::of(255 - 16, 255, 255, 255),
                             GroupAddress::of(232, 0, 0, 0)};
constexpr Ipv4Address kOwn(10, 0, 0, 1);

/// Delays from the input itself, so that it replays.
class InputDelays : public DelaySource {
public:
    explicit InputDelays(Input& input) : input_(input) {}
    Duration delay(Duration limit) override {
        JOINLEAF_FUZZ_REQUIRE(limit > Duration::zero());
        return std::max(Duration(1), Duration(limit.count() / 255 * input_.octet()));
    }

private:
    Input& input_;
};

HostOptions options_from(Input& input) {
    HostOptions options;
    const std::uint8_t flags = input.octet();
    if ((flags & 1) != 0) options.address = kOwn;
    options.require_router_alert = (flags & 2) != 0;
    options.accept_any_ttl = (flags & 4) != 0;
    options.report_link_local = (flags & 8) == 0;
    options.compatibility = (flags & 16) == 0;
    if ((flags & 32) != 0) options.minimum_version = Version::v2;
    if ((flags & 64) != 0)
        options.forced_version = Version{static_cast<std::uint8_t>(1 + input.octet() % 3)};
    if ((flags & 128) != 0) options.older_querier_present_interval = 1s;
    options.robustness = static_cast<std::uint8_t>(1 + input.octet() % 7);
    constexpr std::array<std::uint16_t, 4> kMtus{44, 100, 576, 1500};
    options.mtu = kMtus[input.octet() % kMtus.size()];
    options.reports_per_second = input.flag() ? 1000 : 10;
    options.report_burst = 1u + input.octet() % 8u;
    options.max_groups = 6;
    options.max_sources_per_group = 40;
    options.max_recorded_sources = 60;
    return options;
}

class Life {
public:
    Life(const std::uint8_t* data, std::size_t size)
        : input_(data, size),
          delays_(input_),
          options_(options_from(input_)),
          host_(options_, delays_) {}

    void live() {
        while (!input_.empty()) step();
        host_.link_up(now_);
        run_for(3h);
        // Everything has been told, every ticket has come back, nothing is kept or planned.
        JOINLEAF_FUZZ_REQUIRE(owed_.empty());
        JOINLEAF_FUZZ_REQUIRE(!host_.next_deadline());
        JOINLEAF_FUZZ_REQUIRE(!host_.has_pending_state_changes());
        for (const GroupStatus& status : host_.status()) {
            JOINLEAF_FUZZ_REQUIRE(status.members > 0 && !status.filter.is_nothing());
        }
        for (std::uint64_t member = 0; member < 4; ++member) {
            host_.remove_member(MemberId{member}, now_);
        }
        run_for(3h);
        JOINLEAF_FUZZ_REQUIRE(host_.status().empty());
    }

private:
    void step() {
        switch (input_.octet() % 10) {
            case 0:
            case 1:
                run_for(std::chrono::milliseconds(input_.word()));
                break;
            case 2:
                run_for(std::chrono::hours(input_.octet() % 4));
                break;
            case 3:
            case 4:
                set_filter();
                break;
            case 5:
                host_.remove_member(member(), now_);
                break;
            case 6:
            case 7:
                hear_query();
                break;
            case 8:
                hear_octets();
                break;
            default:
                change_port();
        }
        check();
    }

    MemberId member() { return MemberId{input_.octet() % 4u}; }
    GroupAddress group() { return kGroups[input_.octet() % kGroups.size()]; }

    std::vector<Ipv4Address> sources() {
        std::vector<Ipv4Address> list;
        for (int n = input_.octet() % 64; n > 0; --n) {
            list.push_back(Ipv4Address(10, 9, 0, input_.octet()));
        }
        return list;
    }

    void set_filter() {
        const FilterMode mode = input_.flag() ? FilterMode::include : FilterMode::exclude;
        const GroupAddress which = group();
        const auto result = host_.set_filter(member(), which, {mode, sources()}, now_);
        if (result && *result) owed_.insert(**result);
    }

    void hear_query() {
        Query query;
        query.version = Version{static_cast<std::uint8_t>(1 + input_.octet() % 3)};
        if (input_.flag()) query.group = group();
        query.max_response_time = Deciseconds(input_.octet());
        query.robustness = input_.octet() % 8;
        if (query.group) query.sources = sources();
        hear(emit(query));
    }

    void hear_octets() {
        std::vector<std::byte> bytes;
        for (const std::uint8_t octet : input_.octets(input_.octet()))
            bytes.push_back(std::byte{octet});
        if (bytes.size() >= 4 && input_.flag()) {
            net::store(bytes.data() + 2, net::BigEndian<std::uint16_t>(0));
            net::store(bytes.data() + 2, net::BigEndian<std::uint16_t>(net::checksum(bytes)));
        }
        hear(bytes);
    }

    void hear(const std::vector<std::byte>& bytes) {
        net::Ipv4Header header;
        const std::uint8_t flags = input_.octet();
        header.source = (flags & 1) != 0 ? kOwn : Ipv4Address(10, 0, (flags & 2) >> 1, 2);
        if ((flags & 4) != 0) header.source = Ipv4Address();
        header.destination = (flags & 8) != 0 ? group().address() : kAllSystems.address();
        if ((flags & 16) != 0) header.destination = kOwn;
        header.ttl = (flags & 32) != 0 ? 2 : 1;
        header.router_alert = (flags & 64) == 0;
        host_.receive(header, bytes, now_);
        ++messages_;
    }

    void change_port() {
        switch (input_.octet() % 3) {
            case 0:
                host_.link_down(now_);
                break;
            case 1:
                host_.link_up(now_);
                break;
            default:
                host_.set_address({Ipv4Address(10, 0, 0, input_.octet()), 24}, now_);
        }
    }

    // Time passes; the host is called whenever it asks, and must have something to do then.
    void run_for(Duration time) {
        const Instant end = now_ + time;
        int calls_at_this_instant = 0;
        for (auto next = host_.next_deadline(); next && *next <= end;
             next = host_.next_deadline()) {
            calls_at_this_instant = *next <= now_ ? calls_at_this_instant + 1 : 0;
            JOINLEAF_FUZZ_REQUIRE(calls_at_this_instant < 3);
            now_ = std::max(now_, *next);
            Actions out;
            host_.advance(now_, out);
            for (const Send& send : out) receive_from_host(send);
        }
        now_ = end;
    }

    void receive_from_host(const Send& send) {
        for (const Ticket ticket : send.tickets) {
            JOINLEAF_FUZZ_REQUIRE(returned_.insert(ticket).second);
            owed_.erase(ticket);  // the ticket of a removed member was given to nobody
        }
        if (send.message.empty()) {
            JOINLEAF_FUZZ_REQUIRE(!send.tickets.empty());
            return;
        }
        JOINLEAF_FUZZ_REQUIRE(send.message.size() + 24 <= options_.mtu);
        const auto type = verify(send.message);
        JOINLEAF_FUZZ_REQUIRE(type && *type != MessageType::query);
        if (*type != MessageType::v3_report) {
            JOINLEAF_FUZZ_REQUIRE(send.message.size() == 8);
            return;
        }
        const auto report = parse_report(send.message);
        JOINLEAF_FUZZ_REQUIRE(report && emit(*report) == send.message);
        for (const Record& record : report->records) {
            const bool is_exclude =
                record.type == RecordType::is_exclude || record.type == RecordType::to_exclude;
            JOINLEAF_FUZZ_REQUIRE(record.group != kAllSystems);
            JOINLEAF_FUZZ_REQUIRE(!is_exclude || !record.group.is_source_specific());
            JOINLEAF_FUZZ_REQUIRE(is_exclude || record.type == RecordType::to_include ||
                                  !record.sources.empty());
        }
    }

    // Each message is counted once, and the limits hold.
    void check() const {
        std::uint64_t counted = 0;
        for (const auto& [name, value] : kCounters) {
            if (name.starts_with("ignored_")) counted += host_.counters().*value;
        }
        const Counters& counters = host_.counters();
        counted += counters.v1_queries + counters.v2_queries + counters.v3_queries;
        counted += counters.reports_heard;
        JOINLEAF_FUZZ_REQUIRE(counted == messages_);
        JOINLEAF_FUZZ_REQUIRE(host_.status().size() <= 2 * options_.max_groups);
    }

    Input input_;
    InputDelays delays_;
    HostOptions options_;
    Host host_;
    Instant now_{Duration(1h)};
    std::set<Ticket> owed_;
    std::set<Ticket> returned_;
    std::uint64_t messages_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Life(data, size).live();
    return 0;
}
