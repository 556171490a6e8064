// What a port is told that sends each frame at a time of its own: a rate becomes the times of its
// frames, exact whenever the worker comes round. (No virtual port keeps to them; a wire shows
// them.)
#include <dataplane/fan_out.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_ring.h>

#include <chrono>

#include "tests/dpdk/hand_turned.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using testing::Eq;
using testing::IsEmpty;
using testing::Not;

using SendTimes = std::vector<std::optional<std::uint64_t>>;

class OnTime : public HandTurned {
protected:
    static constexpr double kTicksPerNs = 1.25;
    static constexpr std::uint64_t kTicksAtStart = 1'000'000;

    OnTime() : outlet_(header(port_->mac())) {
        outlet_.key = kKey;
        outlet_.source = test::kOwnAddress;
        outlet_.payload_capacity = 1472;
        outlet_.inline_source = {.call = source, .context = nullptr};
        command(1, AddOutlet{.lane = 0, .outlet = &outlet_});
    }
    void TearDown() override {
        command(2, RemoveOutlet{.lane = 0, .outlet = &outlet_});
        turn();
        HandTurned::TearDown();
    }
    // As many as there is room for, 64 octets each.
    static std::size_t source(void*, std::span<SendBuffer> buffers, Instant) noexcept {
        for (auto& buffer : buffers) {
            std::memset(buffer.data, 0, 64);
            buffer.length = 64;
        }
        return buffers.size();
    }
    [[nodiscard]] std::uint64_t ticks(Instant at) const {
        return kTicksAtStart +
               static_cast<std::uint64_t>(static_cast<double>((at - start_).count()) * kTicksPerNs);
    }
    void port_sends_on_time() {
        PortClock clock({start_ - 1s, ticks(start_) - 1'250'000'000});
        clock.read({start_, ticks(start_)});
        command(3, SetSendTiming{0, dpdk::SendTiming{clock, field_}});
    }
    SendTimes heard() {
        SendTimes times;
        void* packet = nullptr;
        while (rte_ring_dequeue(network_.end().receive_ring(0), &packet) == 0) {
            times.push_back(field_.of(static_cast<const dpdk::Packet*>(packet)));
            dpdk::free(static_cast<dpdk::Packet*>(packet));
        }
        return times;
    }

    const dpdk::SendTime field_ = dpdk::SendTime::field().value();
    const Instant start_ = now_;
    Outlet outlet_;
};

TEST_F(OnTime, ARateIsWrittenOnEachFrame) {
    port_sends_on_time();
    command(4, SetPace{&outlet_, {.packets_per_second = 1'000'000, .burst_packets = 64}});
    SendTimes all;
    // Now early, now late.
    for (int i = 0; i < 2000; ++i) {
        turn();
        for (const auto& time : heard()) {
            ASSERT_TRUE(time);
            // Never before it is handed over, and not long before it is due.
            EXPECT_GE(*time, ticks(now_) - 2);
            EXPECT_LE(*time, ticks(now_ + kSendAhead) + 2);
            all.push_back(time);
        }
        now_ += i % 3 == 0 ? 1us : 7us;
    }
    ASSERT_GT(all.size(), 9'000u);
    for (std::size_t i = 1; i < all.size(); ++i) {
        ASSERT_NEAR(static_cast<double>(*all[i]),
                    static_cast<double>(*all[0]) + static_cast<double>(i) * 1250, 3.0)
            << i;
    }
}

TEST_F(OnTime, WithoutARateFramesGoAtOnce) {
    port_sends_on_time();
    turn();
    const auto all = heard();
    EXPECT_THAT(all, Not(IsEmpty()));
    EXPECT_THAT(all, Each(Eq(std::nullopt)));
}

// Its clock is not known any more: the worker keeps the rate again.
TEST_F(OnTime, WhereThePortDoesNotKeepTheRateTheWorkerDoes) {
    port_sends_on_time();
    command(4, SetPace{&outlet_, {.packets_per_second = 1'000'000, .burst_packets = 64}});
    turn();
    EXPECT_THAT(heard(), Each(Not(Eq(std::nullopt))));
    command(5, SetSendTiming{0, std::nullopt});
    SendTimes all;
    for (int i = 0; i < 1000; ++i) {
        now_ += 5us;
        turn();
        for (const auto& time : heard()) all.push_back(time);
    }
    EXPECT_THAT(all, Each(Eq(std::nullopt)));
    // 5 ms of it, less what had been sent ahead.
    EXPECT_NEAR(static_cast<double>(all.size()), 5000, 65);
}

}  // namespace
}  // namespace joinleaf::dataplane
