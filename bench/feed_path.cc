// The whole path of a sequenced feed on virtual ports, on one core: publish -> pack -> transmit ->
// receive -> arbitration -> messages that are read. One figure a run.
//
//   feed_path             two lines by two ports: each datagram is built once, and arrives twice
//   feed_path --lines 1   one line
//
// Nothing may be lost, and nothing allocated once it runs; else it fails. Prints one JSON line:
// {"message":..,"lines":..,"udp_checksum":..,"messages_per_second":..,"ns":..,"allocations":..}.
#include <bench/path.h>
#include <controlplane/feed_publisher_impl.h>
#include <dataplane/dpdk/eal.h>
#include <dataplane/feed.h>
#include <fmt/format.h>
#include <tests/support/allocations.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstring>
#include <ctime>
#include <vector>

namespace {

using namespace joinleaf;
using namespace joinleaf::bench;
using namespace joinleaf::dataplane;

struct Options {
    std::size_t message = 40;
    std::size_t lines = 2;
    double seconds = 1;
    std::size_t at_once = 32;
    bool udp_checksum = false;
};

// So many may be under way, some bursts of datagrams: what a queue holds besides would only fall
// out of the caches.
constexpr std::uint64_t kUnderWay = 4096;

// A line: the root's port, the wire and the leaf's port.
struct Line {
    Line(std::uint32_t number, dpdk::Mempool& pool)
        : name(fmt::format("feed{}", number)),
          group(group_number(number)),
          root(dpdk::Port::attach("ring:" + name, dpdk::WireEnd::attach(name), 1500, pool)),
          leaf(dpdk::Port::attach("ring:" + name, dpdk::WireEnd::attach(name), 1500, pool)),
          outlet(header_to(root.mac(), group)) {
        outlet.key = {group.address(), kUdpPort};
        outlet.source = kSource;
        outlet.source_port = kUdpPort;
        outlet.payload_capacity = kMaxPayload;
    }

    std::string name;
    GroupAddress group;
    dpdk::Port root;
    dpdk::Port leaf;
    Outlet outlet;
    Subscription subscription;
};

// What others do with the core meanwhile is not counted.
double core_seconds() noexcept {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

class Path {
public:
    explicit Path(const Options& options)
        : pool_("bench_tx", kBuffers, kDataRoom, kMemory),
          frames_("bench_rep", kBuffers, Replication::kSmallPayload, kMemory),
          impl_(std::make_shared<FeedPublisher::Impl>(publisher_options(options),
                                                      net::MoldSession::from("BENCH").value(),
                                                      kMaxPayload, nullptr, clock_.now())),
          publisher_(impl_),
          feed_({.arbiter = {.lines = static_cast<std::uint8_t>(options.lines)}}, 1),
          message_(options.message),
          messages_(options.at_once, message_) {
        for (std::size_t i = 0; i < options.lines; ++i) add_line(i, options.udp_checksum);
        send_command(leaf_, {.what = AddReceiveQueue{&queue_}});
    }
    ~Path() {
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            send_command(root_, {.what = RemoveOutlet{.lane = static_cast<LaneIndex>(i),
                                                      .outlet = &lines_[i]->outlet}});
        }
    }
    Path(const Path&) = delete;
    Path& operator=(const Path&) = delete;

    void turn() noexcept {
        const Instant now = clock_.now();
        while (publisher_.next_sequence() - next_ < kUnderWay &&
               publisher_.publish(messages_) == messages_.size()) {
        }
        root_.turn(now);
        leaf_.turn(now);
        receive(now);
    }
    /// Returns how many seconds of its core that took.
    double turn_for(double seconds) noexcept {
        const double start = core_seconds();
        const Instant end = clock_.now() + std::chrono::duration_cast<Duration>(
                                               std::chrono::duration<double>(seconds));
        while (clock_.now() < end) turn();
        return core_seconds() - start;
    }
    /// Messages that the application has read.
    [[nodiscard]] std::uint64_t read() const { return next_ - 1; }
    [[nodiscard]] std::uint64_t gaps() const { return gaps_; }
    [[nodiscard]] std::uint64_t sum() const { return sum_; }

private:
    static FeedPublisherOptions publisher_options(const Options& options) {
        FeedPublisherOptions said;
        if (options.lines > 1) said.also_by.resize(options.lines - 1);
        return said;
    }
    void add_line(std::size_t index, bool udp_checksum) {
        auto& line =
            *lines_.emplace_back(std::make_unique<Line>(static_cast<std::uint32_t>(index), pool_));
        line.outlet.udp_checksum = udp_checksum;
        const auto lane = root_.add_lane(lane_of(line.root, pool_));
        leaf_.add_lane(lane_of(line.leaf, pool_));
        if (impl_->lines) {
            line.outlet.replication = std::make_unique<Replication>(
                1, frames_, line.root.offloads().multi_segment_transmit);
            line.outlet.replication->destinations.put(0, line.outlet.header, true);
        }
        send_command(root_, {.what = AddOutlet{.lane = lane, .outlet = &line.outlet}});
        SetFeed how{.outlet = &line.outlet};
        if (impl_->lines) {
            how.line = &impl_->lines->line(index);
            if (index == 0) how.builds = &*impl_->lines;
        } else {
            how.feed = &impl_->source;
        }
        send_command(root_, {.what = how});
        line.subscription.key = {line.group.address(), kUdpPort};
        line.subscription.socket = SocketId{static_cast<std::uint32_t>(index)};
        line.subscription.set_filter(any_);
        line.subscription.deliver_to(queue_);
        send_command(leaf_,
                     {.what = AddSubscription{.lane = lane, .subscription = &line.subscription}});
    }

    void receive(Instant now) noexcept {
        std::array<Datagram, dpdk::kBurst> burst;
        while (const std::size_t n = queue_.receive(burst)) {
            std::array<Datagram, dpdk::kBurst> done;
            std::size_t released = 0;
            for (std::size_t i = 0; i < n; ++i) {
                const auto line = static_cast<std::uint8_t>(burst[i].socket());
                if (!feed_.arrive(line, burst[i].bytes(), burst[i].buffer_, now)) {
                    done[released++] = burst[i];
                }
                take();
            }
            queue_.release({done.data(), released});
        }
        static_cast<void>(feed_.advance(now));
        take();
    }
    void take() noexcept {
        FeedItem item;
        while (feed_.next(item)) {
            gaps_ += item.kind == FeedItem::Kind::gap ? 1 : 0;
            for (const auto message : item.messages) {
                std::uint64_t number = 0;
                std::memcpy(&number, message.data(), sizeof number);
                sum_ += number;
                ++next_;
            }
            if (!item.give_back) continue;
            Datagram datagram;
            datagram.buffer_ = item.handle;
            queue_.release({&datagram, 1});
        }
    }

    TscClock clock_;
    dpdk::Mempool pool_;
    dpdk::Mempool frames_;
    std::shared_ptr<FeedPublisher::Impl> impl_;
    FeedPublisher publisher_;
    Worker root_{{}};
    Worker leaf_{{}};
    const SourceFilter any_ = SourceFilter::any();
    ReceiveQueue queue_{4096};
    std::vector<std::unique_ptr<Line>> lines_;
    Feed feed_;
    std::vector<std::byte> message_;
    std::vector<std::span<const std::byte>> messages_;
    std::uint64_t next_ = 1;
    std::uint64_t gaps_ = 0;
    std::uint64_t sum_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
    Options options;
    CLI::App app("The whole path of a sequenced feed on virtual ports, on one core");
    app.add_option("--message", options.message, "octets of a message")->check(CLI::Range(8, 1450));
    app.add_option("--at-once", options.at_once, "messages that are published by one call")
        ->check(CLI::Range(1, 1024));
    app.add_option("--lines", options.lines, "ports that send the feed")->check(CLI::Range(1, 4));
    app.add_option("--seconds", options.seconds, "how long to measure");
    app.add_flag("--udp-checksum", options.udp_checksum, "datagrams carry a UDP checksum");
    CLI11_PARSE(app, argc, argv);

    const auto cpus = dpdk::usable_cpus();
    dpdk::Eal::ensure({.worker_cpus = {cpus[cpus.size() - 1]}, .memory_mb = 256});
    Path path(options);
    constexpr double kWarmUp = 0.1;
    path.turn_for(kWarmUp);
    const std::uint64_t read_before = path.read();
    const std::size_t allocated_before = test::allocations();
    const double seconds = path.turn_for(options.seconds);
    const std::size_t allocated = test::allocations() - allocated_before;
    const std::uint64_t read = path.read() - read_before;
    if (read == 0) throw std::runtime_error("no message came through");
    if (path.gaps() != 0) throw std::runtime_error("messages were lost");
    if (allocated != 0) throw std::runtime_error(fmt::format("it allocated {} times", allocated));
    const double rate = static_cast<double>(read) / seconds;
    fmt::print(
        "{{\"message\":{},\"lines\":{},\"udp_checksum\":{},\"messages_per_second\":{:.0f},"
        "\"ns\":{:.2f},\"allocations\":{}}}\n",
        options.message, options.lines, options.udp_checksum, rate, 1e9 / rate, allocated);
    return path.sum() == ~std::uint64_t{0} ? 1 : 0;  // so that the messages are read
} catch (const std::exception& error) {
    fmt::print(stderr, "feed_path: {}\n", error.what());
    return 1;
}
