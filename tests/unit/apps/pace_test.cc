// When messages are due, and when an input will be through.
#include <apps/joinleaf/feed_files/pace.h>
#include <apps/joinleaf/feed_files/progress.h>
#include <gtest/gtest.h>

namespace joinleaf::app {
namespace {

using namespace std::chrono_literals;

const Instant kBegin{1h};

FeedMessage recorded(RecordedTime at) { return {{}, at}; }

TEST(Pace, UnlimitedHasNoWait) {
    Pace pace = Pace::unlimited();
    EXPECT_EQ(pace.wait({}, kBegin), 0ns);
    pace.sent();
    EXPECT_EQ(pace.wait({}, kBegin), 0ns);
    EXPECT_EQ(pace.behind(), 0ns);
}

TEST(Pace, RateCountsFromTheFirstMessage) {
    Pace pace = Pace::at_rate(1000);
    EXPECT_EQ(pace.wait({}, kBegin), 0ns);
    EXPECT_EQ(pace.wait({}, kBegin), 0ns) << "asking is not sending";
    pace.sent();
    EXPECT_EQ(pace.wait({}, kBegin), 1ms);
    EXPECT_EQ(pace.wait({}, kBegin + 600us), 400us);
    pace.sent();
    EXPECT_EQ(pace.wait({}, kBegin + 3ms), -1ms) << "a little late is made up for";
    for (int i = 0; i < 3000; ++i) pace.sent();
    EXPECT_EQ(pace.wait({}, kBegin), 3002ms);
}

TEST(Pace, WhoIsFarBehindDoesNotHurry) {
    Pace pace = Pace::at_rate(1000);
    EXPECT_EQ(pace.wait({}, kBegin), 0ns);
    pace.sent();
    EXPECT_EQ(pace.wait({}, kBegin + 1s), -10ms);
    EXPECT_EQ(pace.behind(), 989ms);
    pace.sent();
    EXPECT_EQ(pace.wait({}, kBegin + 1s), -9ms);
    EXPECT_EQ(pace.behind(), 989ms);
}

TEST(Pace, RecordedKeepsTheTimesBetween) {
    Pace pace = Pace::recorded(1);
    EXPECT_EQ(pace.wait(recorded(5s), kBegin), 0ns);
    pace.sent();
    EXPECT_EQ(pace.wait(recorded(5s + 7ns), kBegin), 7ns);
    pace.sent();
    EXPECT_EQ(pace.wait(recorded(6s), kBegin + 1ms), 999ms);
    pace.sent();
    EXPECT_EQ(pace.wait(recorded(5s), kBegin), 1s) << "time does not run backwards";
    EXPECT_EQ(pace.wait({}, kBegin), 1s) << "nor stop for what has none";
}

TEST(Pace, RecordedRunsFasterOrSlower) {
    Pace fast = Pace::recorded(10);
    EXPECT_EQ(fast.wait(recorded(0s), kBegin), 0ns);
    EXPECT_EQ(fast.wait(recorded(1s), kBegin), 100ms);
    Pace slow = Pace::recorded(0.5);
    EXPECT_EQ(slow.wait(recorded(0s), kBegin), 0ns);
    EXPECT_EQ(slow.wait(recorded(1s), kBegin), 2s);
}

TEST(Progress, TellsPartRateAndTimeLeft) {
    ProgressMeter meter(1000);
    FeedProgress progress = meter.look(0, 0, kBegin);
    EXPECT_EQ(progress.part, 0.0);
    EXPECT_EQ(progress.eta_s, std::nullopt) << "nothing to go by";
    progress = meter.look(10, 100, kBegin + 1s);
    EXPECT_DOUBLE_EQ(progress.part.value(), 0.1);
    EXPECT_DOUBLE_EQ(progress.messages_per_second, 10);
    EXPECT_DOUBLE_EQ(progress.eta_s.value(), 9);
    progress = meter.look(40, 400, kBegin + 2s);
    EXPECT_DOUBLE_EQ(progress.messages_per_second, 20) << "between 10 and 30";
    EXPECT_DOUBLE_EQ(progress.eta_s.value(), 3);
    progress = meter.look(100, 1000, kBegin + 3s);
    EXPECT_DOUBLE_EQ(progress.part.value(), 1);
    EXPECT_DOUBLE_EQ(progress.eta_s.value(), 0);
}

TEST(Progress, OfAStreamHasNoEnd) {
    ProgressMeter meter(std::nullopt);
    (void)meter.look(0, 0, kBegin);
    const FeedProgress progress = meter.look(10, 100, kBegin + 1s);
    EXPECT_EQ(progress.messages, 10u);
    EXPECT_DOUBLE_EQ(progress.messages_per_second, 10);
    EXPECT_EQ(progress.part, std::nullopt);
    EXPECT_EQ(progress.eta_s, std::nullopt);
}

TEST(Progress, OfAnEmptyFileIsThrough) { EXPECT_EQ(ProgressMeter(0).look(0, 0, kBegin).part, 1.0); }

TEST(Progress, ThatStandsStillHasNoTimeLeft) {
    ProgressMeter meter(1000);
    (void)meter.look(0, 0, kBegin);
    EXPECT_EQ(meter.look(0, 0, kBegin + 1s).eta_s, std::nullopt);
}

}  // namespace
}  // namespace joinleaf::app
