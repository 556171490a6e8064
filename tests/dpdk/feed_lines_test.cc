// One feed by two ports: the same on both, and neither waits for the other.
#include <joinleaf/feed_publisher.h>
#include <net/moldudp64.h>
#include <net/udp.h>

#include <cstring>
#include <thread>

#include "tests/dpdk/on_the_wire.h"

namespace joinleaf::test {
namespace {

using testing::ElementsAre;

const JoinOptions kSendOnly{.direction = Direction::sender_only};
constexpr GroupEndpoint kLineA{GroupAddress::of(239, 1, 1, 1), UdpPort::of(5001)};
constexpr GroupEndpoint kLineB{GroupAddress::of(239, 1, 1, 2), UdpPort::of(5002)};

// What one end of a line has heard: packets of the feed, checked as they come.
struct Line {
    Network& network;
    GroupEndpoint group;
    std::vector<Bytes> packets = {};
    std::uint64_t messages = 0;  ///< numbered from 1, in order
    std::uint64_t next = 1;
    std::uint64_t gaps = 0;
    std::uint64_t wrong = 0;
    std::uint64_t ends = 0;

    void hear(bool keep = false) {
        for (const auto& heard : network.hear()) {
            const auto ethernet = net::parse_ethernet(heard.bytes);
            if (!ethernet || ethernet->ethertype != net::ethertype::kIpv4) continue;
            const auto ip = net::parse_ipv4(ethernet->payload);
            if (!ip || ip->header.protocol != net::ip_protocol::kUdp) continue;
            const auto udp = net::parse_udp(ip->header, ip->payload);
            const auto packet =
                udp ? net::parse_mold(udp->payload) : tl::unexpected(net::MoldError{});
            if (!packet || ip->header.destination != group.group.address() ||
                udp->header.destination_port != group.port.value()) {
                ++wrong;
                continue;
            }
            ends += packet->kind == net::MoldKind::end_of_session ? 1 : 0;
            if (keep) packets.emplace_back(udp->payload.begin(), udp->payload.end());
            if (packet->sequence < next) ++wrong;
            if (packet->sequence > next) ++gaps;
            next = packet->sequence;
            for (const auto message : packet->messages) {
                std::uint64_t number = 0;
                std::memcpy(&number, message.data(), sizeof number);
                wrong += number != next++;
                ++messages;
            }
        }
    }
};

class FeedLines : public OnTheWire {
protected:
    void start_both(const std::function<void(RuntimeOptions&)>& change = {}) {
        options_.ports[0].receive_buffers = options_.ports[0].transmit_buffers = 16384;
        options_.ports.push_back({.port = other_.port(),
                                  .address = {Ipv4Address(10, 8, 0, 1), 24},
                                  .receive_buffers = 4096,
                                  .transmit_buffers = 4096});
        start(change);
    }
    void TearDown() override {
        if (runtime_) runtime_->stop(0ms);
        runtime_.reset();
        other_.clear();
        OnTheWire::TearDown();
    }
    static SocketOptions on_port(std::size_t port) {
        return {.port = port, .sender = {.framing = Framing::moldudp64}};
    }
    FeedPublisher open_feed(FeedPublisherOptions options) {
        socket_a_ = join(kLineA, on_port(0), kSendOnly);
        socket_b_ = join(kLineB, on_port(1), kSendOnly);
        options.also_by = {socket_b_};
        auto feed = socket_a_.feed_publisher(options);
        EXPECT_TRUE(feed) << feed.error().message();
        return feed ? std::move(*feed) : FeedPublisher();
    }
    // One that has told that it is there, and says nothing more by itself.
    FeedPublisher open_quiet_feed() {
        auto feed = open_feed({.delay = 0s, .heartbeat = 1h, .history_messages = 5000});
        Line a{network_, kLineA};
        Line b{other_, kLineB};
        EXPECT_TRUE(eventually([&] {
            a.hear(true);
            b.hear(true);
            return a.packets.size() == 1 && b.packets.size() == 1;
        }));
        return feed;
    }
    // Numbered messages up to `last`, as many as are taken.
    static void publish_to(FeedPublisher& feed, std::uint64_t last, std::size_t size) {
        std::vector<std::byte> message(size);
        for (std::uint64_t n = feed.next_sequence(); n <= last; ++n) {
            std::memcpy(message.data(), &n, sizeof n);
            if (!feed.publish(message)) break;
        }
    }
    [[nodiscard]] std::uint64_t drops_on(std::size_t port, DropReason why) {
        return runtime().status().ports.at(port).counters.drops[static_cast<std::size_t>(why)];
    }
    // All of `live` while nobody listens on the other line.
    void one_line_is_stuck(Network& stuck, Line live) {
        start_both();
        auto feed = open_quiet_feed();
        stuck.stop_listening();
        constexpr std::uint64_t kMessages = 200'000;
        EXPECT_TRUE(eventually(
            [&] {
                publish_to(feed, kMessages, 200);
                live.hear();
                return live.messages == kMessages;
            },
            20s));
        EXPECT_EQ(live.messages, kMessages);
        EXPECT_EQ(live.gaps, 0u);
        EXPECT_EQ(live.wrong, 0u);
        EXPECT_GT(drops_on(0, DropReason::line_queue_full), 0u);
        EXPECT_TRUE(eventually([&] { return feed.in_flight() == 0; }));
        // It comes back with what is published from then on.
        static_cast<void>(stuck.hear());
        Line back{stuck, &stuck == &network_ ? kLineA : kLineB};
        publish_to(feed, kMessages + 1, 200);
        EXPECT_TRUE(eventually([&] {
            back.hear();
            return back.next == kMessages + 2;
        }));
    }

    Network other_;
    Socket socket_a_;
    Socket socket_b_;
};

TEST_F(FeedLines, BothCarryTheSame) {
    start_both();
    auto feed = open_feed({.session = "AB", .delay = 10ms, .end_every = 10ms, .end_for = 50ms});
    Line a{network_, kLineA};
    Line b{other_, kLineB};
    constexpr std::uint64_t kMessages = 1000;
    publish_to(feed, kMessages, 40);
    publish_to(feed, kMessages + 1, 1400);
    feed.end();
    EXPECT_TRUE(eventually([&] {
        a.hear(true);
        b.hear(true);
        return feed.finished();
    }));
    EXPECT_TRUE(eventually([&] {
        a.hear(true);
        b.hear(true);
        return a.packets.size() == b.packets.size();
    }));
    EXPECT_EQ(a.messages, kMessages + 1);
    EXPECT_EQ(a.packets, b.packets);
    EXPECT_EQ(a.gaps + a.wrong + b.gaps + b.wrong, 0u);
    EXPECT_GE(a.ends, 1u);
    EXPECT_EQ(feed.in_flight(), 0u);
    EXPECT_EQ(drops_on(0, DropReason::line_queue_full), 0u);
}

TEST_F(FeedLines, TheFirstGoesOnWhenTheSecondIsStuck) {
    one_line_is_stuck(other_, {network_, kLineA});
}

TEST_F(FeedLines, TheSecondGoesOnWhenTheFirstIsStuck) {
    one_line_is_stuck(network_, {other_, kLineB});
}

TEST_F(FeedLines, WhatBothLinesLoseIsDroppedInTheEnd) {
    start_both();
    auto feed = open_quiet_feed();
    network_.stop_listening();
    other_.stop_listening();
    constexpr std::uint64_t kMessages = 3000;
    publish_to(feed, kMessages, 1400);
    EXPECT_EQ(feed.next_sequence(), kMessages + 1);
    EXPECT_TRUE(eventually([&] { return feed.in_flight() == 0; }));
    EXPECT_GT(drops_on(0, DropReason::transmit_ring_full), 0u);
    EXPECT_GT(drops_on(1, DropReason::transmit_ring_full), 0u);
    static_cast<void>(network_.hear());
    static_cast<void>(other_.hear());
}

TEST_F(FeedLines, OneLineMayCloseAndTheOtherGoesOn) {
    start_both();
    auto feed = open_feed({.delay = 0s});
    socket_b_.close();
    Line a{network_, kLineA};
    publish_to(feed, 10'000, 100);
    feed.end_of_burst();
    EXPECT_TRUE(eventually([&] {
        a.hear();
        return a.messages == 10'000;
    }));
    EXPECT_TRUE(eventually([&] { return feed.in_flight() == 0; }));
    EXPECT_EQ(drops_on(0, DropReason::line_queue_full), 0u);
    // With the first, the feed ends.
    socket_a_.close();
    EXPECT_TRUE(feed.finished());
}

TEST_F(FeedLines, TheSmallerMtuBoundsADatagram) {
    start_both([](RuntimeOptions& options) { options.ports[1].mtu = 600; });
    auto feed = open_feed({.delay = 0s});
    EXPECT_EQ(feed.longest_message(), 600u - 28 - 22);
    Line b{other_, kLineB};
    publish_to(feed, 100, feed.longest_message());
    EXPECT_TRUE(eventually([&] {
        b.hear();
        return b.messages == 100;
    }));
}

TEST_F(FeedLines, SocketsThatCannotBeLinesAreRefused) {
    start_both();
    Socket a = join(kLineA, on_port(0), kSendOnly);
    Socket b = join(kLineB, on_port(1), kSendOnly);
    Socket plain = join(nth_endpoint(1), {.port = 1}, kSendOnly);
    const auto publish = [&](std::vector<Socket> also_by) {
        return error_of(a.feed_publisher({.also_by = std::move(also_by)}));
    };
    EXPECT_EQ(publish({a}), std::errc::invalid_argument);
    EXPECT_EQ(publish({b, b}), std::errc::invalid_argument);
    EXPECT_EQ(publish({plain}), std::errc::operation_not_supported);
    EXPECT_EQ(publish({Socket()}), std::errc::not_a_socket);
    EXPECT_EQ(publish({open(on_port(1))}), std::errc::not_connected);
    // The second port's buffers are too few for what both ports may hold.
    EXPECT_EQ(error_of(b.feed_publisher({.also_by = {a}})), std::errc::no_buffer_space);
    EXPECT_EQ(publish({b}), std::error_code());
    EXPECT_EQ(error_of(b.feed_publisher({})), std::errc::device_or_resource_busy);
}

}  // namespace
}  // namespace joinleaf::test
