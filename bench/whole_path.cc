// The whole packet path of a root and of a leaf, on virtual ports, one figure a run.
//
//   whole_path root-null  one lcore: inline source -> header -> transmit on net_null
//   whole_path leaf-null  one lcore: net_null hands over valid frames -> classify, look-up, handler
//   whole_path ring       two lcores: root -> wire -> leaf
//
// With --mold the application writes a header of MoldUDP64's size before each payload, as a
// publisher of market data does: 62 octets of headers in all. With --recorder half of the time is
// spent with the flight recorder on, and "ratio" is what a packet costs with it to what it costs
// without.
//
// Prints one JSON line: {"mode":..,"payload":..,"groups":..,"mpps":..,"ns":..,...}.
#include <bench/path.h>
#include <dataplane/dpdk/eal.h>
#include <fmt/format.h>
#include <joinleaf/recorder.h>
#include <net/big_endian.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>

namespace {

using namespace joinleaf;
using namespace joinleaf::bench;
using namespace joinleaf::dataplane;

struct Options {
    std::string mode;
    std::uint32_t payload = 64;
    std::uint32_t groups = 1;
    double seconds = 1;
    bool udp_checksum = false;
    bool copy = true;
    bool mold = false;
    std::size_t recorder = 0;
    std::size_t snap = 128;
};

struct Measured {
    std::uint64_t packets = 0;
    double seconds = 0;
    std::uint64_t lost = 0;
    double plain_ns = 0;  ///< a packet, in the same run, with the recorder off
};

// As MoldUDP64's downstream header lies on the wire.
struct MoldHeader {
    std::array<char, 10> session{'0', '0', '0', '0', '0', '0', '0', '0', '0', '1'};
    net::BigEndian<std::uint64_t> sequence;
    net::BigEndian<std::uint16_t> messages{1};
};
static_assert(sizeof(MoldHeader) == 20);

// An application that publishes: a sequence number and a payload, written in place.
struct Publisher {
    std::uint32_t payload;
    bool copy;
    std::uint64_t sequence = 0;
    MoldHeader mold_header{};
    alignas(64) std::byte data[2048]{};

    static std::size_t fill(void* self, std::span<SendBuffer> buffers, Instant) noexcept {
        auto& publisher = *static_cast<Publisher*>(self);
        for (auto& buffer : buffers) {
            publisher.write_message(buffer.data);
            buffer.length = publisher.payload;
        }
        return buffers.size();
    }
    static std::size_t fill_mold(void* self, std::span<SendBuffer> buffers, Instant) noexcept {
        auto& publisher = *static_cast<Publisher*>(self);
        for (auto& buffer : buffers) {
            // The octets that never change, then the number: a header that was put together just
            // before would stall the copy.
            std::memcpy(buffer.data, &publisher.mold_header, sizeof(MoldHeader));
            net::store(buffer.data + offsetof(MoldHeader, sequence),
                       net::BigEndian<std::uint64_t>(publisher.sequence));
            publisher.write_message(buffer.data + sizeof(MoldHeader));
            buffer.length = sizeof(MoldHeader) + publisher.payload;
        }
        return buffers.size();
    }
    [[nodiscard]] InlineSource source(bool mold) {
        return {.call = mold ? fill_mold : fill, .context = this};
    }

private:
    void write_message(std::byte* to) noexcept {
        if (copy) std::memcpy(to, data, payload);
        std::memcpy(to, &sequence, sizeof sequence);
        ++sequence;
    }
};

// An application that receives: looks at each sequence number, counts what is missing.
struct Subscriber {
    std::uint64_t received = 0;
    std::uint64_t expected = 0;
    std::uint64_t missing = 0;

    static void take(void* self, std::span<const Datagram> datagrams) noexcept {
        auto& subscriber = *static_cast<Subscriber*>(self);
        for (const auto& datagram : datagrams) {
            std::uint64_t sequence = 0;
            std::memcpy(&sequence, datagram.bytes().data(), sizeof sequence);
            subscriber.missing += sequence - subscriber.expected;
            subscriber.expected = sequence + 1;
        }
        subscriber.received += datagrams.size();
    }
};

// Turns for the measured time; returns how long that was in fact.
double turn_for(Worker& worker, TscClock& clock, double seconds) {
    const Instant start = clock.now();
    const Instant end =
        start + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    Instant now = start;
    for (; now < end; now = clock.now()) worker.turn(now);
    return std::chrono::duration<double>(now - start).count();
}

double turn_for(Worker& worker, double seconds) {
    TscClock clock;
    return turn_for(worker, clock, seconds);
}

// What this thread has had of its CPU, so that a comparison does not depend on who else runs.
double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Turns for the measured time. Where a recorder is asked for, half of the time is with it, in short
// turns of either kind, and counted is what they take of the CPU.
template <class Count>
Measured measure(Worker& worker, const Options& options, Count count) {
    Measured result;
    if (options.recorder == 0) {
        const std::uint64_t before = count();
        result.seconds = turn_for(worker, options.seconds);
        result.packets = count() - before;
        return result;
    }
    const auto run = [&](double seconds, Measured& sum) {
        TscClock clock;
        const std::uint64_t before = count();
        const double began = cpu_seconds();
        static_cast<void>(turn_for(worker, clock, seconds));
        sum.seconds += cpu_seconds() - began;
        sum.packets += count() - before;
    };
    constexpr int kSlices = 50;
    Recording recording(options.recorder, options.snap);
    auto& recorder = worker.lane(0).recorder.recording();
    Measured plain;
    for (int i = 0; i < kSlices; ++i) {
        recorder.use(nullptr);
        run(options.seconds / kSlices / 2, plain);
        recorder.use(&recording);
        run(options.seconds / kSlices / 2, result);
    }
    recorder.use(nullptr);
    result.plain_ns = 1e9 * plain.seconds / static_cast<double>(plain.packets);
    return result;
}

Measured root_null(const Options& options) {
    dpdk::Mempool pool("bench_tx", kBuffers, kDataRoom, kMemory);
    auto port = dpdk::Port::attach("null", "net_null_bench,no-rx=1", {}, pool);
    Worker worker({});
    worker.add_lane(lane_of(port, pool));
    Publisher publisher{.payload = options.payload, .copy = options.copy};
    Outlet outlet(header_to(port.mac(), group_number(0)));
    equip(outlet, group_number(0), publisher.source(options.mold), options.udp_checksum);
    send_command(worker, {.what = AddOutlet{.lane = 0, .outlet = &outlet}});
    const Measured result = measure(worker, options, [&] { return outlet.sent.load(); });
    send_command(worker, {.what = RemoveOutlet{.lane = 0, .outlet = &outlet}});
    return result;
}

// The network of a leaf on net_null, which hands over whatever lies in its pool's buffers: each
// gets a valid frame first. The driver takes the same few buffers again and again, so each is
// addressed to another group when it has been received, or 10 000 groups would be 32. The leaf's
// figure includes what that costs.
class Network {
public:
    explicit Network(const Options& options)
        : payload_(options.payload), frame_(HeaderTemplate::kHeadroom + options.payload) {
        const MacAddress sender({0x02, 0, 0, 0, 0, 1});
        std::byte* const payload = frame_.data() + HeaderTemplate::kHeadroom;
        const auto size = static_cast<std::uint16_t>(options.payload);
        for (std::uint32_t i = 0; i < options.groups; ++i) {
            const HeaderTemplate header = header_to(sender, group_number(i));
            if (options.udp_checksum) {
                header.write_summed(payload, size);
            } else {
                header.write(payload, size);
            }
            groups_.push_back(Addressing::of(payload));
        }
        std::shuffle(groups_.begin(), groups_.end(), std::mt19937(1));
    }

    /// Addresses the frame around a payload of zeros to the next group.
    void readdress(std::byte* payload) noexcept {
        groups_[next_].write(payload);
        if (++next_ == groups_.size()) next_ = 0;
    }

    void fill(dpdk::Mempool& pool) {
        std::vector<dpdk::Packet*> all(pool.size());
        if (!pool.allocate(all)) throw std::runtime_error("pool not whole");
        for (auto* packet : all) {
            std::byte* const frame = dpdk::payload_start(packet);
            std::memcpy(frame, frame_.data() + HeaderTemplate::kHeadroom - kHeaders,
                        kHeaders + payload_);
            readdress(frame + kHeaders);
        }
        dpdk::free_all(all);
    }

private:
    // What differs between the frames of two groups, with its place before the payload.
    struct Addressing {
        std::array<std::byte, 4> mac;  // the lower octets
        std::array<std::byte, 2> ip_checksum;
        std::array<std::byte, 4> ip;
        std::array<std::byte, 2> udp_checksum;

        static Addressing of(const std::byte* payload) noexcept {
            Addressing a;
            std::memcpy(&a.mac, payload - kHeaders + 2, sizeof a.mac);
            std::memcpy(&a.ip_checksum, payload - kHeaders + 24, sizeof a.ip_checksum);
            std::memcpy(&a.ip, payload - kHeaders + 30, sizeof a.ip);
            std::memcpy(&a.udp_checksum, payload - kHeaders + 40, sizeof a.udp_checksum);
            return a;
        }
        void write(std::byte* payload) const noexcept {
            std::memcpy(payload - kHeaders + 2, &mac, sizeof mac);
            std::memcpy(payload - kHeaders + 24, &ip_checksum, sizeof ip_checksum);
            std::memcpy(payload - kHeaders + 30, &ip, sizeof ip);
            std::memcpy(payload - kHeaders + 40, &udp_checksum, sizeof udp_checksum);
        }
    };

    std::uint32_t payload_;
    std::vector<std::byte> frame_;
    std::vector<Addressing> groups_;
    std::size_t next_ = 0;
};

// An application that receives, and the network behind it.
struct Recipient {
    Network& network;
    std::uint64_t received = 0;

    static void take(void* self, std::span<const Datagram> datagrams) noexcept {
        auto& recipient = *static_cast<Recipient*>(self);
        for (const auto& datagram : datagrams) {
            recipient.network.readdress(const_cast<std::byte*>(datagram.bytes().data()));
        }
        recipient.received += datagrams.size();
    }
};

Measured leaf_null(const Options& options) {
    dpdk::Mempool pool("bench_rx", kBuffers - 1, kDataRoom, kMemory);
    Network network(options);
    network.fill(pool);
    auto port = dpdk::Port::attach(
        "null", fmt::format("net_null_bench,size={}", options.payload + kHeaders), {}, pool);
    Worker worker({});
    worker.add_lane(lane_of(port, pool, options.groups));
    Recipient recipient{network};
    const SourceFilter any = SourceFilter::any();
    std::vector<std::shared_ptr<Subscription>> subscriptions;
    for (std::uint32_t i = 0; i < options.groups; ++i) {
        auto subscription = make_subscription();
        subscription->key = {group_number(i).address(), kUdpPort};
        subscription->outgo = {.call = Recipient::take, .context = &recipient};
        subscription->set_filter(any);
        send_command(worker,
                     {.what = AddSubscription{.lane = 0, .subscription = subscription.get()}});
        subscriptions.push_back(std::move(subscription));
    }
    return measure(worker, options, [&] { return recipient.received; });
}

Measured ring(const Options& options, dpdk::Eal& eal) {
    dpdk::Mempool pool("bench_tx", kBuffers, kDataRoom, kMemory);
    auto root_port = dpdk::Port::attach("ring:bench", dpdk::WireEnd::attach("bench"), 1500, pool);
    auto leaf_port = dpdk::Port::attach("ring:bench", dpdk::WireEnd::attach("bench"), 1500, pool);
    Worker root({});
    Worker leaf({});
    root.add_lane(lane_of(root_port, pool));
    leaf.add_lane(lane_of(leaf_port, pool));
    Subscriber subscriber;
    const SourceFilter any = SourceFilter::any();
    Subscription subscription;
    subscription.key = {group_number(0).address(), kUdpPort};
    subscription.outgo = {.call = Subscriber::take, .context = &subscriber};
    subscription.set_filter(any);
    send_command(leaf, {.what = AddSubscription{.lane = 0, .subscription = &subscription}});
    Publisher publisher{.payload = options.payload, .copy = options.copy};
    Outlet outlet(header_to(root_port.mac(), group_number(0)));
    equip(outlet, group_number(0), publisher.source(options.mold), options.udp_checksum);
    send_command(root, {.what = AddOutlet{.lane = 0, .outlet = &outlet}});

    const auto root_lcore = eal.launch([&] { root.run(); });
    const auto leaf_lcore = eal.launch([&] { leaf.run(); });
    const auto settle = std::chrono::milliseconds(100);
    std::this_thread::sleep_for(settle);
    const auto first = subscription.delivered.load();
    const auto start = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
    const auto last = subscription.delivered.load();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    root.stop();
    leaf.stop();
    eal.join(*root_lcore);
    eal.join(*leaf_lcore);
    send_command(root, {.what = RemoveOutlet{.lane = 0, .outlet = &outlet}});
    return {.packets = last - first, .seconds = took.count(), .lost = subscriber.missing};
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    CLI::App app("Whole-path throughput of a root and of a leaf on virtual ports");
    app.add_option("mode", options.mode, "root-null, leaf-null or ring")
        ->required()
        ->check(CLI::IsMember({"root-null", "leaf-null", "ring"}));
    app.add_option("--payload", options.payload, "payload octets")->check(CLI::Range(8, 1472));
    app.add_option("--groups", options.groups, "groups a leaf has joined")
        ->check(CLI::Range(1, 100000));
    app.add_option("--seconds", options.seconds, "how long to measure");
    app.add_flag("--udp-checksum", options.udp_checksum, "datagrams carry a UDP checksum");
    app.add_flag("--mold", options.mold,
                 "root-null: a header of 20 octets, as MoldUDP64's, before each payload");
    app.add_option("--recorder", options.recorder,
                   "root-null, leaf-null: half of the time record so many packets, and tell what "
                   "that costs");
    app.add_option("--snap", options.snap, "octets that the recorder keeps of each")
        ->check(CLI::Range(kShortestSnap, kLongestSnap));
    app.add_flag("!--no-copy", options.copy, "write only the sequence number into each payload");
    CLI11_PARSE(app, argc, argv);
    if (options.mold && options.mode != "root-null") {
        throw std::runtime_error("--mold goes with root-null");
    }
    if (options.recorder > 0 && options.mode == "ring") {
        throw std::runtime_error("--recorder goes with root-null and leaf-null");
    }
    if (options.mold && options.payload + sizeof(MoldHeader) > kMaxPayload) {
        throw std::runtime_error("with --mold a payload has 1452 octets at most");
    }

    const auto cpus = dpdk::usable_cpus();
    auto& eal =
        dpdk::Eal::ensure({.worker_cpus = {cpus[cpus.size() - 1], cpus[0]}, .memory_mb = 256});
    Measured result;
    if (options.mode == "ring") {
        result = ring(options, eal);
    } else {
        result = options.mode == "root-null" ? root_null(options) : leaf_null(options);
    }
    if (result.packets == 0) throw std::runtime_error("no packet came through");
    const double rate = static_cast<double>(result.packets) / result.seconds;
    fmt::print(
        "{{\"mode\":\"{}\",\"payload\":{},\"groups\":{},\"udp_checksum\":{},\"mold\":{},"
        "\"mpps\":{:.6f},\"ns\":{:.2f},\"missing\":{}{}}}\n",
        options.mode, options.payload, options.groups, options.udp_checksum, options.mold,
        rate / 1e6, 1e9 / rate, result.lost,
        options.recorder == 0
            ? ""
            : fmt::format(",\"recorder\":{},\"snap\":{},\"ns_without\":{:.2f},\"ratio\":{:.3f}",
                          options.recorder, options.snap, result.plain_ns,
                          1e9 / rate / result.plain_ns));
    return 0;
} catch (const std::exception& error) {
    fmt::print(stderr, "whole_path: {}\n", error.what());
    return 1;
}
