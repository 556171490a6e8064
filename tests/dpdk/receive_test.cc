// What comes in, good or damaged, and applications that are slow to take it.
#include <atomic>
#include <cstdio>
#include <fstream>
#include <thread>

#include "tests/dpdk/on_the_wire.h"

namespace joinleaf::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Receiving : public OnTheWire {
protected:
    void send(std::string_view text, GroupEndpoint endpoint = kEndpoint) {
        network_.send(frame_of({.destination = endpoint.group.address(),
                                .destination_mac = MacAddress::of_group(endpoint.group),
                                .payload = bytes_of_text(text)}));
    }
    /// Waits until the port has received `n` frames; returns the counters then.
    PortCounters when_received(std::uint64_t n) {
        PortCounters now;
        EXPECT_TRUE(eventually([&] {
            now = counters();
            return now.received >= n;
        })) << now.received
            << " of " << n;
        return now;
    }
};

const JoinOptions kListen{.direction = Direction::receiver_only};

// A queue that is full loses what does not fit, counts it, and nothing else suffers.
TEST_F(Receiving, ASlowApplicationLosesItsOwnAlone) {
    start();
    auto slow_queue = open_receiver(64);
    auto quick_queue = open_receiver(1024);
    auto slow = join(kEndpoint, {.receiver = &slow_queue}, kListen);
    auto quick = join(nth_endpoint(1), {.receiver = &quick_queue}, kListen);
    for (int i = 0; i < 500; ++i) {
        send("slow " + std::to_string(i));
        send("quick " + std::to_string(i), nth_endpoint(1));
    }
    const auto after = when_received(1000);
    EXPECT_EQ(after.delivered, 64u + 500u);
    EXPECT_EQ(after.drops[static_cast<std::size_t>(DropReason::receive_queue_full)], 436u);
    EXPECT_EQ(after.received, after.delivered + all_drops(after));
    EXPECT_EQ(take(quick_queue, 500).back(), "quick 499");
    // The oldest were kept, and once they are taken everything comes again.
    EXPECT_EQ(take(slow_queue, 64).back(), "slow 63");
    for (int i = 0; i < 1000; ++i) {
        send("again " + std::to_string(i));
        ASSERT_THAT(take(slow_queue, 1), ElementsAre("again " + std::to_string(i)));
    }
    EXPECT_EQ(drops(DropReason::receive_queue_full), 436u);
    const auto status = runtime().status().memberships;
    EXPECT_EQ(status[0].queue_full, 436u);
    EXPECT_EQ(status[1].queue_full, 0u);
}

// Held buffers count as waiting ones do: an application that gives nothing back gets no more, and
// what it holds stays as it is.
TEST_F(Receiving, AnApplicationThatHoldsItsBuffersStarvesNobodyElse) {
    start();
    auto held_queue = open_receiver(32);
    auto other_queue = open_receiver();
    auto held = join(kEndpoint, {.receiver = &held_queue}, kListen);
    auto other = join(nth_endpoint(1), {.receiver = &other_queue}, kListen);
    for (int i = 0; i < 100; ++i) send("held " + std::to_string(i));
    static_cast<void>(when_received(100));
    std::vector<Datagram> holding(64);
    ASSERT_EQ(held_queue.receive(holding), 32u);
    holding.resize(32);
    for (int i = 0; i < 20000; ++i) {
        send("other", nth_endpoint(1));
        if (i % 32 == 0) static_cast<void>(take(other_queue, 1));
    }
    static_cast<void>(when_received(20100));
    static_cast<void>(take(other_queue, 1));
    Datagram none[1];
    EXPECT_EQ(held_queue.receive(none), 0u);
    for (std::size_t i = 0; i < holding.size(); ++i) {
        EXPECT_EQ(text_of(holding[i]), "held " + std::to_string(i));
    }
    held_queue.release(holding);
    EXPECT_TRUE(eventually([&] {
        send("back");
        return held_queue.receive(none) == 1;
    }));
    held_queue.release(none);
}

// RFC 791, 768: every single bit of a frame may flip, and the frame may end anywhere. What is
// delivered is the original or nothing, and every frame is counted once.
TEST_F(Receiving, DamageIsNeverDeliveredAndAlwaysCounted) {
    start();
    auto queue = open_receiver(4096);
    auto socket = join(kEndpoint, {.receiver = &queue}, kListen);
    std::uint64_t total = 0;
    for (const auto& options : {FrameOptions{}, FrameOptions{.ip_options = true}}) {
        const auto original = frame_of(options);
        const auto payload = [&] {
            return std::string(reinterpret_cast<const char*>(options.payload.data()),
                               options.payload.size());
        }();
        const auto before = when_received(total);
        std::uint64_t sent = 0;
        for (std::size_t bit = 0; bit < original.size() * 8; ++bit) {
            auto damaged = original;
            damaged[bit / 8] ^= std::byte{1} << (bit % 8);
            network_.send(damaged);
            ++sent;
        }
        for (std::size_t n = 0; n < original.size(); ++n) {
            network_.send(std::span(original).first(n));
            ++sent;
        }
        const auto after = when_received(total + sent);
        EXPECT_EQ(after.received - before.received, sent);
        EXPECT_EQ(sent, after.delivered - before.delivered + all_drops(after) - all_drops(before));
        // The flips that change nothing we rely on: those of the sender's MAC address.
        EXPECT_LE(after.delivered - before.delivered, 48u);
        for (const auto& text : take(queue, after.delivered - before.delivered)) {
            EXPECT_EQ(text, payload);
        }
        network_.send(original);
        EXPECT_THAT(take(queue, 1), ElementsAre(payload));  // and all is well
        total += sent + 1;
    }
}

// The same of what goes to the control thread: no crash, no answer to nonsense.
TEST_F(Receiving, DamagedControlFramesDoNoHarm) {
    start();
    auto queue = open_receiver();
    auto socket = join(kEndpoint, {.receiver = &queue}, kListen);
    const auto query = query_frame({.group = kGroup, .robustness = 2});
    Bytes arp(64);
    arp.resize(net::build_arp_frame({kPeerMac, mac()},
                                    net::arp_request(kPeerMac, kPeerAddress, kOwnAddress), arp)
                   .value());
    std::uint64_t sent = 0;
    for (const auto& original : {query, arp}) {
        for (std::size_t bit = 0; bit < original.size() * 8; ++bit) {
            auto damaged = original;
            damaged[bit / 8] ^= std::byte{1} << (bit % 8);
            network_.send(damaged);
            network_.forget();
            ++sent;
        }
        for (std::size_t n = 0; n < original.size(); ++n) {
            network_.send(std::span(original).first(n));
            ++sent;
        }
    }
    static_cast<void>(when_received(sent));
    send("still here");
    EXPECT_THAT(take(queue, 1), ElementsAre("still here"));
}

struct Cuts {
    std::vector<std::size_t> at;
};

class Chained : public Receiving, public testing::WithParamInterface<std::vector<std::size_t>> {
protected:
    void send_chain(const Bytes& frame) {
        switch (GetParam().size()) {
            case 1:
                network_.send_in_segments(frame, {GetParam()[0]});
                break;
            default:
                network_.send_in_segments(frame, {GetParam()[0], GetParam()[1]});
                break;
        }
    }
};

// A packet may be a chain: headers in the first buffer, the payload anywhere.
TEST_P(Chained, APayloadInPiecesArrivesWhole) {
    start();
    auto queue = open_receiver();
    auto socket = join(kEndpoint, {.receiver = &queue}, kListen);
    const std::string text = "a payload whose length is an odd number of octets";
    ASSERT_EQ(text.size() % 2, 1u);
    for (const bool checksum : {true, false}) {
        send_chain(frame_of({.udp_checksum = checksum, .payload = bytes_of_text(text)}));
        Datagram datagram[1];
        ASSERT_TRUE(eventually([&] { return queue.receive(datagram) == 1; }));
        EXPECT_EQ(datagram[0].size(), text.size());
        // Headers alone in the first buffer leave the payload in one piece.
        const bool is_behind = GetParam() == std::vector<std::size_t>{42};
        EXPECT_EQ(datagram[0].is_contiguous(), is_behind || GetParam()[0] == 42 + text.size());
        EXPECT_EQ(datagram[0].bytes().size(), is_behind ? text.size() : GetParam()[0] - 42);
        EXPECT_EQ(text_of(datagram[0]), text);
        Bytes some(7);
        EXPECT_EQ(datagram[0].copy_to(some), 7u);
        EXPECT_EQ(some, bytes_of_text(text.substr(0, 7)));
        queue.release(datagram);
    }
}

// The checksum runs over the pieces, whatever their lengths; no bit of any piece may flip.
TEST_P(Chained, ADamagedPieceIsDropped) {
    start();
    auto queue = open_receiver();
    auto socket = join(kEndpoint, {.receiver = &queue}, kListen);
    const auto original =
        frame_of({.payload = bytes_of_text("a payload whose length is an odd number of octets")});
    std::uint64_t sent = 0;
    for (std::size_t bit = 34 * 8; bit < original.size() * 8; ++bit) {
        auto damaged = original;
        damaged[bit / 8] ^= std::byte{1} << (bit % 8);
        send_chain(damaged);
        ++sent;
    }
    const auto after = when_received(sent);
    EXPECT_EQ(after.delivered, 0u);
    EXPECT_EQ(all_drops(after), sent);
    EXPECT_THAT(take(queue, 0), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(, Chained,
                         testing::Values(std::vector<std::size_t>{42}, std::vector<std::size_t>{43},
                                         std::vector<std::size_t>{60}, std::vector<std::size_t>{90},
                                         std::vector<std::size_t>{42, 43},
                                         std::vector<std::size_t>{51, 74},
                                         std::vector<std::size_t>{60, 61},
                                         std::vector<std::size_t>{91, 91}));

// All headers lie in the first buffer; a chain that splits them is damage.
TEST_F(Receiving, SplitHeadersAreTruncated) {
    start();
    auto queue = open_receiver();
    auto socket = join(kEndpoint, {.receiver = &queue}, kListen);
    const auto frame = frame_of();
    for (std::size_t cut = 0; cut < 42; ++cut) network_.send_in_segments(frame, {cut});
    const auto after = when_received(42);
    EXPECT_EQ(after.drops[static_cast<std::size_t>(DropReason::truncated_frame)], 42u);
    EXPECT_THAT(take(queue, 0), IsEmpty());
}

// Padding behind the datagram is not part of it, in a second buffer neither.
TEST_F(Receiving, PaddingIsLeftOut) {
    start();
    auto queue = open_receiver();
    auto socket = join(kEndpoint, {.receiver = &queue}, kListen);
    auto frame = frame_of({.payload = bytes_of_text("short")});
    frame.resize(60, std::byte{0xee});
    network_.send(frame);
    network_.send_in_segments(frame, {50});
    network_.send_in_segments(frame, {44, 45});
    EXPECT_THAT(take(queue, 3), ElementsAre("short", "short", "short"));
}

TEST_F(Receiving, AnEmptyDatagramArrives) {
    start();
    auto queue = open_receiver();
    auto socket = join(kEndpoint, {.receiver = &queue}, kListen);
    send("");
    EXPECT_THAT(take(queue, 1), ElementsAre(""));
}

TEST_F(Receiving, OnlyItsOwnVlan) {
    start([](RuntimeOptions& options) { options.ports[0].vlan = "100.200"; });
    auto queue = open_receiver();
    auto socket = join(kEndpoint, {.receiver = &queue}, kListen);
    const auto in = [](net::VlanStack vlan, std::string_view text) {
        return frame_of({.vlan = vlan, .payload = bytes_of_text(text)});
    };
    network_.send(in({}, "untagged"));
    network_.send(in({.outer = 100}, "outer alone"));
    network_.send(in({.outer = 200, .inner = 100}, "the other way round"));
    network_.send(in({.outer = 100, .inner = 200}, "right"));
    EXPECT_THAT(take(queue, 1), ElementsAre("right"));
    EXPECT_TRUE(eventually([&] { return drops(DropReason::other_vlan) == 3; }));
}

// A socket with a handler gets its datagrams on the worker, burst by burst.
TEST_F(Receiving, AnInlineHandlerGetsEverything) {
    struct Context {
        std::atomic<std::uint64_t> datagrams{0};
        std::atomic<std::uint64_t> octets{0};
    } context;
    start();
    SocketOptions options;
    options.handler = {[](void* self, std::span<const Datagram> datagrams) noexcept {
                           auto& mine = *static_cast<Context*>(self);
                           for (const auto& datagram : datagrams) {
                               mine.octets += datagram.size();
                               ++mine.datagrams;
                           }
                       },
                       &context};
    auto socket = join(kEndpoint, options, kListen);
    auto queue = open_receiver(4096);
    auto other = join(kEndpoint, {.receiver = &queue}, kListen);  // both ways at once
    for (int i = 0; i < 1000; ++i) send("12345");
    EXPECT_TRUE(eventually([&] { return context.datagrams == 1000; }));
    EXPECT_EQ(context.octets, 5000u);
    EXPECT_EQ(take(queue, 1000).size(), 1000u);
}

// When close() has returned, the handler and its context may go.
TEST_F(Receiving, AHandlerIsNotCalledAfterClose) {
    start();
    struct Context {
        std::atomic<bool> gone{false};
        std::atomic<int> calls{0};
        std::atomic<int> late{0};
    };
    Context contexts[20];
    for (auto& context : contexts) {
        SocketOptions options;
        options.handler = {[](void* self, std::span<const Datagram>) noexcept {
                               auto& mine = *static_cast<Context*>(self);
                               ++mine.calls;
                               if (mine.gone) ++mine.late;
                           },
                           &context};
        auto socket = join(kEndpoint, options, kListen);
        while (context.calls == 0) send("x");
        std::atomic<bool> closed{false};
        std::thread sender([&] {
            while (!closed) static_cast<void>(network_.try_send(frame_of()));
        });
        socket.close();
        context.gone = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        closed = true;
        sender.join();
        EXPECT_EQ(context.late, 0);
    }
}

// A port with buffers of its own: a file of frames, again and again. An application that gives
// nothing back holds its queue's worth of them, and the port goes on.
TEST(ReceivingFromAFile, HeldBuffersDoNotStarveThePort) {
    const auto frame = frame_of();
    const std::string path = testing::TempDir() + "joinleaf_frames.pcap";
    {
        std::ofstream file(path, std::ios::binary);
        const auto word = [&](std::uint32_t value) {
            file.write(reinterpret_cast<const char*>(&value), sizeof value);
        };
        for (const std::uint32_t value : {0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u}) {
            word(value);
        }
        const auto size = static_cast<std::uint32_t>(frame.size());
        for (const std::uint32_t value : {0u, 0u, size, size}) word(value);
        file.write(reinterpret_cast<const char*>(frame.data()), size);
    }
    RuntimeOptions options;
    options.ports = {{.port = "net_pcap_test0,rx_pcap=" + path + ",infinite_rx=1,tx_pcap=/dev/null",
                      .address = {kOwnAddress, 24},
                      .receive_buffers = 4096,
                      .transmit_buffers = 4096}};
    options.log = [](std::string_view) {};
    options.max_subscriptions = 16;
    {
        auto runtime = Runtime::start(options);
        auto queue = runtime.open_receiver({.capacity = 1024});
        ASSERT_TRUE(queue);
        auto socket = runtime.open({.receiver = &*queue});
        ASSERT_TRUE(socket && socket->join_leaf(kEndpoint, kListen));
        const auto received = [&] { return runtime.status().ports[0].counters.received; };
        ASSERT_TRUE(eventually([&] { return received() > 10000; }));
        std::vector<Datagram> holding(1024);
        ASSERT_EQ(queue->receive(holding), 1024u);
        const auto before = received();
        EXPECT_TRUE(eventually([&] { return received() > before + 10000; }));
        queue->release(holding);
        runtime.stop(0ms);
    }
    EXPECT_EQ(buffers_not_home(), "");
    EXPECT_EQ(std::remove(path.c_str()), 0);
}

}  // namespace
}  // namespace joinleaf::test
