// What the pure steps of the packet path cost, one by one, in the bursts that a worker runs.
// `per_packet` is the time to look at (in seconds in the JSON output); no NIC, no EAL.
#include <benchmark/benchmark.h>
#include <dataplane/classify.h>
#include <dataplane/group_table.h>
#include <dataplane/header_template.h>
#include <dataplane/spsc_queue.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace joinleaf::dataplane {
namespace {

constexpr std::size_t kBurst = 32;
constexpr MacAddress kOwnMac({0x02, 0, 0, 0, 0, 0x01});
constexpr MacAddress kPeerMac({0x02, 0, 0, 0, 0, 0x02});
constexpr Ipv4Address kOwn(10, 0, 0, 1);
constexpr Ipv4Address kPeer(10, 0, 0, 2);
constexpr std::uint16_t kPort = 5000;

GroupAddress group(std::uint32_t number) {
    return GroupAddress::from(Ipv4Address(0xef000000 + number)).value();
}

// Any group of the first `groups`.
std::uint32_t any_of(std::uint32_t groups, std::mt19937& random) {
    return static_cast<std::uint32_t>(random() % groups);
}

HeaderTemplate header_to(std::uint32_t number, net::VlanStack vlan = {}) {
    return HeaderTemplate({.ethernet = {kPeerMac, MacAddress::of_group(group(number)), vlan},
                           .source = kPeer,
                           .destination = group(number).address(),
                           .ports = {4000, kPort}});
}

void count_packets(benchmark::State& state, std::size_t per_iteration) {
    const auto packets =
        static_cast<double>(state.iterations()) * static_cast<double>(per_iteration);
    state.counters["per_packet"] =
        benchmark::Counter(packets, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.SetItemsProcessed(static_cast<std::int64_t>(packets));
}

// Packet buffers as a pool hands them out: 2 KiB apart, in no order, more than a first-level cache
// holds, each with a valid frame to one of `groups` groups.
class Buffers {
public:
    static constexpr std::size_t kCount = 1024;
    static constexpr std::size_t kSize = 2176;  // a mbuf's 128 octets, headroom 128, data room 1920
    static constexpr std::size_t kPayload = 256;

    Buffers(std::size_t payload_length, std::uint32_t groups, net::VlanStack vlan = {},
            bool udp_checksum = true)
        : memory_(std::make_unique<std::byte[]>(kCount * kSize)) {
        std::mt19937 random(1);
        for (std::size_t i = 0; i < kCount; ++i) {
            const HeaderTemplate header = header_to(any_of(groups, random), vlan);
            std::byte* const payload = &memory_[i * kSize + kPayload];
            const auto length = static_cast<std::uint16_t>(payload_length);
            if (udp_checksum) {
                header.write_summed(payload, length);
            } else {
                header.write(payload, length);
            }
            const std::span frame(payload - header.size(), header.size() + length);
            frames_.push_back(
                {.first_segment = frame, .length = static_cast<std::uint32_t>(frame.size())});
        }
        std::shuffle(frames_.begin(), frames_.end(), random);
    }

    // The next burst, round and round.
    std::span<const ReceivedFrame> next() {
        at_ = (at_ + kBurst) % kCount;
        return std::span(frames_).subspan(at_, kBurst);
    }
    std::vector<ReceivedFrame>& frames() { return frames_; }

private:
    std::unique_ptr<std::byte[]> memory_;
    std::vector<ReceivedFrame> frames_;
    std::size_t at_ = 0;
};

// The results of a burst: what the packet path goes on with.
struct Burst {
    std::array<Kind, kBurst> kinds;
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

// The table and keys of groups that are all joined, asked for in no order.
struct Lookups {
    explicit Lookups(std::uint32_t groups) : table(groups), keys(1 << 17) {
        for (std::uint32_t i = 0; i < groups; ++i) {
            // Only found, never looked behind.
            auto* const value = reinterpret_cast<Subscription*>(std::uintptr_t{i} + 1);
            if (!table.insert({group(i).address(), kPort}, value)) std::abort();
        }
        std::mt19937 random(2);
        for (auto& key : keys) key = {group(any_of(groups, random)).address(), kPort};
    }
    std::span<const GroupKey> next() {
        at = (at + kBurst) % keys.size();
        return std::span(keys).subspan(at, kBurst);
    }
    // As receive() does: all are asked for before the first is looked up.
    void find_burst(std::span<const GroupKey> wanted) {
        std::array<std::uint32_t, kBurst> hashes;
        for (std::size_t i = 0; i < kBurst; ++i) {
            hashes[i] = GroupTable::hash(wanted[i]);
            table.prefetch(hashes[i]);
        }
        for (std::size_t i = 0; i < kBurst; ++i) found[i] = table.find(wanted[i], hashes[i]);
        benchmark::DoNotOptimize(found.data());
        benchmark::ClobberMemory();
    }
    GroupTable table;
    std::vector<GroupKey> keys;
    std::array<Subscription*, kBurst> found;
    std::size_t at = 0;
};

void look_up(benchmark::State& state) {
    Lookups lookups(static_cast<std::uint32_t>(state.range(0)));
    for (auto _ : state) lookups.find_burst(lookups.next());
    count_packets(state, kBurst);
}
BENCHMARK(look_up)->ArgName("groups")->Arg(1)->Arg(1000)->Arg(10000)->Arg(100000);

// Both steps, as a leaf without UDP checksums takes them. The groups come from the list of keys,
// because the frames are too few to name 100 000.
void classify_and_look_up(benchmark::State& state) {
    const auto groups = static_cast<std::uint32_t>(state.range(0));
    Buffers buffers(64, groups, {}, false);
    Lookups lookups(groups);
    const Identity self{kOwnMac, kOwn, {}};
    Burst burst;
    std::array<GroupKey, kBurst> keys;
    for (auto _ : state) {
        burst.classify_all(buffers.next(), self);
        const auto any = lookups.next();
        for (std::size_t i = 0; i < kBurst; ++i) {
            keys[i] = {any[i].destination, burst.frames[i].destination_port};
        }
        lookups.find_burst(keys);
    }
    count_packets(state, kBurst);
}
BENCHMARK(classify_and_look_up)->ArgName("groups")->Arg(1)->Arg(1000)->Arg(10000)->Arg(100000);

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
