// A port's clock of unknown rate, tied to ours by readings that the test makes up.
#include <dataplane/port_clock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1000h};

TEST(PortClock, TellsNothingByOneReading) {
    PortClock clock({kStart, 500});
    EXPECT_FALSE(clock.is_known());
    clock.read({kStart + 100ms, 500 + 100'000'000});
    EXPECT_TRUE(clock.is_known());
}

TEST(PortClock, TellsTimesToComeAtWhateverRateItRuns) {
    for (const double rate : {0.078125, 0.9999, 1.0, 1.25, 3.5}) {
        const auto ticks = [&](Duration since) {
            return 77u + static_cast<std::uint64_t>(static_cast<double>(since.count()) * rate);
        };
        PortClock clock({kStart, ticks(0ns)});
        for (int i = 1; i <= 100; ++i) clock.read({kStart + i * 100ms, ticks(i * 100ms)});
        for (const Duration ahead : {Duration(0ns), Duration(50us), Duration(100ms)}) {
            EXPECT_NEAR(static_cast<double>(clock.ticks_at(kStart + 10s + ahead)),
                        static_cast<double>(ticks(10s + ahead)), 1.0)
                << rate;
        }
        // What is past, too: a frame that is late has a time all the same.
        EXPECT_NEAR(static_cast<double>(clock.ticks_at(kStart + 10s - 1ms)),
                    static_cast<double>(ticks(10s - 1ms)), 1.0);
    }
}

// A reading that took long is off; over the whole time that hardly counts.
TEST(PortClock, OneUnsteadyReadingHardlyChangesTheRate) {
    PortClock clock({kStart, 0});
    for (int i = 1; i <= 600; ++i) {
        clock.read({kStart + i * 100ms, static_cast<std::uint64_t>(i) * 100'000'000});
    }
    const std::uint64_t off = 60'100'000'000 + 5'000;
    clock.read({kStart + 60'100ms, off});
    EXPECT_NEAR(static_cast<double>(clock.ticks_at(kStart + 60'100ms + 50us) - off), 50'000, 0.01);
}

TEST(PortClock, AReadingThatIsNotLaterChangesNothing) {
    PortClock clock({kStart, 0});
    clock.read({kStart + 1s, 1'000'000'000});
    clock.read({kStart + 1s, 5});
    clock.read({kStart, 7});
    EXPECT_EQ(clock.ticks_at(kStart + 2s), 2'000'000'000u);
}

// Set back, or far ahead: what was known holds no more, and two readings later it is known again.
TEST(PortClock, AClockThatWasSetIsMeasuredAnew) {
    for (const std::uint64_t to : {std::uint64_t{10}, std::uint64_t{1} << 60}) {
        PortClock clock({kStart, 1'000'000});
        clock.read({kStart + 100ms, 101'000'000});
        ASSERT_TRUE(clock.is_known());
        clock.read({kStart + 200ms, to});
        EXPECT_FALSE(clock.is_known());
        clock.read({kStart + 300ms, to + 100'000'000});
        ASSERT_TRUE(clock.is_known());
        EXPECT_EQ(clock.ticks_at(kStart + 301ms), to + 101'000'000);
    }
}

}  // namespace
}  // namespace joinleaf::dataplane
