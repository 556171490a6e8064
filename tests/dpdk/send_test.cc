// What goes out, and what becomes of it when the port takes it slowly or not at all.
#include <net/udp.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/dpdk/on_the_wire.h"

namespace joinleaf::test {
namespace {

using testing::ElementsAre;

const JoinOptions kSendOnly{.direction = Direction::sender_only};

class Sending : public OnTheWire {
protected:
    Sender open_sender(SenderOptions options = {}) {
        socket_ = join(kEndpoint, {.sender = options}, kSendOnly);
        auto sender = socket_.sender();
        EXPECT_TRUE(sender);
        return sender ? std::move(*sender) : Sender();
    }
    /// Hands over numbered datagrams until there is no buffer left. Returns how many.
    static std::uint32_t send_all_it_takes(Sender& sender, std::uint32_t first = 0,
                                           std::uint32_t limit = UINT32_MAX) {
        std::uint32_t n = 0;
        SendBuffer buffers[32];
        while (n < limit) {
            const auto count =
                sender.reserve(std::span(buffers).first(std::min<std::size_t>(32, limit - n)));
            if (count == 0) break;
            for (std::size_t i = 0; i < count; ++i) {
                const std::uint32_t number = first + n++;
                std::memcpy(buffers[i].data, &number, sizeof number);
                buffers[i].length = sizeof number;
            }
            sender.send(std::span(buffers).first(count));
        }
        return n;
    }
    /// The numbers of the datagrams heard.
    std::vector<std::uint32_t> numbers_heard() {
        std::vector<std::uint32_t> numbers;
        for (const auto& heard : network_.hear()) {
            const auto payload = payload_of(heard.bytes);
            if (!payload || payload->size() != sizeof(std::uint32_t)) continue;
            std::uint32_t number = 0;
            std::memcpy(&number, payload->data(), sizeof number);
            numbers.push_back(number);
        }
        return numbers;
    }
    static std::optional<Bytes> payload_of(const Bytes& frame) {
        const auto ethernet = net::parse_ethernet(frame);
        if (!ethernet || ethernet->ethertype != net::ethertype::kIpv4) return std::nullopt;
        const auto ip = net::parse_ipv4(ethernet->payload);
        if (!ip || ip->header.protocol != net::ip_protocol::kUdp) return std::nullopt;
        const auto udp = net::parse_udp(ip->header, ip->payload);
        EXPECT_TRUE(udp);
        if (!udp) return std::nullopt;
        return Bytes(udp->payload.begin(), udp->payload.end());
    }
    [[nodiscard]] std::uint64_t sent() { return counters().sent; }

    Socket socket_;
};

// A sender that is faster than the port finds no buffer for a while, and loses nothing.
TEST_F(Sending, FasterThanThePortLosesNothing) {
    start();
    auto sender = open_sender({.capacity = 128});
    constexpr std::uint32_t kDatagrams = 20000;
    std::atomic<bool> had_to_wait{false};
    std::thread application([&] {
        std::uint32_t handed_over = 0;
        while (handed_over < kDatagrams) {
            const auto n = send_all_it_takes(sender, handed_over, kDatagrams - handed_over);
            if (n == 0) {
                had_to_wait = true;
                std::this_thread::yield();
            }
            handed_over += n;
        }
    });
    std::uint32_t next = 0;
    std::uint32_t wrong = 0;
    EXPECT_TRUE(eventually(
        [&] {
            for (const auto number : numbers_heard()) wrong += number != next++;
            return next == kDatagrams;
        },
        20s));
    application.join();
    EXPECT_EQ(wrong, 0u);
    EXPECT_TRUE(had_to_wait);
    EXPECT_TRUE(eventually([&] { return sender.in_flight() == 0 && sent() == kDatagrams; }));
    EXPECT_EQ(drops(DropReason::transmit_ring_full), 0u);
}

// A port that takes nothing is waited for, and then what it does not take is dropped and counted;
// in_flight() gets to 0 all the same.
TEST_F(Sending, ToAPortThatTakesNothingIsDroppedInTheEnd) {
    start();
    auto sender = open_sender({.capacity = 256});
    network_.stop_listening();
    std::uint32_t handed_over = 0;
    ASSERT_TRUE(eventually([&] {
        handed_over += send_all_it_takes(sender, handed_over);
        return handed_over >= 2000;
    }));
    EXPECT_TRUE(eventually([&] { return sender.in_flight() == 0; }));
    EXPECT_TRUE(eventually([&] { return drops(DropReason::transmit_ring_full) == handed_over; }));
    EXPECT_EQ(sent(), 0u);
    // It goes on when the network listens again.
    static_cast<void>(network_.hear());
    publish(sender, "here");
    EXPECT_TRUE(eventually([&] { return sent() == 1; }));
}

TEST_F(Sending, WhatFitsTheMtuGoesAndWhatDoesNotIsCounted) {
    start();
    auto sender = open_sender();
    SendBuffer buffers[3];
    ASSERT_TRUE(eventually([&] { return sender.reserve(std::span(buffers).first(1)) == 1; }));
    ASSERT_EQ(sender.reserve(std::span(buffers).subspan(1)), 2u);
    EXPECT_EQ(buffers[0].capacity, 1472u);
    std::memset(buffers[1].data, 'x', 1472);
    buffers[0].length = 1473;
    buffers[1].length = 1472;
    buffers[2].length = UINT32_MAX;
    sender.send(buffers);
    const auto heard =
        network_.hear_until([](const Heard& frame) { return payload_of(frame.bytes).has_value(); });
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->bytes.size(), 1514u);
    EXPECT_TRUE(eventually([&] { return drops(DropReason::oversized) == 2; }));
    EXPECT_EQ(sent(), 1u);
    EXPECT_TRUE(eventually([&] { return sender.in_flight() == 0; }));
}

TEST_F(Sending, AnEmptyDatagramIsOne) {
    start();
    auto sender = open_sender();
    publish(sender, "");
    const auto heard =
        network_.hear_until([](const Heard& frame) { return payload_of(frame.bytes) == Bytes(); });
    EXPECT_TRUE(heard);
}

// What was reserved and is not wanted after all comes back, and is never sent.
TEST_F(Sending, CancelledBuffersComeBack) {
    start();
    auto sender = open_sender({.capacity = 32});
    SendBuffer buffers[32];
    for (int round = 0; round < 20; ++round) {
        ASSERT_TRUE(eventually([&] { return sender.reserve(buffers) == 32; })) << round;
        sender.cancel(buffers);
    }
    EXPECT_EQ(sender.in_flight(), 0u);
    publish(sender, "after all");
    EXPECT_TRUE(eventually([&] { return sent() == 1; }));
}

TEST_F(Sending, TheSmallestQueueHoldsABurst) {
    start();
    auto sender = open_sender({.capacity = 1});
    for (int i = 0; i < 100; ++i) publish(sender, "x");
    EXPECT_TRUE(eventually([&] { return sent() == 100; }));
}

TEST_F(Sending, ClosingDropsWhatWaitsAndCountsIt) {
    start();
    auto sender = open_sender({.capacity = 256});
    network_.stop_listening();
    std::uint32_t handed_over = 0;
    ASSERT_TRUE(eventually([&] {
        handed_over += send_all_it_takes(sender, handed_over);
        return handed_over >= 256;
    }));
    SendBuffer late[1] = {};
    const auto reserved = sender.reserve(late);
    socket_.close();
    EXPECT_EQ(sender.in_flight(), 0u);
    EXPECT_TRUE(eventually([&] {
        return drops(DropReason::sender_closed) + drops(DropReason::transmit_ring_full) ==
               handed_over;
    }));
    EXPECT_GT(drops(DropReason::sender_closed), 0u);
    if (reserved == 1) sender.send(late);  // too late: goes nowhere, does no harm
    EXPECT_EQ(sender.reserve(late), 0u);
    EXPECT_EQ(sender.in_flight(), 0u);
}

TEST_F(Sending, ASenderOutlivesItsRuntime) {
    start();
    auto sender = open_sender();
    SendBuffer buffers[2];
    ASSERT_TRUE(eventually([&] { return sender.reserve(buffers) == 2; }));
    runtime().stop(0ms);
    std::memset(buffers[0].data, 1, 100);  // still ours
    buffers[0].length = 100;
    sender.send(std::span(buffers).first(1));
    sender.cancel(std::span(buffers).subspan(1));
    EXPECT_EQ(sender.reserve(buffers), 0u);
    EXPECT_EQ(sender.in_flight(), 0u);
}

TEST_F(Sending, WithoutUdpChecksum) {
    start();
    auto sender = open_sender({.udp_checksum = false});
    publish(sender, "plain");
    const auto heard =
        network_.hear_until([](const Heard& frame) { return payload_of(frame.bytes).has_value(); });
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->bytes[40], std::byte{0});
    EXPECT_EQ(heard->bytes[41], std::byte{0});
}

// RFC 768, 791, 1112: the whole frame, to the octet.
TEST_F(Sending, ToTheOctet) {
    start([](RuntimeOptions& options) { options.ports[0].vlan = "100"; });
    ASSERT_TRUE(runtime_);
    auto sender = open_sender();
    publish(sender, "hello");
    const auto heard =
        network_.hear_until([](const Heard& frame) { return payload_of(frame.bytes).has_value(); });
    ASSERT_TRUE(heard);
    const std::string hex = hex_of(heard->bytes);
    EXPECT_EQ(hex.substr(0, 12), "01005e010203");
    EXPECT_EQ(hex.substr(24),
              "810000640800"
              "450000210000400001117ec70a000001ef010203"
              "13881388000d99ec"
              "68656c6c6f");
}

// A source on the worker is asked as long as the port has room, and never again after close().
TEST_F(Sending, AnInlineSourceIsAskedForPayloads) {
    struct Context {
        std::atomic<std::uint32_t> next{0};
        std::atomic<bool> gone{false};
        std::atomic<int> late{0};
    } context;
    start();
    SocketOptions options;
    options.sender.source = {[](void* self, std::span<SendBuffer> buffers, Instant) noexcept {
                                 auto& mine = *static_cast<Context*>(self);
                                 if (mine.gone) ++mine.late;
                                 std::size_t n = 0;
                                 // Never as many as there is room for: the rest is kept.
                                 while (n < (buffers.size() + 1) / 2 && mine.next < 5000) {
                                     const std::uint32_t number = mine.next++;
                                     std::memcpy(buffers[n].data, &number, sizeof number);
                                     buffers[n++].length = sizeof number;
                                 }
                                 return n;
                             },
                             &context};
    auto socket = join(kEndpoint, options, kSendOnly);
    EXPECT_EQ(error_of(socket.sender()), std::make_error_code(std::errc::operation_not_supported));
    std::uint32_t next = 0;
    std::uint32_t wrong = 0;
    EXPECT_TRUE(eventually([&] {
        for (const auto number : numbers_heard()) wrong += number != next++;
        return next == 5000;
    }));
    EXPECT_EQ(wrong, 0u);
    socket.close();
    context.gone = true;
    std::this_thread::sleep_for(5ms);
    EXPECT_EQ(context.late, 0);
}

// Senders beyond those of one turn each get their turn, and the port goes on receiving.
TEST_F(Sending, HundredsOfSendersEachGetTheirTurn) {
    start();
    struct Context {
        std::atomic<std::uint32_t> asked{0};
    };
    std::vector<Context> contexts(300);
    std::vector<Socket> sockets;
    for (auto& context : contexts) {
        SocketOptions options;
        options.sender.source = {[](void* self, std::span<SendBuffer>, Instant) noexcept {
                                     ++static_cast<Context*>(self)->asked;
                                     return std::size_t{0};
                                 },
                                 &context};
        auto socket = open(options);
        ASSERT_TRUE(socket.set_nonblocking(true));
        ASSERT_TRUE(socket.join_leaf(kEndpoint, kSendOnly));
        sockets.push_back(socket);
    }
    EXPECT_TRUE(eventually([&] {
        return std::all_of(contexts.begin(), contexts.end(),
                           [](const Context& context) { return context.asked >= 3; });
    }));
    auto receiver = open_receiver();
    auto leaf = join(nth_endpoint(1), {.receiver = &receiver});
    for (int i = 0; i < 100; ++i) {
        network_.send(frame_of({.destination = nth_endpoint(1).group.address(),
                                .destination_mac = MacAddress::of_group(nth_endpoint(1).group)}));
    }
    EXPECT_EQ(take(receiver, 100).size(), 100u);
}

// Senders that do not send keep so few buffers that others find theirs.
TEST_F(Sending, IdleSendersLeaveBuffersToOthers) {
    start();
    std::vector<Socket> sockets;
    std::vector<Sender> idle;
    for (std::uint32_t i = 0; i < 100; ++i) {
        sockets.push_back(join(nth_endpoint(i), {.sender = {.capacity = 1024}}, kSendOnly));
        idle.push_back(std::move(sockets.back().sender().value()));
        publish(idle.back(), "once");
    }
    auto sender = open_sender();
    for (int i = 0; i < 200; ++i) publish(sender, "again and again");
    EXPECT_TRUE(eventually([&] { return sent() == 300; }));
}

// A and B lines: each datagram to several groups and ports, as far as the scope of all (M23).
TEST_F(Sending, EachDatagramGoesToEachLine) {
    start();
    const std::vector<GroupEndpoint> lines{
        kEndpoint, nth_endpoint(1), {nth_endpoint(1).group, UdpPort::of(5001)}, nth_endpoint(2)};
    auto receiver = open_receiver();
    auto hears_two = join(lines[2], {.receiver = &receiver});
    auto sender = open_sender({.also = {lines.begin() + 1, lines.end()}});
    std::string large(1472, 'x');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i % 23);
    for (const std::string& text : {std::string("small"), large}) {
        publish(sender, text);
        std::vector<GroupEndpoint> heard_on;
        const auto all = [&] {
            for (const auto& heard : network_.hear()) {
                if (payload_of(heard.bytes) != bytes_of_text(text)) continue;
                const auto ip = net::parse_ipv4(std::span(heard.bytes).subspan(14)).value();
                const auto group = GroupAddress::from(ip.header.destination).value();
                const auto port = net::load<net::BigEndian<std::uint16_t>>(ip.payload.data() + 2);
                EXPECT_EQ(net::load<net::EthernetWire>(heard.bytes.data()).destination,
                          MacAddress::of_group(group));
                EXPECT_EQ(ip.header.ttl, 1);
                heard_on.push_back({group, UdpPort::from(port).value()});
            }
            return heard_on.size() >= lines.size();
        };
        EXPECT_TRUE(eventually(all));
        EXPECT_THAT(heard_on, testing::UnorderedElementsAreArray(lines));
        EXPECT_THAT(take(receiver, 1), ElementsAre(text));
    }
    EXPECT_EQ(sent(), 8u);
    EXPECT_TRUE(eventually([&] { return sender.in_flight() == 0; }));
    ASSERT_TRUE(socket_.set_scope(7));
    publish(sender, large);
    int far = 0;
    EXPECT_TRUE(eventually([&] {
        for (const auto& heard : network_.hear()) {
            if (payload_of(heard.bytes) == bytes_of_text(large))
                far += heard.bytes[22] == std::byte{7};
        }
        return far == 4;
    }));
    ASSERT_TRUE(socket_.set_scope(0));
    publish(sender, large);
    EXPECT_THAT(take(receiver, 2), ElementsAre(large, large));
    EXPECT_EQ(sent(), 12u);
}

// Paced: never more than the rate and a burst.
TEST_F(Sending, AtItsPace) {
    start();
    auto sender = open_sender({.packets_per_second = 10000, .burst = 10});
    const Instant begin = std::chrono::steady_clock::now();
    for (std::uint32_t handed_over = 0; handed_over < 2000;) {
        handed_over += send_all_it_takes(sender, handed_over, 2000 - handed_over);
    }
    EXPECT_TRUE(eventually([&] { return sent() == 2000; }));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 199ms - 10ms);
}

// A socket that has sent at one pace goes on at another from the moment that it is told.
TEST_F(Sending, AtAnotherPaceWhenTold) {
    start();
    auto sender = open_sender({.packets_per_second = 100, .burst = 10});
    const auto hand_over = [&](std::uint32_t datagrams) {
        const Instant begin = std::chrono::steady_clock::now();
        const auto before = sent();
        for (std::uint32_t n = 0; n < datagrams;) {
            n += send_all_it_takes(sender, n, datagrams - n);
        }
        EXPECT_TRUE(eventually([&] { return sent() == before + datagrams; }));
        EXPECT_EQ(numbers_heard().size(), datagrams);
        return std::chrono::steady_clock::now() - begin;
    };
    EXPECT_GE(hand_over(20), 190ms - 10ms);

    ASSERT_TRUE(socket_.set_rate(10000, 0));
    const auto faster = hand_over(2000);
    EXPECT_GE(faster, 199ms - 10ms);
    EXPECT_LT(faster, 10s);  // at the old pace it would be 20 s

    ASSERT_TRUE(socket_.set_rate(0, 2000 * 84 * 8 * 5));
    EXPECT_GE(hand_over(2000), 200ms - 30ms);

    ASSERT_TRUE(socket_.set_rate(0, 0));
    EXPECT_LT(hand_over(2000), 10s);
}

// What a join had not begun yet goes at the pace that was told before.
TEST_F(Sending, AtThePaceToldBeforeTheJoin) {
    start();
    Socket socket = runtime().open({.scheme = kAnySource}).value();
    ASSERT_TRUE(socket.set_rate(100, 0));
    ASSERT_TRUE(socket.join_leaf(kEndpoint, kSendOnly));
    auto sender = socket.sender().value();
    const Instant begin = std::chrono::steady_clock::now();
    for (std::uint32_t n = 0; n < 52;) n += send_all_it_takes(sender, n, 52 - n);
    EXPECT_TRUE(eventually([&] { return sent() == 52; }));
    // 32 may gather while nothing is sent, and the first may go at once.
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 190ms);
}

TEST_F(Sending, RefusesAPaceThatCannotBeCounted) {
    start();
    auto sender = open_sender();
    EXPECT_EQ(socket_.set_rate(1'000'000'000'001, 0).error(), std::errc::invalid_argument);
    EXPECT_EQ(socket_.set_rate(0, 1'000'000'000'001).error(), std::errc::invalid_argument);
    socket_.close();
    EXPECT_EQ(socket_.set_rate(1, 0).error(), std::errc::not_a_socket);
    EXPECT_EQ(Socket().set_rate(1, 0).error(), std::errc::not_a_socket);
}

// In bits, as the wire counts them: 84 octets for the shortest frame.
TEST_F(Sending, AtItsBitRate) {
    start();
    auto sender = open_sender({.bits_per_second = 2000 * 84 * 8 * 5, .burst = 4});
    const Instant begin = std::chrono::steady_clock::now();
    for (std::uint32_t handed_over = 0; handed_over < 2000;) {
        handed_over += send_all_it_takes(sender, handed_over, 2000 - handed_over);
    }
    EXPECT_TRUE(eventually([&] { return sent() == 2000; }));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 200ms - 15ms);
}

}  // namespace
}  // namespace joinleaf::test
