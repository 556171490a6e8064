// A worker that a test turns by hand, with a clock that only the test moves, on a port whose wire
// the test holds the other end of.
#pragma once

#include <dataplane/dpdk/port.h>
#include <dataplane/worker.h>
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <vector>

#include "tests/dpdk/network.h"
#include "tests/support/frames.h"

namespace joinleaf::dataplane {

using test::Network;

inline constexpr GroupKey kKey{test::kGroup.address(), 5000};

inline HeaderTemplate header(const MacAddress& mac) {
    return HeaderTemplate({.ethernet = {mac, MacAddress::of_group(test::kGroup), {}},
                           .source = test::kOwnAddress,
                           .destination = test::kGroup.address(),
                           .ports = {5000, 5000}});
}

class HandTurned : public testing::Test {
protected:
    HandTurned() {
        port_.emplace(dpdk::Port::attach(
            network_.port(), dpdk::WireEnd::attach(network_.port().substr(5)), 1500, pool_));
        auto lane = std::make_unique<Lane>(*port_, pool_,
                                           Identity{port_->mac(), test::kOwnAddress, {}}, 64);
        lane_ = lane.get();
        worker_.emplace(WorkerOptions{});
        worker_->add_lane(std::move(lane));
    }
    void TearDown() override {
        worker_.reset();
        port_.reset();
        network_.clear();
        EXPECT_EQ(test::buffers_not_home(), "");
    }
    void turn() { worker_->turn(now_); }
    void command(std::uint64_t token, decltype(Command::what) what) {
        ASSERT_TRUE(worker_->commands().push({.token = token, .what = what}));
    }
    dpdk::Packet* control_frame() {
        std::array<dpdk::Packet*, 1> packet{};
        EXPECT_TRUE(pool_.allocate(packet));
        std::memset(dpdk::data(packet[0]), 0, 60);
        dpdk::set_length(packet[0], 60);
        return packet[0];
    }
    std::vector<Acknowledgement> answers() {
        std::vector<Acknowledgement> all;
        for (Acknowledgement answer; worker_->acknowledgements().pop(answer);)
            all.push_back(answer);
        return all;
    }
    [[nodiscard]] std::uint64_t dropped(DropReason why) const {
        return lane_->tally.values()[kCountCount + static_cast<std::size_t>(why)];
    }

    Network network_;
    dpdk::Mempool pool_{"hand_turned", 8191, 2048};
    std::optional<dpdk::Port> port_;
    std::optional<Worker> worker_;
    Lane* lane_ = nullptr;
    Instant now_ = std::chrono::steady_clock::now();
};

}  // namespace joinleaf::dataplane
