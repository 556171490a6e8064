// One port with two queues, each polled by a worker of its own: datagrams find the worker their
// socket is at home on, whatever queue they come in by.
#include <dataplane/relay.h>

#include <array>
#include <atomic>
#include <numeric>
#include <thread>

#include "tests/dpdk/on_the_wire.h"

namespace joinleaf::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

const JoinOptions kListen{.direction = Direction::receiver_only};
const JoinOptions kSendOnly{.direction = Direction::sender_only};

class TwoQueues : public OnTheWire {
protected:
    TwoQueues() : OnTheWire(2) {
        options_.workers = 2;
        options_.ports[0].queues = 2;
    }
    Receiver open_receiver_at(std::size_t queue, std::size_t capacity = 1024) {
        auto receiver = runtime().open_receiver({.queue = queue, .capacity = capacity});
        EXPECT_TRUE(receiver) << error_of(receiver).message();
        return receiver ? std::move(*receiver) : Receiver();
    }
    void send(std::string_view text, std::uint16_t queue, GroupEndpoint to = kEndpoint,
              Ipv4Address source = kPeerAddress) {
        network_.send(frame_of({.source = source,
                                .destination = to.group.address(),
                                .destination_mac = MacAddress::of_group(to.group),
                                .payload = bytes_of_text(text)}),
                      queue);
    }
};

TEST_F(TwoQueues, ADatagramArrivesByEitherQueue) {
    start();
    for (std::size_t home = 0; home < 2; ++home) {
        auto receiver = open_receiver_at(home);
        auto socket =
            join(nth_endpoint(static_cast<std::uint32_t>(home)), {.receiver = &receiver}, kListen);
        for (std::uint16_t queue = 0; queue < 2; ++queue) {
            send("by " + std::to_string(queue), queue,
                 nth_endpoint(static_cast<std::uint32_t>(home)));
        }
        EXPECT_THAT(take(receiver, 2), UnorderedElementsAre("by 0", "by 1"));
    }
    const auto counts = counters();
    EXPECT_EQ(counts.received, 4u);
    EXPECT_EQ(counts.delivered, 4u);
    EXPECT_EQ(std::accumulate(counts.drops.begin(), counts.drops.end(), std::uint64_t{0}), 0u);
    EXPECT_EQ(runtime().status().ports[0].queues, 2u);
}

// The same group at home on both workers: each socket gets each datagram once.
TEST_F(TwoQueues, SocketsOfOneGroupMayLiveApart) {
    start();
    auto first = open_receiver_at(0);
    auto second = open_receiver_at(1);
    auto one = join(kEndpoint, {.receiver = &first}, kListen);
    auto two = join(kEndpoint, {.receiver = &second}, kListen);
    for (int i = 0; i < 100; ++i) send(std::to_string(i), static_cast<std::uint16_t>(i % 2));
    EXPECT_EQ(take(first, 100).size(), 100u);
    EXPECT_EQ(take(second, 100).size(), 100u);
    EXPECT_EQ(counters().received, 100u);
    EXPECT_EQ(counters().delivered, 200u);
    two.close();
    send("for one", 1);
    EXPECT_THAT(take(first, 1), ElementsAre("for one"));
    one.close();
    EXPECT_TRUE(eventually([&] {
        send("for nobody", 1);
        return drops(DropReason::no_subscriber) > 0;
    }));
}

// Sources are filtered where the socket lives.
TEST_F(TwoQueues, SourcesAreFilteredAtHome) {
    start();
    auto receiver = open_receiver_at(1);
    auto socket = join(kEndpoint, {.receiver = &receiver},
                       {.direction = Direction::receiver_only,
                        .sources = SourceFilter::only({Ipv4Address(10, 0, 0, 7)})});
    send("wanted", 0, kEndpoint, Ipv4Address(10, 0, 0, 7));
    send("not wanted", 0, kEndpoint, Ipv4Address(10, 0, 0, 8));
    EXPECT_THAT(take(receiver, 1), ElementsAre("wanted"));
    EXPECT_TRUE(eventually([&] { return drops(DropReason::source_filtered) == 1; }));
}

// What a socket on one worker sends reaches members of this host on the other, by reference.
TEST_F(TwoQueues, MembersOnThisHostHearEachOther) {
    start();
    auto receiver = open_receiver_at(1);
    auto leaf = join(kEndpoint, {.receiver = &receiver}, kListen);
    auto root = join(kEndpoint, {.queue = 0}, kSendOnly);
    auto sender = std::move(root.sender().value());
    publish(sender, "across");
    EXPECT_THAT(take(receiver, 1), ElementsAre("across"));
    EXPECT_TRUE(network_.hear_until(
        [](const Heard& frame) { return frame.bytes.back() == std::byte{'s'}; }));
}

// A socket that sends at home on the second queue leaves by that queue.
TEST_F(TwoQueues, ASocketSendsByItsOwnQueue) {
    start();
    auto root = join(kEndpoint, {.queue = 1}, kSendOnly);
    auto sender = std::move(root.sender().value());
    network_.forget();
    publish(sender, "by the second");
    std::array<dataplane::dpdk::Packet*, 1> packet{};
    ASSERT_TRUE(eventually([&] { return network_.end().receive(packet, 1) == 1; }));
    dataplane::dpdk::free(packet[0]);
}

struct Counter {
    std::atomic<std::uint64_t> datagrams{0};
    static void take(void* self, std::span<const Datagram> datagrams) noexcept {
        static_cast<Counter*>(self)->datagrams += datagrams.size();
    }
};

// Groups without a say are spread over the workers.
TEST_F(TwoQueues, HandlersAreSpreadOverTheWorkers) {
    start();
    Counter counter;
    std::vector<Socket> sockets;
    for (std::uint32_t i = 0; i < 10; ++i) {
        sockets.push_back(join(nth_endpoint(i), {.handler = {Counter::take, &counter}}, kListen));
    }
    for (std::uint32_t i = 0; i < 200; ++i) {
        send("x", static_cast<std::uint16_t>(i % 2), nth_endpoint(i % 10));
    }
    EXPECT_TRUE(eventually([&] { return counter.datagrams == 200; }));
    const auto workers = runtime().status().workers;
    ASSERT_EQ(workers.size(), 2u);
    for (const auto& worker : workers) EXPECT_GT(worker.busy_turns, 0u);
}

// A worker that is behind loses what its relay queue does not hold, and says so.
TEST_F(TwoQueues, AFullRelayQueueIsCounted) {
    struct Gate {
        std::atomic<bool> open{false};
        std::atomic<std::uint64_t> datagrams{0};
        static void take(void* self, std::span<const Datagram> datagrams) noexcept {
            auto& gate = *static_cast<Gate*>(self);
            while (!gate.open) std::this_thread::yield();
            gate.datagrams += datagrams.size();
        }
    } gate;
    start([](RuntimeOptions& options) {
        options.ports[0].receive_buffers = options.ports[0].transmit_buffers = 16384;
    });
    auto socket = join(kEndpoint, {.queue = 1, .handler = {Gate::take, &gate}}, kListen);
    const std::uint64_t sent = dataplane::kRelaySlots + 500;
    for (std::uint64_t i = 0; i < sent; ++i) send("much", 0);
    EXPECT_TRUE(eventually([&] { return counters().received == sent; }));
    const auto lost = drops(DropReason::relay_queue_full);
    EXPECT_GT(lost, 0u);
    EXPECT_LE(lost, 500u);
    gate.open = true;
    EXPECT_TRUE(eventually([&] { return gate.datagrams == sent - lost; })) << gate.datagrams;
    send("full rate again", 0);
    EXPECT_TRUE(eventually([&] { return gate.datagrams == sent - lost + 1; }));
}

// Joins and leaves while datagrams come in by both queues.
TEST_F(TwoQueues, SocketsComeAndGoUnderLoad) {
    start();
    auto steady_queue = open_receiver_at(0, 4096);
    auto steady = join(kEndpoint, {.receiver = &steady_queue}, kListen);
    std::atomic<bool> done{false};
    std::thread network([&] {
        for (int i = 0; i < 3000; ++i) {
            send("steady", static_cast<std::uint16_t>(i % 2));
            send("moving", static_cast<std::uint16_t>(i % 2), nth_endpoint(1));
        }
        done = true;
    });
    auto moving_queue = open_receiver_at(1);
    std::size_t steadies = 0;
    while (!done) {
        auto moving = join(nth_endpoint(1), {.receiver = &moving_queue}, kListen);
        steadies += steady_queue.consume([](auto) {});
        static_cast<void>(moving_queue.consume([](auto) {}));
        moving.close();
    }
    network.join();
    EXPECT_TRUE(eventually([&] {
        steadies += steady_queue.consume([](auto) {});
        return steadies == 3000;
    })) << steadies;
    while (moving_queue.consume([](auto) {}) > 0) {
    }
}

TEST_F(TwoQueues, WrongHomesAreRefused) {
    start();
    EXPECT_EQ(error_of(runtime().open_receiver({.queue = 2})),
              std::make_error_code(std::errc::invalid_argument));
    EXPECT_EQ(error_of(runtime().open({.queue = 2})),
              std::make_error_code(std::errc::invalid_argument));
    auto receiver = open_receiver_at(0);
    EXPECT_EQ(error_of(runtime().open({.queue = 1, .receiver = &receiver})),
              std::make_error_code(std::errc::invalid_argument));
}

TEST_F(TwoQueues, EachQueueNeedsAWorker) {
    options_.workers = 1;
    try {
        auto runtime = Runtime::start(options_);
        FAIL() << "it started";
    } catch (const std::system_error& error) {
        EXPECT_THAT(error.what(), HasSubstr("each needs a worker of its own"));
    }
}

TEST_F(TwoQueues, BothEndsOfAWireHaveTheSameNumber) {
    options_.ports[0].queues = 1;
    try {
        auto runtime = Runtime::start(options_);
        FAIL() << "it started";
    } catch (const std::system_error& error) {
        EXPECT_THAT(error.what(), HasSubstr("2 queues, this one 1"));
    }
}

}  // namespace
}  // namespace joinleaf::test
