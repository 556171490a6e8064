// Admits many leaves to one root over real TCP or TLS on 127.0.0.1. The root is a process of its
// own, so that its memory and processor time are its own; all leaves are in another. Tells
// admissions a second, how long a leaf waits, what a member costs the root, and what all of it does
// to the rate of a data plane in the root's process: a worker on the last CPU that publishes to
// net_null as fast as it can, while everybody else has the first.
#include <bench/path.h>
#include <controlplane/admission_root.h>
#include <controlplane/admission_transport.h>
#include <dataplane/dpdk/eal.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <tests/support/certificates.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <optional>
#include <unordered_map>
#include <variant>

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;

struct Load {
    std::size_t leaves = 10'000;
    std::size_t concurrency = 64;
    std::string tls = "none";
    std::uint32_t port = 7000;
    [[nodiscard]] ControlEndpoint root() const {
        return {Ipv4Address(127, 0, 0, 1), UdpPort::from(port).value()};
    }
};

void must(const Result<void>& result) {
    if (!result) throw std::system_error(result.error());
}

Instant clock_now() { return std::chrono::steady_clock::now(); }

// ---------------------------------------------------------------------------------------------
// The root: transport and logic, and nothing else.

class Root {
public:
    Root(asio::io_context& io, const Load& load, std::shared_ptr<const TlsContext> tls)
        : transport_(io, options(load, std::move(tls)), events()),
          logic_(logic_options(load)),
          timer_(io) {
        must(logic_.listen(load.leaves));
        must(transport_.listen(load.root()));
        tick();
    }

private:
    static AdmissionTransportOptions options(const Load& load,
                                             std::shared_ptr<const TlsContext> tls) {
        return {.tls = std::move(tls),
                .strangers = {.burst = 1'000'000, .per_second = 1'000'000},  // one address for all
                .max_connections = load.leaves + load.concurrency};
    }
    static AdmissionRootOptions logic_options(const Load& load) {
        AdmissionRootOptions options;
        options.name = "root";
        options.offer.root_address = Ipv4Address(10, 0, 0, 1);
        options.dead_after = 1h;  // the leaves here send no KeepAlive
        options.max_leaves = load.leaves + load.concurrency;
        return options;
    }

    AdmissionTransportEvents events() {
        AdmissionTransportEvents events;
        events.incoming = [this](ConnectionId id, const Peer& peer) {
            carry_out([&](AdmissionActions& out) { logic_.incoming(id, peer, clock_now(), out); });
        };
        events.received = [this](ConnectionId id, const AdmissionMessage& message) {
            carry_out(
                [&](AdmissionActions& out) { logic_.received(id, message, clock_now(), out); });
        };
        events.disconnected = [this](ConnectionId id, std::errc reason) {
            carry_out([&](AdmissionActions& out) { logic_.disconnected(id, reason, out); });
        };
        events.warn = [](std::string_view line) { fmt::print(stderr, "root: {}\n", line); };
        return events;
    }

    template <class Step>
    void carry_out(Step step) {
        AdmissionActions out;
        step(out);
        while (logic_.pending_count() > 0) logic_.accept(nullptr, clock_now(), out).value();
        for (const auto& action : out) {
            if (const auto* transmit = std::get_if<Transmit>(&action)) {
                must(transport_.send(transmit->connection, transmit->message));
            } else if (const auto* hang_up = std::get_if<HangUp>(&action)) {
                transport_.hang_up(hang_up->connection);
            }
        }
    }

    void tick() {
        timer_.expires_after(10ms);
        timer_.async_wait([this](const std::error_code& error) {
            if (error) return;
            carry_out([&](AdmissionActions& out) { logic_.advance(clock_now(), out); });
            tick();
        });
    }

    AdmissionTransport transport_;
    AdmissionRoot logic_;
    asio::steady_timer timer_;
};

/// Datagrams that the data plane beside the root has sent, for the other process to read.
class SharedCount {
public:
    SharedCount()
        : count_(static_cast<std::atomic<std::uint64_t>*>(
              mmap(nullptr, sizeof *count_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0))) {
        if (count_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    }
    std::atomic<std::uint64_t>& operator*() const { return *count_; }

private:
    std::atomic<std::uint64_t>* count_;  // for as long as the process lives
};

/// A worker that publishes as fast as net_null takes it.
class DataPlane {
public:
    explicit DataPlane(unsigned cpu)
        : eal_(dataplane::dpdk::Eal::ensure({.worker_cpus = {cpu}, .memory_mb = 256})),
          pool_("load_tx", bench::kBuffers, bench::kDataRoom, bench::kMemory),
          port_(dataplane::dpdk::Port::attach("null", "net_null_load,no-rx=1", {}, pool_)),
          worker_(dataplane::WorkerOptions{}),
          outlet_(bench::header_to(port_.mac(), bench::group_number(0))) {
        worker_.add_lane(bench::lane_of(port_, pool_));
        bench::equip(outlet_, bench::group_number(0), {.call = fill, .context = nullptr}, false);
        bench::send_command(worker_, {.what = dataplane::AddOutlet{.lane = 0, .outlet = &outlet_}});
        lcore_ = eal_.launch([this] { worker_.run(); });
    }
    ~DataPlane() {
        worker_.stop();
        eal_.join(*lcore_);
        bench::send_command(worker_,
                            {.what = dataplane::RemoveOutlet{.lane = 0, .outlet = &outlet_}});
    }
    DataPlane(const DataPlane&) = delete;
    DataPlane& operator=(const DataPlane&) = delete;

    [[nodiscard]] std::uint64_t sent() const { return outlet_.sent.load(); }

private:
    static std::size_t fill(void*, std::span<SendBuffer> buffers, Instant) noexcept {
        for (auto& buffer : buffers) buffer.length = 64;
        return buffers.size();
    }

    dataplane::dpdk::Eal& eal_;
    dataplane::dpdk::Mempool pool_;
    dataplane::dpdk::Port port_;
    dataplane::Worker worker_;
    dataplane::Outlet outlet_;
    std::optional<unsigned> lcore_;
};

/// All but the data plane stay on the first CPU.
void stay_on(unsigned cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

/// In a child: runs the root until SIGTERM. Writes an octet to `ready` when it listens.
void run_root(const Load& load, std::shared_ptr<const TlsContext> tls, unsigned data_cpu,
              const SharedCount& sent, int ready) {
    asio::io_context io(1);
    const Root root(io, load, std::move(tls));
    const DataPlane data(data_cpu);
    stay_on(dataplane::dpdk::usable_cpus().front());
    asio::steady_timer timer(io);
    const std::function<void()> look = [&] {
        (*sent).store(data.sent());
        timer.expires_after(1ms);
        timer.async_wait([&](const std::error_code& error) {
            if (!error) look();
        });
    };
    look();
    asio::signal_set signals(io, SIGTERM);
    signals.async_wait([&](const std::error_code&, int) { io.stop(); });
    if (write(ready, "", 1) != 1) throw std::system_error(errno, std::generic_category(), "pipe");
    io.run();
}

/// Datagrams a second, from one look to the next.
class Rate {
public:
    explicit Rate(const SharedCount& sent) : sent_(sent) { static_cast<void>(next()); }
    [[nodiscard]] double next() {
        const Instant now = clock_now();
        const std::uint64_t count = *sent_;
        const double rate =
            static_cast<double>(count - last_) / std::chrono::duration<double>(now - at_).count();
        at_ = now;
        last_ = count;
        return rate;
    }

private:
    const SharedCount& sent_;
    Instant at_{};
    std::uint64_t last_ = 0;
};

/// Of a process: resident memory in octets, and processor time of its first thread in seconds.
struct Use {
    double memory = 0;
    double seconds = 0;
};

Use use_of(pid_t process) {
    Use use;
    std::ifstream(fmt::format("/proc/{}/statm", process)) >> use.memory >> use.memory;
    use.memory *= static_cast<double>(sysconf(_SC_PAGESIZE));
    std::ifstream stat(fmt::format("/proc/{0}/task/{0}/stat", process));
    std::string word;
    for (int field = 1; field < 14; ++field) stat >> word;  // proc(5): utime is the 14th
    double user = 0;
    double system = 0;
    stat >> user >> system;
    use.seconds = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
    return use;
}

// ---------------------------------------------------------------------------------------------
// The leaves.

class Leaves {
public:
    Leaves(asio::io_context& io, const Load& load, std::shared_ptr<const TlsContext> tls)
        : io_(io),
          load_(load),
          transport_(io,
                     {.tls = std::move(tls), .max_connections = load.leaves, .connect_within = 30s},
                     events()) {
        while (begun_ < std::min(load_.concurrency, load_.leaves)) dial();
    }

    [[nodiscard]] std::size_t failed() const { return failed_; }
    /// From connect() to Admit, shortest first.
    [[nodiscard]] std::vector<Duration> waits() const {
        auto sorted = waits_;
        std::sort(sorted.begin(), sorted.end());
        return sorted;
    }

private:
    void dial() {
        ++begun_;
        const ConnectionId id = transport_.next_connection();
        since_[id] = clock_now();
        transport_.dial(id, load_.root());
    }

    void over() {
        if (begun_ < load_.leaves) return dial();
        if (waits_.size() + failed_ == load_.leaves) io_.stop();
    }

    void fail(ConnectionId id, std::errc reason) {
        if (failed_++ == 0) {
            fmt::print(stderr, "leaf {}: {}\n", static_cast<std::uint64_t>(id),
                       std::make_error_code(reason).message());
        }
        over();
    }

    AdmissionTransportEvents events() {
        AdmissionTransportEvents events;
        events.connected = [this](ConnectionId id, const Peer&) {
            const auto number = static_cast<std::uint32_t>(id);
            must(
                transport_.send(id, JoinRequest{.name = fmt::format("leaf-{}", number),
                                                .data_address = Ipv4Address(0x0a000100 + number)}));
        };
        events.connect_failed = [this](ConnectionId id, std::errc reason) { fail(id, reason); };
        events.disconnected = [this](ConnectionId id, std::errc reason) { fail(id, reason); };
        events.received = [this](ConnectionId id, const AdmissionMessage& message) {
            if (!std::holds_alternative<Admit>(message)) return;
            waits_.push_back(clock_now() - since_.at(id));
            must(transport_.send(id, Confirm{}));
            over();
        };
        return events;
    }

    asio::io_context& io_;
    Load load_;
    AdmissionTransport transport_;
    std::unordered_map<ConnectionId, Instant> since_;
    std::vector<Duration> waits_;
    std::size_t begun_ = 0;
    std::size_t failed_ = 0;
};

// ---------------------------------------------------------------------------------------------

struct Secrets {
    std::shared_ptr<const TlsContext> root;
    std::shared_ptr<const TlsContext> leaf;
};

Secrets make_secrets(const std::string& kind) {
    if (kind == "none") return {};
    const test::TemporaryFolder folder;
    const auto load = [](const TlsOptions& options) { return TlsContext::load(options).value(); };
    if (kind == "psk") {
        const TlsOptions options{.psk_file =
                                     folder.write("keys", "load:000102030405060708090a0b0c0d0e0f")};
        return {load(options), load(options)};
    }
    test::Authority authority(folder, "authority");
    const auto certified = [&](std::string_view name) {
        const auto files = authority.sign(name, {.common_name = name});
        return load({.certificate_file = files.certificate,
                     .key_file = files.key,
                     .ca_file = authority.file()});
    };
    return {certified("root"), certified("leaf")};
}

void raise_file_limit(std::size_t wanted) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < wanted) {
        throw std::runtime_error(
            fmt::format("{} open files are allowed, {} are needed; raise it with ulimit -Hn",
                        files.rlim_cur, wanted));
    }
}

double milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

/// The data plane's rate without leaves, while they come, and with all of them there.
struct Rates {
    double before = 0;
    double meanwhile = 0;
    double after = 0;
};

void report(const Load& load, const Leaves& leaves, Duration elapsed, Use before, Use after,
            const Rates& rates) {
    const auto waits = leaves.waits();
    const auto count = static_cast<double>(waits.size());
    const auto percentile = [&](double p) {
        if (waits.empty()) return 0.0;
        return milliseconds(waits[static_cast<std::size_t>(p * (count - 1))]);
    };
    fmt::print(
        "{{\"leaves\":{},\"concurrency\":{},\"tls\":\"{}\",\"failed\":{},"
        "\"admissions_per_second\":{:.0f},\"root_us_each\":{:.1f},\"root_octets_each\":{:.0f},"
        "\"wait_ms\":{{\"p50\":{:.2f},\"p99\":{:.2f},\"max\":{:.2f}}},"
        "\"data_mpps\":{{\"before\":{:.2f},\"meanwhile\":{:.2f},\"after\":{:.2f}}}}}\n",
        load.leaves, load.concurrency, load.tls, leaves.failed(),
        count / std::chrono::duration<double>(elapsed).count(),
        (after.seconds - before.seconds) / count * 1e6, (after.memory - before.memory) / count,
        percentile(0.5), percentile(0.99), percentile(1.0), rates.before / 1e6,
        rates.meanwhile / 1e6, rates.after / 1e6);
}

int run(const Load& load) {
    raise_file_limit(load.leaves + load.concurrency + 64);
    const Secrets secrets = make_secrets(load.tls);
    const auto cpus = dataplane::dpdk::usable_cpus();
    const SharedCount sent;
    int ready[2];
    if (pipe(ready) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    const pid_t root = fork();
    if (root < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (root == 0) {
        run_root(load, secrets.root, cpus.back(), sent, ready[1]);
        return 0;
    }
    close(ready[1]);
    char octet = 0;
    if (read(ready[0], &octet, 1) != 1) throw std::runtime_error("the root did not start");
    stay_on(cpus.front());

    Rates rates;
    usleep(200'000);
    Rate rate(sent);
    usleep(1'000'000);
    rates.before = rate.next();
    const Use before = use_of(root);
    asio::io_context io(1);
    const Instant start = clock_now();
    const Leaves leaves(io, load, secrets.leaf);
    io.run();
    const Duration elapsed = clock_now() - start;
    rates.meanwhile = rate.next();
    const Use after = use_of(root);
    usleep(1'000'000);
    rates.after = rate.next();
    report(load, leaves, elapsed, before, after, rates);
    kill(root, SIGTERM);
    waitpid(root, nullptr, 0);
    return leaves.failed() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace joinleaf::controlplane

int main(int argc, char** argv) {
    joinleaf::controlplane::Load load;
    CLI::App app("Admits many leaves to one root over real TCP or TLS.");
    app.add_option("--leaves", load.leaves, "how many leaves")->check(CLI::Range(1, 60'000));
    app.add_option("--concurrency", load.concurrency, "how many ask at a time")
        ->check(CLI::Range(1, 1'000));
    app.add_option("--tls", load.tls, "none, psk or cert")
        ->check(CLI::IsMember({"none", "psk", "cert"}));
    app.add_option("--port", load.port, "the root's TCP port")->check(CLI::Range(1, 65535));
    CLI11_PARSE(app, argc, argv);
    try {
        return joinleaf::controlplane::run(load);
    } catch (const std::exception& error) {
        fmt::print(stderr, "admission_load: {}\n", error.what());
        return 2;
    }
}
