// Events in order, and a file descriptor that is readable exactly while one waits.
#include <controlplane/event_queue.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <thread>
#include <vector>

namespace joinleaf {
namespace {

using namespace std::chrono_literals;

class Events : public testing::Test {
protected:
    void put(std::uint64_t cookie) { impl_->put({.type = EventType::connect, .cookie = cookie}); }
    bool readable() {
        pollfd fd{.fd = queue_.fd(), .events = POLLIN, .revents = 0};
        return poll(&fd, 1, 0) == 1;
    }
    std::shared_ptr<EventQueue::Impl> impl_ = std::make_shared<EventQueue::Impl>();
    EventQueue queue_{impl_};
};

TEST_F(Events, ComeOutInTheOrderTheyWentIn) {
    for (std::uint64_t i = 0; i < 5; ++i) put(i);
    for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(queue_.next()->cookie, i);
    EXPECT_FALSE(queue_.next());
}

TEST_F(Events, TheDescriptorIsReadableExactlyWhileOneWaits) {
    EXPECT_FALSE(readable());
    put(1);
    EXPECT_TRUE(readable());
    put(2);
    EXPECT_TRUE(queue_.next());
    EXPECT_TRUE(readable());  // level-triggered: the second still waits
    EXPECT_TRUE(queue_.next());
    EXPECT_FALSE(readable());
    EXPECT_FALSE(queue_.next());
    EXPECT_FALSE(readable());
    put(3);
    EXPECT_TRUE(readable());
}

TEST_F(Events, WaitGivesUpAfterItsTime) {
    const auto before = std::chrono::steady_clock::now();
    EXPECT_FALSE(queue_.wait(20ms));
    EXPECT_GE(std::chrono::steady_clock::now() - before, 20ms);
    EXPECT_FALSE(queue_.wait(0ms));
    EXPECT_FALSE(queue_.wait(-1ms));
}

TEST_F(Events, WaitTakesWhatIsThereAtOnce) {
    put(4);
    EXPECT_EQ(queue_.wait(0ms)->cookie, 4u);
}

TEST_F(Events, WaitWakesForAnEventFromAnotherThread) {
    std::thread later([this] {
        std::this_thread::sleep_for(10ms);
        put(5);
    });
    const auto event = queue_.wait(10s);
    later.join();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->cookie, 5u);
}

// As long as it takes, without overflowing anything on the way.
TEST_F(Events, WaitMayBeForEver) {
    std::thread later([this] {
        std::this_thread::sleep_for(10ms);
        put(6);
    });
    const auto event = queue_.wait(std::chrono::milliseconds::max());
    later.join();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->cookie, 6u);
    put(7);
    EXPECT_TRUE(queue_.wait(std::chrono::hours(24 * 365)));
    EXPECT_FALSE(queue_.wait(std::chrono::milliseconds::min()));
}

TEST_F(Events, EachIsTakenOnceByManyThreads) {
    constexpr std::uint64_t kEvents = 2000;
    std::vector<std::vector<std::uint64_t>> taken(3);
    std::vector<std::thread> takers;
    for (auto& mine : taken) {
        takers.emplace_back([this, &mine] {
            while (const auto event = queue_.wait(200ms)) mine.push_back(event->cookie);
        });
    }
    for (std::uint64_t i = 0; i < kEvents; ++i) put(i);
    std::vector<std::uint64_t> all;
    for (std::size_t i = 0; i < takers.size(); ++i) {
        takers[i].join();
        EXPECT_TRUE(std::is_sorted(taken[i].begin(), taken[i].end()));
        all.insert(all.end(), taken[i].begin(), taken[i].end());
    }
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all.size(), kEvents);
    EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
    EXPECT_FALSE(readable());
}

TEST(NoEventQueue, HasNothingAndNeverWaits) {
    EventQueue none;
    EXPECT_EQ(none.fd(), -1);
    EXPECT_FALSE(none.next());
    EXPECT_FALSE(none.wait(10s));
}

TEST(EventNames, AreThoseOfTheRules) {
    EXPECT_EQ(name(EventType::connect), "connect");
    EXPECT_EQ(name(EventType::accept), "accept");
    EXPECT_EQ(name(EventType::close), "close");
}

}  // namespace
}  // namespace joinleaf
