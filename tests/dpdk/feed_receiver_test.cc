// A FeedReceiver on ports: lines of hand-made MoldUDP64 packets, and a repair server on a kernel
// socket of the loopback interface.
#include <joinleaf/feed_receiver.h>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/dpdk/on_the_wire.h"
#include "tests/support/mold_packets.h"

namespace joinleaf::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint32_t kA = 0, kB = 1;
constexpr Ipv4Address kLoopback(127, 0, 0, 1);

/// A kernel UDP socket on the loopback interface.
class KernelSocket {
public:
    KernelSocket() : descriptor_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(kLoopback.value());
        EXPECT_EQ(bind(descriptor_, reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
        socklen_t size = sizeof(at);
        EXPECT_EQ(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&at), &size), 0);
        port_ = ntohs(at.sin_port);
    }
    ~KernelSocket() { close(descriptor_); }
    KernelSocket(const KernelSocket&) = delete;
    KernelSocket& operator=(const KernelSocket&) = delete;

    [[nodiscard]] ControlEndpoint endpoint() const {
        return {kLoopback, UdpPort::from(port_).value()};
    }
    std::optional<net::MoldRequest> receive() {
        std::array<std::byte, 64> bytes;
        socklen_t size = sizeof(asker);
        const auto n = recvfrom(descriptor_, bytes.data(), bytes.size(), 0,
                                reinterpret_cast<sockaddr*>(&asker), &size);
        if (n < 0) return std::nullopt;
        return net::parse_mold_request(std::span(bytes).first(static_cast<std::size_t>(n))).value();
    }
    void send(std::span<const std::byte> bytes, const sockaddr_in& to) const {
        EXPECT_EQ(sendto(descriptor_, bytes.data(), bytes.size(), 0,
                         reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
                  static_cast<ssize_t>(bytes.size()));
    }

    sockaddr_in asker{};  ///< whom the last datagram came from

private:
    int descriptor_;
    std::uint16_t port_ = 0;
};

class FeedLeaf : public OnTheWire {
protected:
    // Both lines are groups of one port.
    void open_feed(FeedReceiverOptions options = {}) {
        if (!runtime_) start();
        if (!receiver_.impl()) receiver_ = open_receiver(256);
        for (const std::uint32_t line : {kA, kB}) {
            sockets_.push_back(join(nth_endpoint(line), {.receiver = &receiver_},
                                    {.direction = Direction::receiver_only}));
            options.lines.push_back({sockets_.back().id(), &receiver_});
        }
        open_with(options);
    }
    void open_with(const FeedReceiverOptions& options) {
        auto opened = FeedReceiver::open(options);
        ASSERT_TRUE(opened) << error_of(opened).message();
        feed_ = std::move(*opened);
    }
    void TearDown() override {
        feed_ = FeedReceiver();
        sockets_.clear();
        receiver_ = Receiver();
        OnTheWire::TearDown();
    }

    static Bytes frame_by(std::uint32_t line, Bytes payload) {
        const auto group = nth_endpoint(line).group;
        return frame_of({.destination = group.address(),
                         .destination_mac = MacAddress::of_group(group),
                         .payload = std::move(payload)});
    }
    void data(std::uint32_t line, std::uint64_t first, std::uint16_t count,
              std::string_view session = "S1") {
        network_.send(frame_by(line, mold_packet(session, first, count)));
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
            if (mold_number(message) != sequence++) return "WRONG MESSAGE";
        }
        if (sequence != event.first + event.count) return "WRONG COUNT";
        return fmt::format("{}{}+{}{}", event.kind == FeedEvent::Kind::late ? "late " : "",
                           event.first, event.count,
                           event.line == FeedEvent::kRepaired ? " repaired" : "");
    }
    std::vector<std::string> told() {
        std::vector<std::string> all;
        while (feed_.poll([&](const FeedEvent& event) { all.push_back(describe(event)); }) != 0) {
        }
        return all;
    }
    /// What is told until the last is as wanted, or time is up.
    std::vector<std::string> told_until(std::string_view last) {
        std::vector<std::string> all;
        static_cast<void>(eventually([&] {
            for (auto& one : told()) all.push_back(std::move(one));
            return !all.empty() && all.back() == last;
        }));
        return all;
    }
    /// Serves requests from messages that are their own numbers, of [begin, end).
    void serve(KernelSocket& server, std::uint64_t end, std::uint64_t begin = 1) {
        while (const auto request = server.receive()) {
            requests_.push_back(fmt::format("{}+{}", request->sequence, request->count));
            if (request->sequence < begin) continue;
            const auto count = std::min<std::uint64_t>(request->count, end - request->sequence);
            server.send(mold_packet(request->session.name(), request->sequence,
                                    static_cast<std::uint16_t>(std::min<std::uint64_t>(count, 50))),
                        server.asker);
        }
    }
    FeedStatus status() {
        feed_.publish_status();
        return feed_.status();
    }
    static std::uint64_t of(const std::vector<NamedCount>& counts, std::string_view name) {
        for (const auto& count : counts) {
            if (count.name == name) return count.value;
        }
        ADD_FAILURE() << "no count is named " << name;
        return 0;
    }

    Receiver receiver_;
    std::vector<Socket> sockets_;
    FeedReceiver feed_;
    std::vector<std::string> requests_;
};

TEST_F(FeedLeaf, TheFirstCopyOfTwoLinesIsTold) {
    open_feed();
    data(kA, 1, 2);
    data(kB, 1, 2);
    data(kB, 3, 1);
    data(kA, 3, 1);
    data(kA, 4, net::kMoldEndOfSession);
    EXPECT_THAT(told_until("end 4"), ElementsAre("S1", "1+2", "3+1", "end 4"));
    const auto now = status();
    EXPECT_EQ(now.session, "S1");
    EXPECT_EQ(now.next_sequence, 4u);
    EXPECT_EQ(now.delivered, 3u);
    ASSERT_EQ(now.lines.size(), 2u);
    EXPECT_EQ(now.lines[kA].socket, sockets_[kA].id());
    EXPECT_EQ(now.lines[kA].counters.won, 2u);
    EXPECT_EQ(now.lines[kB].counters.won, 1u);
    EXPECT_EQ(now.lines[kB].counters.duplicates, 2u);
    EXPECT_EQ(now.lines[kB].skew.count(), 1u);
    EXPECT_EQ(now.latency.count(), 2u);  // a packet each
    EXPECT_GT(now.latency.percentile(0.99), 0ns);
    EXPECT_EQ(of(now.fates, "taken"), 2u);
    EXPECT_EQ(of(now.fates, "duplicate"), 2u);
}

TEST_F(FeedLeaf, TheRuntimeKnowsHowItDoesAsLongAsThereIsOne) {
    open_feed();
    EXPECT_EQ(runtime().status().feeds.size(), 1u);
    data(kA, 1, 2);
    EXPECT_THAT(told_until("1+2"), ElementsAre("S1", "1+2"));
    feed_.publish_status();
    const auto feeds = runtime().status().feeds;
    ASSERT_EQ(feeds.size(), 1u);
    EXPECT_EQ(feeds[0].session, "S1");
    EXPECT_EQ(feeds[0].delivered, 2u);
    feed_ = FeedReceiver();
    EXPECT_TRUE(runtime().status().feeds.empty());
}

TEST_F(FeedLeaf, WhatOneLineLosesTheOtherBrings) {
    KernelSocket server;
    open_feed({.repair = FeedRepairOptions{.server = server.endpoint()}});
    for (std::uint64_t n = 1; n <= 100; ++n) {
        if (n % 10 != 3) data(kA, n, 1);
        if (n % 10 != 7) data(kB, n, 1);
    }
    const auto all = told_until("100+1");
    EXPECT_EQ(all.size(), 101u);
    for (int i = 0; i < 20; ++i) {
        EXPECT_THAT(told(), IsEmpty());
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_FALSE(server.receive());  // no request
    const auto now = status();
    EXPECT_EQ(now.gaps, 0u);
    EXPECT_EQ(now.recovery.requests, 0u);
    EXPECT_EQ(now.lines[kA].counters.lost, 10u);
    EXPECT_EQ(now.lines[kB].counters.lost, 10u);
}

TEST_F(FeedLeaf, WhatBothLinesLoseIsAskedForAndComesInTurn) {
    KernelSocket server;
    open_feed({.gap_deadline = 5s, .repair = FeedRepairOptions{.server = server.endpoint()}});
    for (const std::uint32_t line : {kA, kB}) {
        data(line, 1, 1);
        data(line, 4, 2);
    }
    std::vector<std::string> all;
    ASSERT_TRUE(eventually([&] {
        for (auto& one : told()) all.push_back(std::move(one));
        serve(server, 6);
        return !all.empty() && all.back() == "4+2";
    }));
    EXPECT_THAT(all, ElementsAre("S1", "1+1", "2+2 repaired", "4+2"));
    EXPECT_THAT(requests_, testing::Contains("2+2"));
    const auto now = status();
    EXPECT_EQ(now.gaps, 0u);
    EXPECT_EQ(now.repaired.won, 2u);
    EXPECT_GE(now.recovery.answers, 1u);
    EXPECT_EQ(now.latency.count(), 2u);  // what was asked for is not of the lines
}

TEST_F(FeedLeaf, WithoutAnAnswerTheGapIsToldAtItsDeadline) {
    KernelSocket server;
    open_feed({.gap_deadline = 30ms, .repair = FeedRepairOptions{.server = server.endpoint()}});
    data(kA, 1, 1);
    data(kA, 3, 1);
    EXPECT_THAT(told_until("3+1"), ElementsAre("S1", "1+1", "gap 2+1", "3+1"));
    EXPECT_GE(status().recovery.requests, 2u);
    EXPECT_EQ(status().recovery.given_up, 1u);
    EXPECT_TRUE(server.receive());
}

TEST_F(FeedLeaf, OnlyTheServersAnswersCount) {
    KernelSocket server, stranger;
    open_feed({.gap_deadline = 10s, .repair = FeedRepairOptions{.server = server.endpoint()}});
    data(kA, 1, 1);
    data(kA, 3, 1);
    std::vector<std::string> all;
    ASSERT_TRUE(eventually([&] {
        for (auto& one : told()) all.push_back(std::move(one));
        if (server.receive()) stranger.send(mold_packet("S1", 2, 1), server.asker);
        return status().recovery.strangers >= 3;
    }));
    EXPECT_THAT(all, ElementsAre("S1", "1+1"));
    ASSERT_TRUE(eventually([&] {
        for (auto& one : told()) all.push_back(std::move(one));
        serve(server, 4);
        return all.back() == "3+1";
    }));
    EXPECT_THAT(all, ElementsAre("S1", "1+1", "2+1 repaired", "3+1"));
}

TEST_F(FeedLeaf, BeginsWithTheHistoryAndGoesOnLive) {
    KernelSocket server;
    open_feed({.start = StartAt::history,
               .gap_deadline = 5s,
               .repair = FeedRepairOptions{.server = server.endpoint()}});
    data(kA, 501, 1);
    std::vector<std::string> all;
    std::uint64_t next = 502;
    ASSERT_TRUE(eventually([&] {
        for (auto& one : told()) all.push_back(std::move(one));
        if (!requests_.empty()) feed_.history_begins("S1", 101);
        serve(server, next, 101);
        if (next < 520) data(kA, next++, 1);
        return !all.empty() && all.back() == "519+1";
    }));
    EXPECT_EQ(all[1].substr(0, 4), "101+");
    EXPECT_EQ(status().gaps, 0u);
    EXPECT_EQ(status().delivered, 419u);
    EXPECT_FALSE(status().catching_up);
}

TEST_F(FeedLeaf, BeginsAtASequenceThatHasPassed) {
    KernelSocket server;
    open_feed({.start = StartAt::sequence,
               .start_sequence = 5,
               .gap_deadline = 5s,
               .repair = FeedRepairOptions{.server = server.endpoint()}});
    data(kB, 9, 1);
    std::vector<std::string> all;
    ASSERT_TRUE(eventually([&] {
        for (auto& one : told()) all.push_back(std::move(one));
        serve(server, 10);
        return !all.empty() && all.back() == "9+1";
    }));
    EXPECT_THAT(all, ElementsAre("S1", "5+4 repaired", "9+1"));
}

// What the old session still lacked is told before the new one begins; held buffers come home.
TEST_F(FeedLeaf, ASessionThatChangesInTheMiddleOfAGap) {
    open_feed({.gap_deadline = 60s});
    data(kA, 1, 1);
    data(kA, 3, 1);
    data(kA, 1, 2, "S2");
    data(kB, 4, 1, "S1");
    data(kB, 3, 1, "S2");
    data(kB, 5, 1, "S1");
    // It goes on, and of the old one nothing is heard any more.
    std::vector<std::string> all;
    ASSERT_TRUE(eventually([&] {
        data(kB, 4, 1, "S2");
        for (auto& one : told()) all.push_back(std::move(one));
        return std::ranges::find(all, "S2") != all.end() && all.back() == "4+1";
    }));
    EXPECT_THAT(
        all, ElementsAre("S1", "1+1", "gap 2+1", "3+1", "4+1", "5+1", "S2", "1+2", "3+1", "4+1"));
}

TEST_F(FeedLeaf, AGapMayStopAll) {
    open_feed({.on_gap = GapPolicy::stop, .gap_deadline = 5ms});
    data(kA, 1, 1);
    data(kA, 3, 1);
    EXPECT_THAT(told_until("gap 2+1"), ElementsAre("S1", "1+1", "gap 2+1"));
    data(kA, 4, 1);
    EXPECT_TRUE(eventually([&] { return told().empty() && of(status().fates, "stopped") == 1; }));
    EXPECT_TRUE(status().stopped);
}

TEST_F(FeedLeaf, WhatComesLateMayBeDeliveredAsSuch) {
    open_feed({.on_gap = GapPolicy::deliver_late, .gap_deadline = 5ms});
    data(kA, 1, 1);
    data(kA, 3, 1);
    EXPECT_THAT(told_until("3+1"), ElementsAre("S1", "1+1", "gap 2+1", "3+1"));
    data(kB, 2, 1);
    EXPECT_THAT(told_until("late 2+1"), ElementsAre("late 2+1"));
}

TEST_F(FeedLeaf, AStrayFarAheadIsNotBelieved) {
    open_feed({.gap_deadline = 5ms});
    data(kA, 1, 1);
    data(kA, 1ull << 60, 1);
    data(kA, 2, 1);
    EXPECT_THAT(told_until("2+1"), ElementsAre("S1", "1+1", "2+1"));
    EXPECT_EQ(of(status().fates, "unconfirmed"), 1u);
    EXPECT_EQ(status().known_end, 3u);
}

// A leaf that did not look for ten times the deadline finds in its queue what it thinks is missing.
TEST_F(FeedLeaf, ALeafThatWasFrozenLosesNothingThatIsInItsQueue) {
    open_feed({.gap_deadline = 20ms});
    data(kA, 1, 1);
    data(kA, 3, 1);
    EXPECT_THAT(told_until("1+1"), ElementsAre("S1", "1+1"));
    for (std::uint64_t n = 4; n < 120; ++n) data(kA, n, 1);
    data(kB, 2, 1);
    std::this_thread::sleep_for(200ms);
    const auto all = told_until("119+1");
    EXPECT_EQ(all.size(), 118u);
    EXPECT_EQ(status().gaps, 0u);
}

TEST_F(FeedLeaf, APayloadInPartsIsCopiedOrDroppedByName) {
    open_feed({.spare_buffers = 1, .spare_octets = 300});
    const auto in_parts = [&](std::uint64_t first, std::uint16_t count) {
        network_.send_in_segments(frame_by(kA, mold_packet("S1", first, count)), {50, 60});
    };
    in_parts(1, 3);
    EXPECT_THAT(told_until("1+3"), ElementsAre("S1", "1+3"));
    in_parts(4, 2);  // the buffer is free again
    EXPECT_THAT(told_until("4+2"), ElementsAre("4+2"));
    in_parts(7, 1);  // and waits for 6 now
    in_parts(8, 1);
    in_parts(6, 40);
    data(kA, 6, 1);
    EXPECT_THAT(told_until("7+1"), ElementsAre("6+1", "7+1"));
    const auto now = status();
    EXPECT_EQ(of(now.dropped, "no_spare_buffer"), 1u);
    EXPECT_EQ(of(now.dropped, "too_long"), 1u);
}

TEST_F(FeedLeaf, WhatIsNoFeedIsCountedByItsName) {
    open_feed();
    auto other =
        join(nth_endpoint(7), {.receiver = &receiver_}, {.direction = Direction::receiver_only});
    network_.send(frame_by(kA, bytes_of_text("nonsense")));
    network_.send(frame_by(7, mold_packet("S1", 1, 1)));
    data(kA, 1, 1);
    EXPECT_THAT(told_until("1+1"), ElementsAre("S1", "1+1"));
    EXPECT_EQ(of(status().malformed, "truncated"), 1u);
    EXPECT_EQ(of(status().dropped, "other_socket"), 1u);
    feed_.set_line(kA, other.id());
    network_.send(frame_by(7, mold_packet("S1", 2, 1)));
    EXPECT_THAT(told_until("2+1"), ElementsAre("2+1"));
}

TEST_F(FeedLeaf, OptionsThatCannotBe) {
    start();
    receiver_ = open_receiver(64);
    const Receiver none;
    const auto refused = [](const FeedReceiverOptions& options) {
        return error_of(FeedReceiver::open(options)) ==
               std::make_error_code(std::errc::invalid_argument);
    };
    const std::vector<FeedLine> lines{{SocketId{1}, &receiver_}};
    EXPECT_TRUE(refused({}));
    EXPECT_TRUE(refused({.lines = std::vector<FeedLine>(17, lines[0])}));
    EXPECT_TRUE(refused({.lines = {{SocketId{1}, nullptr}}}));
    EXPECT_TRUE(refused({.lines = {{SocketId{1}, &none}}}));
    EXPECT_TRUE(refused({.lines = lines, .session = "ELEVEN CHARS"}));
    EXPECT_TRUE(refused({.lines = lines, .start_sequence = 0}));
    EXPECT_TRUE(refused({.lines = lines, .window = 64}));
    EXPECT_TRUE(refused({.lines = lines, .spare_octets = 10}));
    const FeedReceiverOptions elsewhere{
        .lines = lines,
        .repair = FeedRepairOptions{.server = {kLoopback, UdpPort::of(9)},
                                    .local = Ipv4Address(192, 0, 2, 1)}};
    EXPECT_EQ(error_of(FeedReceiver::open(elsewhere)),
              std::make_error_code(std::errc::address_not_available));
    EXPECT_TRUE(FeedReceiver::open({.lines = lines}));
}

// The status is of one moment whoever reads it, while the feed goes on.
TEST_F(FeedLeaf, AnotherThreadReadsAStatusThatIsWhole) {
    open_feed();
    std::atomic<bool> done = false;
    std::thread reader([&] {
        while (!done) {
            const auto now = feed_.status();
            EXPECT_EQ(now.delivered + 1, std::max<std::uint64_t>(now.next_sequence, 1));
            EXPECT_LE(now.latency.percentile(0.5), now.latency.percentile(0.99));
        }
    });
    for (std::uint64_t n = 1; n <= 2000; ++n) {
        data(kA, n, 1);
        if (n % 50 == 0) static_cast<void>(told_until(fmt::format("{}+1", n)));
    }
    done = true;
    reader.join();
    EXPECT_EQ(status().delivered, 2000u);
}

// Lines on two ports, each with a receiver of its own.
class FeedLeafOnTwoPorts : public FeedLeaf {
protected:
    FeedLeafOnTwoPorts() {
        options_.ports.push_back({.port = other_.port(),
                                  .address = {Ipv4Address(10, 0, 1, 1), 24},
                                  .receive_buffers = 4096,
                                  .transmit_buffers = 4096});
    }
    void TearDown() override {
        feed_ = FeedReceiver();
        other_receiver_ = Receiver();
        sockets_.clear();
        receiver_ = Receiver();
        runtime_->stop(0ms);
        runtime_.reset();
        other_.clear();
        OnTheWire::TearDown();
    }
    void open_both() {
        start();
        receiver_ = open_receiver(256);
        auto opened = runtime().open_receiver({.port = 1, .capacity = 256});
        ASSERT_TRUE(opened);
        other_receiver_ = std::move(*opened);
        const JoinOptions listen{.direction = Direction::receiver_only};
        sockets_.push_back(join(nth_endpoint(kA), {.receiver = &receiver_}, listen));
        sockets_.push_back(
            join(nth_endpoint(kB), {.port = 1, .receiver = &other_receiver_}, listen));
        open_with(
            {.lines = {{sockets_[kA].id(), &receiver_}, {sockets_[kB].id(), &other_receiver_}},
             .gap_deadline = 10s});
    }

    Network other_;
    Receiver other_receiver_;
};

TEST_F(FeedLeafOnTwoPorts, AreOneFeed) {
    open_both();
    for (std::uint64_t n = 1; n <= 1000; ++n) {
        if (n % 7 != 3) network_.send(frame_by(kA, mold_packet("S1", n, 1)));
        if (n % 5 != 2) other_.send(frame_by(kB, mold_packet("S1", n, 1)));
        // Seventeen is the first that both lose.
        if (n == 17) network_.send(frame_by(kA, mold_packet("S1", n, 1)));
        if (n % 35 == 17 && n > 17) other_.send(frame_by(kB, mold_packet("S1", n, 1)));
        if (n % 60 == 0) static_cast<void>(told_until(fmt::format("{}+1", n)));
    }
    static_cast<void>(told_until("1000+1"));
    const auto now = status();
    EXPECT_EQ(now.delivered, 1000u);
    EXPECT_EQ(now.gaps, 0u);
    EXPECT_GT(now.lines[kA].counters.won, 100u);
    EXPECT_GT(now.lines[kB].counters.won, 100u);
    EXPECT_GT(now.lines[kA].skew.count() + now.lines[kB].skew.count(), 500u);
}

// One of them falls silent: the other brings all, without waiting.
TEST_F(FeedLeafOnTwoPorts, OneGoesOnAlone) {
    open_both();
    network_.send(frame_by(kA, mold_packet("S1", 1, 1)));
    other_.send(frame_by(kB, mold_packet("S1", 1, 1)));
    EXPECT_THAT(told_until("1+1"), ElementsAre("S1", "1+1"));
    for (std::uint64_t n = 2; n < 50; ++n) {
        other_.send(frame_by(kB, mold_packet("S1", n, 1)));
        EXPECT_THAT(told_until(fmt::format("{}+1", n)), ElementsAre(fmt::format("{}+1", n)));
    }
    EXPECT_EQ(status().lines[kB].counters.won + status().lines[kA].counters.won, 49u);
}

}  // namespace
}  // namespace joinleaf::test
