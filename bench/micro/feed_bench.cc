// What a sequenced feed costs: publishing and packing at the root; reading and arbitration at the
// leaf, line by line. `per_message` and `per_packet` are the times to look at; no NIC, no EAL.
#include <benchmark/benchmark.h>
#include <dataplane/feed.h>
#include <dataplane/feed_source.h>
#include <dataplane/message_log.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

namespace joinleaf::dataplane {
namespace {

constexpr std::size_t kPayload = 1472;
constexpr Instant kStart{std::chrono::hours(1000)};
const net::MoldSession kSession = net::MoldSession::from("BENCH").value();

void count(benchmark::State& state, std::size_t messages, std::size_t packets) {
    const auto each = [&](std::size_t n) {
        return benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(n),
                                  benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    };
    state.counters["per_message"] = each(messages);
    state.counters["per_packet"] = each(packets);
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages));
}

// Publishes packet by packet.
class Root {
public:
    explicit Root(std::size_t length) : message_(length) {}
    [[nodiscard]] std::size_t per_packet() const {
        return (kPayload - net::kMoldHeaderSize) / (net::kMoldLengthSize + message_.size());
    }
    std::span<const std::byte> next_packet(std::byte* to) {
        for (std::size_t i = per_packet(); i > 0; --i) {
            if (!log_.append(message_)) std::abort();
        }
        log_.commit();
        source_.end_of_burst();
        SendBuffer buffer{.data = to, .capacity = kPayload};
        if (source_.fill({&buffer, 1}, kStart) != 1) std::abort();
        source_.complete(1);
        return {to, buffer.length};
    }

private:
    std::vector<std::byte> message_;
    MessageLog log_{kSession, 1 << 16, 1 << 22};
    FeedSource source_{{.capacity = kPayload}, log_, kStart};
};

// Full packets in buffers as a pool hands them out: more than a first-level cache holds.
class Packets {
public:
    static constexpr std::size_t kCount = 1024;

    explicit Packets(std::size_t length) : memory_(kCount * kSpace) {
        Root root(length);
        per_packet_ = root.per_packet();
        for (std::size_t i = 0; i < kCount; ++i) {
            packets_.push_back(root.next_packet(&memory_[i * kSpace]));
        }
    }
    [[nodiscard]] std::size_t per_packet() const { return per_packet_; }
    [[nodiscard]] std::span<const std::byte> operator[](std::size_t i) const {
        return packets_[i % kCount];
    }
    // The same octets again, further on in the sequence.
    std::span<const std::byte> with_sequence(std::size_t i, std::uint64_t sequence) {
        std::byte* const to = &memory_[i % kCount * kSpace];
        net::emit_mold_header(kSession, sequence, static_cast<std::uint16_t>(per_packet_), to);
        return packets_[i % kCount];
    }

private:
    static constexpr std::size_t kSpace = 2048;
    std::vector<std::byte> memory_;
    std::vector<std::span<const std::byte>> packets_;
    std::size_t per_packet_ = 0;
};

void pack(benchmark::State& state) {
    Root root(static_cast<std::size_t>(state.range(0)));
    std::vector<std::byte> memory(Packets::kCount * 2048);
    std::size_t at = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(root.next_packet(&memory[at]).data());
        at = (at + 2048) % memory.size();
        benchmark::ClobberMemory();
    }
    count(state, root.per_packet(), 1);
}
BENCHMARK(pack)->ArgName("message")->Arg(40)->Arg(200);

// To the last octet of each message, as an application would.
std::uint64_t read(net::MoldMessages messages) {
    std::uint64_t sum = 0;
    for (const auto message : messages) sum += std::to_integer<std::uint64_t>(message.front());
    return sum;
}

void parse(benchmark::State& state) {
    const Packets packets(static_cast<std::size_t>(state.range(0)));
    std::size_t i = 0;
    for (auto _ : state) {
        const auto packet = net::parse_mold(packets[i++]);
        if (!packet) state.SkipWithError("a valid packet was refused");
        benchmark::DoNotOptimize(packet);
    }
    count(state, packets.per_packet(), 1);
}
BENCHMARK(parse)->ArgName("message")->Arg(40)->Arg(200);

void parse_and_read(benchmark::State& state) {
    const Packets packets(static_cast<std::size_t>(state.range(0)));
    std::size_t i = 0;
    for (auto _ : state) benchmark::DoNotOptimize(read(net::parse_mold(packets[i++])->messages));
    count(state, packets.per_packet(), 1);
}
BENCHMARK(parse_and_read)->ArgName("message")->Arg(40)->Arg(200);

// `lines` lines with every packet; of the first one in a hundred is missing, so that packets wait.
void arbitrate(benchmark::State& state, std::uint8_t lines, bool with_loss) {
    Packets packets(static_cast<std::size_t>(state.range(0)));
    Feed feed({.arbiter = {.lines = lines}}, 1);
    // The second line is this many packets behind.
    constexpr std::uint64_t kBehind = 4;
    std::uint64_t n = kBehind;
    Instant now = kStart;
    FeedItem item;
    std::uint64_t sum = 0;
    const auto arrive = [&](std::uint8_t line, std::uint64_t number) {
        const auto packet =
            packets.with_sequence(number, 1 + (number - kBehind) * packets.per_packet());
        feed.arrive(line, packet, const_cast<std::byte*>(packet.data()), now);
        while (feed.next(item)) sum += item.count;
    };
    for (auto _ : state) {
        now += Duration(100);
        if (!with_loss || n % 100 != 99) arrive(0, n);
        if (lines > 1 && n >= 2 * kBehind) arrive(1, n - kBehind);
        benchmark::DoNotOptimize(feed.advance(now));
        ++n;
    }
    if (sum + 10 * packets.per_packet() < (n - kBehind) * packets.per_packet()) {
        state.SkipWithError("messages are missing");
    }
    count(state, packets.per_packet(), lines);
}
BENCHMARK_CAPTURE(arbitrate, one_line, 1, false)->ArgName("message")->Arg(40)->Arg(200);
BENCHMARK_CAPTURE(arbitrate, two_lines, 2, false)->ArgName("message")->Arg(40)->Arg(200);
BENCHMARK_CAPTURE(arbitrate, two_lines_one_loses, 2, true)->ArgName("message")->Arg(40)->Arg(200);

// What a leaf pays for being able to send again.
void keep_log(benchmark::State& state) {
    Packets packets(static_cast<std::size_t>(state.range(0)));
    MessageLog log(kSession, 1 << 16, 1 << 23);
    std::size_t i = 0;
    std::uint64_t next = 1;
    for (auto _ : state) {
        log.append(next, net::parse_mold(packets[i++])->messages);
        next += packets.per_packet();
    }
    count(state, packets.per_packet(), 1);
}
BENCHMARK(keep_log)->ArgName("message")->Arg(40)->Arg(200);

void record_a_latency(benchmark::State& state) {
    Histogram histogram;
    std::mt19937_64 random(1);
    std::vector<Duration> times(4096);
    for (auto& time : times) time = Duration(static_cast<Duration::rep>(random() % 100'000));
    std::size_t i = 0;
    for (auto _ : state) histogram.record(times[i++ % times.size()]);
    benchmark::DoNotOptimize(histogram.percentile(0.99));
}
BENCHMARK(record_a_latency);

}  // namespace
}  // namespace joinleaf::dataplane

BENCHMARK_MAIN();
