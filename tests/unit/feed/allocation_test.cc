// Packing, arbitration, recovery and the log run in the memory that their constructors took.
#include <dataplane/feed.h>
#include <dataplane/feed_pump.h>
#include <dataplane/feed_source.h>
#include <dataplane/message_log.h>
#include <gtest/gtest.h>
#include <tests/support/allocations.h>

#include <array>
#include <vector>

namespace joinleaf::dataplane {
namespace {

constexpr Instant kStart{std::chrono::hours(1000)};

// Two lines that lose, a history that answers, gaps that are told, doubles: all that happens.
TEST(Allocation, NothingIsAllocatedAfterTheStart) {
    constexpr std::size_t kPackets = 4000;
    constexpr std::size_t kSize = 200;
    std::vector<std::byte> memory(kPackets * kSize);
    std::array<std::byte, kSize> answer{};
    const auto session = net::MoldSession::from("S1").value();
    MessageLog log(session, 1000, 100'000);
    FeedSource source({.capacity = kSize}, log, kStart);
    Feed feed({.arbiter = {.policy = GapPolicy::deliver_late, .window = 64},
               .recovery = {.deadline = std::chrono::milliseconds(2)}},
              1);
    const std::array<std::byte, 20> message{};
    Instant now = kStart;
    std::uint64_t messages = 0, gaps = 0, answers = 0;
    const auto take = [&] {
        FeedItem item;
        while (feed.next(item)) {
            if (item.kind == FeedItem::Kind::gap) ++gaps;
            messages += item.messages.size();
        }
    };

    const std::size_t before = test::allocations();
    for (std::size_t i = 0; i < kPackets; ++i, now += std::chrono::microseconds(50)) {
        for (int n = 0; n < 5; ++n) ASSERT_TRUE(log.append(message));
        log.commit();
        source.end_of_burst();
        SendBuffer buffer{.data = &memory[i * kSize], .capacity = kSize};
        ASSERT_EQ(source.fill({&buffer, 1}, now), 1u);
        source.complete(1);
        const std::span<const std::byte> packet(buffer.data, buffer.length);
        void* const handle = buffer.data;
        if (i % 7 != 3 && i % 500 > 20) feed.arrive(0, packet, handle, now);
        if (i % 5 != 1 && i % 500 > 20) feed.arrive(1, packet, handle, now);
        take();
        const auto request = feed.advance(now);
        take();
        if (!request || i % 10 == 0 || request->sequence < log.range().first) continue;
        std::size_t octets = 0;
        const auto count = log.copy(log.known(), request->sequence, request->count,
                                    std::span(answer).subspan(net::kMoldHeaderSize), octets);
        net::emit_mold_header(session, request->sequence, count, answer.data());
        feed.arrive(Arbiter::kRepair, std::span(answer).first(net::kMoldHeaderSize + octets),
                    answer.data(), now);
        ++answers;
        take();
    }
    EXPECT_EQ(test::allocations(), before);
    EXPECT_GT(messages, 1000u);
    EXPECT_GT(gaps, 10u);
    EXPECT_GT(answers, 100u);
    EXPECT_GT(feed.arbiter().line(0).lost, 100u);
}

// Bursts, payloads in parts, holes and their end.
TEST(Allocation, NorByThePumpInFrontOfIt) {
    constexpr std::size_t kPackets = 4096;
    constexpr std::size_t kSize = net::kMoldHeaderSize + net::kMoldLengthSize;
    std::vector<std::byte> memory(kPackets * kSize);
    FeedPump pump({.lines = {{SocketId{0}, 0}, {SocketId{1}, 0}},
                   .sources = {2 * kPackets},
                   .feed = {.arbiter = {.window = 64}, .recovery = {.deadline = Duration(500)}},
                   .copy =
                       [](const Datagram& datagram, std::span<std::byte> out) noexcept {
                           std::copy_n(datagram.data_, datagram.size_, out.data());
                           return std::size_t{datagram.size_};
                       }},
                  1);
    std::array<FeedEvent, 16> events;
    std::uint64_t messages = 0, gaps = 0;
    Instant now = kStart;

    const std::size_t before = test::allocations();
    for (std::size_t i = 0; i < kPackets; now += Duration(500)) {
        const auto room = pump.room(0);
        std::size_t n = 0;
        for (; n < 20; ++n, ++i) {
            std::byte* const packet = &memory[i % kPackets * kSize];
            net::emit_mold_header(net::MoldSession::from("S1").value(), 1 + i, 1, packet);
            net::emit_mold_length(0, packet + net::kMoldHeaderSize);
            room[n].data_ = packet;
            room[n].buffer_ = packet;
            room[n].size_ = kSize;
            room[n].first_ = i % 5 == 0 ? 7 : kSize;
            // Some of other sockets are gaps.
            room[n].socket_ = SocketId{i % 41 == 40 ? 2u : static_cast<std::uint32_t>(i % 2)};
        }
        pump.filled(0, n);
        while (!pump.is_drained()) {
            const std::size_t told = pump.take(events, now);
            pump.handed_over({events.data(), told}, now);
            for (std::size_t k = 0; k < told; ++k) {
                messages += events[k].messages.size();
                gaps += events[k].kind == FeedEvent::Kind::gap ? 1 : 0;
            }
            pump.forget_unused();
        }
        pump.advance(now);
    }
    EXPECT_EQ(test::allocations(), before);
    EXPECT_GT(messages, 2000u);
    EXPECT_GT(gaps, 50u);
}

}  // namespace
}  // namespace joinleaf::dataplane
