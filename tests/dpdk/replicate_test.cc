// A root that sends to each leaf by unicast, seen from the wire: who gets what, whatever the number
// of leaves, while they come and go, and when the port or the buffers run out.
#include <dataplane/replicate.h>
#include <dataplane/transmit.h>
#include <gmock/gmock.h>
#include <net/udp.h>

#include <map>
#include <numeric>

#include "tests/dpdk/hand_turned.h"

namespace joinleaf::dataplane {
namespace {

using namespace std::chrono_literals;
using test::Bytes;

constexpr std::uint32_t kFirstLeaf = 0x0a010000;
constexpr std::uint32_t kWireSlots = 4095;

// Gives numbered payloads of one size, as many as it was told to.
struct Numbered {
    std::uint32_t left = 0;
    std::uint32_t size = 1000;
    std::uint32_t next = 0;
    static std::byte octet(std::uint32_t number, std::size_t i) {
        return std::byte(number * 37 + i * 151 + 7);
    }
    static std::size_t call(void* self, std::span<SendBuffer> buffers, Instant) noexcept {
        auto& mine = *static_cast<Numbered*>(self);
        const auto n = std::min<std::size_t>(mine.left, buffers.size());
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t at = 0; at < mine.size; ++at) {
                buffers[i].data[at] = octet(mine.next, at);
            }
            std::memcpy(buffers[i].data, &mine.next, std::min<std::size_t>(4, mine.size));
            ++mine.next;
            buffers[i].length = mine.size;
        }
        mine.left -= static_cast<std::uint32_t>(n);
        return n;
    }
};

class Replicating : public HandTurned {
protected:
    static constexpr std::uint32_t kMostLeaves = 10'000;

    void open(bool chained = true) {
        ASSERT_TRUE(port_->offloads().multi_segment_transmit);
        outlet_.emplace(leaf_header(0));
        outlet_->source = test::kOwnAddress;
        outlet_->source_port = 5000;
        outlet_->inline_source = {Numbered::call, &source_};
        outlet_->payload_capacity = 1472;
        outlet_->replication =
            std::make_unique<Replication>(kMostLeaves, chained ? frames_ : pool_, chained);
        obey(AddOutlet{0, &*outlet_});
    }
    void close() { obey(RemoveOutlet{0, &*outlet_}); }
    void TearDown() override {
        if (outlet_ && worker_) close();
        outlet_.reset();
        HandTurned::TearDown();
    }

    [[nodiscard]] static MacAddress mac_of(std::uint32_t leaf) {
        return MacAddress({0x02, 0xaa, 0, 0, static_cast<std::uint8_t>(leaf >> 8),
                           static_cast<std::uint8_t>(leaf)});
    }
    [[nodiscard]] HeaderTemplate leaf_header(std::uint32_t leaf) const {
        return HeaderTemplate({.ethernet = {port_->mac(), mac_of(leaf), {}},
                               .source = test::kOwnAddress,
                               .destination = Ipv4Address(kFirstLeaf + leaf),
                               .ports = {5000, 5000}});
    }
    void obey(decltype(Command::what) what) {
        command(0, what);
        turn();
        ASSERT_EQ(answers().size(), 1u);
    }
    void put(std::uint32_t leaf, bool resolved = true) {
        const HeaderTemplate header = leaf_header(leaf);
        obey(PutReplica{&*outlet_, leaf, &header, resolved});
    }
    void put_all(std::uint32_t leaves) {
        // Straight into the set, before anything is sent: ten thousand commands prove no more.
        for (std::uint32_t leaf = 0; leaf < leaves; ++leaf) {
            outlet_->replication->destinations.put(leaf, leaf_header(leaf), true);
        }
    }
    void remove(std::uint32_t leaf) { obey(RemoveReplica{&*outlet_, leaf}); }

    /// Reads all frames on the wire; checks each to the octet, and notes which leaf has which.
    void listen() {
        for (const auto& heard : network_.hear()) {
            const auto ethernet = net::parse_ethernet(heard.bytes);
            ASSERT_TRUE(ethernet);
            if (ethernet->ethertype != net::ethertype::kIpv4) {
                ++others_;
                heard_before_other_ = count_;
                continue;
            }
            const auto ip = net::parse_ipv4(ethernet->payload);
            ASSERT_TRUE(ip);  // its checksum, too
            ASSERT_EQ(ip->header.source, test::kOwnAddress);
            const std::uint32_t leaf = ip->header.destination.value() - kFirstLeaf;
            ASSERT_LT(leaf, kMostLeaves);
            ASSERT_EQ(net::load<net::EthernetWire>(heard.bytes.data()).destination, mac_of(leaf));
            const auto udp = net::parse_udp(ip->header, ip->payload);
            ASSERT_TRUE(udp);  // its checksum, too
            ASSERT_EQ(udp->payload.size(), source_.size);
            std::uint32_t number = 0;
            std::memcpy(&number, udp->payload.data(), std::min<std::size_t>(4, source_.size));
            for (std::size_t i = 4; i < source_.size; ++i) {
                ASSERT_EQ(udp->payload[i], Numbered::octet(number, i)) << i;
            }
            ++got_[leaf][number];
            ++count_;
        }
    }
    /// Turns and listens until nothing more comes.
    void run() {
        for (std::size_t before = 0;; before = count_) {
            for (int i = 0; i < 4; ++i) turn();  // no more than the wire holds
            listen();
            if (count_ == before && source_.left == 0) return;
        }
    }
    /// Whether each of these leaves has each of `numbers` payloads, once.
    void expect_all_have_all(std::uint32_t leaves, std::uint32_t numbers) {
        EXPECT_EQ(count_, std::size_t{leaves} * numbers);
        for (std::uint32_t leaf = 0; leaf < leaves; ++leaf) {
            ASSERT_EQ(got_[leaf].size(), numbers) << leaf;
            for (const auto& [number, times] : got_[leaf]) ASSERT_EQ(times, 1) << leaf;
        }
    }

    dpdk::Mempool frames_{"replicas", 8191, Replication::kSmallPayload};
    Numbered source_;
    std::optional<Outlet> outlet_;
    std::map<std::uint32_t, std::map<std::uint32_t, int>> got_;
    std::size_t count_ = 0;
    std::size_t others_ = 0;
    std::size_t heard_before_other_ = 0;
};

// Every payload, whole, to every leaf, once, at its own addresses, with sums that are right.
TEST_F(Replicating, EveryLeafGetsEveryPayloadOnce) {
    open();
    std::uint32_t had = 0;
    for (const std::uint32_t leaves : {1u, 8u, 64u, 1024u, 10'000u}) {
        put_all(leaves);
        for (const std::uint32_t size : {0u, 1u, 63u, 64u, 65u, 128u, 129u, 256u, 257u, 1472u}) {
            if (leaves > 1024 && size != 64 && size != 257) continue;
            got_.clear();
            count_ = 0;
            source_.size = size;
            source_.next = 0;
            const std::uint32_t payloads = leaves > 64 ? 2 : 70;
            source_.left = payloads;
            run();
            EXPECT_EQ(count_, std::size_t{leaves} * payloads) << leaves << ' ' << size;
            if (size >= 4) expect_all_have_all(leaves, payloads);
            had += payloads * leaves;
            EXPECT_EQ(outlet_->sent.load(), had);
            EXPECT_EQ(frames_.in_use(), 0u);
        }
    }
}

TEST_F(Replicating, APortWithoutSegmentsGetsCopies) {
    open(false);
    put_all(100);
    for (const std::uint32_t size : {4u, 256u, 257u, 1472u}) {
        got_.clear();
        count_ = 0;
        source_.size = size;
        source_.next = 0;
        source_.left = 40;
        run();
        expect_all_have_all(100, 40);
    }
}

// A large payload is held once, however many frames of it are on the wire; a small one not at all.
TEST_F(Replicating, OnePayloadServesAll) {
    open();
    put_all(1000);
    source_.left = 1;
    for (int i = 0; i < 10; ++i) turn();
    EXPECT_EQ(frames_.in_use(), 1000u);
    EXPECT_EQ(pool_.in_use() - lane_->spare_count, 1u);
    listen();
    EXPECT_EQ(frames_.in_use(), 0u);
    EXPECT_EQ(pool_.in_use(), lane_->spare_count);
    expect_all_have_all(1000, 1);
}

// With one leaf the payload itself is the frame.
TEST_F(Replicating, ASingleLeafCostsNoFrame) {
    open();
    put_all(1);
    source_.left = 32;
    turn();
    EXPECT_EQ(frames_.in_use(), 0u);
    run();
    expect_all_have_all(1, 32);
}

TEST_F(Replicating, WithoutUdpChecksum) {
    open();
    outlet_->udp_checksum = false;
    put_all(3);
    source_.left = 1;
    turn();
    const auto frames = network_.hear();
    ASSERT_EQ(frames.size(), 3u);
    for (const auto& frame : frames) {
        EXPECT_EQ(frame.bytes[40], std::byte{0});
        EXPECT_EQ(frame.bytes[41], std::byte{0});
    }
}

TEST_F(Replicating, VlanTagsGoAlong) {
    open();
    HeaderTemplate tagged({.ethernet = {port_->mac(), mac_of(1), {.outer = 100, .inner = 200}},
                           .source = test::kOwnAddress,
                           .destination = Ipv4Address(kFirstLeaf + 1),
                           .ports = {5000, 5000}});
    outlet_->header = tagged;
    obey(PutReplica{&*outlet_, 1, &tagged, true});
    obey(PutReplica{&*outlet_, 2, &tagged, true});
    source_.left = 1;
    turn();
    const auto frames = network_.hear();
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0].bytes.size(), 50u + 1000);
    EXPECT_EQ(frames[0].bytes, frames[1].bytes);
    EXPECT_EQ(lane_->tally.values()[static_cast<std::size_t>(Count::transmitted_bytes)], 2100u);
}

// Who is there all the while misses nothing; who comes has all from then on; who goes nothing more.
TEST_F(Replicating, LeavesComeAndGoWhileItRuns) {
    open();
    put_all(1000);
    source_.left = 300;
    std::uint32_t coming = 1000;
    std::uint32_t going = 0;
    std::map<std::uint32_t, std::uint32_t> from;  // the first payload that was not taken before
    while (source_.left > 0 || outlet_->replication->first != outlet_->replication->end) {
        put(coming);
        from[coming] = source_.next;
        ++coming;
        remove(going);
        const auto had = got_[going].size();
        listen();
        // A burst may have been made before it went.
        EXPECT_LE(got_[going].size(), had + 300u);
        const auto last = got_[going].empty() ? 0 : got_[going].rbegin()->first;
        ++going;
        turn();
        listen();
        EXPECT_LE(got_[going - 1].empty() ? 0 : got_[going - 1].rbegin()->first, last + 1);
        ASSERT_LT(coming, kMostLeaves);
    }
    run();
    ASSERT_GT(going, 100u);
    ASSERT_LT(going, 1000u);
    for (std::uint32_t leaf = going; leaf < 1000; ++leaf) ASSERT_EQ(got_[leaf].size(), 300u);
    for (const auto& [leaf, first] : from) {
        for (std::uint32_t number = first; number < 300; ++number) {
            ASSERT_EQ(got_[leaf].count(number), 1u) << leaf << ' ' << number;
        }
    }
    for (const auto& [leaf, numbers] : got_) {
        for (const auto& [number, times] : numbers) ASSERT_EQ(times, 1) << leaf;
    }
}

// A leaf that nobody can tell the MAC address of costs the others nothing.
TEST_F(Replicating, AnUnresolvedLeafIsCountedAndDelaysNobody) {
    open();
    put_all(100);
    for (std::uint32_t leaf = 0; leaf < 100; leaf += 2) put(leaf, false);
    source_.left = 10;
    run();
    EXPECT_EQ(count_, 500u);
    EXPECT_EQ(dropped(DropReason::unresolved_neighbour), 500u);
    for (std::uint32_t leaf = 1; leaf < 100; leaf += 2) EXPECT_EQ(got_[leaf].size(), 10u);
    put(0, true);
    source_.left = 1;
    run();
    EXPECT_EQ(got_[0].size(), 1u);
    EXPECT_EQ(dropped(DropReason::unresolved_neighbour), 549u);
}

// From two to one, which needs no frames, and back to two, by way of an unresolved one.
TEST_F(Replicating, OneOfTwoGoesAndAnotherComes) {
    for (const bool chained : {true, false}) {
        open(chained);
        put_all(2);
        for (int round = 0; round < 200; ++round) {
            got_.clear();
            count_ = 0;
            source_.next = 0;
            source_.left = 70;
            run();
            expect_all_have_all(2, 70);
            remove(1);
            source_.left = 5;
            run();
            put(1, false);
            source_.left = 33;
            run();
            EXPECT_EQ(got_[0].size(), 108u);
            EXPECT_EQ(got_[1].size(), 70u);
            put(1, true);
        }
        EXPECT_EQ(dropped(DropReason::unresolved_neighbour), (chained ? 1u : 2u) * 200 * 33);
        close();
        outlet_.reset();
    }
}

TEST_F(Replicating, WithoutLeavesPayloadsAreCounted) {
    open();
    source_.left = 40;
    run();
    EXPECT_EQ(dropped(DropReason::no_leaf), 40u);
    put(7, false);
    source_.left = 3;
    run();
    EXPECT_EQ(dropped(DropReason::unresolved_neighbour), 3u);
    EXPECT_EQ(count_, 0u);
}

// The port fills up in the midst of a set: all wait, and each still gets its own.
TEST_F(Replicating, AFullPortLosesNothing) {
    open();
    put_all(10'000);
    source_.left = 2;
    for (int i = 0; i < 100; ++i) turn();
    EXPECT_EQ(outlet_->sent.load(), kWireSlots);
    std::array<dpdk::Packet*, 5> some{};
    for (int i = 0; i < 5; ++i) {  // a few places at a time
        now_ += kTransmitPatience - 1ns;
        turn();
        ASSERT_EQ(network_.end().receive(some), some.size());
        dpdk::free_all(some);
        turn();
    }
    EXPECT_EQ(outlet_->sent.load(), kWireSlots + 25);
    run();
    EXPECT_EQ(count_, 20'000u - 25);
    EXPECT_EQ(dropped(DropReason::transmit_ring_full), 0u);
}

// A port that takes nothing for too long: whatever it did not take is counted, frame by frame.
TEST_F(Replicating, ADeadPortIsCountedFrameByFrame) {
    open();
    put_all(1000);
    source_.left = 9;
    for (int i = 0; i < 1000 && outlet_->sent.load() < kWireSlots; ++i) turn();
    turn();
    now_ += kTransmitPatience;
    for (int i = 0; i < 1000; ++i) turn();
    EXPECT_EQ(outlet_->sent.load() + dropped(DropReason::transmit_ring_full), 9000u);
    EXPECT_EQ(outlet_->replication->first, outlet_->replication->end);
    listen();
    EXPECT_EQ(count_, kWireSlots);
    got_.clear();
    count_ = 0;
    source_.next = 0;
    source_.left = 2;
    run();
    expect_all_have_all(1000, 2);  // and it goes on
}

// No frames left: it waits for those on the wire, and what waits too long is counted.
TEST_F(Replicating, WithoutFramesItWaitsAndThenCounts) {
    open();
    put_all(100);
    std::vector<dpdk::Packet*> taken(frames_.size() - 63);
    ASSERT_TRUE(frames_.allocate(taken));
    source_.left = 1;
    for (int i = 0; i < 10; ++i) turn();
    EXPECT_EQ(outlet_->sent.load(), 32u);
    now_ += kTransmitPatience - 1ns;
    turn();
    EXPECT_EQ(dropped(DropReason::no_buffer), 0u);
    listen();
    run();
    expect_all_have_all(100, 1);

    source_.left = 1;
    for (int i = 0; i < 10; ++i) turn();
    now_ += kTransmitPatience;
    for (int i = 0; i < 10; ++i) turn();
    EXPECT_EQ(outlet_->sent.load() - 100 + dropped(DropReason::no_buffer), 100u);
    EXPECT_GT(dropped(DropReason::no_buffer), 0u);
    dpdk::free_all(taken);
    listen();
    const auto before = outlet_->sent.load();
    source_.left = 1;
    run();
    EXPECT_EQ(outlet_->sent.load(), before + 100);
}

// IGMP, ARP and what is received do not wait for ten thousand frames.
TEST_F(Replicating, ControlFramesAndReceptionGoInBetween) {
    open();
    put_all(10'000);
    source_.left = 1;
    turn();
    command(1, TransmitFrame{0, control_frame()});
    network_.send(test::frame_of());
    run();
    EXPECT_EQ(answers().size(), 1u);
    EXPECT_EQ(others_, 1u);
    EXPECT_LE(heard_before_other_, kReplicaBurstsPerTurn * dpdk::kBurst);
    EXPECT_EQ(lane_->tally.values()[static_cast<std::size_t>(Count::received)], 1u);
    expect_all_have_all(10'000, 1);
}

// Two of them, one with thousands of leaves, take turns.
TEST_F(Replicating, ASmallSetDoesNotWaitForALargeOne) {
    open();
    put_all(10'000);
    Numbered other;
    Outlet small(leaf_header(0));
    small.inline_source = {Numbered::call, &other};
    small.payload_capacity = 1472;
    small.replication = std::make_unique<Replication>(8, frames_, true);
    obey(AddOutlet{0, &small});
    for (std::uint32_t leaf = 0; leaf < 8; ++leaf) {
        small.replication->destinations.put(leaf, leaf_header(leaf), true);
    }
    source_.left = 1;
    other.left = 5;
    for (int i = 0; i < 3; ++i) turn();
    EXPECT_EQ(small.sent.load(), 40u);
    EXPECT_LT(outlet_->sent.load(), 10'000u);
    obey(RemoveOutlet{0, &small});
    run();
}

// Taken away in the midst of a set: what did not go out is counted, and the buffers are home.
TEST_F(Replicating, ClosingCountsWhoDidNotGetIt) {
    open();
    put_all(1000);
    source_.left = 1;
    turn();
    close();
    EXPECT_EQ(outlet_->sent.load() + dropped(DropReason::sender_closed), 1000u);
    EXPECT_GT(dropped(DropReason::sender_closed), 0u);
    outlet_.reset();
    network_.forget();
    EXPECT_EQ(pool_.in_use(), lane_->spare_count);
}

// A worker that stops in the midst of a set leaves nothing behind.
TEST_F(Replicating, StoppedInTheMidst) {
    open();
    put_all(1000);
    source_.left = 3;
    turn();
    worker_.reset();
    outlet_.reset();
    EXPECT_EQ(pool_.in_use(), 1u);  // of the frames on the wire
    network_.clear();
    EXPECT_EQ(pool_.in_use(), 0u);
}

// The application's datagrams are in flight until the last frame of each has gone.
TEST_F(Replicating, ADatagramIsInFlightUntilAllHaveIt) {
    open();
    close();
    SendQueue queue(64, 1472);
    outlet_->inline_source = {};
    outlet_->queue = &queue;
    obey(AddOutlet{0, &*outlet_});
    put_all(1000);
    std::array<SendBuffer, 3> buffers{};
    turn();
    ASSERT_EQ(queue.reserve(buffers), 3u);
    for (auto& buffer : buffers) buffer.length = 300;
    buffers[2].length = 1473;
    queue.send(buffers);
    EXPECT_EQ(queue.in_flight(), 3u);
    turn();
    EXPECT_EQ(outlet_->sent.load(), kReplicaBurstsPerTurn * dpdk::kBurst);
    EXPECT_GE(queue.in_flight(), 2u);
    for (int i = 0; i < 20; ++i) turn();
    EXPECT_EQ(outlet_->sent.load(), 2000u);
    EXPECT_EQ(queue.in_flight(), 0u);
    EXPECT_EQ(dropped(DropReason::oversized), 1u);
    network_.forget();
    close();
    outlet_.reset();
}

}  // namespace
}  // namespace joinleaf::dataplane
