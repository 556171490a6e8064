// A captured feed replayed: one line of it, each message once, in order; what is missing is told.
#include <apps/joinleaf/feed_files/replay.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/captures.h"
#include "tests/support/mold_packets.h"
#include "tests/support/read_layout.h"

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;
using test::mold_number;
using test::mold_packet;
using test::Octets;
using test::Pcapng;
using test::udp_frame;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kEnd = net::kMoldEndOfSession;
constexpr std::uint64_t kMillisecond = 1'000'000;

/// One line, packet by packet; messages are their sequence numbers.
class Line {
public:
    std::vector<std::uint64_t> hear(std::uint64_t first, std::uint16_t count, RecordedTime at = 0ms,
                                    std::string_view session = "A") {
        const auto octets = mold_packet(session, first, count);
        order_.arrive(net::parse_mold(octets).value(), at);
        return taken();
    }
    std::vector<std::uint64_t> end() {
        order_.end();
        return taken();
    }
    [[nodiscard]] std::vector<std::string> gaps() {
        std::vector<std::string> gaps;
        for (const auto& gap : order_.take_gaps()) {
            gaps.push_back(std::string(gap.session.name()) + " " + std::to_string(gap.first) + "+" +
                           std::to_string(gap.count));
        }
        return gaps;
    }
    [[nodiscard]] const InOrderCounts& counts() const { return order_.counts(); }

private:
    std::vector<std::uint64_t> taken() {
        std::vector<std::uint64_t> numbers;
        InOrder::Run run;
        while (order_.next(run)) {
            for (const auto message : run.messages) numbers.push_back(mold_number(message));
        }
        order_.forget();
        return numbers;
    }
    InOrder order_;
};

TEST(InOrder, BeginsWithWhatComesFirst) {
    Line line;
    EXPECT_THAT(line.hear(5, 2), ElementsAre(5, 6));
    EXPECT_THAT(line.hear(7, 1), ElementsAre(7));
    EXPECT_THAT(line.gaps(), IsEmpty());
    EXPECT_EQ(line.counts().sessions, 1u);
}

TEST(InOrder, WhatComesTwiceComesOnce) {
    Line line;
    EXPECT_THAT(line.hear(1, 2), ElementsAre(1, 2));
    EXPECT_THAT(line.hear(1, 2), IsEmpty());
    EXPECT_THAT(line.hear(2, 2), ElementsAre(3)) << "cut otherwise";
    EXPECT_EQ(line.counts().duplicates, 3u);
    EXPECT_EQ(line.counts().messages, 3u);
}

TEST(InOrder, WhatComesLateTakesItsPlace) {
    Line line;
    EXPECT_THAT(line.hear(1, 1), ElementsAre(1));
    EXPECT_THAT(line.hear(3, 2), IsEmpty());
    EXPECT_THAT(line.hear(5, 1), IsEmpty());
    EXPECT_THAT(line.hear(2, 1), ElementsAre(2, 3, 4, 5));
    EXPECT_THAT(line.gaps(), IsEmpty());
    EXPECT_EQ(line.counts().reordered, 1u);
}

TEST(InOrder, AGapIsGivenUpInTime) {
    Line line;
    EXPECT_THAT(line.hear(1, 1), ElementsAre(1));
    EXPECT_THAT(line.hear(4, 1, 10ms), IsEmpty());
    EXPECT_THAT(line.hear(5, 1, 109ms), IsEmpty());
    EXPECT_THAT(line.hear(6, 1, 110ms), ElementsAre(4, 5, 6));
    EXPECT_THAT(line.gaps(), ElementsAre("A 2+2"));
    EXPECT_EQ(line.counts().missing, 2u);
    EXPECT_THAT(line.hear(2, 1, 111ms), IsEmpty()) << "too late";
}

TEST(InOrder, AGapIsGivenUpWhenTooManyWait) {
    Line line;
    EXPECT_THAT(line.hear(1, 1), ElementsAre(1));
    for (std::uint64_t i = 0; i < InOrder::kMostHeld; ++i) {
        EXPECT_THAT(line.hear(3 + i, 1), IsEmpty());
    }
    EXPECT_EQ(line.hear(3 + InOrder::kMostHeld, 1).size(), InOrder::kMostHeld + 1);
    EXPECT_THAT(line.gaps(), ElementsAre("A 2+1"));
}

TEST(InOrder, TheEndOfASessionGivesUpWhatIsMissing) {
    Line line;
    EXPECT_THAT(line.hear(1, 1), ElementsAre(1));
    EXPECT_THAT(line.hear(3, 1), IsEmpty());
    EXPECT_THAT(line.hear(6, kEnd), ElementsAre(3));
    EXPECT_THAT(line.gaps(), ElementsAre("A 2+1", "A 4+2"));
    EXPECT_THAT(line.hear(6, kEnd), IsEmpty());
    EXPECT_THAT(line.gaps(), IsEmpty()) << "and nothing more";
}

TEST(InOrder, AHeartbeatTellsOfWhatIsMissingAtTheEnd) {
    Line line;
    EXPECT_THAT(line.hear(1, 1), ElementsAre(1));
    EXPECT_THAT(line.hear(4, 0), IsEmpty());
    EXPECT_THAT(line.gaps(), IsEmpty()) << "it may still come";
    EXPECT_THAT(line.end(), IsEmpty());
    EXPECT_THAT(line.gaps(), ElementsAre("A 2+2"));
}

TEST(InOrder, AnotherSessionFollowsTheOneBefore) {
    Line line;
    EXPECT_THAT(line.hear(8, 1), ElementsAre(8));
    EXPECT_THAT(line.hear(10, 1), IsEmpty());
    EXPECT_THAT(line.hear(1, 2, 0ms, "B"), ElementsAre(10, 1, 2));
    EXPECT_THAT(line.gaps(), ElementsAre("A 9+1"));
    EXPECT_THAT(line.hear(11, 1, 0ms, "A"), IsEmpty()) << "what is over does not come back";
    EXPECT_THAT(line.hear(3, 1, 0ms, "B"), ElementsAre(3));
    EXPECT_EQ(line.counts().sessions, 2u);
}

// Whatever is lost, doubled and mixed: numbers rise, and what is not given out is counted.
RC_GTEST_PROP(InOrder, NothingComesTwiceAndNothingIsLostInSilence,
              (const std::vector<std::uint16_t>& packets)) {
    Line line;
    std::vector<std::uint64_t> all = line.hear(1, 1);
    std::uint64_t highest = 1;
    const auto add = [&](const std::vector<std::uint64_t>& more) {
        all.insert(all.end(), more.begin(), more.end());
    };
    for (const auto packet : packets) {
        const std::uint64_t first = 1 + packet % 64;
        const auto count = static_cast<std::uint16_t>(packet / 64 % 4);
        highest = std::max(highest, first + count - 1);
        add(line.hear(first, count, std::chrono::milliseconds(packet / 256)));
    }
    add(line.end());
    RC_ASSERT(std::ranges::is_sorted(all));
    RC_ASSERT(std::ranges::adjacent_find(all) == all.end());
    RC_ASSERT(all.size() + line.counts().missing == highest);
}

Octets frame(std::string_view to, std::uint64_t first, std::uint16_t count,
             std::string_view session = "A") {
    return udp_frame(to, 5000, mold_packet(session, first, count));
}

constexpr auto kA = "239.1.1.1";
constexpr auto kB = "239.1.1.2";
constexpr auto kServer = "10.0.0.9";

test::Read replayed(const Pcapng& capture, std::optional<Flow> flow = {}) {
    ReplayLayout whole(flow);
    test::Read all = test::read_all(whole, capture.octets(), capture.octets().size());
    ReplayLayout piecewise(flow);
    EXPECT_EQ(test::read_all(piecewise, capture.octets(), 7).messages, all.messages);
    return all;
}

std::vector<std::uint64_t> numbers(const test::Read& read) {
    std::vector<std::uint64_t> numbers;
    for (const auto& message : read.messages) numbers.push_back(mold_number(test::octets(message)));
    return numbers;
}

Flow flow(std::string_view address) { return {Ipv4Address::parse(address).value(), 5000}; }

TEST(Replay, TakesTheOnlyFlowWithItsTimes) {
    const auto all = replayed(Pcapng()
                                  .interface(1, 9)
                                  .frame(0, 100, frame(kA, 1, 2))
                                  .frame(0, 150, frame(kServer, 1, 2))
                                  .frame(0, 200, frame(kA, 3, 0))
                                  .frame(0, 300, frame(kA, 3, 1))
                                  .frame(0, 400, frame(kA, 4, kEnd)));
    EXPECT_THAT(numbers(all), ElementsAre(1, 2, 3));
    EXPECT_THAT(all.times, ElementsAre(100ns, 100ns, 300ns));
    EXPECT_THAT(all.notes, IsEmpty());
    EXPECT_EQ(all.wrong, "");
}

TEST(Replay, SaysWhatTheCaptureLacks) {
    const auto all = replayed(Pcapng()
                                  .interface(1, 9)
                                  .frame(0, 0, frame(kA, 5, 1))
                                  .frame(0, 1, frame(kA, 9, 1))
                                  .frame(0, 200 * kMillisecond, frame(kA, 10, 1)));
    EXPECT_THAT(numbers(all), ElementsAre(5, 9, 10));
    EXPECT_THAT(
        all.notes,
        ElementsAre("the capture has session A from message 5 on; it is sent as a feed of its own, "
                    "numbered anew",
                    "the capture lacks 3 messages of session A from 6 on; what follows is sent "
                    "without a gap, numbered anew"));
}

TEST(Replay, OfSeveralFlowsTakesTheOneThatWasNamed) {
    Pcapng capture;
    capture.interface(1).frame(0, 0, frame(kB, 1, 1)).frame(0, 0, frame(kA, 1, 1));
    capture.frame(0, 1, frame(kA, 2, 1)).frame(0, 1, frame(kB, 2, 1));
    const auto all = replayed(capture, flow(kA));
    EXPECT_THAT(numbers(all), ElementsAre(1, 2));
    EXPECT_EQ(all.wrong, "");
    ReplayLayout layout(flow(kA));
    test::read_all(layout, capture.octets(), 1000);
    EXPECT_EQ(layout.counts().other_flows, 2u);
    EXPECT_EQ(layout.counts().frames, 4u);
}

TEST(Replay, OfAStreamAsksWhichWhenASecondFlowComes) {
    const auto all = replayed(Pcapng()
                                  .interface(1)
                                  .frame(0, 0, frame(kA, 1, 1))
                                  .frame(0, 0, frame(kB, 1, 1))
                                  .frame(0, 1, frame(kA, 2, 1)));
    EXPECT_THAT(numbers(all), ElementsAre(1)) << "what was before is sent";
    EXPECT_EQ(all.wrong,
              "beside 239.1.1.1:5000 there is 239.1.1.2:5000 (session A, 1 packets); name the one "
              "to replay, as in --input-flow 239.1.1.1:5000");
}

TEST(Replay, SaysWhatIsThereWhenTheFlowIsNot) {
    Pcapng capture;
    capture.interface(1).frame(0, 0, frame(kB, 1, 1)).frame(0, 0, udp_frame(kA, 53, {}));
    EXPECT_EQ(replayed(capture, flow(kA)).wrong,
              "the capture holds no MoldUDP64 packet to 239.1.1.1:5000, but there is "
              "239.1.1.2:5000 (session A, 1 packets); name the one to replay, as in --input-flow "
              "IP:PORT");
    const auto cut = frame(kA, 1, 1);
    const auto none = replayed(Pcapng()
                                   .interface(1)
                                   .interface(147)
                                   .frame(0, 0, udp_frame(kA, 53, {}))
                                   .frame(0, 0, std::span(cut).first(50))
                                   .frame(1, 0, cut));
    EXPECT_THAT(none.wrong,
                HasSubstr("of 3 frames 2 were UDP, 1 of these to another address or port, 1 were "
                          "cut short and 1 of a kind that is not read"));
}

TEST(Replay, OfACaptureCutOffSendsWhatIsWhole) {
    const auto whole =
        Pcapng().interface(1).frame(0, 0, frame(kA, 1, 1)).frame(0, 0, frame(kA, 3, 1)).octets();
    ReplayLayout layout(std::nullopt);
    const auto all = test::read_all(layout, std::span(whole).first(whole.size() - 1), 1000);
    EXPECT_THAT(numbers(all), ElementsAre(1));
    EXPECT_THAT(all.wrong, HasSubstr("is cut off after"));
    ReplayLayout another(std::nullopt);
    auto damaged = whole;
    const auto rest = test::bytes_of("0600000001000000");
    damaged.insert(damaged.end(), rest.begin(), rest.end());
    const auto before = test::read_all(another, damaged, 1000);
    EXPECT_THAT(numbers(before), ElementsAre(1, 3)) << "also what was held back";
    EXPECT_THAT(before.wrong, HasSubstr("damaged"));
}

TEST(FlowSurvey, TellsTheOneFlowOrAllOfThem) {
    const auto surveyed = [](const Pcapng& capture) {
        FlowSurvey survey;
        test::read_all(survey, capture.octets(), 100);
        const auto only = survey.flows().only();
        return only ? only->to_string() : survey.flows().to_string();
    };
    Pcapng capture;
    capture.interface(1).frame(0, 0, udp_frame(kB, 53, test::bytes_of("00")));
    EXPECT_EQ(surveyed(capture), "");
    capture.frame(0, 0, frame(kServer, 1, 1));
    EXPECT_EQ(surveyed(capture), "10.0.0.9:5000");
    capture.frame(0, 0, frame(kA, 1, 1));
    EXPECT_EQ(surveyed(capture), "239.1.1.1:5000") << "answers to requests go by unicast";
    capture.frame(0, 0, frame(kB, 1, 1)).frame(0, 0, frame(kB, 2, 1));
    EXPECT_EQ(surveyed(capture),
              "10.0.0.9:5000 (session A, 1 packets), 239.1.1.1:5000 (session A, 1 packets), "
              "239.1.1.2:5000 (session A, 2 packets)");
}

}  // namespace
}  // namespace joinleaf::app
