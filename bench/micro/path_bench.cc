// What the pure steps of the packet path cost, one by one, in the bursts that a worker runs.
// `per_packet` is the time to look at (in seconds in the JSON output); no NIC, no EAL.
#include <bench/micro/frames.h>
#include <benchmark/benchmark.h>
#include <dataplane/pacer.h>
#include <dataplane/spsc_queue.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace joinleaf::dataplane {
namespace {

using namespace bench;

constexpr std::size_t kBurst = kMaxBurst;

void count_packets(benchmark::State& state, std::size_t per_iteration) {
    const auto packets =
        static_cast<double>(state.iterations()) * static_cast<double>(per_iteration);
    state.counters["per_packet"] =
        benchmark::Counter(packets, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.SetItemsProcessed(static_cast<std::int64_t>(packets));
}

// The results of a burst: what the packet path goes on with.
struct Burst {
    std::array<Kind, kBurst> kinds{};
    std::array<Classified, kBurst> frames;

    void classify_all(std::span<const ReceivedFrame> received, const Identity& self) {
        for (std::size_t i = 0; i < received.size(); ++i) {
            kinds[i] = classify(received[i], self, frames[i]);
        }
    }
};

void classify_bursts(benchmark::State& state, Buffers& buffers, net::VlanStack vlan = {}) {
    const Identity self{kOwnMac, kOwn, vlan};
    Burst burst;
    for (auto _ : state) {
        burst.classify_all(buffers.next(), self);
        benchmark::DoNotOptimize(&burst);
        benchmark::ClobberMemory();
    }
    for (const auto kind : burst.kinds) {
        if (kind != Kind::data) state.SkipWithError("a valid frame was not data");
    }
    count_packets(state, kBurst);
}

void classify_checksums_by_nic(benchmark::State& state) {
    Buffers buffers(64, 1024);
    for (auto& frame : buffers.frames()) {
        frame.ipv4_checksum = frame.udp_checksum = Verdict::good;
    }
    classify_bursts(state, buffers);
}
BENCHMARK(classify_checksums_by_nic);

void classify_without_udp_checksum(benchmark::State& state) {
    Buffers buffers(64, 1024, {}, false);
    classify_bursts(state, buffers);
}
BENCHMARK(classify_without_udp_checksum);

void classify_in_a_vlan_without_udp_checksum(benchmark::State& state) {
    Buffers buffers(64, 1024, {.outer = 100}, false);
    classify_bursts(state, buffers, {.outer = 100});
}
BENCHMARK(classify_in_a_vlan_without_udp_checksum);

void classify_all_in_software(benchmark::State& state) {
    Buffers buffers(static_cast<std::size_t>(state.range(0)), 1024);
    classify_bursts(state, buffers);
}
BENCHMARK(classify_all_in_software)->ArgName("payload")->Arg(64)->Arg(256)->Arg(1024)->Arg(1400);

void look_up(benchmark::State& state) {
    Lookups lookups(static_cast<std::uint32_t>(state.range(0)));
    const auto burst = static_cast<std::size_t>(state.range(1));
    for (auto _ : state) {
        lookups.find_burst(lookups.next(burst));
        benchmark::DoNotOptimize(lookups.found.data());
        benchmark::ClobberMemory();
    }
    count_packets(state, burst);
}
BENCHMARK(look_up)
    ->ArgNames({"groups", "burst"})
    ->ArgsProduct({{1, 1000, 10000, 100000}, {1, 8, 32}});

// Both steps, as a leaf without UDP checksums takes them. The groups come from the list of keys,
// because the frames are too few to name 100 000.
void classify_and_look_up(benchmark::State& state) {
    const auto groups = static_cast<std::uint32_t>(state.range(0));
    const auto size = static_cast<std::size_t>(state.range(1));
    Buffers buffers(64, groups, {}, false);
    Lookups lookups(groups);
    const Identity self{kOwnMac, kOwn, {}};
    Burst burst;
    std::array<GroupKey, kBurst> keys;
    for (auto _ : state) {
        burst.classify_all(buffers.next(size), self);
        const auto any = lookups.next(size);
        for (std::size_t i = 0; i < size; ++i) {
            keys[i] = {any[i].destination, burst.frames[i].destination_port};
        }
        lookups.find_burst(std::span(keys).first(size));
        benchmark::DoNotOptimize(lookups.found.data());
        benchmark::ClobberMemory();
    }
    count_packets(state, size);
}
BENCHMARK(classify_and_look_up)
    ->ArgNames({"groups", "burst"})
    ->ArgsProduct({{1, 1000, 10000, 100000}, {1, 8, 32}});

enum class Checksum { none, software, offload };

void build_header(benchmark::State& state, Checksum checksum) {
    Buffers buffers(1400, 1);
    const HeaderTemplate header = header_to(1);
    const auto length = static_cast<std::uint16_t>(state.range(0));
    std::vector<std::byte*> payloads;
    for (const auto& frame : buffers.frames()) {
        payloads.push_back(const_cast<std::byte*>(frame.first_segment.data()) + header.size());
    }
    std::size_t at = 0;
    for (auto _ : state) {
        at = (at + kBurst) % Buffers::kCount;
        for (std::size_t i = 0; i < kBurst; ++i) {
            switch (checksum) {
                case Checksum::none:
                    header.write(payloads[at + i], length);
                    break;
                case Checksum::software:
                    header.write_summed(payloads[at + i], length);
                    break;
                case Checksum::offload:
                    header.write_for_offload(payloads[at + i], length);
                    break;
            }
        }
        benchmark::ClobberMemory();
    }
    count_packets(state, kBurst);
}
BENCHMARK_CAPTURE(build_header, without_udp_checksum, Checksum::none)->ArgName("payload")->Arg(64);
BENCHMARK_CAPTURE(build_header, for_offload, Checksum::offload)->ArgName("payload")->Arg(64);
BENCHMARK_CAPTURE(build_header, with_udp_checksum, Checksum::software)
    ->ArgName("payload")
    ->Arg(64)
    ->Arg(256)
    ->Arg(1024)
    ->Arg(1400);

// One burst allowed and taken, at a rate that never holds it back.
void pace(benchmark::State& state, const Pace& limits) {
    Instant now{};
    Pacer pacer(limits, now);
    constexpr std::uint32_t kOctets = 106;
    for (auto _ : state) {
        now += std::chrono::microseconds(1);
        const auto allowed = pacer.allowance(now, kBurst, kOctets);
        pacer.consume(allowed, std::uint64_t{allowed} * kOctets);
        benchmark::DoNotOptimize(allowed);
    }
    count_packets(state, kBurst);
}
BENCHMARK_CAPTURE(pace, unlimited, Pace{});
BENCHMARK_CAPTURE(pace, by_packets_and_bits,
                  Pace{.packets_per_second = 100'000'000, .bits_per_second = 1'000'000'000'000});

void queue_on_one_thread(benchmark::State& state) {
    const auto burst = static_cast<std::size_t>(state.range(0));
    SpscQueue<void*> queue(1024);
    std::array<void*, kBurst> elements{};
    for (auto _ : state) {
        benchmark::DoNotOptimize(queue.push(std::span<void* const>(elements).first(burst)));
        benchmark::DoNotOptimize(queue.pop(std::span(elements).first(burst)));
    }
    count_packets(state, burst);
}
BENCHMARK(queue_on_one_thread)->ArgName("burst")->Arg(1)->Arg(8)->Arg(32);

void queue_between_threads(benchmark::State& state) {
    const auto burst = static_cast<std::size_t>(state.range(0));
    SpscQueue<void*> queue(1024);
    std::atomic<bool> stop = false;
    std::thread producer([&] {
        const std::array<void*, kBurst> elements{};
        while (!stop.load(std::memory_order_relaxed)) {
            benchmark::DoNotOptimize(queue.push(std::span(elements).first(burst)));
        }
    });
    std::array<void*, kBurst> elements;
    for (auto _ : state) {
        for (std::size_t popped = 0; popped < burst;) {
            popped += queue.pop(std::span(elements).first(burst - popped));
        }
    }
    stop = true;
    producer.join();
    count_packets(state, burst);
}
BENCHMARK(queue_between_threads)->ArgName("burst")->Arg(1)->Arg(8)->Arg(32)->UseRealTime();

}  // namespace
}  // namespace joinleaf::dataplane

BENCHMARK_MAIN();
