// From bursts of datagrams to events: nothing is lost or doubled on the way, and every buffer comes
// back once.
#include <dataplane/feed_pump.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <string>

#include "tests/support/mold_packets.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using test::mold_packet;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Instant kStart{1000h};
constexpr std::size_t kCapacity = 256;
constexpr SocketId kLineA{10}, kLineB{11};

// A pump with queues in front of it. told() is what came out since it was last asked.
class Pump {
public:
    explicit Pump(std::size_t sources = 1, FeedPumpOptions options = {})
        : queues(sources), pump(complete(std::move(options), sources), 1) {}

    void data(std::size_t source, SocketId socket, std::uint64_t first, std::uint16_t count,
              Duration received = {}) {
        arrive(source, socket, mold_packet("S1", first, count), received);
    }
    void arrive(std::size_t source, SocketId socket, std::vector<std::byte> bytes,
                Duration received = {}, std::size_t first_part = SIZE_MAX) {
        packets.push_back(std::move(bytes));
        auto& packet = packets.back();
        Datagram datagram;
        datagram.data_ = packet.data();
        datagram.buffer_ = &packet;
        datagram.size_ = static_cast<std::uint32_t>(packet.size());
        datagram.first_ = std::min(datagram.size_, static_cast<std::uint32_t>(first_part));
        datagram.socket_ = socket;
        datagram.received_at_ = kStart + received;
        out[&packet] = source;
        queues[source].push_back(datagram);
    }
    void fetch() {
        for (std::size_t i = 0; i < queues.size(); ++i) {
            const auto room = pump.room(i);
            if (room.empty()) continue;
            const auto n = std::min(room.size(), queues[i].size());
            std::copy_n(queues[i].begin(), n, room.begin());
            queues[i].erase(queues[i].begin(), queues[i].begin() + static_cast<std::ptrdiff_t>(n));
            pump.filled(i, n);
        }
    }
    std::size_t take(std::size_t most = FeedPump::kBurst) {
        std::vector<FeedEvent> events(most);
        const auto n = pump.take(events, now);
        for (std::size_t i = 0; i < n; ++i) told_.push_back(describe(events[i]));
        pump.handed_over(std::span(events).first(n), now);
        give_back();
        return n;
    }
    void give_back() {
        for (std::size_t i = 0; i < queues.size(); ++i) {
            for (void* const buffer : pump.unused(i)) {
                const auto found = out.find(buffer);
                ASSERT_TRUE(found != out.end()) << "given back twice";
                ASSERT_EQ(found->second, i) << "given back to another";
                out.erase(found);
            }
        }
        pump.forget_unused();
    }
    void turn() {
        fetch();
        while (!pump.is_drained()) take();
    }
    std::vector<std::string> told() { return std::exchange(told_, {}); }

    std::vector<std::deque<Datagram>> queues;
    std::deque<std::vector<std::byte>> packets;
    std::map<void*, std::size_t> out;  // buffers that are not back, and whose they are
    FeedPump pump;
    Instant now = kStart + 1s;

private:
    static FeedPumpOptions complete(FeedPumpOptions options, std::size_t sources) {
        options.lines = {{kLineA, 0}, {kLineB, sources - 1}};
        options.sources.assign(sources, kCapacity);
        options.copy = [](const Datagram& datagram, std::span<std::byte> to) noexcept {
            const std::size_t n = std::min<std::size_t>(to.size(), datagram.size());
            std::copy_n(datagram.data_, n, to.data());
            return n;
        };
        return options;
    }
    static std::string describe(const FeedEvent& event) {
        switch (event.kind) {
            case FeedEvent::Kind::session:
                return std::string(event.session);
            case FeedEvent::Kind::gap:
                return fmt::format("gap {}+{}", event.first, event.count);
            case FeedEvent::Kind::end:
                return fmt::format("end {}", event.first);
            case FeedEvent::Kind::stranger:
                return fmt::format("stranger {}", event.session);
            case FeedEvent::Kind::repeated:
                return fmt::format("repeated {}", event.session);
            case FeedEvent::Kind::messages:
            case FeedEvent::Kind::late:
                break;
        }
        std::uint64_t sequence = event.first;
        for (const auto message : event.messages) {
            if (test::mold_number(message) != sequence++) return "WRONG MESSAGE";
        }
        if (sequence != event.first + event.count) return "WRONG COUNT";
        return fmt::format("{}+{}", event.first, event.count);
    }

    std::vector<std::string> told_;
};

TEST(FeedPump, TheEarlierOfTwoSourcesIsReadFirst) {
    Pump lines(2);
    lines.data(0, kLineA, 1, 1, 20us);
    lines.data(1, kLineB, 1, 1, 10us);
    lines.data(1, kLineB, 2, 1, 40us);
    lines.data(0, kLineA, 2, 1, 30us);
    lines.turn();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "2+1"));
    EXPECT_EQ(lines.pump.feed().arbiter().line(0).won, 1u);
    EXPECT_EQ(lines.pump.feed().arbiter().line(1).won, 1u);
    EXPECT_EQ(lines.pump.feed().arbiter().skew(0).max(), 10us);
    EXPECT_THAT(lines.out, IsEmpty());
}

TEST(FeedPump, ASourceThatMayHaveSomethingOlderIsAskedFirst) {
    Pump lines(2);
    for (std::uint64_t n = 1; n <= 100; ++n) lines.data(0, kLineA, n, 1, n * 1us);
    for (std::uint64_t n = 1; n <= 100; ++n) lines.data(1, kLineB, n, 1, n * 1us + 500ns);
    lines.fetch();
    while (lines.take() != 0) {
    }
    EXPECT_FALSE(lines.pump.is_drained());
    EXPECT_EQ(lines.pump.feed().arbiter().next_sequence(), 65u);
    for (int i = 0; i < 3; ++i) {
        lines.fetch();
        while (lines.take() != 0) {
        }
    }
    EXPECT_TRUE(lines.pump.is_drained());
    EXPECT_EQ(lines.pump.feed().arbiter().line(0).won, 100u);
    EXPECT_EQ(lines.pump.feed().arbiter().line(1).won, 0u);
    EXPECT_THAT(lines.out, IsEmpty());
}

// What is taken for missing may lie in the queue.
TEST(FeedPump, NothingIsDecidedBeforeAllThatWaitedHasBeenSeen) {
    Pump lines;
    EXPECT_TRUE(lines.pump.may_advance());
    for (std::uint64_t n = 1; n <= 2 * FeedPump::kBurst; ++n) lines.data(0, kLineA, n, 1);
    lines.turn();
    EXPECT_FALSE(lines.pump.may_advance());
    lines.turn();
    EXPECT_FALSE(lines.pump.may_advance());  // that burst was full too
    lines.turn();
    EXPECT_TRUE(lines.pump.may_advance());
}

TEST(FeedPump, AQueueThatIsNeverEmptyIsNoReasonNeverToDecide) {
    Pump lines;
    std::uint64_t n = 1;
    for (std::size_t seen = 0; seen < kCapacity; seen += FeedPump::kBurst) {
        EXPECT_FALSE(seen != 0 && lines.pump.may_advance());
        while (lines.queues[0].size() <= FeedPump::kBurst) lines.data(0, kLineA, n++, 1);
        lines.turn();
    }
    EXPECT_TRUE(lines.pump.may_advance());
    lines.pump.advance(lines.now);
    EXPECT_FALSE(lines.pump.may_advance());
}

TEST(FeedPump, ALineIsALineOfItsSourceAlone) {
    Pump lines(2);
    lines.data(0, kLineB, 1, 1);
    lines.data(1, kLineA, 1, 1);
    lines.data(0, SocketId{99}, 1, 1);
    lines.turn();
    EXPECT_EQ(lines.pump.count(PumpDrop::other_socket), 3u);
    EXPECT_THAT(lines.told(), IsEmpty());
    EXPECT_THAT(lines.out, IsEmpty());
}

TEST(FeedPump, LatencyIsFromThePortToTheApplication) {
    Pump lines;
    lines.data(0, kLineA, 1, 5, 1s - 3us);
    lines.turn();
    EXPECT_EQ(lines.pump.latency().count(), 1u);
    EXPECT_EQ(lines.pump.latency().max(), 3us);
}

TEST(FeedPump, APayloadInPartsIsCopied) {
    Pump lines(1, {.spare_buffers = 2, .spare_octets = 100});
    lines.arrive(0, kLineA, mold_packet("S1", 1, 1), {}, 10);
    lines.arrive(0, kLineA, mold_packet("S1", 3, 1), {}, 10);
    lines.arrive(0, kLineA, mold_packet("S1", 4, 1), {}, 10);
    lines.arrive(0, kLineA, mold_packet("S1", 5, 1), {}, 10);
    lines.arrive(0, kLineA, mold_packet("S1", 6, 50), {}, 10);
    lines.arrive(0, kLineA, mold_packet("S1", 2, 1));
    lines.turn();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "2+1", "3+1"));
    // The one of 1 was in use until the end of the burst, and that of 3 until now.
    EXPECT_EQ(lines.pump.count(PumpDrop::no_spare_buffer), 2u);
    EXPECT_EQ(lines.pump.count(PumpDrop::too_long), 1u);
    lines.arrive(0, kLineA, mold_packet("S1", 4, 1), {}, 10);
    lines.arrive(0, kLineA, mold_packet("S1", 5, 1), {}, 10);
    lines.turn();
    EXPECT_THAT(lines.told(), ElementsAre("4+1", "5+1"));
    EXPECT_THAT(lines.out, IsEmpty());
}

TEST(FeedPump, AnAnswerIsReadBeforeWhatHasComeSince) {
    Pump lines;
    lines.data(0, kLineA, 1, 1);
    lines.data(0, kLineA, 3, 1);
    lines.turn();
    const auto answer = mold_packet("S1", 2, 1);
    const auto room = lines.pump.answer_room();
    ASSERT_GE(room.size(), answer.size());
    std::ranges::copy(answer, room.begin());
    lines.pump.answer(answer.size());
    EXPECT_THAT(lines.pump.answer_room(), IsEmpty());
    lines.data(0, kLineA, 4, 1);
    lines.turn();
    EXPECT_THAT(lines.told(), ElementsAre("S1", "1+1", "2+1", "3+1", "4+1"));
    EXPECT_EQ(lines.pump.latency().count(), 3u);
    EXPECT_FALSE(lines.pump.answer_room().empty());
}

TEST(FeedPump, AnswersNeverRunOutOfBuffers) {
    Pump lines;
    lines.data(0, kLineA, 1, 1);
    for (std::uint64_t n = 2; n < 100; n += 2) {
        lines.data(0, kLineA, n + 1, 1);
        lines.turn();
        for (int copies = 0; copies < 3; ++copies) {
            const auto answer = mold_packet("S1", n, 1);
            const auto room = lines.pump.answer_room();
            ASSERT_FALSE(room.empty());
            std::ranges::copy(answer, room.begin());
            lines.pump.answer(answer.size());
            lines.turn();
        }
    }
    EXPECT_EQ(lines.pump.feed().arbiter().next_sequence(), 100u);
    EXPECT_EQ(lines.pump.feed().arbiter().held(), 0u);
}

TEST(FeedPump, WhoStopsGivesEverythingBack) {
    Pump lines(2);
    lines.data(0, kLineA, 1, 1);
    for (std::uint64_t n = 3; n < 20; ++n) lines.data(n % 2, n % 2 == 0 ? kLineA : kLineB, n, 1);
    lines.fetch();
    lines.take(2);
    EXPECT_EQ(lines.out.size(), 18u);  // most were not read yet
    lines.fetch();
    lines.pump.stop();
    lines.give_back();
    EXPECT_THAT(lines.out, IsEmpty());
}

TEST(FeedPump, EveryDropHasANameOfItsOwn) {
    EXPECT_EQ(name(PumpDrop::other_socket), "other_socket");
    EXPECT_EQ(name(PumpDrop::no_spare_buffer), "no_spare_buffer");
    EXPECT_EQ(name(PumpDrop::too_long), "too_long");
    EXPECT_EQ(name(PumpDrop::kCount), "unknown");
}

// Whatever comes by two sources, and however little room there is for events.
RC_GTEST_PROP(FeedPumpProperty, EachMessageOnceInOrderAndEachBufferOnce, ()) {
    Pump lines(2, {.feed = {.arbiter = {.start = StartAt::sequence, .window = 16},
                            .recovery = {.deadline = 1ms, .catch_up_deadline = 1ms}},
                   .spare_buffers = 3,
                   .spare_octets = 64});
    const auto packets = *rc::gen::container<std::vector<std::pair<std::uint64_t, std::uint8_t>>>(
        rc::gen::pair(rc::gen::inRange<std::uint64_t>(1, 80), rc::gen::arbitrary<std::uint8_t>()));
    const auto most = *rc::gen::inRange<std::size_t>(1, 5);
    for (const auto& [first, how] : packets) {
        const std::size_t source = how % 2;
        lines.arrive(source,
                     how % 16 == 9 ? SocketId{99}
                     : source == 0 ? kLineA
                                   : kLineB,
                     mold_packet("S1", first, static_cast<std::uint16_t>(how / 64)), first * 1us,
                     how % 8 == 6 ? 25 : SIZE_MAX);
        if (how % 4 != 0) continue;
        lines.fetch();
        lines.take(most);
        lines.now += 300us;
        if (lines.pump.is_drained() && lines.pump.may_advance()) lines.pump.advance(lines.now);
    }
    for (int i = 0; i < 1000; ++i, lines.now += 1ms) {
        lines.fetch();
        lines.take(most);
        if (lines.pump.is_drained() && lines.pump.may_advance()) lines.pump.advance(lines.now);
    }
    std::uint64_t next = 1;
    for (const auto& told : lines.told()) {
        std::uint64_t first = 0, count = 0;
        if (told == "S1") continue;
        const bool is_gap = told.starts_with("gap ");
        RC_ASSERT(std::sscanf(told.c_str() + (is_gap ? 4 : 0), "%lu+%lu", &first, &count) == 2);
        RC_ASSERT(first == next);
        next = first + count;
    }
    RC_ASSERT(next == std::max<std::uint64_t>(lines.pump.feed().arbiter().edge(), 1));
    RC_ASSERT(lines.out.empty());
}

}  // namespace
}  // namespace joinleaf::dataplane
