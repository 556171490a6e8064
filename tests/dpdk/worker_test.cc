// A worker turned by hand, with a clock that only the test moves.
#include <dataplane/transmit.h>
#include <gmock/gmock.h>

#include "tests/dpdk/hand_turned.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

// M7: acknowledged in the turn whose burst took it, with a time that is not before it.
TEST_F(HandTurned, AControlFrameIsAcknowledgedByTheBurstThatTookIt) {
    command(7, TransmitFrame{0, control_frame()});
    EXPECT_TRUE(answers().empty());
    const Instant before = std::chrono::steady_clock::now();
    turn();
    const auto all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].token, 7u);
    EXPECT_TRUE(all[0].done);
    EXPECT_GE(all[0].at, before - 20us);  // two clocks
    EXPECT_EQ(network_.hear().size(), 1u);
}

// Held up as long as the port takes nothing, for a tenth of a second to the tick.
TEST_F(HandTurned, AControlFrameWaitsForThePortAndNoLonger) {
    network_.stop_listening();
    command(1, TransmitFrame{0, control_frame()});
    const Instant began = now_;
    while (now_ < began + kTransmitPatience) {
        turn();
        ASSERT_TRUE(answers().empty()) << (now_ - began).count();
        now_ += 1ms;
    }
    turn();
    const auto all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_FALSE(all[0].done);
    EXPECT_EQ(dropped(DropReason::transmit_ring_full), 1u);
}

TEST_F(HandTurned, AControlFrameGoesWhenThereIsRoomAgain) {
    network_.stop_listening();
    command(1, TransmitFrame{0, control_frame()});
    turn();
    now_ += kTransmitPatience - 1ns;
    turn();
    EXPECT_TRUE(answers().empty());
    static_cast<void>(network_.hear());
    now_ += 1h;  // a turn in which the port takes something asks for no patience
    turn();
    const auto all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_TRUE(all[0].done);
    EXPECT_EQ(network_.hear().size(), 1u);
    EXPECT_EQ(dropped(DropReason::transmit_ring_full), 0u);
}

// A link that is down is the reason when it is down.
TEST_F(HandTurned, WithoutALinkTheReasonIsTheLink) {
    network_.stop_listening();
    lane_->link_up = false;
    command(1, TransmitFrame{0, control_frame()});
    turn();
    now_ += kTransmitPatience;
    turn();
    EXPECT_EQ(dropped(DropReason::link_down), 1u);
    EXPECT_EQ(dropped(DropReason::transmit_ring_full), 0u);
}

// More control frames than there are slots: the last are told so at once, the first wait on.
TEST_F(HandTurned, ControlFramesBeyondTheSlotsAreRefused) {
    network_.stop_listening();
    for (std::uint64_t i = 0; i < Lane::kControlSlots + 3; ++i) {
        command(i, TransmitFrame{0, control_frame()});
    }
    for (int i = 0; i < 5; ++i) turn();
    const auto refused = answers();
    ASSERT_EQ(refused.size(), 3u);
    for (const auto& answer : refused) {
        EXPECT_FALSE(answer.done);
        EXPECT_GE(answer.token, Lane::kControlSlots);
    }
    static_cast<void>(network_.hear());
    turn();
    EXPECT_EQ(answers().size(), Lane::kControlSlots);
}

// A full queue of commands is worked off in bounded steps, in order, each answered once.
TEST_F(HandTurned, AFullQueueOfCommandsIsWorkedOffInOrder) {
    Subscription subscription;
    subscription.key = kKey;
    for (std::uint64_t i = 0; i < Worker::kCommandSlots; ++i) {
        command(i, SetLoopback{&subscription, i % 2 == 0});
    }
    EXPECT_FALSE(worker_->commands().push({.token = 0, .what = SetLoopback{&subscription, true}}));
    std::uint64_t next = 0;
    int turns = 0;
    while (next < Worker::kCommandSlots) {
        turn();
        ++turns;
        const auto all = answers();
        ASSERT_FALSE(all.empty());
        EXPECT_LE(all.size(), 32u);
        for (const auto& answer : all) EXPECT_EQ(answer.token, next++);
    }
    EXPECT_EQ(turns, 32);
    EXPECT_FALSE(subscription.loopback);
}

struct Source {
    std::uint32_t asked = 0;
    std::size_t gives = 0;
    static std::size_t call(void* self, std::span<SendBuffer> buffers, Instant) noexcept {
        auto& mine = *static_cast<Source*>(self);
        ++mine.asked;
        const auto n = std::min(mine.gives, buffers.size());
        for (std::size_t i = 0; i < n; ++i) buffers[i].length = 1;
        return n;
    }
};

// Senders take turns in a circle, a bounded number of them in each.
TEST_F(HandTurned, OutletsAreLookedAfterInACircle) {
    constexpr std::size_t kOutlets = 150;
    std::vector<Source> sources(kOutlets);
    std::vector<std::unique_ptr<Outlet>> outlets;
    for (std::size_t i = 0; i < kOutlets; ++i) {
        outlets.push_back(std::make_unique<Outlet>(header(port_->mac())));
        outlets.back()->inline_source = {Source::call, &sources[i]};
        outlets.back()->payload_capacity = 1472;
        command(i, AddOutlet{0, outlets.back().get()});
    }
    while (answers().size() < 1) turn();
    for (int i = 0; i < 10; ++i) turn();
    for (auto& source : sources) source.asked = 0;
    for (int i = 0; i < 3 * 150; ++i) turn();  // 3 * 64 * 150 looks, 192 for each
    for (const auto& source : sources) EXPECT_EQ(source.asked, 192u);
    // One that goes takes no turn away from the others.
    static_cast<void>(answers());
    command(0, RemoveOutlet{0, outlets[0].get()});
    turn();
    for (auto& source : sources) source.asked = 0;
    for (int i = 0; i < 149; ++i) turn();
    EXPECT_EQ(sources[0].asked, 0u);
    for (std::size_t i = 1; i < kOutlets; ++i) EXPECT_EQ(sources[i].asked, 64u) << i;
}

// What a worker that is stopped has taken from a source and not given to the port is freed.
TEST_F(HandTurned, StoppedWithFramesInHand) {
    Source source{.gives = 20};
    network_.stop_listening();
    {
        Outlet outlet(header(port_->mac()));
        outlet.inline_source = {Source::call, &source};
        outlet.payload_capacity = 1472;
        command(0, AddOutlet{0, &outlet});
        command(1, TransmitFrame{0, control_frame()});
        turn();
        command(2, TransmitFrame{0, control_frame()});
        EXPECT_EQ(source.asked, 1u);
        EXPECT_GT(pool_.in_use(), 20u);
        worker_.reset();
    }
    EXPECT_EQ(pool_.in_use(), 0u);
}

// Whoever looks for room after one has come free finds it, turn by turn: with many outlets hardly
// ever the control frames, were it not their turn.
TEST_F(HandTurned, ControlFramesAndDataGetScarceRoomByTurns) {
    struct FreesASlot {
        Network& network;
        static std::size_t call(void* self, std::span<SendBuffer>, Instant) noexcept {
            std::array<dpdk::Packet*, 1> packet{};
            if (static_cast<FreesASlot*>(self)->network.end().receive(packet) == 1) {
                dpdk::free(packet[0]);
            }
            return 0;
        }
    } frees{network_};
    Source source{.gives = 32};
    Outlet busy(header(port_->mac()));
    Outlet late(header(port_->mac()));
    Outlet between(header(port_->mac()));
    busy.inline_source = {Source::call, &source};
    between.inline_source = {FreesASlot::call, &frees};
    late.inline_source = {Source::call, &source};
    for (auto* outlet : {&busy, &between, &late}) outlet->payload_capacity = 1472;
    network_.stop_listening();
    command(0, AddOutlet{0, &busy});
    command(1, AddOutlet{0, &between});
    command(2, AddOutlet{0, &late});
    turn();
    static_cast<void>(answers());
    const auto sent_before = busy.sent + late.sent;
    constexpr std::uint64_t kFrames = 10;
    for (std::uint64_t i = 0; i < kFrames; ++i) command(i, TransmitFrame{0, control_frame()});
    std::size_t done = 0;
    int turns = 0;
    for (; done < kFrames && turns < 100; ++turns) {
        turn();
        done += answers().size();
    }
    EXPECT_EQ(done, kFrames);
    EXPECT_LE(turns, 2 * static_cast<int>(kFrames) + 1);
    EXPECT_GE(busy.sent + late.sent - sent_before, kFrames - 1);  // nor does data starve
    EXPECT_EQ(dropped(DropReason::transmit_ring_full), 0u);
    for (auto* outlet : {&busy, &between, &late}) command(9, RemoveOutlet{0, outlet});
    turn();
}

// A report that comes when data has long lost its patience waits for the port all the same.
TEST_F(HandTurned, ControlFramesHaveAPatienceOfTheirOwn) {
    Source source{.gives = 32};
    Outlet outlet(header(port_->mac()));
    outlet.inline_source = {Source::call, &source};
    outlet.payload_capacity = 1472;
    network_.stop_listening();
    command(0, AddOutlet{0, &outlet});
    turn();
    now_ += kTransmitPatience;
    turn();
    EXPECT_EQ(dropped(DropReason::transmit_ring_full), 32u);
    static_cast<void>(answers());
    source.gives = 0;
    command(1, TransmitFrame{0, control_frame()});
    turn();
    now_ += kTransmitPatience - 1ns;
    turn();
    EXPECT_TRUE(answers().empty());
    static_cast<void>(network_.hear());
    turn();
    const auto all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_TRUE(all[0].done);
    command(2, RemoveOutlet{0, &outlet});
    turn();
}

// While a port takes anything from anybody, nobody's data is dropped, and all get their share.
TEST_F(HandTurned, APortThatTakesALittleTakesItFromAll) {
    Source source{.gives = 32};
    Outlet first(header(port_->mac()));
    Outlet second(header(port_->mac()));
    for (auto* outlet : {&first, &second}) {
        outlet->inline_source = {Source::call, &source};
        outlet->payload_capacity = 1472;
    }
    network_.stop_listening();
    command(0, AddOutlet{0, &first});
    command(1, AddOutlet{0, &second});
    turn();
    for (int i = 0; i < 100; ++i) {
        std::array<dpdk::Packet*, 1> packet{};
        ASSERT_EQ(network_.end().receive(packet), 1u);
        dpdk::free(packet[0]);
        now_ += kTransmitPatience - 1ns;
        turn();
    }
    EXPECT_EQ(first.sent + second.sent, 100u);
    EXPECT_GE(first.sent, 49u);
    EXPECT_GE(second.sent, 49u);
    EXPECT_EQ(dropped(DropReason::transmit_ring_full), 0u);
    command(2, RemoveOutlet{0, &first});
    command(3, RemoveOutlet{0, &second});
    turn();
}

// What the port does not take stays in order, and is offered again.
TEST_F(HandTurned, APortThatTakesAFewGetsTheRestLater) {
    Source source{.gives = 32};
    Outlet outlet(header(port_->mac()));
    outlet.inline_source = {Source::call, &source};
    outlet.payload_capacity = 1472;
    network_.stop_listening();
    std::array<dpdk::Packet*, 5> taken{};
    ASSERT_EQ(network_.end().receive(taken), 5u);  // room for five
    dpdk::free_all(taken);
    command(0, AddOutlet{0, &outlet});
    turn();
    EXPECT_EQ(outlet.sent, 5u);
    EXPECT_EQ(outlet.end - outlet.first, 27u);
    now_ += 1h;
    turn();
    EXPECT_EQ(source.asked, 1u);                             // not before its last burst has gone
    EXPECT_EQ(dropped(DropReason::transmit_ring_full), 0u);  // patience begins now
    source.gives = 0;
    EXPECT_EQ(network_.hear().size(), 5u);
    turn();
    EXPECT_EQ(outlet.sent, 32u);
    EXPECT_EQ(network_.hear().size(), 27u);
    command(1, RemoveOutlet{0, &outlet});
    turn();
}

}  // namespace
}  // namespace joinleaf::dataplane
