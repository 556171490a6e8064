// A feed's source with a clock that the test turns: what is in each datagram, and when it is due.
#include <dataplane/feed_source.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/hex.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using test::hex_of;

constexpr Instant kStart{1000h};
const net::MoldSession kSession = net::MoldSession::from("SESS1").value();

std::span<const std::byte> octets(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

class Pack : public testing::Test {
protected:
    // With a first heartbeat behind it, which tells that the root is there.
    void start(const PackOptions& options = {}) {
        start_afresh(options);
        EXPECT_EQ(take(kStart).size(), 20u);
    }
    void start_afresh(const PackOptions& options = {}) {
        source_ = std::make_unique<FeedSource>(options, log_, kStart);
    }
    void publish(std::string_view message) {
        ASSERT_TRUE(log_.append(octets(message)));
        log_.commit();
    }
    // The next datagram; empty: none is due.
    std::span<const std::byte> take(Instant now) {
        SendBuffer buffer{.data = buffer_.data(), .capacity = 2048};
        if (source_->fill({&buffer, 1}, now) == 0) return {};
        source_->complete(1);
        return std::span(buffer_).first(buffer.length);
    }
    FeedSource& source() { return *source_; }
    MessageLog& log() { return log_; }

private:
    MessageLog log_{kSession, 1000, 100'000};
    std::unique_ptr<FeedSource> source_;
    std::array<std::byte, 2048> buffer_{};
};

TEST_F(Pack, TheFirstThingToldIsAHeartbeat) {
    start_afresh();
    EXPECT_TRUE(source().due(kStart));
    EXPECT_EQ(hex_of(take(kStart)), "5345535331202020202000000000000000010000");
    EXPECT_FALSE(source().due(kStart));  // and nothing more
}

TEST_F(Pack, MessagesShareADatagram) {
    start();
    publish("hello");
    publish("world");
    EXPECT_FALSE(source().due(kStart));
    source().end_of_burst();
    EXPECT_TRUE(source().due(kStart));
    EXPECT_EQ(hex_of(take(kStart)),
              "53455353312020202020000000000000000100020005"
              "68656c6c6f0005776f726c64");
    EXPECT_FALSE(source().due(kStart));
}

TEST_F(Pack, WhatIsNotCommittedIsNotSent) {
    start();
    ASSERT_TRUE(log().append(octets("a")));
    EXPECT_FALSE(source().due(kStart + 500ms));
    log().commit();
    source().end_of_burst();
    EXPECT_EQ(net::parse_mold(take(kStart))->messages.size(), 1u);
}

TEST_F(Pack, IsFullWhenTheNextDoesNotFit) {
    start({.capacity = 20 + 2 * 12});
    publish("0123456789");
    publish("012345678");
    EXPECT_TRUE(source().due(kStart));  // an empty message would not fit either
    EXPECT_EQ(take(kStart).size(), 43u);
    publish("0123456789");
    publish("01234567");
    EXPECT_FALSE(source().due(kStart));
    publish("x");
    EXPECT_EQ(take(kStart).size(), 42u);
    EXPECT_FALSE(source().due(kStart));
    EXPECT_EQ(source().completed(), 5u);
}

TEST_F(Pack, ManyAreFilledAtOnce) {
    start({.capacity = 20 + 12, .delay = 1s});
    for (int i = 0; i < 5; ++i) publish("0123456789");
    std::vector<std::byte> memory(4 * 32);
    std::array<SendBuffer, 4> buffers;
    for (std::size_t i = 0; i < 4; ++i) buffers[i] = {.data = &memory[i * 32], .capacity = 32};
    EXPECT_EQ(source().fill(buffers, kStart), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(net::parse_mold({buffers[i].data, buffers[i].length})->sequence, i + 1);
        EXPECT_EQ(source().end_of(3 - i), i + 2);
    }
    EXPECT_EQ(source().fill(buffers, kStart), 1u);
    EXPECT_EQ(source().completed(), 1u);
    source().complete(3);
    EXPECT_EQ(source().completed(), 4u);
    source().complete(2);
    EXPECT_EQ(source().completed(), 6u);
}

TEST_F(Pack, NoDatagramHasMoreMessagesThanItCanTell) {
    constexpr std::size_t kMany = 70'000;
    MessageLog log(kSession, kMany, 1 << 20);
    FeedSource source({.capacity = 1 << 18}, log, kStart);
    for (std::size_t i = 0; i < kMany; ++i) ASSERT_TRUE(log.append({}));
    log.commit();
    source.end();
    std::vector<std::byte> memory(1 << 18);
    SendBuffer buffer{.data = memory.data(), .capacity = 1 << 18};
    ASSERT_EQ(source.fill({&buffer, 1}, kStart), 1u);
    EXPECT_EQ(net::parse_mold({memory.data(), buffer.length})->messages.size(), 0xfffeu);
    ASSERT_EQ(source.fill({&buffer, 1}, kStart), 1u);
    EXPECT_EQ(net::parse_mold({memory.data(), buffer.length})->messages.size(), kMany - 0xfffe);
}

TEST_F(Pack, TheLongestMessageIsWhatADatagramHolds) {
    EXPECT_EQ(FeedSource::longest_message({.capacity = 100}), 78u);
    start({.capacity = 100});
    publish(std::string(78, 'x'));
    EXPECT_EQ(take(kStart).size(), 100u);
}

TEST_F(Pack, IsDueAtASize) {
    start({.flush_at = 30});
    publish("1234567");
    EXPECT_FALSE(source().due(kStart));
    publish("");
    EXPECT_TRUE(source().due(kStart));
}

TEST_F(Pack, IsDueAfterADelay) {
    start({.delay = 20us});
    publish("a");
    EXPECT_FALSE(source().due(kStart + 1ms));  // now it is seen
    publish("b");
    EXPECT_FALSE(source().due(kStart + 1ms + 15us));
    EXPECT_EQ(source().next_deadline(kStart + 1ms + 15us), kStart + 1ms + 20us);
    EXPECT_FALSE(source().due(kStart + 1ms + 20us - 1ns));
    EXPECT_EQ(net::parse_mold(take(kStart + 1ms + 20us))->messages.size(), 2u);
    publish("c");
    EXPECT_FALSE(source().due(kStart + 2ms));
    EXPECT_FALSE(source().due(kStart + 2ms + 20us - 1ns));
    EXPECT_TRUE(source().due(kStart + 2ms + 20us));
}

TEST_F(Pack, WhatAFullDatagramLeavesWaitsFromWhenItWasSeen) {
    start({.capacity = 20 + 12, .delay = 20us});
    publish("a");
    EXPECT_FALSE(source().due(kStart + 1ms));
    publish("0123456789");
    EXPECT_EQ(net::parse_mold(take(kStart + 1ms + 10us))->messages.size(), 1u);
    EXPECT_TRUE(source().due(kStart + 1ms + 10us));  // it is full itself
    EXPECT_EQ(net::parse_mold(take(kStart + 1ms + 10us))->sequence, 2u);
    publish("0123456");
    publish("bcdef");
    EXPECT_EQ(net::parse_mold(take(kStart + 2ms))->sequence, 3u);
    EXPECT_EQ(source().next_deadline(kStart + 2ms), kStart + 2ms + 20us);
}

TEST_F(Pack, AnEndOfBurstWithNothingPublishedIsNothing) {
    start();
    source().end_of_burst();
    EXPECT_FALSE(source().due(kStart));
    publish("a");
    EXPECT_FALSE(source().due(kStart));  // and nothing is left of it
}

TEST_F(Pack, AHeartbeatFollowsASecondOfSilence) {
    start();
    publish("a");
    source().end_of_burst();
    take(kStart + 500ms);
    EXPECT_EQ(source().next_deadline(kStart + 500ms), kStart + 1500ms);
    EXPECT_FALSE(source().due(kStart + 1500ms - 1ns));
    EXPECT_TRUE(source().due(kStart + 1500ms));
    const auto heartbeat = net::parse_mold(take(kStart + 1500ms));
    EXPECT_EQ(heartbeat->kind, net::MoldKind::heartbeat);
    EXPECT_EQ(heartbeat->sequence, 2u);
    EXPECT_FALSE(source().due(kStart + 2500ms - 1ns));
    EXPECT_TRUE(source().due(kStart + 2500ms));
}

TEST_F(Pack, TheEndIsToldAgainAndAgainForItsTime) {
    start({.end_every = 1s, .end_for = 3s});
    publish("a");
    source().end();
    std::vector<std::string> told;
    for (Instant now = kStart; !source().finished(); now += 100ms) {
        while (source().due(now)) told.push_back(hex_of(take(now)).substr(20));
    }
    EXPECT_EQ(told, (std::vector<std::string>{"00000000000000010001000161", "0000000000000002ffff",
                                              "0000000000000002ffff", "0000000000000002ffff"}));
    EXPECT_FALSE(source().next_deadline(kStart + 1h));
    EXPECT_FALSE(source().due(kStart + 1h));  // and nothing more
}

// Whatever is published, each datagram is valid, follows the one before, and none is too long.
RC_GTEST_PROP(PackProperty, AllMessagesComeOutInOrder, (const std::vector<std::uint8_t>& lengths)) {
    const auto capacity = *rc::gen::inRange<std::size_t>(23, 400);
    const PackOptions options{.capacity = capacity, .delay = 1s};
    MessageLog log(kSession, 1000, 1);
    FeedSource source(options, log, kStart);
    std::vector<std::byte> memory(capacity);
    std::uint64_t next = 1;
    std::vector<std::string> sent, received;
    const auto take_all = [&] {
        SendBuffer buffer{.data = memory.data(), .capacity = static_cast<std::uint32_t>(capacity)};
        while (source.fill({&buffer, 1}, kStart) == 1) {
            source.complete(1);
            RC_ASSERT(buffer.length <= capacity);
            const auto packet = net::parse_mold({memory.data(), buffer.length});
            RC_ASSERT(packet.has_value() && packet->sequence == next);
            next = packet->end();
            for (const auto message : packet->messages) received.push_back(hex_of(message));
            RC_ASSERT(source.completed() == next);
        }
    };
    for (const auto length : lengths) {
        const std::vector<std::byte> message(
            std::min<std::size_t>(length, FeedSource::longest_message(options)), std::byte{length});
        RC_ASSERT(log.append(message));
        sent.push_back(hex_of(message));
        if (length % 4 == 0) {
            log.commit();
            take_all();
        }
    }
    log.commit();
    source.end_of_burst();
    take_all();
    RC_ASSERT(sent == received);
}

}  // namespace
}  // namespace joinleaf::dataplane
