// What a worker records of what passes through it.
#include <dataplane/recorder.h>
#include <dataplane/transmit.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <vector>

#include "tests/dpdk/hand_turned.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using test::Bytes;
using test::frame_of;
using testing::ElementsAre;
using testing::IsEmpty;

/// What a recording holds of a packet.
struct Seen {
    Recorded what;
    Bytes octets;
};

std::vector<Seen> all_of(const Recording& recording) {
    std::vector<Seen> all;
    for (auto position = recording.begin(); position != recording.end(); ++position) {
        const auto [what, octets] = recording[position];
        all.push_back({what, Bytes(octets.begin(), octets.end())});
    }
    return all;
}

std::vector<DropReason> reasons(const std::vector<Seen>& all) {
    std::vector<DropReason> reasons;
    for (const auto& seen : all) reasons.push_back(seen.what.reason);
    return reasons;
}

constexpr DropReason kNotDropped = DropReason::kCount;
constexpr std::size_t kPackets = 50;
constexpr std::size_t kSnap = 2048;

struct Source {
    std::size_t gives = 0;
    std::uint32_t length = 8;
    static std::size_t call(void* self, std::span<SendBuffer> buffers, Instant) noexcept {
        auto& mine = *static_cast<Source*>(self);
        const auto n = std::min(mine.gives, buffers.size());
        mine.gives -= n;
        for (std::size_t i = 0; i < n; ++i) {
            std::memset(buffers[i].data, 0x5a, mine.length);
            buffers[i].length = mine.length;
        }
        return n;
    }
};

class Recorders : public HandTurned {
protected:
    void begin() { lane_->recorder.recording().use(&first_); }
    /// What was recorded until now.
    std::vector<Seen> recorded() {
        command(99, ReplaceRecording{.lane = 0, .fresh = fresh_, .after = 0});
        turn();
        static_cast<void>(answers());
        Recording* const frozen = lane_->recorder.recording().take_back();
        if (frozen == nullptr) {
            ADD_FAILURE() << "nothing was given back";
            return {};
        }
        auto all = all_of(*frozen);
        frozen->clear();
        fresh_ = frozen;
        return all;
    }
    /// An outlet to kGroup, with what it is to send.
    struct Sending {
        explicit Sending(const MacAddress& mac) : outlet(header(mac)) {
            outlet.inline_source = {Source::call, &source};
            outlet.payload_capacity = 1472;
            outlet.key = kKey;
        }
        Source source;
        Outlet outlet;
    };
    void add(Sending& sending) {
        command(1, AddOutlet{0, &sending.outlet});
        turn();
    }
    void remove(Sending& sending) {
        command(2, RemoveOutlet{0, &sending.outlet});
        turn();
    }

    Recording first_{kPackets, kSnap};
    Recording second_{kPackets, kSnap};
    Recording* fresh_ = &second_;
};

TEST_F(Recorders, AreOffUnlessTheyAreStarted) {
    EXPECT_FALSE(lane_->recorder.is_on());
    network_.send(frame_of());
    turn();
    EXPECT_EQ(dropped(DropReason::no_subscriber), 1u);
    EXPECT_FALSE(lane_->recorder.is_on());
    EXPECT_EQ(lane_->recorder.recording().take_back(), nullptr);
}

// Every frame of a burst, in order, as it was; the dropped ones with the reason.
TEST_F(Recorders, KeepWhatCameAndWhyItWasDropped) {
    Subscription subscription;
    subscription.key = kKey;
    const SourceFilter not_from(FilterMode::exclude, {Ipv4Address(10, 0, 0, 66)});
    subscription.set_filter(not_from);
    std::uint32_t delivered = 0;
    subscription.outgo = {.call =
                              [](void* count, std::span<const Datagram> datagrams) noexcept {
                                  *static_cast<std::uint32_t*>(count) +=
                                      static_cast<std::uint32_t>(datagrams.size());
                              },
                          .context = &delivered};
    command(0, AddSubscription{0, &subscription});
    turn();
    begin();

    auto damaged = frame_of();
    damaged.back() ^= std::byte{1};
    const std::vector<Bytes> frames{
        frame_of(),
        frame_of({.destination = Ipv4Address(239, 9, 9, 9),
                  .destination_mac = MacAddress::of_group(GroupAddress::of(239, 9, 9, 9))}),
        damaged,
        frame_of({.source = Ipv4Address(10, 0, 0, 66)}),
        frame_of({.destination_mac = MacAddress({0x02, 9, 9, 9, 9, 9})}),
        Bytes(20),
        frame_of({.payload = Bytes(1400)}),
    };
    for (const auto& frame : frames) network_.send(frame);
    turn();
    EXPECT_EQ(delivered, 2u);

    const auto all = recorded();
    ASSERT_EQ(all.size(), frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
        EXPECT_EQ(all[i].octets, frames[i]) << i;
        EXPECT_EQ(all[i].what.length, frames[i].size()) << i;
        EXPECT_EQ(all[i].what.at, now_);
        EXPECT_EQ(all[i].what.way, Way::in);
    }
    EXPECT_THAT(reasons(all),
                ElementsAre(kNotDropped, DropReason::no_subscriber, DropReason::bad_udp_checksum,
                            DropReason::source_filtered, DropReason::other_mac,
                            DropReason::truncated_frame, kNotDropped));
    command(0, RemoveSubscription{0, &subscription});
    turn();
}

TEST_F(Recorders, KeepControlFramesThatThisThreadNoLongerOwns) {
    begin();
    const auto igmp = frame_of({.protocol = net::ip_protocol::kIgmp});
    network_.send(igmp);
    turn();
    ControlFrame control;
    ASSERT_TRUE(worker_->control_frames().pop(control));
    dpdk::free(control.packet);
    const auto all = recorded();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].octets, igmp);
    EXPECT_FALSE(all[0].what.is_dropped());
}

TEST_F(Recorders, KeepAChainAsOneFrame) {
    begin();
    const auto frame = frame_of({.payload = Bytes(1000, std::byte{7})});
    network_.send_in_segments(frame, {42, 600});
    turn();
    const auto all = recorded();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].octets, frame);
}

// The NIC has taken it off; it was on the wire.
TEST_F(Recorders, PutATagBackThatTheNicTookOff) {
    begin();
    const auto tagged = frame_of({.vlan = net::VlanStack{.outer = 100}});
    auto bare = tagged;
    bare.erase(bare.begin() + 12, bare.begin() + 16);
    std::array<dpdk::Packet*, 1> packet{};
    ASSERT_TRUE(network_.pool().allocate(packet));
    std::copy(bare.begin(), bare.end(), dpdk::data(packet[0]));
    dpdk::set_length(packet[0], static_cast<std::uint32_t>(bare.size()));
    packet[0]->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    packet[0]->vlan_tci = 100;
    ASSERT_EQ(network_.end().transmit(packet), 1u);
    turn();
    const auto all = recorded();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].octets, tagged);
    EXPECT_EQ(all[0].what.length, tagged.size());
}

TEST_F(Recorders, KeepWhatThePortTook) {
    begin();
    Sending sending(port_->mac());
    sending.source.gives = 3;
    add(sending);
    command(7, TransmitFrame{0, control_frame()});
    turn();
    const auto heard = network_.hear();
    ASSERT_EQ(heard.size(), 4u);
    const auto all = recorded();
    ASSERT_EQ(all.size(), 4u);
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].octets, heard[i].bytes) << i;
        EXPECT_EQ(all[i].what.way, Way::out);
        EXPECT_FALSE(all[i].what.is_dropped());
    }
    remove(sending);
}

// The time of a control frame is that of its acknowledgement (M7).
TEST_F(Recorders, AControlFramesTimeIsWhenItLeft) {
    begin();
    command(7, TransmitFrame{0, control_frame()});
    turn();
    const auto answer = answers();
    ASSERT_EQ(answer.size(), 1u);
    const auto all = recorded();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].what.at, answer[0].at);
    static_cast<void>(network_.hear());
}

// What the port does not take is not recorded until it is taken, and then once; or dropped.
TEST_F(Recorders, AFrameIsKeptOnceHoweverOftenItIsOffered) {
    begin();
    Sending sending(port_->mac());
    network_.stop_listening();
    sending.source.gives = 10;
    add(sending);
    for (int i = 0; i < 20; ++i) turn();
    EXPECT_THAT(recorded(), IsEmpty());
    EXPECT_THAT(network_.hear(), IsEmpty());
    turn();
    EXPECT_EQ(network_.hear().size(), 10u);
    EXPECT_EQ(recorded().size(), 10u);

    network_.stop_listening();
    sending.source.gives = 10;
    turn();
    now_ += kTransmitPatience;
    turn();
    const auto all = recorded();
    ASSERT_EQ(all.size(), 10u);
    for (const auto& seen : all) {
        EXPECT_EQ(seen.what.reason, DropReason::transmit_ring_full);
        EXPECT_EQ(seen.what.way, Way::out);
        EXPECT_EQ(seen.what.length, 42u + 8u);
    }
    remove(sending);
    static_cast<void>(network_.hear());
}

TEST_F(Recorders, AControlFrameThatDoesNotLeaveIsKeptWithTheReason) {
    begin();
    network_.stop_listening();
    lane_->link_up = false;
    command(1, TransmitFrame{0, control_frame()});
    turn();
    now_ += kTransmitPatience;
    turn();
    EXPECT_THAT(reasons(recorded()), ElementsAre(DropReason::link_down));
    static_cast<void>(network_.hear());
}

TEST_F(Recorders, WhatNobodyAnswersForIsKeptWithTheReason) {
    begin();
    Sending sending(port_->mac());
    sending.outlet.route = Route::unresolved;
    sending.source.gives = 2;
    add(sending);
    EXPECT_THAT(reasons(recorded()),
                ElementsAre(DropReason::unresolved_neighbour, DropReason::unresolved_neighbour));
    remove(sending);
}

// A member on this host whose queue is full drops what never came in by the port.
TEST_F(Recorders, AFullQueueOnThisHostIsARecordOfItsOwn) {
    ReceiveQueue queue(2);
    Subscription subscription;
    subscription.key = kKey;
    const SourceFilter any = SourceFilter::any();
    subscription.set_filter(any);
    subscription.deliver_to(queue);
    command(0, AddSubscription{0, &subscription});
    command(1, AddReceiveQueue{&queue});
    turn();
    begin();
    Sending sending(port_->mac());
    sending.source.gives = 3;
    add(sending);
    const auto all = recorded();
    EXPECT_THAT(reasons(all),
                ElementsAre(DropReason::receive_queue_full, kNotDropped, kNotDropped, kNotDropped));
    EXPECT_EQ(all[0].what.way, Way::in);
    remove(sending);
    command(0, RemoveSubscription{0, &subscription});
    command(1, RemoveReceiveQueue{&queue});
    turn();
    static_cast<void>(network_.hear());
}

// Around: so many more go into the old one, and it is never cut in the middle of a burst.
TEST_F(Recorders, GoOnForAsManyAsWasAskedFor) {
    begin();
    for (int i = 0; i < 5; ++i) network_.send(frame_of());
    turn();
    command(1, ReplaceRecording{.lane = 0, .fresh = &second_, .after = 10});
    turn();
    EXPECT_EQ(lane_->recorder.recording().take_back(), nullptr);
    for (int burst = 0; burst < 2; ++burst) {
        EXPECT_EQ(lane_->recorder.recording().take_back(), nullptr);
        for (int i = 0; i < 7; ++i) network_.send(frame_of());
        turn();
    }
    network_.send(frame_of());
    turn();
    Recording* const frozen = lane_->recorder.recording().take_back();
    ASSERT_EQ(frozen, &first_);
    EXPECT_EQ(all_of(first_).size(), 5u + 14u);
    EXPECT_EQ(all_of(second_).size(), 1u);
    EXPECT_THAT(reasons(all_of(first_)), testing::Each(DropReason::no_subscriber));
}

// Nothing comes any more: whoever waits says that it is enough.
TEST_F(Recorders, AreReplacedAtOnceWhenThatIsSaidAnew) {
    begin();
    network_.send(frame_of());
    turn();
    for (const std::size_t after : {10u, 0u, 0u}) {
        command(1, ReplaceRecording{.lane = 0, .fresh = &second_, .after = after});
    }
    turn();
    EXPECT_EQ(lane_->recorder.recording().take_back(), &first_);
    EXPECT_EQ(lane_->recorder.recording().take_back(), nullptr);
    network_.send(frame_of());
    turn();
    EXPECT_EQ(all_of(first_).size(), 1u);
    EXPECT_EQ(all_of(second_).size(), 1u);
}

}  // namespace
}  // namespace joinleaf::dataplane
