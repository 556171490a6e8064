// Fan-out: what one replica costs, by the number of leaves and the size of the payload.
//
//   bare       alloc_bulk and tx_burst on net_null, nothing else: what no root can do without
//   chain      the same with a second segment that all of a burst share: what no root can do
//   without
//              that sends one payload to many, most of it the locked count of references going back
//   replicate  whole worker turns, one payload and a chained header for each leaf (a copy where the
//              payload is small, itself where there is one leaf)
//   copy       whole worker turns, a frame of its own for each leaf
//   sendmmsg   the kernel's way: UDP to as many hosts on a veth, 64 datagrams a call
//
// All of them take turns, slice by slice, so that a ratio compares what ran within the same second.
// Prints a JSON line for each number and size: medians over the slices in ns of the thread's CPU
// time, and the best decile.
//
// net_null does not say that it takes chains of segments, so a root on it would copy. It frees the
// whole chain all the same, and `replicate` here makes chains on it nevertheless, as on a NIC.
#include <arpa/inet.h>
#include <dataplane/dpdk/eal.h>
#include <dataplane/worker.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

namespace {

using namespace joinleaf;
using namespace joinleaf::dataplane;

constexpr std::uint32_t kBuffers = 8191;
constexpr std::uint16_t kDataRoom = 2048;
constexpr auto kMemory = dpdk::BufferMemory::own;  // as at the product's null port
constexpr std::uint16_t kUdpPort = 5000;

struct Options {
    std::vector<std::uint32_t> leaves{1, 8, 64, 1024, 10000};
    std::vector<std::uint32_t> payloads{64, 256, 1024, 1400};
    unsigned slices = 15;
    double slice_ms = 10;
    bool udp_checksum = true;
    bool kernel = true;
};

// Of this thread alone: on a machine that is shared, what others take is nobody's cost here.
double now_ns() {
    timespec used{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) * 1e9 + static_cast<double>(used.tv_nsec);
}

// Leaves at 10.77.x.y, all behind one gateway, so that the kernel needs one neighbour as well.
std::uint32_t leaf_address(std::uint32_t i) { return 0x0a4d0000u + 256 + i; }

// ---- The kernel's way, in a network namespace of its own ----

struct KernelJob {
    std::uint32_t leaves;
    std::uint32_t payload;
    double slice_ns;
};

bool make_network() {
    if (unshare(CLONE_NEWNET) != 0) return false;
    constexpr const char* kSetUp =
        "ip link set lo up && ip link add jl0 type veth peer name jl1 && "
        "ip addr add 10.78.0.1/24 dev jl0 && ip link set jl0 up && ip link set jl1 up && "
        "ip neigh replace 10.78.0.2 lladdr 02:00:00:00:00:02 dev jl0 nud permanent && "
        "ip route add 10.77.0.0/16 via 10.78.0.2";
    return std::system(kSetUp) == 0;
}

double send_for(int descriptor, const KernelJob& job) {
    constexpr std::size_t kBatch = 64;
    std::vector<std::byte> payload(job.payload);
    iovec data{.iov_base = payload.data(), .iov_len = payload.size()};
    std::vector<sockaddr_in> to(job.leaves);
    for (std::uint32_t i = 0; i < job.leaves; ++i) {
        to[i].sin_family = AF_INET;
        to[i].sin_port = htons(kUdpPort);
        to[i].sin_addr.s_addr = htonl(leaf_address(i));
    }
    std::vector<mmsghdr> messages(kBatch);
    std::uint64_t sent = 0;
    std::size_t next = 0;
    const double start = now_ns();
    double end = start;
    for (; end - start < job.slice_ns; end = now_ns()) {
        for (auto& message : messages) {
            message.msg_hdr = {};
            message.msg_hdr.msg_name = &to[next];
            message.msg_hdr.msg_namelen = sizeof to[next];
            message.msg_hdr.msg_iov = &data;
            message.msg_hdr.msg_iovlen = 1;
            next = next + 1 == to.size() ? 0 : next + 1;
        }
        const int n = sendmmsg(descriptor, messages.data(), kBatch, 0);
        if (n < 0) return -1;
        sent += static_cast<std::uint64_t>(n);
    }
    return (end - start) / static_cast<double>(sent);
}

/// A child process, because its namespace must not become ours; started before the EAL.
class Kernel {
public:
    Kernel() {
        std::array<int, 2> ends{};
        if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()) != 0) return;
        child_ = fork();
        close(ends[child_ == 0 ? 0 : 1]);
        line_ = ends[child_ == 0 ? 1 : 0];
        if (child_ == 0) serve();
        char ready = 0;
        works_ = read(line_, &ready, 1) == 1 && ready == 'y';
    }
    ~Kernel() {
        close(line_);
        if (child_ > 0) waitpid(child_, nullptr, 0);
    }
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    [[nodiscard]] bool works() const { return works_; }
    /// ns a datagram; negative: it failed.
    [[nodiscard]] double measure(const KernelJob& job) const {
        double ns = -1;
        if (write(line_, &job, sizeof job) != sizeof job) return -1;
        return read(line_, &ns, sizeof ns) == sizeof ns ? ns : -1;
    }

private:
    [[noreturn]] void serve() const {
        const bool ready = make_network();
        const char answer = ready ? 'y' : 'n';
        if (write(line_, &answer, 1) != 1 || !ready) _exit(0);
        const int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
        KernelJob job{};
        while (read(line_, &job, sizeof job) == sizeof job) {
            const double ns = send_for(descriptor, job);
            if (write(line_, &ns, sizeof ns) != sizeof ns) break;
        }
        _exit(0);
    }
    int line_ = -1;
    pid_t child_ = -1;
    bool works_ = false;
};

// ---- A root ----

HeaderTemplate header_to(const MacAddress& source, std::uint32_t leaf) {
    const MacAddress mac({0x02, 0, static_cast<std::uint8_t>(leaf >> 24),
                          static_cast<std::uint8_t>(leaf >> 16),
                          static_cast<std::uint8_t>(leaf >> 8), static_cast<std::uint8_t>(leaf)});
    return HeaderTemplate({.ethernet = {.source = source, .destination = mac, .vlan = {}},
                           .source = Ipv4Address(10, 78, 0, 1),
                           .destination = Ipv4Address(leaf_address(leaf)),
                           .ports = {.source_port = kUdpPort, .destination_port = kUdpPort},
                           .ttl = 1});
}

// An application that publishes: payloads written in place.
struct Publisher {
    std::uint32_t payload = 64;
    std::uint64_t sequence = 0;
    alignas(64) std::array<std::byte, 2048> data{};

    static std::size_t fill(void* self, std::span<SendBuffer> buffers, Instant) noexcept {
        auto& publisher = *static_cast<Publisher*>(self);
        for (auto& buffer : buffers) {
            std::memcpy(buffer.data, publisher.data.data(), publisher.payload);
            std::memcpy(buffer.data, &publisher.sequence, sizeof publisher.sequence);
            ++publisher.sequence;
            buffer.length = publisher.payload;
        }
        return buffers.size();
    }
};

class Root {
public:
    Root(dpdk::Port& port, dpdk::Mempool& payloads, dpdk::Mempool& frames, bool chained,
         std::uint32_t leaves, const Options& options)
        : worker_({}), outlet_(header_to(port.mac(), 0)) {
        const Identity identity{.mac = port.mac(), .address = Ipv4Address(10, 78, 0, 1)};
        worker_.add_lane(std::make_unique<Lane>(port, payloads, identity, 1024));
        outlet_.source = identity.address;
        outlet_.source_port = kUdpPort;
        outlet_.payload_capacity = 1472;
        outlet_.inline_source = {.call = Publisher::fill, .context = &publisher_};
        outlet_.udp_checksum = options.udp_checksum;
        outlet_.replication = std::make_unique<Replication>(leaves, frames, chained);
        for (std::uint32_t i = 0; i < leaves; ++i) {
            outlet_.replication->destinations.put(i, header_to(port.mac(), i), true);
        }
        command(AddOutlet{.lane = 0, .outlet = &outlet_});
    }
    ~Root() { command(RemoveOutlet{.lane = 0, .outlet = &outlet_}); }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;

    /// ns a frame, in whole turns.
    double measure(std::uint32_t payload, double slice_ns) {
        publisher_.payload = payload;
        // What is in hand has the size before.
        for (int i = 0; i < 200; ++i) worker_.turn(clock_.now());
        const auto before = outlet_.sent.load();
        const double start = now_ns();
        double end = start;
        do {
            for (int i = 0; i < 128; ++i) worker_.turn(clock_.now());
            end = now_ns();
        } while (end - start < slice_ns);
        return (end - start) / static_cast<double>(outlet_.sent.load() - before);
    }

private:
    void command(decltype(Command::what) what) {
        if (!worker_.commands().push({.what = what})) throw std::runtime_error("queue full");
        worker_.turn(clock_.now());
        for (Acknowledgement answer; worker_.acknowledgements().pop(answer);) {
            if (!answer.done) throw std::runtime_error("command refused");
        }
    }

    TscClock clock_;
    Publisher publisher_;
    Worker worker_;
    Outlet outlet_;
};

double bare(dpdk::Port& port, dpdk::Mempool& pool, std::uint32_t size, double slice_ns) {
    std::uint64_t sent = 0;
    const double start = now_ns();
    double end = start;
    for (; end - start < slice_ns; end = now_ns()) {
        for (int burst = 0; burst < 512; ++burst) {
            std::array<dpdk::Packet*, dpdk::kBurst> packets;
            if (!pool.allocate(packets)) throw std::runtime_error("pool empty");
            for (auto* packet : packets) dpdk::set_length(packet, size);
            if (port.transmit(packets) != packets.size()) throw std::runtime_error("port full");
            sent += packets.size();
        }
    }
    return (end - start) / static_cast<double>(sent);
}

double bare_chain(dpdk::Port& port, dpdk::Mempool& headers, dpdk::Mempool& payloads,
                  std::uint32_t payload_size, double slice_ns) {
    std::uint64_t sent = 0;
    const double start = now_ns();
    double end = start;
    for (; end - start < slice_ns; end = now_ns()) {
        std::array<dpdk::Packet*, 1> payload{};
        if (!payloads.allocate(payload)) throw std::runtime_error("pool empty");
        dpdk::set_length(payload[0], payload_size);
        for (int burst = 0; burst < 512; ++burst) {
            std::array<dpdk::Packet*, dpdk::kBurst> packets;
            if (!headers.allocate_raw(packets)) throw std::runtime_error("pool empty");
            dpdk::add_references(payload[0], dpdk::kBurst);
            const auto extent = dpdk::Extent::of_chain(42, payload_size);
            for (auto* packet : packets) {
                extent.put(packet);
                dpdk::set_next(packet, payload[0]);
            }
            if (port.transmit(packets) != packets.size()) throw std::runtime_error("port full");
            sent += packets.size();
        }
        dpdk::free(payload[0]);
    }
    return (end - start) / static_cast<double>(sent);
}

// ---- The table ----

struct Samples {
    std::vector<double> ns;
    [[nodiscard]] double quantile(double part) {
        std::sort(ns.begin(), ns.end());
        return ns[static_cast<std::size_t>(part * static_cast<double>(ns.size() - 1))];
    }
    [[nodiscard]] std::string json() {
        return fmt::format("{{\"median\":{:.1f},\"best\":{:.1f}}}", quantile(0.5), quantile(0.1));
    }
};

void measure(const Options& options, const Kernel* kernel) {
    dpdk::Mempool payloads("fan_payloads", kBuffers, kDataRoom, kMemory);
    dpdk::Mempool small("fan_small", kBuffers, Replication::kSmallPayload, kMemory);
    dpdk::Mempool large("fan_large", kBuffers, kDataRoom, kMemory);
    auto port = dpdk::Port::attach("null", "net_null_bench,no-rx=1", {}, payloads);
    const double slice_ns = options.slice_ms * 1e6;
    for (const auto leaves : options.leaves) {
        Root chaining(port, payloads, small, true, leaves, options);
        Root copying(port, payloads, large, false, leaves, options);
        for (const auto payload : options.payloads) {
            Samples alone;
            Samples chain;
            Samples replicate;
            Samples copy;
            Samples sendmmsg;
            Samples to_bare;
            Samples to_chain;
            for (unsigned i = 0; i < options.slices; ++i) {
                alone.ns.push_back(bare(port, large, payload + 42, slice_ns));
                chain.ns.push_back(bare_chain(port, small, payloads, payload, slice_ns));
                replicate.ns.push_back(chaining.measure(payload, slice_ns));
                copy.ns.push_back(copying.measure(payload, slice_ns));
                to_bare.ns.push_back(replicate.ns.back() / alone.ns.back());
                to_chain.ns.push_back(replicate.ns.back() / chain.ns.back());
                if (kernel != nullptr && i < 3) {
                    sendmmsg.ns.push_back(kernel->measure({leaves, payload, slice_ns}));
                }
            }
            fmt::print(
                "{{\"leaves\":{},\"payload\":{},\"udp_checksum\":{},\"bare\":{},\"chain\":{},"
                "\"replicate\":{},"
                "\"copy\":{},\"sendmmsg\":{},\"replicate_to_bare\":{:.2f},"
                "\"replicate_to_chain\":{:.2f}}}\n",
                leaves, payload, options.udp_checksum, alone.json(), chain.json(), replicate.json(),
                copy.json(), kernel != nullptr ? sendmmsg.json() : "null", to_bare.quantile(0.5),
                to_chain.quantile(0.5));
            std::fflush(stdout);
        }
    }
}

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    CLI::App app("What one replica costs, by the number of leaves and the size of the payload");
    app.add_option("--leaves", options.leaves, "numbers of leaves")->check(CLI::Range(1, 60000));
    app.add_option("--payload", options.payloads, "payload octets")->check(CLI::Range(8, 1472));
    app.add_option("--slices", options.slices, "rounds of all contenders")
        ->check(CLI::Range(1, 1000));
    app.add_option("--slice-ms", options.slice_ms, "how long each runs in a round");
    app.add_flag("!--no-udp-checksum", options.udp_checksum, "datagrams carry no UDP checksum");
    app.add_flag("!--no-kernel", options.kernel, "without sendmmsg, which needs root and ip");
    CLI11_PARSE(app, argc, argv);

    std::optional<Kernel> kernel;
    if (options.kernel) {
        kernel.emplace();
        if (!kernel->works()) throw std::runtime_error("no namespace for sendmmsg; --no-kernel");
    }
    const auto cpus = dpdk::usable_cpus();
    dpdk::Eal::ensure({.worker_cpus = {cpus.back()}, .memory_mb = 256});
    measure(options, kernel ? &*kernel : nullptr);
    return 0;
} catch (const std::exception& error) {
    fmt::print(stderr, "fan_out: {}\n", error.what());
    return 1;
}
