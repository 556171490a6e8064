// A sequenced feed from the application to the wire.
#include <joinleaf/feed_publisher.h>
#include <net/moldudp64.h>
#include <net/udp.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/dpdk/on_the_wire.h"

namespace joinleaf::test {
namespace {

using testing::ElementsAre;

const JoinOptions kSendOnly{.direction = Direction::sender_only};
const SocketOptions kFeed{.sender = {.framing = Framing::moldudp64}};

// A packet of the feed, as text.
struct Told {
    std::string session;
    net::MoldKind kind{};
    std::uint64_t sequence = 0;
    std::vector<std::string> messages;
    Instant at{};
};

class Feeds : public OnTheWire {
protected:
    FeedPublisher open_feed(const FeedPublisherOptions& options, SocketOptions socket = kFeed) {
        socket_ = join(kEndpoint, socket, kSendOnly);
        auto publisher = socket_.feed_publisher(options);
        EXPECT_TRUE(publisher) << publisher.error().message();
        return publisher ? std::move(*publisher) : FeedPublisher();
    }
    static std::span<const std::byte> octets(std::string_view text) {
        return std::as_bytes(std::span(text.data(), text.size()));
    }
    static bool publish(FeedPublisher& feed, std::string_view text) {
        return feed.publish(octets(text));
    }
    static std::optional<Told> told_in(const Heard& heard) {
        const auto ethernet = net::parse_ethernet(heard.bytes);
        if (!ethernet || ethernet->ethertype != net::ethertype::kIpv4) return std::nullopt;
        const auto ip = net::parse_ipv4(ethernet->payload);
        if (!ip || ip->header.protocol != net::ip_protocol::kUdp) return std::nullopt;
        const auto udp = net::parse_udp(ip->header, ip->payload);
        EXPECT_TRUE(udp) << "a bad UDP checksum";
        if (!udp) return std::nullopt;
        const auto packet = net::parse_mold(udp->payload);
        EXPECT_TRUE(packet) << "not a packet of a feed";
        if (!packet) return std::nullopt;
        Told told{.session = std::string(packet->session.name()),
                  .kind = packet->kind,
                  .sequence = packet->sequence,
                  .at = heard.at};
        for (const auto message : packet->messages) {
            told.messages.emplace_back(reinterpret_cast<const char*>(message.data()),
                                       message.size());
        }
        return told;
    }
    /// The packets of the feed since the last time, once there is one that is as wanted.
    std::vector<Told> hear_until(const std::function<bool(const Told&)>& wanted) {
        std::vector<Told> all;
        EXPECT_TRUE(eventually([&] {
            bool found = false;
            for (const auto& heard : network_.hear()) {
                if (auto told = told_in(heard)) {
                    found = found || wanted(*told);
                    all.push_back(std::move(*told));
                }
            }
            return found;
        }));
        return all;
    }

    Socket socket_;
};

bool has_messages(const Told& told) { return !told.messages.empty(); }

TEST_F(Feeds, BeginWithAHeartbeatAndCarryMessagesInOneDatagram) {
    start();
    auto feed = open_feed({.session = "S1", .delay = 10s});
    EXPECT_EQ(feed.session(), "S1");
    EXPECT_EQ(feed.next_sequence(), 1u);
    EXPECT_TRUE(publish(feed, "one"));
    EXPECT_TRUE(publish(feed, ""));
    EXPECT_TRUE(publish(feed, "three"));
    feed.end_of_burst();
    EXPECT_EQ(feed.next_sequence(), 4u);
    const auto told = hear_until(has_messages);
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.front().session, "S1");
    EXPECT_EQ(told.back().sequence, 1u);
    EXPECT_THAT(told.back().messages, ElementsAre("one", "", "three"));
    EXPECT_TRUE(eventually([&] { return feed.in_flight() == 0; }));
    EXPECT_FALSE(feed.finished());
}

TEST_F(Feeds, AreWhatAFramingSays) {
    start();
    Socket datagrams = join(nth_endpoint(1), {}, kSendOnly);
    EXPECT_EQ(error_of(datagrams.feed_publisher({})), std::errc::operation_not_supported);
    Socket feed = join(nth_endpoint(2), kFeed, kSendOnly);
    EXPECT_EQ(error_of(feed.sender()), std::errc::operation_not_supported);
    EXPECT_EQ(error_of(feed.feed_publisher({.session = "much too long"})),
              std::errc::invalid_argument);
    EXPECT_EQ(error_of(feed.feed_publisher({.heartbeat = 0s})), std::errc::invalid_argument);
    EXPECT_EQ(error_of(feed.feed_publisher({.history_octets = std::size_t{1} << 60})),
              std::errc::not_enough_memory);
    EXPECT_TRUE(feed.feed_publisher({}));
    EXPECT_EQ(error_of(feed.feed_publisher({})), std::errc::device_or_resource_busy);
    SocketOptions both = kFeed;
    both.sender.source.call = [](void*, std::span<SendBuffer>, Instant) noexcept {
        return std::size_t{0};
    };
    EXPECT_EQ(error_of(runtime().open(both)), std::errc::invalid_argument);
}

TEST_F(Feeds, AMessageWaitsForItsDelayAndNoLonger) {
    start();
    auto feed = open_feed({.delay = 200ms, .heartbeat = 10s});
    const Instant published = std::chrono::steady_clock::now();
    EXPECT_TRUE(publish(feed, "a"));
    EXPECT_TRUE(publish(feed, "b"));
    const auto told = hear_until(has_messages);
    ASSERT_FALSE(told.empty());
    EXPECT_THAT(told.back().messages, ElementsAre("a", "b"));
    EXPECT_GE(told.back().at - published, 200ms);
    EXPECT_LT(told.back().at - published, 2s);
}

TEST_F(Feeds, WhatFillsADatagramDoesNotWait) {
    start();
    auto feed = open_feed({.flush_at = 100, .delay = 1h});
    EXPECT_TRUE(publish(feed, std::string(80, 'x')));
    hear_until(has_messages);
    EXPECT_TRUE(publish(feed, "y"));
    EXPECT_TRUE(publish(feed, std::string(80, 'z')));
    EXPECT_EQ(hear_until(has_messages).back().messages.size(), 2u);
}

TEST_F(Feeds, HeartbeatsGoOnWhileTheApplicationSleeps) {
    start();
    auto feed = open_feed({.delay = 0s, .heartbeat = 20ms});
    EXPECT_TRUE(publish(feed, "a"));
    std::size_t heartbeats = 0;
    hear_until([&](const Told& told) {
        return told.kind == net::MoldKind::heartbeat && told.sequence == 2 && ++heartbeats == 5;
    });
    EXPECT_GE(heartbeats, 5u);
}

TEST_F(Feeds, TheEndIsToldForItsTimeAfterAllMessages) {
    start();
    auto feed = open_feed({.delay = 10s, .end_every = 20ms, .end_for = 200ms});
    EXPECT_TRUE(publish(feed, "last"));
    feed.end();
    EXPECT_FALSE(publish(feed, "too late"));
    EXPECT_TRUE(eventually([&] { return feed.finished(); }));
    std::vector<Told> told;
    for (const auto& heard : network_.hear()) {
        if (auto packet = told_in(heard)) told.push_back(std::move(*packet));
    }
    ASSERT_GE(told.size(), 3u);
    std::size_t ends = 0;
    for (const auto& packet : told) {
        ends += packet.kind == net::MoldKind::end_of_session && packet.sequence == 2;
        if (ends == 0 && packet.kind == net::MoldKind::data) {
            EXPECT_THAT(packet.messages, ElementsAre("last"));
        }
    }
    EXPECT_GE(ends, 2u);
    EXPECT_LE(ends, 10u);
    EXPECT_EQ(told.back().kind, net::MoldKind::end_of_session);
}

// A publisher that is faster than the port is told so, and loses nothing.
TEST_F(Feeds, FasterThanThePortLosesNothing) {
    start();
    auto feed = open_feed({.delay = 0s, .history_messages = 5000});
    constexpr std::uint64_t kMessages = 300'000;
    std::atomic<bool> had_to_wait{false};
    std::thread application([&] {
        for (std::uint64_t next = 1; next <= kMessages;) {
            std::array<std::byte, 40> message{};
            std::memcpy(message.data(), &next, sizeof next);
            if (feed.publish(message)) {
                ++next;
            } else {
                had_to_wait = true;
                std::this_thread::yield();
            }
        }
        feed.end_of_burst();
    });
    std::uint64_t next = 1;
    std::uint64_t wrong = 0;
    EXPECT_TRUE(eventually(
        [&] {
            for (const auto& heard : network_.hear()) {
                const auto told = told_in(heard);
                if (!told) continue;
                wrong += told->sequence != next;
                for (const auto& message : told->messages) {
                    std::uint64_t number = 0;
                    std::memcpy(&number, message.data(), sizeof number);
                    wrong += number != next++;
                }
            }
            return next > kMessages;
        },
        30s));
    application.join();
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(next, kMessages + 1);
    EXPECT_TRUE(had_to_wait);
    EXPECT_TRUE(eventually([&] { return feed.in_flight() == 0; }));
    EXPECT_EQ(drops(DropReason::transmit_ring_full), 0u);
}

TEST_F(Feeds, AMessageThatNoDatagramHoldsIsRefused) {
    start();
    auto feed = open_feed({.delay = 0s});
    EXPECT_EQ(feed.longest_message(), 1472u - 22);
    EXPECT_FALSE(publish(feed, std::string(1451, 'x')));
    EXPECT_TRUE(publish(feed, std::string(1450, 'y')));
    EXPECT_EQ(hear_until(has_messages).back().messages.front().size(), 1450u);
    // Of several, what comes before it is published.
    const std::string longer(1451, 'z');
    const std::array messages{octets("a"), octets("b"), octets(longer), octets("c")};
    EXPECT_EQ(feed.publish(messages), 2u);
    EXPECT_EQ(feed.next_sequence(), 4u);
}

// What a port that takes nothing costs is counted, and the feed goes on.
TEST_F(Feeds, APortThatTakesNothingIsDroppedToInTheEnd) {
    start();
    auto feed = open_feed({.delay = 0s});
    network_.stop_listening();
    std::uint64_t published = 0;
    ASSERT_TRUE(eventually([&] {
        published += publish(feed, std::string(1400, 'x'));
        return published >= 500;
    }));
    EXPECT_TRUE(eventually([&] { return feed.in_flight() == 0; }));
    EXPECT_TRUE(eventually([&] { return drops(DropReason::transmit_ring_full) >= published; }));
    static_cast<void>(network_.hear());
    EXPECT_TRUE(publish(feed, "here"));
    EXPECT_EQ(hear_until(has_messages).back().sequence, published + 1);
}

TEST_F(Feeds, WhoStartsAgainTakesANewSession) {
    start();
    const std::string first(open_feed({}).session());
    socket_.close();
    std::this_thread::sleep_for(2ms);
    const std::string second(open_feed({}).session());
    EXPECT_EQ(first.size(), net::MoldSession::kSize);
    EXPECT_NE(first, second);
}

TEST_F(Feeds, APublisherOutlivesItsSocketAndItsRuntime) {
    start();
    auto feed = open_feed({.delay = 1h});
    EXPECT_TRUE(publish(feed, "a"));
    socket_.close();
    EXPECT_FALSE(publish(feed, "b"));
    EXPECT_EQ(feed.in_flight(), 0u);
    EXPECT_TRUE(feed.finished());
    runtime_.reset();
    feed.end_of_burst();
    feed.end();
    EXPECT_FALSE(publish(feed, "c"));
    FeedPublisher none;
    EXPECT_FALSE(publish(none, "a"));
    EXPECT_TRUE(none.finished());
}

// To several groups at once, as the lines of an A/B feed on one port.
TEST_F(Feeds, GoToFurtherGroupsOnTheSamePort) {
    start();
    SocketOptions options = kFeed;
    options.sender.also = {nth_endpoint(7)};
    auto feed = open_feed({.session = "AB", .delay = 10s}, options);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(publish(feed, std::string(40, 'x')));
    feed.end_of_burst();
    std::vector<Ipv4Address> groups;
    std::vector<std::vector<std::string>> messages;
    EXPECT_TRUE(eventually([&] {
        for (const auto& heard : network_.hear()) {
            const auto told = told_in(heard);
            if (!told || told->messages.empty()) continue;
            groups.push_back(
                net::parse_ipv4(net::parse_ethernet(heard.bytes)->payload)->header.destination);
            messages.push_back(told->messages);
        }
        return groups.size() == 2;
    }));
    EXPECT_THAT(groups, ElementsAre(kEndpoint.group.address(), nth_endpoint(7).group.address()));
    EXPECT_EQ(messages.front(), messages.back());
    EXPECT_EQ(messages.front().size(), 20u);
    EXPECT_TRUE(eventually([&] { return feed.in_flight() == 0; }));
}

}  // namespace
}  // namespace joinleaf::test
