// One end of a link between two processes, on any DPDK port: what an application gets whose source
// and handler run on the worker.
//
//   link leaf      receives, counts what is missing, until SIGTERM
//   link root      sends for --seconds as fast as the port takes it
//   link echo      sends back what it receives, until SIGTERM
//   link ping      for --seconds sends a datagram, and the next when it is back
//   link bare-echo, link bare-ping
//                  the same with nothing but receive and transmit bursts on the port: no worker, no
//                  check, no look-up, no header written
//
// Prints {"ready":true} when it polls, and one JSON line with what it measured at the end.
#include <bench/exchange.h>
#include <bench/path.h>
#include <dataplane/dpdk/eal.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>

namespace {

using namespace joinleaf;
using namespace joinleaf::bench;
using namespace joinleaf::dataplane;

struct Options {
    std::string mode;
    std::string port;
    std::uint32_t payload = 64;
    double seconds = 1;
    std::optional<unsigned> cpu;
    bool udp_checksum = false;
};

Duration measured_time(const Options& options) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.seconds));
}

// Until the frames that wait in the port have crossed.
constexpr auto kDrain = std::chrono::milliseconds(100);

std::uint64_t sequence_of(const std::byte* payload) {
    std::uint64_t sequence = 0;
    std::memcpy(&sequence, payload, sizeof sequence);
    return sequence;
}

std::uint64_t sequence_of(const Datagram& datagram) {
    std::array<std::byte, 8> octets{};
    if (datagram.is_contiguous()) return sequence_of(datagram.bytes().data());
    datagram.copy_to(octets);
    return sequence_of(octets.data());
}

// ---- The applications: called on the worker ----

struct Root {
    std::uint32_t payload;
    std::atomic<bool> over{false};
    std::uint64_t sequence = 0;
    std::array<std::byte, kMaxPayload> data{};

    static std::size_t fill(void* self, std::span<SendBuffer> buffers, Instant) noexcept {
        auto& root = *static_cast<Root*>(self);
        if (root.over.load(std::memory_order_relaxed)) return 0;
        for (auto& buffer : buffers) {
            std::memcpy(buffer.data, root.data.data(), root.payload);
            std::memcpy(buffer.data, &root.sequence, sizeof root.sequence);
            ++root.sequence;
            buffer.length = root.payload;
        }
        return buffers.size();
    }
};

struct Leaf {
    Arrived arrived;

    static void take(void* self, std::span<const Datagram> datagrams) noexcept {
        auto& leaf = *static_cast<Leaf*>(self);
        for (const auto& datagram : datagrams) leaf.arrived.take(sequence_of(datagram));
        leaf.arrived.at(datagrams.front().received_at());
    }
};

struct Ping {
    std::uint32_t payload;
    std::atomic<bool> over{false};
    TscClock clock;
    RoundTrips trips;
    std::array<std::byte, kMaxPayload> data{};

    static std::size_t fill(void* self, std::span<SendBuffer> buffers, Instant now) noexcept {
        auto& ping = *static_cast<Ping*>(self);
        if (!ping.trips.ready(now) || ping.over.load(std::memory_order_relaxed)) return 0;
        const auto sequence = ping.trips.leave(ping.clock.now());
        std::memcpy(buffers[0].data, ping.data.data(), ping.payload);
        std::memcpy(buffers[0].data, &sequence, sizeof sequence);
        buffers[0].length = ping.payload;
        return 1;
    }
    static void take(void* self, std::span<const Datagram> datagrams) noexcept {
        auto& ping = *static_cast<Ping*>(self);
        const Instant now = ping.clock.now();
        for (const auto& datagram : datagrams) ping.trips.back(sequence_of(datagram), now);
    }
};

struct Echo {
    struct Reply {
        std::array<std::byte, kMaxPayload> data;
        std::uint32_t size;
    };
    std::array<Reply, dpdk::kBurst> replies{};
    std::size_t waiting = 0;
    std::uint64_t echoed = 0;

    static void take(void* self, std::span<const Datagram> datagrams) noexcept {
        auto& echo = *static_cast<Echo*>(self);
        for (const auto& datagram : datagrams) {
            // One datagram is under way at a time; what was given up may come on top.
            if (echo.waiting == echo.replies.size()) return;
            Reply& reply = echo.replies[echo.waiting++];
            reply.size = static_cast<std::uint32_t>(datagram.copy_to(reply.data));
        }
    }
    static std::size_t fill(void* self, std::span<SendBuffer> buffers, Instant) noexcept {
        auto& echo = *static_cast<Echo*>(self);
        const std::size_t n = std::min(echo.waiting, buffers.size());
        for (std::size_t i = 0; i < n; ++i) {
            std::memcpy(buffers[i].data, echo.replies[i].data.data(), echo.replies[i].size);
            buffers[i].length = echo.replies[i].size;
        }
        std::copy(echo.replies.begin() + static_cast<std::ptrdiff_t>(n),
                  echo.replies.begin() + static_cast<std::ptrdiff_t>(echo.waiting),
                  echo.replies.begin());
        echo.waiting -= n;
        echo.echoed += n;
        return n;
    }
};

// ---- A worker on the port, and what it runs ----

// Datagrams flow to group 0 from root or ping, and to group 1 from echo.
class Member {
public:
    Member(dpdk::Port& port, dpdk::Mempool& pool) : port_(port) {
        worker_.add_lane(lane_of(port, pool));
        any_ = SourceFilter::any();
    }
    void receive(GroupAddress group, const InlineHandler& handler) {
        subscription_.key = {group.address(), kUdpPort};
        subscription_.outgo = handler;
        subscription_.set_filter(any_);
        send_command(worker_, {.what = AddSubscription{.lane = 0, .subscription = &subscription_}});
    }
    void send(GroupAddress group, const InlineSource& source, bool udp_checksum) {
        outlet_.emplace(header_to(port_.mac(), group));
        equip(*outlet_, group, source, udp_checksum);
        send_command(worker_, {.what = AddOutlet{.lane = 0, .outlet = &*outlet_}});
    }
    /// Polls on an lcore while `measure` runs here.
    void run(dpdk::Eal& eal, const std::function<void()>& measure) {
        const auto lcore = eal.launch([this] { worker_.run(); });
        if (!lcore) throw std::runtime_error("no lcore");
        say("{\"ready\":true}");
        measure();
        worker_.stop();
        eal.join(*lcore);
        if (outlet_) send_command(worker_, {.what = RemoveOutlet{.lane = 0, .outlet = &*outlet_}});
    }
    [[nodiscard]] std::uint64_t sent() const { return outlet_->sent.load(); }
    /// What reached the port and did not become a datagram, and what the driver missed.
    [[nodiscard]] std::string losses() const {
        const auto& counts = worker_.lane(0).published;
        std::uint64_t dropped = 0;
        for (std::size_t i = 0; i < kDropReasonCount; ++i) {
            dropped += counts.get(static_cast<DropReason>(i));
        }
        const auto driver = port_.driver_counters();
        return fmt::format(",\"dropped\":{},\"driver_missed\":{}", dropped,
                           driver.missed + driver.no_mbuf);
    }

private:
    dpdk::Port& port_;
    Worker worker_{{}};
    SourceFilter any_;
    Subscription subscription_;
    std::optional<Outlet> outlet_;
};

std::string run_root(const Options& options, dpdk::Eal& eal, dpdk::Port& port,
                     dpdk::Mempool& pool) {
    Member member(port, pool);
    Root root{.payload = options.payload};
    member.send(group_number(0), {.call = Root::fill, .context = &root}, options.udp_checksum);
    std::chrono::duration<double> took{};
    member.run(eal, [&] {
        const auto start = std::chrono::steady_clock::now();
        std::this_thread::sleep_for(measured_time(options));
        root.over = true;
        took = std::chrono::steady_clock::now() - start;
        std::this_thread::sleep_for(kDrain);
    });
    return sent_json(member.sent(), took.count());
}

std::string run_leaf(const Options&, dpdk::Eal& eal, dpdk::Port& port, dpdk::Mempool& pool,
                     const EndSignals& end) {
    Member member(port, pool);
    Leaf leaf;
    member.receive(group_number(0), {.call = Leaf::take, .context = &leaf});
    member.run(eal, [&] { end.wait(); });
    return leaf.arrived.json(member.losses());
}

std::string run_ping(const Options& options, dpdk::Eal& eal, dpdk::Port& port,
                     dpdk::Mempool& pool) {
    Member member(port, pool);
    Ping ping{.payload = options.payload};
    member.receive(group_number(1), {.call = Ping::take, .context = &ping});
    member.send(group_number(0), {.call = Ping::fill, .context = &ping}, options.udp_checksum);
    member.run(eal, [&] {
        std::this_thread::sleep_for(measured_time(options));
        ping.over = true;
        std::this_thread::sleep_for(kDrain);
    });
    return ping.trips.json();
}

std::string run_echo(const Options& options, dpdk::Eal& eal, dpdk::Port& port, dpdk::Mempool& pool,
                     const EndSignals& end) {
    Member member(port, pool);
    Echo echo;
    member.receive(group_number(0), {.call = Echo::take, .context = &echo});
    member.send(group_number(1), {.call = Echo::fill, .context = &echo}, options.udp_checksum);
    member.run(eal, [&] { end.wait(); });
    return fmt::format("{{\"echoed\":{}}}", echo.echoed);
}

// ---- The bare port ----

// Polls on an lcore until `measure` is over here.
void poll_while(dpdk::Eal& eal, const std::function<void()>& measure,
                const std::function<void()>& poll) {
    std::atomic<bool> over{false};
    const auto lcore = eal.launch([&] {
        while (!over.load(std::memory_order_relaxed)) poll();
    });
    if (!lcore) throw std::runtime_error("no lcore");
    say("{\"ready\":true}");
    measure();
    over = true;
    eal.join(*lcore);
}

std::string run_bare_ping(const Options& options, dpdk::Eal& eal, dpdk::Port& port,
                          dpdk::Mempool& pool) {
    TscClock clock;
    RoundTrips trips;
    // Whole frames, made beforehand: only the number changes.
    const HeaderTemplate header = header_to(port.mac(), group_number(0));
    std::array<std::byte, HeaderTemplate::kHeadroom + kMaxPayload> frame{};
    header.write(frame.data() + HeaderTemplate::kHeadroom,
                 static_cast<std::uint16_t>(options.payload));
    const std::byte* const begin = frame.data() + HeaderTemplate::kHeadroom - kHeaders;
    const auto send = [&] {
        dpdk::Packet* packet = nullptr;
        if (!pool.allocate({&packet, 1})) return;
        std::byte* const payload = dpdk::payload_start(packet);
        std::memcpy(payload - kHeaders, begin, kHeaders + options.payload);
        dpdk::set_extent(packet, kHeaders, options.payload);
        const auto sequence = trips.leave(clock.now());
        std::memcpy(payload, &sequence, sizeof sequence);
        if (port.transmit({&packet, 1}) == 0) dpdk::free(packet);  // given up after a while
    };
    poll_while(
        eal, [&] { std::this_thread::sleep_for(measured_time(options)); },
        [&] {
            std::array<dpdk::Packet*, dpdk::kBurst> packets;
            const auto n = port.receive(packets);
            const Instant now = clock.now();
            for (std::size_t i = 0; i < n; ++i) {
                const auto octets = dpdk::first_segment(packets[i]);
                if (octets.size() >= kHeaders + sizeof(std::uint64_t)) {
                    trips.back(sequence_of(octets.data() + kHeaders), now);
                }
            }
            dpdk::free_all({packets.data(), n});
            if (trips.ready(now)) send();
        });
    return trips.json();
}

std::string run_bare_echo(const Options&, dpdk::Eal& eal, dpdk::Port& port, const EndSignals& end) {
    std::uint64_t echoed = 0;
    poll_while(
        eal, [&] { end.wait(); },
        [&] {
            std::array<dpdk::Packet*, dpdk::kBurst> packets;
            const std::size_t n = port.receive(packets);
            if (n == 0) return;
            const std::size_t taken = port.transmit({packets.data(), n});
            dpdk::free_all({packets.data() + taken, n - taken});
            echoed += taken;
        });
    return fmt::format("{{\"echoed\":{}}}", echoed);
}

std::string run(const Options& options, dpdk::Eal& eal, const EndSignals& end) {
    // Others than AF_PACKET hand their memory to another process.
    const auto memory =
        options.port.starts_with("net_af_packet") ? kMemory : dpdk::BufferMemory::environment;
    dpdk::Mempool pool("bench", kBuffers, kDataRoom, memory);
    auto port = dpdk::Port::attach(options.port, options.port, {}, pool);
    if (options.mode == "root") return run_root(options, eal, port, pool);
    if (options.mode == "leaf") return run_leaf(options, eal, port, pool, end);
    if (options.mode == "ping") return run_ping(options, eal, port, pool);
    if (options.mode == "echo") return run_echo(options, eal, port, pool, end);
    if (options.mode == "bare-ping") return run_bare_ping(options, eal, port, pool);
    return run_bare_echo(options, eal, port, end);
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    CLI::App app("One end of a link between two processes, on any DPDK port");
    app.add_option("mode", options.mode, "leaf, root, echo, ping, bare-echo or bare-ping")
        ->required()
        ->check(CLI::IsMember({"leaf", "root", "echo", "ping", "bare-echo", "bare-ping"}));
    app.add_option("--port", options.port, "DPDK device arguments")->required();
    app.add_option("--payload", options.payload, "payload octets")
        ->check(CLI::Range(8u, kMaxPayload));
    app.add_option("--seconds", options.seconds, "how long to send")->check(CLI::Range(0.1, 600.0));
    app.add_option("--cpu", options.cpu, "of the worker (default: the last one)");
    app.add_flag("--udp-checksum", options.udp_checksum, "datagrams carry a UDP checksum");
    CLI11_PARSE(app, argc, argv);

    const EndSignals end;
    const unsigned memory_mb = 256;
    dpdk::EalOptions environment{.worker_cpus = {options.cpu.value_or(dpdk::usable_cpus().back())},
                                 .memory_mb = memory_mb};
    if (dpdk::hugepages_available(memory_mb)) {
        // virtio_user hands its memory to the other process, and few files at a time.
        environment.more_arguments = {"--single-file-segments"};
    }
    auto& eal = dpdk::Eal::ensure(environment);
    say(run(options, eal, end));
    return 0;
} catch (const std::exception& error) {
    fmt::print(stderr, "link: {}\n", error.what());
    return 1;
}
