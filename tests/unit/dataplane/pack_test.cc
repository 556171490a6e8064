// The packer with a clock that the test turns: what is in each datagram, and when it is due.
#include <dataplane/pack.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/support/hex.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::hex_of;
using Added = Packer::Added;

constexpr Instant kStart{1000h};
const net::MoldSession kSession = net::MoldSession::from("SESS1").value();

std::span<const std::byte> octets(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

class Pack : public testing::Test {
protected:
    // With a first heartbeat behind it, which tells that the root is there.
    Packer packer(PackOptions options = {}) {
        Packer packer(options, kSession, kStart);
        packer.attach(buffer_);
        packer.take(kStart);
        packer.attach(buffer_);
        return packer;
    }
    std::array<std::byte, 2048> buffer_{};
};

TEST_F(Pack, TheFirstThingToldIsAHeartbeat) {
    Packer packer({}, kSession, kStart);
    EXPECT_TRUE(packer.due(kStart));
    packer.attach(buffer_);
    EXPECT_EQ(hex_of(packer.take(kStart)), "5345535331202020202000000000000000010000");
}

TEST_F(Pack, MessagesShareADatagram) {
    Packer packer = this->packer();
    EXPECT_EQ(packer.publish(octets("hello"), kStart), Added::yes);
    EXPECT_EQ(packer.publish(octets("world"), kStart), Added::yes);
    EXPECT_EQ(packer.next_sequence(), 3u);
    EXPECT_FALSE(packer.due(kStart));
    packer.end_of_burst();
    EXPECT_TRUE(packer.due(kStart));
    EXPECT_EQ(hex_of(packer.take(kStart)),
              "53455353312020202020000000000000000100020005"
              "68656c6c6f0005776f726c64");
    EXPECT_FALSE(packer.has_buffer());
    EXPECT_FALSE(packer.due(kStart));
}

TEST_F(Pack, AMessageIsWrittenInPlace) {
    Packer packer = this->packer();
    Added why;
    std::byte* const to = packer.reserve(2, why);
    ASSERT_EQ(to, buffer_.data() + 22);
    to[0] = to[1] = std::byte{0x41};
    packer.add(2, kStart);
    const auto parsed = net::parse_mold(packer.take(kStart));
    EXPECT_EQ(hex_of(*parsed->messages.begin()), "4141");
}

TEST_F(Pack, IsFullWhenTheNextDoesNotFit) {
    Packer packer = this->packer({.capacity = 20 + 2 * 12});
    EXPECT_EQ(packer.publish(octets("0123456789"), kStart), Added::yes);
    EXPECT_EQ(packer.publish(octets("0123456789x"), kStart), Added::no_room);
    EXPECT_FALSE(packer.due(kStart));
    EXPECT_EQ(packer.publish(octets("0123456789"), kStart), Added::yes);
    EXPECT_TRUE(packer.due(kStart));
    EXPECT_EQ(packer.publish(octets(""), kStart), Added::no_room);
    EXPECT_EQ(packer.take(kStart).size(), 44u);
    EXPECT_EQ(packer.publish(octets(""), kStart), Added::no_buffer);
    packer.attach(buffer_);
    EXPECT_EQ(packer.publish(octets(""), kStart), Added::yes);
    EXPECT_EQ(net::parse_mold(packer.take(kStart))->sequence, 3u);
}

TEST_F(Pack, ASmallerBufferIsFilledNoFurtherThanItReaches) {
    Packer packer({}, kSession, kStart);
    packer.attach(std::span(buffer_).first(30));
    EXPECT_EQ(packer.publish(octets("123456789"), kStart), Added::no_room);
    EXPECT_EQ(packer.publish(octets("12345678"), kStart), Added::yes);
    EXPECT_EQ(packer.publish(octets(""), kStart), Added::no_room);
}

TEST_F(Pack, WhatNoDatagramHoldsIsRefused) {
    Packer packer = this->packer({.capacity = 100});
    EXPECT_EQ(packer.longest_message(), 78u);
    EXPECT_EQ(packer.publish(octets(std::string(79, 'x')), kStart), Added::too_long);
    EXPECT_EQ(packer.publish(octets(std::string(78, 'x')), kStart), Added::yes);
}

TEST_F(Pack, IsDueAtASize) {
    Packer packer = this->packer({.flush_at = 30});
    packer.publish(octets("1234567"), kStart);
    EXPECT_FALSE(packer.due(kStart));
    packer.publish(octets(""), kStart);
    EXPECT_TRUE(packer.due(kStart));
}

TEST_F(Pack, IsDueAfterADelay) {
    Packer packer = this->packer({.delay = 20us});
    packer.publish(octets("a"), kStart + 1ms);
    packer.publish(octets("b"), kStart + 1ms + 15us);
    EXPECT_EQ(packer.next_deadline(), kStart + 1ms + 20us);
    EXPECT_FALSE(packer.due(kStart + 1ms + 20us - 1ns));
    EXPECT_TRUE(packer.due(kStart + 1ms + 20us));
}

TEST_F(Pack, AnEndOfBurstWithNothingPackedIsNothing) {
    Packer packer = this->packer();
    packer.end_of_burst();
    EXPECT_FALSE(packer.due(kStart));
}

TEST_F(Pack, AHeartbeatFollowsASecondOfSilence) {
    Packer packer = this->packer();
    packer.publish(octets("a"), kStart + 500ms);
    packer.take(kStart + 500ms);
    EXPECT_EQ(packer.next_deadline(), kStart + 1500ms);
    EXPECT_FALSE(packer.due(kStart + 1500ms - 1ns));
    EXPECT_TRUE(packer.due(kStart + 1500ms));
    packer.attach(buffer_);
    const auto heartbeat = net::parse_mold(packer.take(kStart + 1500ms));
    EXPECT_EQ(heartbeat->kind, net::MoldKind::heartbeat);
    EXPECT_EQ(heartbeat->sequence, 2u);
    EXPECT_FALSE(packer.due(kStart + 2500ms - 1ns));
    EXPECT_TRUE(packer.due(kStart + 2500ms));
}

TEST_F(Pack, TheEndIsToldAgainAndAgainForItsTime) {
    Packer packer = this->packer({.end_every = 1s, .end_for = 3s});
    packer.publish(octets("a"), kStart);
    packer.end(kStart);
    EXPECT_EQ(packer.publish(octets("b"), kStart), Added::ended);
    std::vector<std::string> told;
    for (Instant now = kStart; !packer.finished(now); now += 100ms) {
        while (packer.due(now)) {
            if (!packer.has_buffer()) packer.attach(buffer_);
            told.push_back(hex_of(packer.take(now)).substr(20));
        }
    }
    EXPECT_EQ(told, (std::vector<std::string>{"00000000000000010001000161", "0000000000000002ffff",
                                              "0000000000000002ffff", "0000000000000002ffff"}));
    EXPECT_FALSE(packer.next_deadline());
    EXPECT_FALSE(packer.due(kStart + 1h));  // and nothing more
}

// Whatever is published, each datagram is valid, follows the one before, and none is too long.
RC_GTEST_PROP(PackProperty, AllMessagesComeOutInOrder, (const std::vector<std::uint8_t>& lengths)) {
    const auto capacity = *rc::gen::inRange<std::size_t>(23, 400);
    Packer packer({.capacity = capacity}, kSession, kStart);
    std::vector<std::byte> buffer(capacity);
    std::uint64_t next = 1;
    std::vector<std::string> sent, received;
    const auto take = [&] {
        const auto datagram = packer.take(kStart);
        RC_ASSERT(datagram.size() <= capacity);
        const auto packet = net::parse_mold(datagram);
        RC_ASSERT(packet.has_value() && packet->sequence == next);
        next = packet->end();
        for (const auto message : packet->messages) received.push_back(hex_of(message));
    };
    for (const auto length : lengths) {
        const std::vector<std::byte> message(std::min<std::size_t>(length, capacity - 22),
                                             std::byte{length});
        if (!packer.has_buffer()) packer.attach(buffer);
        if (packer.publish(message, kStart) == Added::no_room) {
            take();
            packer.attach(buffer);
            RC_ASSERT(packer.publish(message, kStart) == Added::yes);
        }
        sent.push_back(hex_of(message));
    }
    if (packer.has_buffer()) take();
    RC_ASSERT(sent == received);
}

}  // namespace
}  // namespace joinleaf::dataplane
