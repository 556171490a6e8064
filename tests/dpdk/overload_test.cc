// What too much does: a wire that is drained slowly, pools that are empty, strangers' traffic, a
// link that goes. Every lost packet has its reason, control frames get through, and full rate comes
// back by itself.
#include <dataplane/transmit.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iostream>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>

#include "tests/dpdk/on_the_wire.h"

namespace joinleaf::test {
namespace {

using dataplane::dpdk::kBurst;
using dataplane::dpdk::Packet;

const JoinOptions kListen{.direction = Direction::receiver_only};
const JoinOptions kSendOnly{.direction = Direction::sender_only};
constexpr auto kReportLeavesWithin = 100ms;

class Overload : public OnTheWire {
protected:
    void send(GroupEndpoint to = kEndpoint) {
        network_.send(frame_of({.destination = to.group.address(),
                                .destination_mac = MacAddress::of_group(to.group)}));
    }
    Sender open_sender(SenderOptions options = {}) {
        sending_.push_back(join(nth_endpoint(900), {.sender = options}, kSendOnly));
        auto sender = sending_.back().sender();
        EXPECT_TRUE(sender);
        return sender ? std::move(*sender) : Sender();
    }
    /// Joins, and says how long it took the report to leave.
    Duration time_to_report(Socket& socket, GroupEndpoint group) {
        const Instant called = std::chrono::steady_clock::now();
        const auto joined = socket.join_leaf(group, kListen);
        EXPECT_TRUE(joined) << error_of(joined).message();
        const auto at = socket.connected_at();
        return at ? *at - called : Duration::max();
    }
    /// Thousands of datagrams as fast as they are taken, and each arrives.
    void expect_full_rate_in(Receiver& receiver) {
        while (eventually([&] { return receiver.consume([](auto) {}) > 0; }, 20ms)) {
        }
        const auto before = counters();
        for (int i = 0; i < 30; ++i) {
            for (int n = 0; n < 100; ++n) send();
            ASSERT_EQ(take(receiver, 100).size(), 100u);
        }
        const auto after = counters();
        EXPECT_EQ(after.delivered - before.delivered, 3000u);
        EXPECT_EQ(all_drops(after), all_drops(before));
    }
    /// The same for what is sent.
    void expect_full_rate_out(Sender& sender) {
        const auto before = counters();
        for (int i = 0; i < 3000; ++i) {
            ASSERT_NO_FATAL_FAILURE(publish(sender, "full rate"));
            if (i % 256 == 0) network_.forget();
        }
        EXPECT_TRUE(eventually([&] { return sender.in_flight() == 0; }));
        EXPECT_TRUE(eventually([&] { return counters().sent - before.sent == 3000; }));
        EXPECT_EQ(all_drops(counters()), all_drops(before));
        network_.forget();
    }
    void expect_answers() {
        network_.send(arp_request(kOwnAddress, MacAddress::broadcast()));
        EXPECT_TRUE(network_.hear_until(
            [](const Heard& frame) { return arp_in(frame.bytes).has_value(); }));
        network_.send(echo_request(Bytes(56)));
        EXPECT_TRUE(network_.hear_until([](const Heard& frame) { return is_echo(frame.bytes); }));
    }

    std::vector<Socket> sending_;
};

/// A network that takes a few frames each millisecond, and remembers those that are not data.
class SlowNetwork {
public:
    SlowNetwork(Network& network, std::size_t per_millisecond)
        : thread_([this, &network, per_millisecond] {
              std::vector<Packet*> packets(per_millisecond);
              Instant last = std::chrono::steady_clock::now();
              while (!done_) {
                  const Instant now = std::chrono::steady_clock::now();
                  longest_pause_ = std::max(longest_pause_.load(), now - last);
                  last = now;
                  const auto n = network.end().receive(packets);
                  for (std::size_t i = 0; i < n; ++i) take(packets[i]);
                  std::this_thread::sleep_for(1ms);
              }
          }) {}
    ~SlowNetwork() {
        done_ = true;
        thread_.join();
    }
    SlowNetwork(const SlowNetwork&) = delete;
    SlowNetwork& operator=(const SlowNetwork&) = delete;

    /// In which it took nothing, because the machine had other things to do.
    [[nodiscard]] Duration longest_pause() const { return longest_pause_; }
    [[nodiscard]] bool has_heard(const std::function<bool(const Bytes&)>& wanted) {
        return eventually([&] {
            const std::lock_guard lock(mutex_);
            return std::any_of(heard_.begin(), heard_.end(), wanted);
        });
    }

private:
    void take(Packet* packet) {
        Bytes frame(dataplane::dpdk::length(packet));
        static_cast<void>(dataplane::dpdk::copy_out(packet, 0, frame));
        dataplane::dpdk::free(packet);
        constexpr std::size_t kProtocolAt = 23;
        if (static_cast<std::uint8_t>(frame[kProtocolAt]) == net::ip_protocol::kUdp) return;
        const std::lock_guard lock(mutex_);
        heard_.push_back(std::move(frame));
    }

    std::atomic<bool> done_{false};
    std::mutex mutex_;
    std::vector<Bytes> heard_;
    std::atomic<Duration> longest_pause_{Duration::zero()};
    std::thread thread_;
};

/// Always has something to send.
struct Endless {
    static std::size_t call(void* /*none*/, std::span<SendBuffer> buffers, Instant) noexcept {
        for (auto& buffer : buffers) {
            std::memset(buffer.data, 0, 100);
            buffer.length = 100;
        }
        return buffers.size();
    }
};

// A hundred senders, each of which would send all the port takes, and a port that takes little:
// reports leave in time, ARP and echo are answered, and nothing is lost.
TEST_F(Overload, ControlFramesGetThroughAFullTransmitRing) {
    start([](RuntimeOptions& options) {
        options.ports[0].receive_buffers = options.ports[0].transmit_buffers = 16384;
    });
    std::vector<Socket> senders;
    auto receiver = open_receiver();
    std::vector<Socket> leaves;
    {
        SlowNetwork network(network_, 20);
        for (std::uint32_t i = 0; i < 100; ++i) {
            senders.push_back(
                join(nth_endpoint(i), {.sender = {.source = {Endless::call, nullptr}}}, kSendOnly));
        }
        EXPECT_TRUE(eventually([&] { return counters().sent > 4096; }));  // what the wire holds
        const auto sent_before = counters().sent;
        std::vector<Duration> times;
        for (std::uint32_t i = 0; i < 20; ++i) {
            leaves.push_back(open({.receiver = &receiver}));
            times.push_back(time_to_report(leaves.back(), nth_endpoint(1000 + i)));
        }
        network_.send(arp_request(kOwnAddress, MacAddress::broadcast()));
        network_.send(echo_request(Bytes(56)));
        EXPECT_TRUE(
            network.has_heard([](const Bytes& frame) { return arp_in(frame).has_value(); }));
        EXPECT_TRUE(network.has_heard([](const Bytes& frame) { return is_echo(frame); }));
        for (std::uint32_t i = 0; i < 20; ++i) {
            EXPECT_TRUE(network.has_heard([i](const Bytes& frame) {
                return reports(frame, igmp::RecordType::to_exclude, nth_endpoint(1000 + i).group);
            })) << i;
        }
        EXPECT_GT(counters().sent, sent_before);
        if (network.longest_pause() < dataplane::kTransmitPatience / 2) {
            EXPECT_THAT(times, testing::Each(testing::Lt(kReportLeavesWithin)));
            EXPECT_EQ(all_drops(counters()), 0u);
        } else {
            std::cerr << "too busy a machine for a figure: the wire stood still for "
                      << network.longest_pause() / 1ms << " ms\n";
        }
    }
    senders.clear();
    network_.forget();
    auto sender = open_sender();
    // Counted behind what was closed.
    const auto oversized = drops(DropReason::oversized);
    SendBuffer large[1];
    ASSERT_TRUE(eventually([&] { return sender.reserve(large) == 1; }));
    large[0].length = large[0].capacity + 1;
    sender.send(large);
    EXPECT_TRUE(eventually([&] { return drops(DropReason::oversized) == oversized + 1; }));
    expect_full_rate_out(sender);
}

// Applications that hold every buffer there is to send with: others cannot send, and that is all.
TEST_F(Overload, AnEmptyTransmitPoolStopsSendersAlone) {
    start();
    const auto buffers = options_.ports[0].transmit_buffers;
    struct Greedy {
        Sender sender;
        std::vector<SendBuffer> held;
    };
    std::vector<Greedy> greedy;
    for (int i = 0; i < 3; ++i) greedy.push_back({open_sender({.capacity = 2048}), {}});
    EXPECT_TRUE(eventually([&] {
        for (auto& one : greedy) {
            SendBuffer more[kBurst];
            const auto n = one.sender.reserve(more);
            one.held.insert(one.held.end(), more, more + n);
        }
        return runtime().status().ports[0].buffers.transmit + kBurst > buffers;
    }));
    auto sender = open_sender();
    std::this_thread::sleep_for(20ms);
    SendBuffer none[1];
    EXPECT_EQ(sender.reserve(none), 0u);

    auto receiver = open_receiver();
    auto leaf = open({.receiver = &receiver});
    EXPECT_LT(time_to_report(leaf, kEndpoint), kReportLeavesWithin);
    EXPECT_TRUE(network_.hear_until([](const Heard& frame) {
        return reports(frame.bytes, igmp::RecordType::to_exclude, kGroup);
    }));
    expect_answers();
    expect_full_rate_in(receiver);

    for (auto& one : greedy) one.sender.cancel(one.held);
    expect_full_rate_out(sender);
}

// Answers that nobody takes off the wire use up the buffers of control frames: each request is
// answered or counted, and data goes both ways as ever.
TEST_F(Overload, AnEmptyControlPoolLeavesDataAlone) {
    start([](RuntimeOptions& options) { options.ports[0].robustness = 1; });
    auto receiver = open_receiver();
    auto leaf = join(kEndpoint, {.receiver = &receiver}, kListen);
    auto sender = open_sender();
    network_.forget();
    const auto request = echo_request(Bytes(56));
    std::uint64_t asked = 0;
    ASSERT_TRUE(eventually([&] {
        for (int i = 0; i < 100; ++i, ++asked) network_.send(request);
        return drops(DropReason::no_buffer) > 0;
    }));
    expect_full_rate_in(receiver);
    for (int i = 0; i < 500; ++i) ASSERT_NO_FATAL_FAILURE(publish(sender, "data"));
    EXPECT_TRUE(eventually([&] { return counters().sent == 500; }));

    std::uint64_t answers = 0;
    EXPECT_TRUE(eventually([&] {
        for (const auto& heard : network_.hear()) answers += is_echo(heard.bytes) ? 1 : 0;
        return answers + all_drops(counters()) == asked;
    })) << answers
        << " answers, " << all_drops(counters()) << " drops, " << asked << " requests";
    EXPECT_EQ(drops(DropReason::no_buffer) + drops(DropReason::control_queue_full),
              all_drops(counters()));
    expect_answers();
    auto other = open({.receiver = &receiver});
    EXPECT_LT(time_to_report(other, nth_endpoint(1)), kReportLeavesWithin);
    expect_full_rate_in(receiver);
    expect_full_rate_out(sender);
}

/// What strangers send.
class Strangers {
public:
    explicit Strangers(MacAddress port) : port_(port) {}

    /// The next frame, and what becomes of it; none: that depends.
    std::pair<Bytes, std::optional<DropReason>> next() {
        switch (count_++ % 9) {
            case 0:
                return {to({.destination = nth_endpoint(77).group.address(),
                            .destination_mac = MacAddress::of_group(nth_endpoint(77).group)}),
                        DropReason::no_subscriber};
            case 1:
                return {to({.destination = Ipv4Address(10, 0, 0, 9), .destination_mac = kPeerMac}),
                        DropReason::other_mac};
            case 2:
                return {to({.destination = kOwnAddress}), DropReason::other_mac};
            case 3:
                return {to({.vlan = {.outer = 7}}), DropReason::other_vlan};
            case 4:
                return {to({.protocol = 6}), DropReason::other_protocol};
            case 5:
                return {to({.source_mac = port_}), DropReason::own_echo};
            case 6:
                return {damaged(), DropReason::bad_udp_checksum};
            case 7:
                return {cut(), DropReason::truncated_frame};
            default:
                return {garbage(), std::nullopt};
        }
    }

private:
    static Bytes to(const FrameOptions& options) { return frame_of(options); }
    static Bytes damaged() {
        auto frame = frame_of();
        frame.back() ^= std::byte{1};
        return frame;
    }
    Bytes cut() {
        auto frame = frame_of();
        frame.resize(random_() % frame.size());
        return frame;
    }
    // Of any length, and with our MAC address or the group's before it.
    Bytes garbage() {
        Bytes frame(random_() % 1500);
        for (auto& octet : frame) octet = static_cast<std::byte>(random_());
        const auto mac = random_() % 2 == 0 ? port_ : MacAddress::of_group(kGroup);
        if (frame.size() >= mac.octets().size()) {
            std::memcpy(frame.data(), mac.octets().data(), mac.octets().size());
        }
        // Nothing that would be the control thread's.
        if (frame.size() > 13) frame[12] = std::byte{0x12};
        return frame;
    }

    MacAddress port_;
    std::mt19937 random_{1};
    std::uint64_t count_ = 0;
};

// Whatever strangers send, and as fast as the port takes it: each frame is accounted for, under the
// right reason, and of a leaf's own nothing is lost.
TEST_F(Overload, StrangersTakeNothingFromALeaf) {
    start();
    auto receiver = open_receiver(4096);
    auto leaf = join(kEndpoint, {.receiver = &receiver}, kListen);
    Strangers strangers(mac());
    DropCounts expected{};
    constexpr std::uint64_t kOwn = 2000;
    std::uint64_t sent = 0;
    std::uint64_t unforeseen = 0;
    for (std::uint64_t own = 0; own < kOwn; ++own) {
        send();
        for (int i = 0; i < 30; ++i, ++sent) {
            const auto [frame, reason] = strangers.next();
            network_.send(frame);
            if (reason) {
                ++expected[static_cast<std::size_t>(*reason)];
            } else {
                ++unforeseen;
            }
        }
    }
    EXPECT_EQ(take(receiver, kOwn).size(), kOwn);
    PortCounters after;
    ASSERT_TRUE(eventually([&] {
        after = counters();
        return after.received == kOwn + sent;
    }));
    EXPECT_EQ(after.delivered, kOwn);
    EXPECT_EQ(after.received, after.delivered + all_drops(after));
    std::uint64_t more = 0;
    for (std::size_t i = 0; i < kDropReasonCount; ++i) {
        EXPECT_GE(after.drops[i], expected[i]) << name(static_cast<DropReason>(i));
        more += after.drops[i] - expected[i];
    }
    EXPECT_EQ(more, unforeseen);
    expect_full_rate_in(receiver);
}

// The cable goes while data is on its way, and comes back.
TEST_F(Overload, ALinkThatComesBackBringsEverythingBack) {
    start([](RuntimeOptions& options) { options.ports[0].robustness = 1; });
    auto receiver = open_receiver();
    auto leaf = join(kEndpoint, {.receiver = &receiver}, kListen);
    auto sender = open_sender();
    expect_full_rate_in(receiver);
    expect_full_rate_out(sender);
    for (int round = 1; round <= 2; ++round) {
        set_link(false);
        network_.stop_listening();
        for (int i = 0; i < 2000; ++i) ASSERT_NO_FATAL_FAILURE(publish(sender, "into the void"));
        EXPECT_TRUE(eventually([&] { return sender.in_flight() == 0; }));
        EXPECT_TRUE(eventually([&] {
            return drops(DropReason::link_down) == 2000u * static_cast<unsigned>(round);
        })) << drops(DropReason::link_down);
        EXPECT_EQ(all_drops(counters()), drops(DropReason::link_down));
        network_.forget();
        set_link(true);
        EXPECT_TRUE(network_.hear_until([](const Heard& frame) {
            return reports(frame.bytes, igmp::RecordType::to_exclude, kGroup);
        }));
        expect_full_rate_in(receiver);
        expect_full_rate_out(sender);
    }
}

// Between looks it sleeps, and what comes wakes it.
TEST_F(Overload, AWorkerWithNothingToDoRests) {
    start([](RuntimeOptions& options) { options.idle_sleep = 1ms; });
    auto receiver = open_receiver();
    auto leaf = join(kEndpoint, {.receiver = &receiver}, kListen);
    const auto worker = [&] { return runtime().status().workers.at(0); };
    const auto watch = [&](Duration how_long) {
        const auto before = worker();
        std::this_thread::sleep_for(how_long);
        auto after = worker();
        after.turns -= before.turns;
        after.busy_turns -= before.busy_turns;
        after.busy -= before.busy;
        after.running -= before.running;
        return after;
    };
    static_cast<void>(watch(100ms));  // it looks a thousand times before it rests
    const auto resting = watch(300ms);
    EXPECT_LE(resting.turns, 310u);
    EXPECT_GT(resting.turns, 0u);
    EXPECT_EQ(resting.busy_turns, 0u);
    EXPECT_EQ(resting.busy, Duration::zero());
    EXPECT_GT(resting.running, 200ms);

    send();
    EXPECT_EQ(take(receiver, 1).size(), 1u);
    std::atomic<bool> done{false};
    std::thread network([&] {
        while (!done) send();
    });
    std::thread application([&] {
        while (!done) static_cast<void>(receiver.consume([](auto) {}));
    });
    const auto loaded = watch(300ms);
    done = true;
    network.join();
    application.join();
    EXPECT_GT(loaded.busy_turns, 100u);
    EXPECT_GT(loaded.busy, 1ms);
    EXPECT_LE(loaded.busy, loaded.running);
    expect_full_rate_in(receiver);
}

// With no rest asked for, there is none.
TEST_F(Overload, AWorkerPollsOnUnlessItMayRest) {
    start([](RuntimeOptions& options) { options.idle_sleep = 0us; });
    const auto before = runtime().status().workers.at(0);
    EXPECT_TRUE(
        eventually([&] { return runtime().status().workers.at(0).turns > before.turns + 100000; }));
    EXPECT_EQ(runtime().status().workers.at(0).busy_turns, before.busy_turns);
}

/// A capture file that never ends: a port that reads it has to find a buffer of its own for each
/// frame, as a NIC has. The same frame every few microseconds.
class EndlessCapture {
public:
    explicit EndlessCapture(std::string path) : path_(std::move(path)) {
        if (mkfifo(path_.c_str(), 0600) != 0)
            throw std::system_error(errno, std::generic_category());
        pipe_ = open(path_.c_str(), O_RDWR | O_CLOEXEC);
        std::string header;
        for (const std::uint32_t value : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u}) {
            append(header, value);
        }
        EXPECT_EQ(write(pipe_, header.data(), header.size()), std::ssize(header));
        const auto frame = frame_of();
        const auto size = static_cast<std::uint32_t>(frame.size());
        for (const std::uint32_t value : {0u, 0u, size, size}) append(record_, value);
        record_.append(reinterpret_cast<const char*>(frame.data()), frame.size());
        thread_ = std::thread([this] {
            while (!done_) {
                if (write(pipe_, record_.data(), record_.size()) != std::ssize(record_)) return;
                ++written_;
                if (written_ % 16 == 0) std::this_thread::sleep_for(200us);
            }
        });
    }
    /// The file ends.
    std::uint64_t end() {
        done_ = true;
        if (thread_.joinable()) {
            thread_.join();
            close(pipe_);
        }
        return written_;
    }
    ~EndlessCapture() {
        end();
        unlink(path_.c_str());
    }
    EndlessCapture(const EndlessCapture&) = delete;
    EndlessCapture& operator=(const EndlessCapture&) = delete;

private:
    static void append(std::string& octets, std::uint32_t word) {
        octets.append(reinterpret_cast<const char*>(&word), sizeof word);
    }

    std::string path_;
    int pipe_ = -1;
    std::string record_;
    std::atomic<bool> done_{false};
    std::atomic<std::uint64_t> written_{0};
    std::thread thread_;
};

// An application that holds every buffer there is to receive with: the port loses frames and counts
// them, reports and data leave, and all comes again when the buffers are back.
TEST(OverloadOfAPool, AnEmptyReceivePoolStopsReceptionAlone) {
    const std::string path = testing::TempDir() + "joinleaf_overload.pcap";
    unlink(path.c_str());
    RuntimeOptions options;
    options.ports = {{.port = "net_pcap_overload0,rx_pcap=" + path + ",tx_pcap=/dev/null",
                      .address = {kOwnAddress, 24},
                      .receive_buffers = 2048,
                      .transmit_buffers = 2048}};
    options.log = [](std::string_view) {};
    options.max_subscriptions = 16;
    {
        std::optional<Runtime> runtime;
        EndlessCapture capture(path);  // ends first: the worker waits for its next frame
        runtime.emplace(Runtime::start(options));
        const auto counters = [&] { return runtime->status().ports[0].counters; };
        auto receiver = runtime->open_receiver({.capacity = 4096}).value();
        auto leaf = runtime->open({.receiver = &receiver}).value();
        ASSERT_TRUE(leaf.join_leaf(kEndpoint, kListen));

        std::vector<Datagram> holding;
        ASSERT_TRUE(eventually([&] {
            Datagram more[kBurst];
            const auto n = receiver.receive(more);
            holding.insert(holding.end(), more, more + n);
            return counters().no_mbuf > 100;
        }));
        const auto starved = counters();
        auto other = runtime->open({.receiver = &receiver}).value();
        const Instant called = std::chrono::steady_clock::now();
        ASSERT_TRUE(other.join_leaf(nth_endpoint(1), kListen));
        EXPECT_LT(*other.connected_at() - called, kReportLeavesWithin);
        auto root = runtime->open({}).value();
        ASSERT_TRUE(root.join_leaf(nth_endpoint(2), kSendOnly));
        auto sender = std::move(root.sender().value());
        SendBuffer buffers[kBurst];
        for (std::size_t sent = 0; sent < 1000;) {
            const auto n = sender.reserve(buffers);
            for (std::size_t i = 0; i < n; ++i) buffers[i].length = 0;
            sender.send(std::span(buffers).first(n));
            sent += n;
        }
        EXPECT_TRUE(eventually([&] { return counters().sent >= 1000; }));
        EXPECT_GT(counters().no_mbuf, starved.no_mbuf);  // all the while

        receiver.release(holding);
        const auto take_all = [&] {
            while (receiver.consume([](auto) {}) > 0) {
            }
        };
        EXPECT_TRUE(eventually([&] {
            take_all();
            return counters().received > starved.received + 1000;
        }));
        const auto recovered = counters();
        EXPECT_TRUE(eventually([&] {
            take_all();
            return counters().received > recovered.received + 5000;
        }));
        EXPECT_EQ(counters().no_mbuf, recovered.no_mbuf);
        EXPECT_EQ(counters().drops, recovered.drops);

        const auto written = capture.end();
        PortCounters last;
        EXPECT_TRUE(eventually([&] {
            take_all();
            last = counters();
            return last.received + last.no_mbuf == written;
        })) << last.received
            << " received, " << last.no_mbuf << " without a buffer, " << written << " written";
        EXPECT_EQ(last.received,
                  last.delivered + std::accumulate(last.drops.begin(), last.drops.end(), 0ull));
        runtime->stop(0ms);
    }
    EXPECT_EQ(buffers_not_home(), "");
}

}  // namespace
}  // namespace joinleaf::test
