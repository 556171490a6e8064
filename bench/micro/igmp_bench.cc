// What the IGMP host costs: parsing, emitting, and joins and answers against the number of groups.
// Costs per group must not grow with the groups, save for the logarithm of an ordered map.
#include <benchmark/benchmark.h>
#include <igmp/host.h>
#include <malloc.h>

#include <chrono>
#include <memory>
#include <vector>

namespace joinleaf::igmp {
namespace {

using namespace std::chrono_literals;

constexpr Ipv4Address kOwn(10, 0, 0, 1);

class FixedDelays : public DelaySource {
public:
    Duration delay(Duration limit) override { return std::max(Duration(1), limit / 2); }
};

HostOptions unpaced() {
    HostOptions options{.address = kOwn};
    options.reports_per_second = 1e9;
    options.report_burst = 1'000'000;
    return options;
}

enum class Order { in_a_row, scattered };

// Scattered, neighbours in address are joined far apart in time, so they lie far apart in memory:
// beyond the caches, that and not the algorithm is what a walk over all groups costs.
GroupAddress nth_group(std::int64_t n, Order order = Order::scattered) {
    const auto number = static_cast<std::uint32_t>(n);
    const std::uint32_t offset = order == Order::in_a_row ? number : number * 2654435761u >> 8;
    return *GroupAddress::from(Ipv4Address(Ipv4Address(239, 0, 0, 0).value() + offset));
}

std::vector<Ipv4Address> sources(std::int64_t n) {
    std::vector<Ipv4Address> list;
    for (std::uint32_t i = 0; i < n; ++i) list.emplace_back(Ipv4Address(10, 1, 0, 1).value() + i);
    return list;
}

/// A host with so many groups, all of them told.
struct Settled {
    explicit Settled(std::int64_t groups, const HostOptions& options = unpaced(),
                     Order order = Order::scattered)
        : host(options, delays) {
        for (std::int64_t i = 0; i < groups; ++i) {
            (void)host.set_filter(MemberId{1}, nth_group(i, order), SourceFilter::any(), now);
        }
        run();
    }
    void run() {
        while (const auto next = host.next_deadline()) {
            now = std::max(now, *next);
            host.advance(now, out);
            out.clear();
        }
    }
    FixedDelays delays;
    Host host;
    Instant now{};
    Actions out;
};

net::Ipv4Header from_querier() {
    net::Ipv4Header header;
    header.source = Ipv4Address(10, 0, 0, 254);
    header.destination = kAllSystems.address();
    header.ttl = 1;
    header.router_alert = true;
    return header;
}

void parse_general_query(benchmark::State& state) {
    const auto bytes = emit(Query{.robustness = 2});
    for (auto _ : state) {
        benchmark::DoNotOptimize(verify(bytes));
        benchmark::DoNotOptimize(parse_query(bytes));
    }
}
BENCHMARK(parse_general_query);

void parse_source_query(benchmark::State& state) {
    const auto bytes =
        emit(Query{.group = nth_group(0), .robustness = 2, .sources = sources(state.range(0))});
    for (auto _ : state) {
        benchmark::DoNotOptimize(verify(bytes));
        benchmark::DoNotOptimize(parse_query(bytes));
    }
}
BENCHMARK(parse_source_query)->Arg(1)->Arg(366);

void emit_full_report(benchmark::State& state) {
    Report report;
    for (std::int64_t i = 0; i < 183; ++i) {
        report.records.push_back({RecordType::is_exclude, nth_group(i), {}});
    }
    for (auto _ : state) benchmark::DoNotOptimize(emit(report));
    state.SetItemsProcessed(state.iterations() * 183);
}
BENCHMARK(emit_full_report);

// One more join and its leave, each told twice, on a host that has so many groups.
void join_and_leave(benchmark::State& state) {
    Settled settled(state.range(0));
    const GroupAddress group = GroupAddress::of(238, 1, 2, 3);
    for (auto _ : state) {
        (void)settled.host.set_filter(MemberId{1}, group, SourceFilter::any(), settled.now);
        settled.run();
        (void)settled.host.set_filter(MemberId{1}, group, SourceFilter::nothing(), settled.now);
        settled.run();
    }
}
BENCHMARK(join_and_leave)->Arg(100)->Arg(1'000)->Arg(10'000)->Arg(100'000);

// All groups in one go, told twice; per group.
void join_all(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(std::make_unique<Settled>(state.range(0)));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(join_all)->Arg(100)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

// A general query and its whole answer; per record.
void answer_general_query(benchmark::State& state, Order order) {
    Settled settled(state.range(0), unpaced(), order);
    const auto query = emit(Query{.robustness = 2});
    for (auto _ : state) {
        settled.host.receive(from_querier(), query, settled.now);
        settled.run();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(answer_general_query, in_a_row, Order::in_a_row)
    ->Arg(100)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Arg(100'000);
BENCHMARK_CAPTURE(answer_general_query, scattered, Order::scattered)
    ->Arg(100)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Arg(100'000);

// Taking in a general query while its like is being answered: what a flood costs each.
void hear_general_query(benchmark::State& state) {
    Settled settled(state.range(0));
    const auto query = emit(Query{.robustness = 2});
    for (auto _ : state) settled.host.receive(from_querier(), query, settled.now);
}
BENCHMARK(hear_general_query)->Arg(100)->Arg(1'000)->Arg(10'000)->Arg(100'000);

void answer_group_query(benchmark::State& state) {
    Settled settled(state.range(0));
    const auto query = emit(Query{.group = nth_group(7), .robustness = 2});
    for (auto _ : state) {
        settled.host.receive(from_querier(), query, settled.now);
        settled.run();
    }
}
BENCHMARK(answer_group_query)->Arg(100)->Arg(1'000)->Arg(10'000)->Arg(100'000);

void answer_version_2_query(benchmark::State& state) {
    auto options = unpaced();
    options.forced_version = Version::v2;
    Settled settled(state.range(0), options);
    const auto query = emit(Query{.version = Version::v2});
    for (auto _ : state) {
        settled.host.receive(from_querier(), query, settled.now);
        settled.run();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(answer_version_2_query)->Arg(100)->Arg(1'000)->Arg(10'000)->Arg(100'000);

// A group with so many sources gains one and loses it.
void change_one_source(benchmark::State& state) {
    Settled settled(0);
    const GroupAddress group = GroupAddress::of(232, 1, 1, 1);
    const SourceFilter less(FilterMode::include, sources(state.range(0)));
    const SourceFilter more(FilterMode::include, sources(state.range(0) + 1));
    (void)settled.host.set_filter(MemberId{1}, group, less, settled.now);
    settled.run();
    for (auto _ : state) {
        (void)settled.host.set_filter(MemberId{1}, group, more, settled.now);
        settled.run();
        (void)settled.host.set_filter(MemberId{1}, group, less, settled.now);
        settled.run();
    }
}
BENCHMARK(change_one_source)->Arg(10)->Arg(100)->Arg(1'000);

// Not a time: heap octets a group at rest, as the allocator counts them.
void memory_of_a_group(benchmark::State& state) {
    for (auto _ : state) {
        const auto before = mallinfo2().uordblks + mallinfo2().hblkhd;
        const auto settled = std::make_unique<Settled>(state.range(0));
        const auto after = mallinfo2().uordblks + mallinfo2().hblkhd;
        state.counters["bytes_per_group"] =
            static_cast<double>(after - before) / static_cast<double>(state.range(0));
    }
}
BENCHMARK(memory_of_a_group)->Arg(1'000)->Arg(100'000)->Iterations(1);

}  // namespace
}  // namespace joinleaf::igmp

BENCHMARK_MAIN();
