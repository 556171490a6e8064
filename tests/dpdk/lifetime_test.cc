// Starting and stopping: what must be gone afterwards, what may stay, and starts that fail.
#include <rte_ethdev.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/dpdk/on_the_wire.h"

namespace joinleaf::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const JoinOptions kListen{.direction = Direction::receiver_only};
const JoinOptions kSendOnly{.direction = Direction::sender_only};

class Lifetime : public OnTheWire {
protected:
    /// What a start that must fail says.
    std::string failure_of(const std::function<void(RuntimeOptions&)>& change) {
        RuntimeOptions options = options_;
        change(options);
        try {
            auto runtime = Runtime::start(options);
            ADD_FAILURE() << "it started";
        } catch (const std::system_error& error) {
            return error.what();
        }
        return {};
    }
};

// More often than there are DPDK port numbers.
TEST_F(Lifetime, FortyRuntimesOneAfterTheOther) {
    for (int i = 0; i < 40; ++i) {
        start();
        auto queue = open_receiver();
        auto socket = join(kEndpoint, {.receiver = &queue});
        network_.send(frame_of());
        ASSERT_EQ(take(queue, 1).size(), 1u);
        runtime_->stop(0ms);
        runtime_.reset();
    }
    EXPECT_EQ(rte_eth_dev_count_avail(), 0u);
}

TEST_F(Lifetime, StopMayBeCalledAgain) {
    start();
    runtime().stop(0ms);
    runtime().stop(0ms);
    EXPECT_EQ(error_of(runtime().open({})), std::make_error_code(std::errc::network_down));
    EXPECT_EQ(error_of(runtime().open_receiver({})), std::make_error_code(std::errc::network_down));
    EXPECT_TRUE(runtime().status().ports.empty());
}

TEST_F(Lifetime, StopMayBeCalledByTwoAtOnce) {
    for (int i = 0; i < 10; ++i) {
        start();
        auto queue = open_receiver();
        auto socket = join(kEndpoint, {.receiver = &queue});
        std::thread other([this] { runtime().stop(20ms); });
        runtime().stop(20ms);
        other.join();
        EXPECT_TRUE(runtime().status().ports.empty());
        runtime_.reset();
    }
}

// Handles that applications still hold say that it is over, and do no harm.
TEST_F(Lifetime, HandlesMayOutliveTheirRuntime) {
    Receiver queue;
    Socket socket;
    Sender sender;
    std::vector<Datagram> holding(8);
    start();
    queue = open_receiver();
    socket = join(kEndpoint, {.receiver = &queue});
    sender = std::move(socket.sender().value());
    for (int i = 0; i < 16; ++i) network_.send(frame_of());
    ASSERT_TRUE(eventually([&] { return counters().delivered == 16; }));
    ASSERT_EQ(queue.receive(holding), 8u);
    publish(sender, "x");
    runtime_->stop(0ms);
    runtime_.reset();
    const auto text = text_of(holding[0]);  // still where it was
    EXPECT_EQ(text.size(), FrameOptions{}.payload.size());
    queue.release(holding);
    EXPECT_EQ(queue.receive(holding), 8u);
    queue.release(holding);
    EXPECT_EQ(error_of(socket.set_scope(1)), std::make_error_code(std::errc::not_a_socket));
    EXPECT_EQ(error_of(socket.sender()), std::make_error_code(std::errc::not_a_socket));
    socket.close();
}

// The application holds what came from a runtime that is gone; a new one starts meanwhile.
TEST_F(Lifetime, BuffersOfARuntimeThatIsGoneComeHomeLater) {
    Network other_network;
    start();
    Receiver queue;
    {
        auto others = options_;
        others.ports[0].port = other_network.port();
        auto sender_side = Runtime::start(others);
        // Its frames stay on the wire, which nobody reads, when it stops.
        auto socket = sender_side.open({});
        ASSERT_TRUE(socket && socket->join_leaf(kEndpoint, kSendOnly));
        auto sender = socket->sender();
        ASSERT_TRUE(sender);
        for (int i = 0; i < 100; ++i) publish(*sender, "left behind");
        ASSERT_TRUE(eventually([&] { return sender->in_flight() == 0; }));
        sender_side.stop(0ms);
    }
    EXPECT_NE(buffers_not_home(), "");
    runtime_->stop(0ms);
    runtime_.reset();
    start();                                       // makes pools of its own beside those that wait
    EXPECT_EQ(other_network.hear().size(), 101u);  // the announcement, and all that was sent
}

// Two runtimes, one wire: what a process does that publishes and receives.
TEST_F(Lifetime, TwoRuntimesOnOneWire) {
    const auto options = [this](Ipv4Address address) {
        auto changed = options_;
        changed.ports[0].port = "ring:between";
        changed.ports[0].address = {address, 24};
        return changed;
    };
    auto a = Runtime::start(options({10, 0, 0, 1}));
    auto b = Runtime::start(options({10, 0, 0, 2}));
    auto queue = b.open_receiver({});
    ASSERT_TRUE(queue);
    auto leaf = b.open({.receiver = &*queue});
    ASSERT_TRUE(leaf && leaf->join_leaf(kEndpoint, kListen));
    auto root = a.open({});
    ASSERT_TRUE(root && root->join_leaf(kEndpoint, kSendOnly));
    auto sender = root->sender();
    ASSERT_TRUE(sender);
    for (int i = 0; i < 500; ++i) publish(*sender, std::to_string(i));
    const auto got = take(*queue, 500);
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], std::to_string(i));
    // Datagrams of a's buffers wait at b while a goes.
    for (int i = 0; i < 100; ++i) publish(*sender, "more");
    ASSERT_TRUE(eventually([&] { return sender->in_flight() == 0; }));
    a.stop(0ms);
    EXPECT_EQ(take(*queue, 100).size(), 100u);
    b.stop(0ms);
}

TEST_F(Lifetime, TwoWorkersOnePortEach) {
    Network second;
    start([&](RuntimeOptions& options) {
        options.workers = 2;
        options.ports.push_back({.port = second.port(),
                                 .address = {Ipv4Address(10, 0, 1, 1), 24},
                                 .worker = 1,
                                 .receive_buffers = 4096,
                                 .transmit_buffers = 4096});
    });
    auto queue0 = open_receiver();
    auto queue1 = runtime().open_receiver({.port = 1});
    ASSERT_TRUE(queue1);
    auto leaf0 = join(kEndpoint, {.receiver = &queue0});
    auto leaf1 = join(kEndpoint, {.port = 1, .receiver = &*queue1});
    // A queue belongs to one worker.
    EXPECT_EQ(error_of(runtime().open({.port = 1, .receiver = &queue0})),
              std::make_error_code(std::errc::invalid_argument));
    for (int i = 0; i < 1000; ++i) {
        network_.send(frame_of({.payload = bytes_of_text("zero")}));
        second.send(frame_of({.payload = bytes_of_text("one")}));
        ASSERT_THAT(take(queue0, 1), testing::Each("zero"));
        ASSERT_THAT(take(*queue1, 1), testing::Each("one"));
    }
    auto sender = leaf1.sender();
    ASSERT_TRUE(sender);
    publish(*sender, "out");
    EXPECT_TRUE(eventually([&] { return runtime().status().ports[1].counters.sent == 1; }));
    EXPECT_EQ(runtime().status().ports[0].counters.sent, 0u);
    runtime().stop(0ms);
    second.clear();
}

// Each of these tells what it is about and what to do, and leaves nothing behind.
TEST_F(Lifetime, AStartThatFailsNamesTheThingAndTheCure) {
    const auto with_port = [](std::string port) {
        return [port](RuntimeOptions& options) { options.ports[0].port = port; };
    };
    EXPECT_THAT(
        failure_of(with_port("nosuchif0")),
        AllOf(HasSubstr("there is no network interface 'nosuchif0'"), HasSubstr("ip link")));
    EXPECT_THAT(failure_of(with_port("xdp:nosuchif0")),
                HasSubstr("there is no network interface 'nosuchif0'"));
    EXPECT_THAT(failure_of(with_port("ring:")), HasSubstr("'ring:' needs a name"));
    EXPECT_THAT(failure_of(with_port("memif:here")), HasSubstr("needs an absolute socket path"));
    EXPECT_THAT(failure_of(with_port("net_nosuch0")), HasSubstr("port 'net_nosuch0' could not"));
    EXPECT_THAT(failure_of(with_port("net_pcap_no,rx_pcap=/nosuch")),
                AllOf(HasSubstr("/nosuch: No such file"), Not(HasSubstr("permitted"))));
    EXPECT_THAT(failure_of([](RuntimeOptions& options) { options.ports.clear(); }),
                HasSubstr("at least one port"));
    EXPECT_THAT(failure_of([](RuntimeOptions& options) { options.workers = 0; }),
                HasSubstr("at least one worker"));
    EXPECT_THAT(failure_of([](RuntimeOptions& options) { options.workers = 3; }),
                AllOf(HasSubstr("no free lcore for 3 workers"), HasSubstr("with 2")));
    EXPECT_THAT(failure_of([](RuntimeOptions& options) { options.workers = 1000; }),
                HasSubstr("1000 workers are more than DPDK has lcores for"));
    EXPECT_THAT(failure_of([](RuntimeOptions& options) { options.cpus = {4095}; }),
                HasSubstr("CPU 4095 is not one this process may run on"));
    EXPECT_THAT(failure_of([](RuntimeOptions& options) {
                    options.workers = 2;
                    options.cpus = {0};
                }),
                HasSubstr("2 workers need as many CPUs; 1 given"));
    const auto with = [](auto PortOptions::*member, auto value) {
        return [=](RuntimeOptions& options) { options.ports[0].*member = value; };
    };
    EXPECT_THAT(failure_of(with(&PortOptions::worker, std::size_t{1})),
                AllOf(HasSubstr("given to worker 1"), HasSubstr("only 1")));
    EXPECT_THAT(failure_of(with(&PortOptions::vlan, std::string("5000"))), HasSubstr("5000"));
    EXPECT_THAT(failure_of(with(&PortOptions::address, Ipv4Interface{kGroup.address(), 24})),
                HasSubstr("needs a unicast address"));
    EXPECT_THAT(failure_of(with(&PortOptions::minimum_igmp_version, std::uint8_t{4})),
                HasSubstr("no IGMP version 4"));
    EXPECT_THAT(failure_of(with(&PortOptions::robustness, std::uint8_t{0})),
                HasSubstr("robustness"));
    EXPECT_THAT(failure_of(with(&PortOptions::mtu, std::uint16_t{67})),
                HasSubstr("cannot have an MTU of 67"));
    EXPECT_THAT(failure_of(with(&PortOptions::mtu, std::uint16_t{65535})),
                HasSubstr("cannot have an MTU of 65535"));
    EXPECT_THAT(failure_of(with(&PortOptions::transmit_buffers, 0u)),
                HasSubstr("cannot transmit with 0 packet buffers"));
    EXPECT_THAT(failure_of(with(&PortOptions::transmit_buffers, 50'000'000u)),
                AllOf(HasSubstr("no memory for 50000000 packet buffers"), HasSubstr("fewer")));
    EXPECT_EQ(rte_eth_dev_count_avail(), 0u);
    EXPECT_EQ(buffers_not_home(), "");
    start();  // and a good one works
    EXPECT_TRUE(runtime().open({}));
}

TEST_F(Lifetime, TheLargestAndTheSmallestMtuWork) {
    for (const std::uint16_t mtu : {std::uint16_t{68}, std::uint16_t{9000}, std::uint16_t{65000}}) {
        start([mtu](RuntimeOptions& options) {
            options.ports[0].mtu = mtu;
            options.ports[0].receive_buffers = options.ports[0].transmit_buffers = 2048;
        });
        auto socket = join(kEndpoint, {}, kSendOnly);
        auto sender = std::move(socket.sender().value());
        const std::string text(mtu - 28u, 'x');
        publish(sender, text);
        const auto heard = network_.hear_until(
            [&](const Heard& frame) { return frame.bytes.size() == mtu + 14u; });
        ASSERT_TRUE(heard);
        EXPECT_EQ(heard->bytes.back(), std::byte{'x'});
        runtime_->stop(0ms);
        runtime_.reset();
    }
}

TEST_F(Lifetime, AThirdEndOfAWireIsRefused) {
    start();  // the network has one end, the port the other
    EXPECT_THAT(failure_of([](RuntimeOptions&) {}),
                AllOf(HasSubstr(network_.port()), HasSubstr("both its ends in use")));
}

// A device that could not be set up is let go of, so that it may be tried again.
TEST_F(Lifetime, APortThatFailedMayBeOpenedAgain) {
    const auto bond = [](RuntimeOptions& options) {
        options.ports[0].port = "net_bonding_test,mode=0";  // without members it takes no queue
    };
    const auto first = failure_of(bond);
    EXPECT_THAT(first, HasSubstr("refused the configuration"));
    EXPECT_EQ(failure_of(bond), first);
    EXPECT_EQ(rte_eth_dev_count_avail(), 0u);
}

TEST_F(Lifetime, TwoRuntimesMayStartAtOnce) {
    for (int round = 0; round < 10; ++round) {
        std::vector<std::thread> threads;
        std::atomic<int> started{0};
        for (int i = 0; i < 2; ++i) {
            threads.emplace_back([&, i] {
                auto options = options_;
                options.ports[0].port = "ring:start" + std::to_string(i);
                options.log = [](std::string_view) {};  // the log of a test is for one thread
                auto runtime = Runtime::start(options);
                ++started;
                runtime.stop(0ms);
            });
        }
        for (auto& thread : threads) thread.join();
        EXPECT_EQ(started, 2);
    }
}

// What is opened while the runtime stops is refused or closed, never left behind.
TEST_F(Lifetime, SocketsOpenedWhileItStopsAreNotLeftBehind) {
    for (int round = 0; round < 10; ++round) {
        start();
        std::vector<Socket> sockets;
        std::atomic<bool> going{false};
        std::thread application([&] {
            auto queue = runtime().open_receiver({});
            std::uint32_t n = 0;
            while (queue) {
                auto socket = runtime().open({.receiver = &*queue});
                if (!socket) break;
                static_cast<void>(socket->set_nonblocking(true));
                static_cast<void>(socket->join_leaf(nth_endpoint(n++ % 1000), kListen));
                sockets.push_back(*socket);
                going = true;
            }
        });
        while (!going) std::this_thread::yield();
        runtime().stop(30ms);
        application.join();
        for (auto& socket : sockets) socket.close();
        runtime_.reset();
        network_.forget();
    }
}

TEST_F(Lifetime, AThousandSocketsTwentyTimes) {
    start([](RuntimeOptions& options) { options.ports[0].robustness = 1; });
    auto events = runtime().open_event_queue();
    for (int round = 0; round < 20; ++round) {
        auto queue = open_receiver();
        std::vector<Socket> sockets;
        for (std::uint32_t i = 0; i < 1000; ++i) {
            auto socket = open({.receiver = &queue});
            ASSERT_TRUE(socket.set_nonblocking(true));
            ASSERT_TRUE(socket.select(events));
            ASSERT_TRUE(socket.join_leaf(nth_endpoint(i)));
            sockets.push_back(std::move(socket));
        }
        for (std::uint32_t i = 0; i < 1000; ++i) {
            const auto event = events.wait(5s);
            ASSERT_TRUE(event);
            ASSERT_FALSE(event->error);
        }
        sockets.clear();
        network_.forget();
    }
    EXPECT_TRUE(runtime().status().memberships.empty());
    EXPECT_TRUE(eventually([&] {
        network_.forget();
        return buffers_not_home().empty();
    })) << buffers_not_home();
}

// Receivers whose handle is gone are let go of: their number is not bounded by time.
TEST_F(Lifetime, ReceiversThatAreDroppedMakeRoomForOthers) {
    start();
    for (int i = 0; i < 5000; ++i) {
        auto receiver = runtime().open_receiver({.capacity = 32});
        if (!receiver) {
            EXPECT_EQ(error_of(receiver), std::make_error_code(std::errc::no_buffer_space));
            std::this_thread::sleep_for(1ms);
        }
    }
    EXPECT_TRUE(eventually([&] {
        auto queue = runtime().open_receiver({.capacity = 32});
        return queue.has_value();
    }));
    auto queue = open_receiver(32);
    auto socket = join(kEndpoint, {.receiver = &queue});
    for (int i = 0; i < 100; ++i) {
        network_.send(frame_of());
        EXPECT_EQ(take(queue, 1).size(), 1u);
    }
}

}  // namespace
}  // namespace joinleaf::test
