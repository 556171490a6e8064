// Whom a root has turned away, told in measure.
#include <controlplane/refusal_notices.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class RefusalNoticesTest : public testing::Test {
protected:
    void refuse(int times = 1) {
        for (int i = 0; i < times; ++i) notices.tell(peer, "too many wait", now);
    }

    const Peer peer{.endpoint = {Ipv4Address(192, 0, 2, 7), UdpPort::of(40000)},
                    .name = "desk-7",
                    .identity = {},
                    .data_address = {}};
    Instant now{1h};
    std::vector<std::string> lines;
    std::vector<std::string> calls;
    RefusalNotices notices{[this](std::string_view line) { lines.emplace_back(line); },
                           [this](const Peer& who, std::string_view why) {
                               EXPECT_EQ(who.name, "desk-7");
                               calls.emplace_back(why);
                           }};
};

TEST_F(RefusalNoticesTest, TheFirstIsToldToBoth) {
    refuse();
    EXPECT_THAT(lines, ElementsAre("not let in: desk-7 from 192.0.2.7:40000: too many wait"));
    EXPECT_THAT(calls, ElementsAre("too many wait"));
}

TEST_F(RefusalNoticesTest, AFloodIsALineASecondAndSomeCalls) {
    refuse(100'000);
    EXPECT_THAT(lines, SizeIs(1));
    EXPECT_THAT(calls, SizeIs(RefusalNotices::kCallsAtOnce));
    calls.clear();
    lines.clear();
    now += RefusalNotices::kCallEvery;
    refuse(2);
    EXPECT_THAT(calls, ElementsAre("too many wait (99900 more since)"));
    EXPECT_THAT(lines, IsEmpty());
    now += RefusalNotices::kLineEvery;
    calls.clear();
    refuse();
    EXPECT_THAT(calls, ElementsAre("too many wait (1 more since)"));
    EXPECT_THAT(lines, ElementsAre("not let in: desk-7 from 192.0.2.7:40000: too many wait "
                                   "(100001 more since)"));
}

TEST_F(RefusalNoticesTest, AsManyCallsComeBackWithTime) {
    refuse(RefusalNotices::kCallsAtOnce);
    now += RefusalNotices::kCallsAtOnce * RefusalNotices::kCallEvery;
    calls.clear();
    refuse(RefusalNotices::kCallsAtOnce);
    EXPECT_THAT(calls, SizeIs(RefusalNotices::kCallsAtOnce));
}

TEST(RefusalNoticesAlone, AnApplicationThatDoesNotAskIsNotCalled) {
    int lines = 0;
    RefusalNotices notices([&](std::string_view) { ++lines; }, {});
    notices.tell({}, "why", Instant(1h));
    EXPECT_EQ(lines, 1);
}

}  // namespace
}  // namespace joinleaf::controlplane
