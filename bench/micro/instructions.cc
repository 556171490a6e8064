// How many instructions the pure steps of the packet path take. Under callgrind each call of
// joinleaf_measured() is one step, and the counts are the same in every run, on a busy machine,
// too; bench/suite/instructions.py runs it so. Alone it only prints what the steps are:
// {"compiler":..,"optimized":..,"steps":[{"name":..,"items":..},..]}, in the order of the calls.
#include <bench/micro/frames.h>
#include <dataplane/pacer.h>
#include <dataplane/spsc_queue.h>
#include <fmt/format.h>
#include <igmp/message.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

using Body = std::function<void()>;

// Callgrind is told its name.
extern "C" [[gnu::noinline]] void joinleaf_measured(const Body& body) {
    body();
    asm volatile("" ::: "memory");
}

namespace joinleaf::bench {
namespace {

using namespace dataplane;

// So many of each step: what surrounds a step is lost among them.
constexpr std::size_t kItems = 4096;
constexpr std::size_t kBursts = kItems / kMaxBurst;

template <class T>
void keep(const T& value) {
    asm volatile("" ::"r"(&value) : "memory");
}

struct Step {
    std::string name;
    std::size_t items;
    Body body;
};

class Steps {
public:
    void add(std::string name, std::size_t items, Body body) {
        steps_.push_back({std::move(name), items, std::move(body)});
    }
    // The first time what is linked late is found, and memory is obtained.
    void run() const {
        for (const auto& step : steps_) {
            step.body();
            joinleaf_measured(step.body);
        }
    }
    [[nodiscard]] std::string json() const {
        std::vector<std::string> list;
        for (const auto& step : steps_) {
            list.push_back(fmt::format("{{\"name\":\"{}\",\"items\":{}}}", step.name, step.items));
        }
        return fmt::format("[{}]", fmt::join(list, ","));
    }

private:
    std::vector<Step> steps_;
};

void add_classify(Steps& steps, const std::string& name, std::size_t payload, bool udp_checksum,
                  bool by_nic = false) {
    const auto buffers = std::make_shared<Buffers>(payload, 1024, net::VlanStack{}, udp_checksum);
    if (by_nic) {
        for (auto& frame : buffers->frames()) {
            frame.ipv4_checksum = frame.udp_checksum = Verdict::good;
        }
    }
    steps.add(name, kItems, [buffers] {
        const Identity self{kOwnMac, kOwn, {}};
        Classified result;
        for (std::size_t i = 0; i < kBursts; ++i) {
            for (const auto& frame : buffers->next()) {
                if (classify(frame, self, result) != Kind::data) std::abort();
                keep(result);
            }
        }
    });
}

void add_look_up(Steps& steps, std::uint32_t groups) {
    const auto lookups = std::make_shared<Lookups>(groups);
    steps.add(fmt::format("look up in {} groups", groups), kItems, [lookups] {
        for (std::size_t i = 0; i < kBursts; ++i) {
            lookups->find_burst(lookups->next());
            keep(lookups->found);
        }
    });
}

template <class Write>
void add_header(Steps& steps, const std::string& name, Write write) {
    const auto memory = std::make_shared<std::array<std::byte, 2048>>();
    const HeaderTemplate header = header_to(1);
    steps.add(name, kItems, [memory, header, write] {
        std::byte* const payload = memory->data() + HeaderTemplate::kHeadroom;
        for (std::size_t i = 0; i < kItems; ++i) {
            write(header, payload);
            keep(*payload);
        }
    });
}

void add_pacer(Steps& steps) {
    steps.add("pacer, a burst", kBursts, [] {
        Instant now{};
        const Pace limits{.packets_per_second = 100'000'000, .bits_per_second = 1'000'000'000'000};
        Pacer pacer(limits, now);
        constexpr std::uint32_t kOctets = 106;
        for (std::size_t i = 0; i < kBursts; ++i) {
            now += std::chrono::microseconds(1);
            const auto allowed =
                pacer.allowance(now, static_cast<std::uint32_t>(kMaxBurst), kOctets);
            pacer.consume(allowed, std::uint64_t{allowed} * kOctets);
            keep(pacer);
        }
    });
}

void add_queue(Steps& steps, std::size_t burst) {
    const auto queue = std::make_shared<SpscQueue<void*>>(1024);
    steps.add(fmt::format("queue, push and pop by {}", burst), kItems, [queue, burst] {
        std::array<void*, kMaxBurst> elements{};
        for (std::size_t i = 0; i < kItems / burst; ++i) {
            const auto pushed = queue->push(std::span<void* const>(elements).first(burst));
            keep(elements);
            const auto popped = queue->pop(std::span(elements).first(burst));
            if (pushed != burst || popped != burst) std::abort();
        }
    });
}

void add_igmp(Steps& steps) {
    constexpr std::size_t kQueries = 64;
    const auto query = igmp::emit(igmp::Query{.robustness = 2});
    steps.add("IGMP, verify and parse a general query", kQueries, [query] {
        for (std::size_t i = 0; i < kQueries; ++i) {
            if (!igmp::verify(query)) std::abort();
            const auto parsed = igmp::parse_query(query);
            keep(parsed);
        }
    });
    igmp::Report report;
    constexpr std::uint32_t kRecords = 183;
    for (std::uint32_t i = 0; i < kRecords; ++i) {
        report.records.push_back({igmp::RecordType::is_exclude, group(i), {}});
    }
    steps.add("IGMP, emit a report, a record", kRecords, [report] {
        const auto bytes = igmp::emit(report);
        keep(bytes);
    });
}

Steps all_steps() {
    Steps steps;
    add_classify(steps, "classify, checksums by the NIC", 64, true, true);
    add_classify(steps, "classify, no UDP checksum", 64, false);
    add_classify(steps, "classify, UDP checksum of 64 octets", 64, true);
    add_classify(steps, "classify, UDP checksum of 1400 octets", 1400, true);
    for (const std::uint32_t groups : {1u, 1000u, 10'000u}) add_look_up(steps, groups);
    add_header(steps, "header, no UDP checksum",
               [](const HeaderTemplate& header, std::byte* payload) { header.write(payload, 64); });
    add_header(steps, "header, UDP checksum by the NIC",
               [](const HeaderTemplate& header, std::byte* payload) {
                   header.write_for_offload(payload, 64);
               });
    add_header(
        steps, "header, UDP checksum of 64 octets",
        [](const HeaderTemplate& header, std::byte* payload) { header.write_summed(payload, 64); });
    add_header(steps, "header, UDP checksum of 1400 octets",
               [](const HeaderTemplate& header, std::byte* payload) {
                   header.write_summed(payload, 1400);
               });
    add_pacer(steps);
    for (const std::size_t burst : {1, 8, 32}) add_queue(steps, burst);
    add_igmp(steps);
    return steps;
}

}  // namespace
}  // namespace joinleaf::bench

int main() {
    const auto steps = joinleaf::bench::all_steps();
    steps.run();
#ifdef __clang__
    constexpr const char* kCompiler = __VERSION__;
#else
    constexpr const char* kCompiler = "gcc " __VERSION__;
#endif
#ifdef __OPTIMIZE__
    constexpr bool kOptimized = true;
#else
    constexpr bool kOptimized = false;
#endif
    fmt::print("{{\"compiler\":\"{}\",\"optimized\":{},\"steps\":{}}}\n", kCompiler, kOptimized,
               steps.json());
    return 0;
}
