// The control thread: who runs what, where, and what is left after stop().
#include <controlplane/control_loop.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;

TEST(ControlLoop, CallRunsOnTheControlThreadAndReturnsItsResult) {
    ControlLoop loop;
    const auto first = loop.call([] { return std::this_thread::get_id(); });
    const auto second = loop.call([] { return std::this_thread::get_id(); });
    EXPECT_EQ(first, second);
    EXPECT_NE(first, std::this_thread::get_id());
}

TEST(ControlLoop, CallThrowsWhatItsWorkThrows) {
    ControlLoop loop;
    EXPECT_THROW(loop.call([] { throw std::runtime_error("no"); }), std::runtime_error);
    EXPECT_EQ(loop.call([] { return 1; }), 1);  // and goes on
}

TEST(ControlLoop, CallFromInsideRunsAtOnce) {
    ControlLoop loop;
    EXPECT_EQ(loop.call([&] { return loop.call([&] { return loop.call([] { return 7; }); }); }), 7);
}

TEST(ControlLoop, WorkIsDoneInTheOrderItWasPosted) {
    ControlLoop loop;
    std::vector<int> done;
    for (int i = 0; i < 100; ++i) loop.post([&done, i] { done.push_back(i); });
    const auto seen = loop.call([&] { return done; });
    ASSERT_EQ(seen.size(), 100u);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(ControlLoop, StopRunsWhatWasPosted) {
    ControlLoop loop;
    std::atomic<int> done{0};
    for (int i = 0; i < 100; ++i) loop.post([&] { ++done; });
    loop.stop();
    EXPECT_EQ(done, 100);
    loop.stop();  // again: nothing more happens
    EXPECT_EQ(done, 100);
}

TEST(ControlLoop, CallAfterStopRunsOnTheCaller) {
    ControlLoop loop;
    loop.stop();
    EXPECT_EQ(loop.call([] { return std::this_thread::get_id(); }), std::this_thread::get_id());
    EXPECT_EQ(loop.call([&] { return loop.call([] { return 7; }); }), 7);
}

TEST(ControlLoop, TicksUntilItIsQuiet) {
    ControlLoop loop;
    std::atomic<int> ticks{0};
    loop.call([&] { loop.every(1ms, [&] { ++ticks; }); });
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (ticks < 3 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_GE(ticks, 3);
    const int after = loop.call([&] {
        loop.quiet();
        return ticks.load();
    });
    std::this_thread::sleep_for(10ms);
    EXPECT_EQ(ticks, after);
}

TEST(ControlLoop, ATickMayStopTheTicking) {
    ControlLoop loop;
    std::atomic<int> ticks{0};
    loop.call([&] {
        loop.every(1ms, [&] {
            ++ticks;
            loop.quiet();
        });
    });
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (ticks < 1 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    std::this_thread::sleep_for(10ms);
    EXPECT_EQ(ticks, 1);
}

// Work is done by one thread at a time, whether it came before stop() or after: what it guards
// needs no lock of its own.
TEST(ControlLoop, CallsThatRaceWithStopAreStillOneAtATime) {
    for (int round = 0; round < 200; ++round) {
        ControlLoop loop;
        int guarded = 0;  // no atomic: ThreadSanitizer looks on
        constexpr int kCalls = 20;
        const auto calls = [&] {
            for (int i = 0; i < kCalls; ++i) loop.call([&] { ++guarded; });
        };
        std::thread one(calls);
        std::thread two(calls);
        std::thread stopper([&] { loop.stop(); });
        one.join();
        two.join();
        stopper.join();
        EXPECT_EQ(guarded, 2 * kCalls);
    }
}

// Whoever called stop() may take down what the loop's work uses, also when another was first.
TEST(ControlLoop, StopReturnsOnlyWhenTheThreadHasEnded) {
    ControlLoop loop;
    std::atomic<bool> running{false};
    std::atomic<bool> done{false};
    loop.post([&] {
        running = true;
        std::this_thread::sleep_for(50ms);
        done = true;
    });
    while (!running) std::this_thread::yield();
    const auto stop = [&] {
        loop.stop();
        EXPECT_TRUE(done);
    };
    std::thread one(stop);
    std::thread two(stop);
    one.join();
    two.join();
}

}  // namespace
}  // namespace joinleaf::controlplane
