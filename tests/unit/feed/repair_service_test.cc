// A repair server on a kernel socket, asked over the loopback interface by plain UDP clients.
#include <controlplane/repair_service.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tests/support/hex.h>
#include <tests/support/udp_asker.h>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/mold_packets.h"

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;
using test::UdpAsker;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Service : public testing::Test {
protected:
    Result<std::shared_ptr<RepairService>> open(RepairServerOptions options) {
        return RepairService::open(
            io, options,
            {.too_old =
                 [this](Ipv4Address leaf, const HistoryBegins& begins) {
                     told.emplace_back(leaf, begins);
                     return std::size_t{1};
                 },
             .name_of =
                 [](Ipv4Address leaf) {
                     return leaf == Ipv4Address(127, 0, 0, 9) ? "desk-9" : std::string();
                 },
             .log = [this](std::string_view line) { said.emplace_back(line); }});
    }
    void start(const RepairLimits& limits = {}) {
        auto opened = open({.endpoint = at, .limits = limits});
        ASSERT_TRUE(opened) << opened.error().message();
        service = std::move(*opened);
        service->serve(log);
    }
    /// Messages that are their own sequence numbers.
    void publish(std::uint64_t first, std::uint16_t count) {
        const auto bytes = test::mold_packet("S1", first, count);
        log->append(first, net::parse_mold(bytes)->messages);
    }
    /// Until nothing waits for it: what a client has sent over the loopback interface is there. The
    /// server pauses for 1 ms at most between its turns, so who does nothing for twice as long has
    /// nothing left to do, however slow this machine is.
    void serve() {
        while (io.run_for(2ms) + io.poll() != 0) continue;
    }
    [[nodiscard]] std::uint64_t count(RepairOutcome outcome) const {
        return service->status().requests[static_cast<std::size_t>(outcome)];
    }
    [[nodiscard]] std::uint64_t taken() const {
        const auto requests = service->status().requests;
        return std::accumulate(requests.begin(), requests.end(), std::uint64_t{0});
    }

    asio::io_context io;
    const asio::executor_work_guard<asio::io_context::executor_type> open_for_work =
        asio::make_work_guard(io);
    const UdpEndpoint at = UdpAsker::free_endpoint();
    const std::shared_ptr<dataplane::MessageLog> log =
        std::make_shared<dataplane::MessageLog>(net::MoldSession::from("S1").value(), 512, 1 << 16);
    std::shared_ptr<RepairService> service;
    std::vector<std::pair<Ipv4Address, HistoryBegins>> told;
    std::vector<std::string> said;
};

// Octet by octet, as Nasdaq's specification has it.
TEST_F(Service, AnswersWithOnePacketOfWhatWasAskedFor) {
    start();
    publish(1, 5);
    const UdpAsker anybody(at);
    anybody.say(test::bytes_of("53312020202020202020 0000000000000002 0002"));
    serve();
    const auto answer = anybody.hear();
    ASSERT_TRUE(answer);
    EXPECT_EQ(test::hex_of(*answer),
              "53312020202020202020"
              "0000000000000002"
              "0002"
              "00080000000000000002"
              "00080000000000000003");
    EXPECT_FALSE(anybody.hear());
    const RepairStatus status = service->status();
    EXPECT_EQ(status.endpoint, at);
    EXPECT_EQ(status.session, "S1");
    EXPECT_EQ(status.history_begins, 1u);
    EXPECT_EQ(status.next_sequence, 6u);
    EXPECT_EQ(count(RepairOutcome::answered), 1u);
    EXPECT_EQ(status.messages, 2u);
    EXPECT_EQ(status.octets, 40u);
    EXPECT_EQ(status.unsent, 0u);
}

TEST_F(Service, NonsenseIsCountedAndNotAnswered) {
    start();
    publish(1, 5);
    const UdpAsker anybody(at);
    anybody.say(test::bytes_of(""));
    anybody.say(test::bytes_of("53312020202020202020 0000000000000002"));
    anybody.say(test::bytes_of("53312020202020202020 0000000000000002 000200"));
    anybody.say(std::vector<std::byte>(4000));
    anybody.ask("S2", 2, 1);
    anybody.ask("S1", 2, 1);
    serve();
    EXPECT_TRUE(anybody.hear());
    EXPECT_FALSE(anybody.hear());
    EXPECT_EQ(count(RepairOutcome::malformed), 4u);
    EXPECT_EQ(count(RepairOutcome::other_session), 1u);
    EXPECT_EQ(count(RepairOutcome::answered), 1u);
}

TEST_F(Service, WhoAsksForWhatHasBeenOverwrittenIsReportedWithWhereTheHistoryBegins) {
    start();
    for (std::uint64_t first = 1; first < 10'000; first += 100) publish(first, 100);
    const std::uint64_t begins = service->status().history_begins;
    ASSERT_GT(begins, 9'000u);
    const UdpAsker late(at, Ipv4Address(127, 0, 0, 7));
    late.ask("S1", 1, 10);
    serve();
    EXPECT_FALSE(late.hear());
    ASSERT_THAT(told, SizeIs(1));
    EXPECT_EQ(told[0].first, Ipv4Address(127, 0, 0, 7));
    EXPECT_EQ(told[0].second.session_name(), "S1");
    EXPECT_EQ(told[0].second.sequence, begins);
    EXPECT_EQ(service->status().told, 1u);
    late.ask("S1", begins, 10);
    serve();
    EXPECT_EQ(*late.hear(), test::mold_packet("S1", begins, 10));
}

TEST_F(Service, AHundredWhoLostTheSamePacketGetItEach) {
    start();
    publish(1, 100);
    std::deque<UdpAsker> askers;
    for (std::uint8_t i = 1; i <= 100; ++i) askers.emplace_back(at, Ipv4Address(127, 0, 1, i));
    for (const auto& asker : askers) asker.ask("S1", 40, 20);
    serve();
    for (const auto& asker : askers) {
        EXPECT_EQ(asker.hear(), test::mold_packet("S1", 40, 20));
        EXPECT_FALSE(asker.hear());
    }
    EXPECT_EQ(count(RepairOutcome::answered), 100u);
    EXPECT_EQ(service->status().leaves, 100u);
}

TEST_F(Service, ALeafThatNeverStopsAskingIsNamedOnceAndTakesNothingFromOthers) {
    start({.refusals_per_second = 1, .burst_refusals = 20});
    publish(1, 100);
    const UdpAsker greedy(at, Ipv4Address(127, 0, 0, 9));
    const UdpAsker stranger(at, Ipv4Address(127, 0, 0, 8));
    const UdpAsker honest(at, Ipv4Address(127, 0, 0, 1));
    for (int i = 0; i < 100; ++i) {
        greedy.ask("S1", 5000, 1);
        stranger.ask("S1", 5000, 1);
    }
    honest.ask("S1", 1, 1);
    serve();
    EXPECT_TRUE(honest.hear());
    EXPECT_THAT(said, testing::UnorderedElementsAre(
                          "127.0.0.9 ('desk-9') does not stop asking for what it cannot have; it "
                          "is not answered for 10 s",
                          "127.0.0.8 does not stop asking for what it cannot have; it is not "
                          "answered for 10 s"));
    EXPECT_GT(count(RepairOutcome::quarantined), 100u);
    greedy.ask("S1", 1, 1);
    honest.ask("S1", 2, 1);
    serve();
    EXPECT_FALSE(greedy.hear());
    EXPECT_TRUE(honest.hear());
    EXPECT_THAT(said, SizeIs(2));
}

TEST_F(Service, AllTogetherGetNoMoreThanTheLimit) {
    start({.octets_per_second = 1, .burst_octets = 100});
    publish(1, 100);
    std::deque<UdpAsker> askers;
    for (std::uint8_t i = 1; i <= 10; ++i) askers.emplace_back(at, Ipv4Address(127, 0, 1, i));
    for (const auto& asker : askers) asker.ask("S1", 1, 2);
    serve();
    // Forty octets each, until a hundred have been spent.
    EXPECT_EQ(count(RepairOutcome::answered), 3u);
    EXPECT_EQ(count(RepairOutcome::total_limit), 7u);
    EXPECT_EQ(service->status().octets, 120u);
}

// What else there is to do for the thread never waits for more than one turn.
TEST_F(Service, OthersOnItsThreadHaveTheirTurn) {
    start();
    publish(1, 100);
    const UdpAsker flood(at);
    for (std::size_t i = 0; i < 3 * RepairService::kRequestsPerTurn; ++i) flood.ask("S1", 1, 1);
    while (taken() == 0) io.run_one();
    EXPECT_EQ(taken(), RepairService::kRequestsPerTurn);
    bool had_its_turn = false;
    asio::post(io, [&] { had_its_turn = true; });
    io.run_one();
    EXPECT_TRUE(had_its_turn);
    EXPECT_EQ(taken(), RepairService::kRequestsPerTurn);
    serve();
    EXPECT_EQ(taken(), 3 * RepairService::kRequestsPerTurn);
}

// The root goes on publishing, and laps the history, while it is read from.
TEST_F(Service, WhateverIsAnsweredIsRightThoughTheHistoryIsOverwrittenMeanwhile) {
    start({.octets_per_second = 1'000'000'000'000,
           .burst_octets = 4'000'000'000,
           .leaf_octets_per_second = 1'000'000'000'000,
           .leaf_burst_octets = 4'000'000'000,
           .duplicate_within = 0s,
           .refusals_per_second = 1'000'000'000'000,
           .burst_refusals = 4'000'000'000});
    publish(1, 100);
    std::atomic<bool> over{false};
    std::thread root([&] {
        for (std::uint64_t first = 101; !over.load(); first += 16) publish(first, 16);
    });
    const UdpAsker asker(at);
    std::uint64_t answers = 0;
    for (int i = 0; i < 20'000 && answers < 2'000; ++i) {
        const auto status = service->status();
        // From the oldest, which are overwritten next, to the newest.
        const auto known = std::max<std::uint64_t>(status.next_sequence - status.history_begins, 1);
        const auto back = std::uint64_t{1} + static_cast<std::uint64_t>(i) % known;
        asker.ask("S1", status.next_sequence - back, 100);
        io.run_one_for(10ms);
        while (const auto answer = asker.hear()) {
            ++answers;
            const auto packet = net::parse_mold(*answer);
            ASSERT_TRUE(packet);
            std::uint64_t expected = packet->sequence;
            for (const auto message : packet->messages) {
                ASSERT_EQ(test::mold_number(message), expected++);
            }
        }
    }
    over = true;
    root.join();
    EXPECT_GT(answers, 100u);
}

TEST_F(Service, AnEndpointThatIsTakenOrNotOursIsAnErrorThatNamesIt) {
    start();
    EXPECT_EQ(open({.endpoint = at}).error(), std::errc::address_in_use);
    ASSERT_THAT(said, SizeIs(1));
    EXPECT_THAT(said[0], HasSubstr(at.to_string()));
    const UdpEndpoint elsewhere{Ipv4Address(192, 0, 2, 1), at.port};
    EXPECT_EQ(open({.endpoint = elsewhere}).error(), std::errc::address_not_available);
    EXPECT_THAT(said.back(), HasSubstr(elsewhere.to_string()));
    EXPECT_EQ(open({.endpoint = {Ipv4Address(), at.port}}).error(),
              std::errc::address_not_available);
}

TEST_F(Service, LimitsThatCannotBeKeptAreRefused) {
    const std::vector<RepairLimits> bad = {
        {.capacity = 21},
        {.capacity = 65508},
        {.octets_per_second = 0},
        {.burst_octets = 0},
        {.leaf_octets_per_second = 0},
        {.leaf_burst_octets = 0},
        {.duplicate_within = -1ns},
        {.refusals_per_second = 0},
        {.burst_refusals = 0},
        {.quarantine = -1ns},
        {.max_leaves = 0},
    };
    for (std::size_t i = 0; i < bad.size(); ++i) {
        EXPECT_EQ(open({.endpoint = at, .limits = bad[i]}).error(), std::errc::invalid_argument)
            << i;
    }
    EXPECT_TRUE(open({.endpoint = at, .limits = {.capacity = 22}}));
}

// A feed of jumbo datagrams is repaired whole.
TEST_F(Service, AnswersHoldWhatTheFeedsDatagramsHold) {
    auto opened = open({.endpoint = at});
    ASSERT_TRUE(opened);
    service = std::move(*opened);
    service->serve(log, 8972);
    const std::vector<std::byte> longest(8972 - net::kMoldHeaderSize - net::kMoldLengthSize);
    ASSERT_TRUE(log->append(longest));
    log->commit();
    const UdpAsker asker(at);
    asker.ask("S1", 1, 1);
    serve();
    EXPECT_THAT(asker.hear().value(), SizeIs(8972));
}

TEST_F(Service, WhatIsAskedBeforeThereIsAFeedIsAnsweredThen) {
    auto opened = open({.endpoint = at});
    ASSERT_TRUE(opened);
    service = std::move(*opened);
    const UdpAsker early(at);
    early.ask("S1", 1, 1);
    serve();
    EXPECT_FALSE(early.hear());
    publish(1, 1);
    service->serve(log);
    serve();
    EXPECT_TRUE(early.hear());
}

TEST_F(Service, WhenItEndsItsPortIsFree) {
    start();
    service.reset();
    serve();
    EXPECT_TRUE(open({.endpoint = at}));
    EXPECT_THAT(said, IsEmpty());
}

}  // namespace
}  // namespace joinleaf::controlplane
