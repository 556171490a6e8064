// Many groups on one port through the public interface: how long opening and joining take, how many
// reports go out, and what a membership costs in memory.
//
//   join_scale [--groups N]
//
// The far end of the wire counts the reports. Prints one JSON line.
#include <dataplane/dpdk/packet.h>
#include <dataplane/dpdk/wire.h>
#include <fmt/format.h>
#include <igmp/message.h>
#include <net/ethernet.h>
#include <net/ipv4.h>

#include <joinleaf/runtime.h>
#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace joinleaf;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

double resident_mb() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
    }
    return 0;
}

// Counts the IGMPv3 reports and their records that leave the port.
class Network {
public:
    explicit Network(dataplane::dpdk::WireEnd end)
        : end_(std::move(end)), thread_([this] { run(); }) {}
    ~Network() {
        stop_ = true;
        thread_.join();
    }
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    [[nodiscard]] std::uint64_t reports() const { return reports_; }
    [[nodiscard]] std::uint64_t records() const { return records_; }

private:
    void run() {
        std::array<dataplane::dpdk::Packet*, 32> packets;
        while (!stop_) {
            const auto n = end_.receive(packets);
            for (std::size_t i = 0; i < n; ++i) look_at(packets[i]);
            dataplane::dpdk::free_all({packets.data(), n});
            if (n == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
    }
    void look_at(const dataplane::dpdk::Packet* packet) {
        const auto bytes = dataplane::dpdk::first_segment(packet);
        const auto frame = net::parse_ethernet(bytes);
        if (!frame || frame->ethertype != net::ethertype::kIpv4) return;
        const auto ip = net::parse_ipv4(frame->payload);
        if (!ip || ip->header.protocol != net::ip_protocol::kIgmp || ip->payload.size() < 8) return;
        if (ip->payload[0] != std::byte{0x22}) return;
        ++reports_;
        records_ += net::load<net::BigEndian<std::uint16_t>>(ip->payload.data() + 6);
    }

    dataplane::dpdk::WireEnd end_;
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> reports_{0};
    std::atomic<std::uint64_t> records_{0};
    std::thread thread_;
};

void ignore(void*, std::span<const Datagram>) noexcept {}

}  // namespace

int main(int argc, char** argv) try {
    std::uint32_t groups = 100'000;
    CLI::App app("Joins many groups on one port");
    app.add_option("--groups", groups, "how many")->check(CLI::Range(1, 131072));
    CLI11_PARSE(app, argc, argv);

    RuntimeOptions options;
    options.ports.push_back({.port = "ring:scale", .address = {Ipv4Address(10, 0, 0, 1), 8}});
    options.log = [](std::string_view) {};
    options.idle_sleep = std::chrono::microseconds(100);
    auto runtime = Runtime::start(std::move(options));
    const Network network(dataplane::dpdk::WireEnd::attach("scale"));
    const auto events = runtime.open_event_queue();

    const double memory_before = resident_mb();
    auto start = Clock::now();
    std::vector<Socket> sockets;
    sockets.reserve(groups);
    for (std::uint32_t i = 0; i < groups; ++i) {
        auto socket = runtime.open({.cookie = i, .handler = {.call = ignore, .context = nullptr}});
        if (!socket) throw std::system_error(socket.error(), "open");
        socket->set_nonblocking(true);
        socket->select(events, static_cast<EventMask>(EventType::connect));
        sockets.push_back(std::move(*socket));
    }
    const double opened = seconds_since(start);

    start = Clock::now();
    for (std::uint32_t i = 0; i < groups; ++i) {
        const auto group = GroupAddress::from(Ipv4Address(0xef000000u + i + 1));
        const auto joined = sockets[i].join_leaf({*group, UdpPort::of(5000)});
        if (!joined) throw std::system_error(joined.error(), "join_leaf");
    }
    const double called = seconds_since(start);
    EventQueue queue = events;
    for (std::uint32_t connected = 0; connected < groups; ++connected) {
        const auto event = queue.wait(std::chrono::seconds(60));
        if (!event) throw std::runtime_error("a join did not complete within a minute");
        if (event->error) throw std::system_error(event->error, "connect");
    }
    const double connected = seconds_since(start);
    const auto reports = network.reports();
    const double memory = resident_mb() - memory_before;

    fmt::print(
        "{{\"groups\":{},\"open_s\":{:.2f},\"join_calls_s\":{:.2f},\"connected_s\":{:.2f},"
        "\"reports_until_then\":{},\"fewest\":{},\"kb_a_membership\":{:.2f}}}\n",
        groups, opened, called, connected, reports, (groups + 182) / 183, memory * 1024 / groups);
    for (auto& socket : sockets) socket.close();
    runtime.stop();
    return 0;
} catch (const std::exception& error) {
    fmt::print(stderr, "join_scale: {}\n", error.what());
    return 1;
}
