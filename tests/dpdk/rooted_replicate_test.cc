// Rooted sessions whose data comes by unicast: admitted, received, expelled, on a network that is
// never told of a group (M20, M21, M25).
#include <tests/dpdk/prompt_switch.h>
#include <tests/dpdk/sockets_under_test.h>

#include <array>
#include <string>
#include <vector>

namespace joinleaf {
namespace {

using namespace test;
using testing::IsEmpty;

SocketOptions replicating() {
    SocketOptions options = root_options();
    options.admission.session.fan_out = FanOut::replicate;
    return options;
}

// A root in a runtime of its own, two leaves in another, on one switch.
class Replicated : public testing::Test {
protected:
    struct Leaf {
        Receiver receiver;
        Socket socket;
        Socket at_root;
    };
    Replicated() {
        SocketOptions options = replicating();
        options.receiver = &root_receiver;
        root = root_runtime->open(options).value();
        EXPECT_TRUE(root.select(root_events));
        EXPECT_TRUE(root.listen(root_at));
        sender = root.sender().value();
    }
    Leaf open_leaf(std::size_t on_port) {
        Leaf leaf{.receiver = *leaf_runtime.open_receiver({.port = on_port})};
        leaf.socket =
            leaf_runtime
                .open({.scheme = kRootedRooted, .port = on_port, .receiver = &leaf.receiver})
                .value();
        EXPECT_TRUE(leaf.socket.select(leaf_events));
        return leaf;
    }
    /// Until the root has been told that its copies go out.
    Leaf let_in(std::size_t on_port) {
        Leaf leaf = open_leaf(on_port);
        auto accepted = accepting(root);
        const auto joined = leaf.socket.join_leaf(root_at);
        EXPECT_TRUE(joined) << joined.error().message();
        leaf.at_root = *accepted.get();
        const auto told = next(root_events, EventType::connect);
        EXPECT_TRUE(told);
        if (told) {
            EXPECT_EQ(told->socket, leaf.at_root.id());
        }
        return leaf;
    }
    static std::optional<Event> next(EventQueue& events, EventType type) {
        while (auto event = events.wait(5s)) {
            if (event->type == type) return event;
        }
        return std::nullopt;
    }
    std::uint64_t dropped(DropReason why) {
        return root_runtime->status().ports[0].counters.drops[static_cast<std::size_t>(why)];
    }
    std::uint64_t sent() { return root_runtime->status().ports[0].counters.sent; }

    static constexpr std::array<std::string_view, 3> kWires{"fan-root", "fan-one", "fan-two"};
    const ControlEndpoint root_at = free_endpoint();
    PromptSwitch network{kWires};
    std::optional<Runtime> root_runtime = Runtime::start(quiet({port("ring:fan-root", 1)}));
    Runtime leaf_runtime =
        Runtime::start(quiet({port("ring:fan-one", 2), port("ring:fan-two", 3)}));
    Receiver root_receiver = *root_runtime->open_receiver({.port = 0});
    EventQueue root_events = root_runtime->open_event_queue();
    EventQueue leaf_events = leaf_runtime.open_event_queue();
    Socket root;
    Sender sender;
};

// From the root's FD_CONNECT on, not even the first datagram is missed.
TEST_F(Replicated, M20_TheRootsDataReachesEveryLeaf) {
    Leaf one = let_in(0);
    send(sender, "to one");
    EXPECT_EQ(receive(one.receiver), "to one");
    Leaf two = let_in(1);
    send(sender, "to both");
    EXPECT_EQ(receive(one.receiver), "to both");
    EXPECT_EQ(receive(two.receiver), "to both");
    EXPECT_TRUE(is_silent(root_receiver));
    EXPECT_EQ(sent(), 3u);
    EXPECT_EQ(dropped(DropReason::unresolved_neighbour), 0u);
}

// Also such as are not copied: whole, and in one piece.
TEST_F(Replicated, LargeDatagramsArriveInOnePiece) {
    Leaf one = let_in(0);
    Leaf two = let_in(1);
    for (const std::size_t size : {256u, 257u, 1472u}) {
        std::string text(size, 'x');
        for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
        send(sender, text);
        EXPECT_EQ(receive(one.receiver), text);
        EXPECT_EQ(receive(two.receiver), text);
    }
}

// The network hears of no group, and the leaf is told when it was in place.
TEST_F(Replicated, ALeafJoinsNothingByIgmp) {
    Leaf one = let_in(0);
    EXPECT_TRUE(one.socket.connected_at());
    const auto status = leaf_runtime.status();
    for (const auto& count : status.ports[0].igmp) {
        if (count.name.find("sent") != std::string_view::npos) {
            EXPECT_EQ(count.value, 0u) << count.name;
        }
    }
    ASSERT_EQ(status.memberships.size(), 1u);
    const auto& membership = status.memberships[0];
    EXPECT_EQ(membership.group, replicating().admission.session.group);
    EXPECT_EQ(membership.sources, SourceFilter::only({Ipv4Address(10, 9, 0, 1)}));
    EXPECT_EQ(membership.health, JoinHealth::no_data);
    send(sender, "now there is");
    EXPECT_EQ(receive(one.receiver), "now there is");
    EXPECT_EQ(leaf_runtime.status().memberships[0].health, JoinHealth::receiving);
}

TEST_F(Replicated, M21_ALeafsDataReachesTheRootAlone) {
    Leaf one = let_in(0);
    Leaf two = let_in(1);
    auto from_one = one.socket.sender();
    ASSERT_TRUE(from_one);
    send(*from_one, "one");
    EXPECT_EQ(receive(root_receiver), "one");
    EXPECT_TRUE(is_silent(two.receiver));
    EXPECT_TRUE(is_silent(one.receiver));
}

TEST_F(Replicated, M25_AnExpelledLeafGetsNoMoreCopies) {
    Leaf one = let_in(0);
    Leaf two = let_in(1);
    one.at_root.close();
    const auto closed = next(leaf_events, EventType::close);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->error, std::errc::connection_aborted);
    const auto before = sent();
    send(sender, "to two");
    EXPECT_EQ(receive(two.receiver), "to two");
    EXPECT_TRUE(is_silent(one.receiver));
    EXPECT_EQ(sent(), before + 1);
    // And it may come back.
    auto accepted = accepting(root);
    ASSERT_TRUE(one.socket.join_leaf(root_at));
    one.at_root = *accepted.get();
    ASSERT_TRUE(next(root_events, EventType::connect));
    send(sender, "again to both");
    EXPECT_EQ(receive(one.receiver), "again to both");
    EXPECT_EQ(receive(two.receiver), "again to both");
}

TEST_F(Replicated, ALeafThatClosesIsGoneAndTheRestGoOn) {
    Leaf one = let_in(0);
    Leaf two = let_in(1);
    one.socket.close();
    ASSERT_TRUE(next(root_events, EventType::close));
    const auto before = sent();
    send(sender, "to two");
    EXPECT_EQ(receive(two.receiver), "to two");
    EXPECT_EQ(sent(), before + 1);
    two.socket.close();
    ASSERT_TRUE(next(root_events, EventType::close));
    send(sender, "to nobody");
    EXPECT_TRUE(eventually([&] { return dropped(DropReason::no_leaf) == 1; }));
}

TEST_F(Replicated, M5_AnInvitedLeafGetsItsCopiesFromFdConnectOn) {
    const ControlEndpoint leaf_at = free_endpoint();
    Leaf one = open_leaf(0);
    ASSERT_TRUE(one.socket.listen(leaf_at));
    auto accepted = accepting(one.socket);
    auto at_root = root.join_leaf(leaf_at);
    ASSERT_TRUE(at_root) << at_root.error().message();
    send(sender, "at once");
    auto member = accepted.get();
    ASSERT_TRUE(member);
    EXPECT_EQ(receive(one.receiver), "at once");
    EXPECT_TRUE(next(root_events, EventType::connect));
}

// Two sockets of one host are two leaves with one address: one copy, which both hear.
TEST_F(Replicated, LeavesOfOneHostShareACopy) {
    Leaf one = let_in(0);
    Leaf other = let_in(0);
    send(sender, "one copy");
    EXPECT_EQ(receive(one.receiver), "one copy");
    EXPECT_EQ(receive(other.receiver), "one copy");
    EXPECT_EQ(sent(), 1u);
    other.socket.close();
    ASSERT_TRUE(next(root_events, EventType::close));
    send(sender, "still there");
    EXPECT_EQ(receive(one.receiver), "still there");
    EXPECT_TRUE(is_silent(other.receiver));
}

// M23: 0 is this host alone, and nobody gets copies here.
TEST_F(Replicated, ScopeZeroNeverLeavesTheHost) {
    Leaf one = let_in(0);
    ASSERT_TRUE(root.set_scope(0));
    send(sender, "for nobody");
    EXPECT_TRUE(is_silent(one.receiver));
    ASSERT_TRUE(root.set_scope(1));
    send(sender, "for one");
    EXPECT_EQ(receive(one.receiver), "for one");
    EXPECT_EQ(sent(), 1u);
}

TEST_F(Replicated, M4_WhenTheRootClosesEveryLeafGetsFdClose) {
    Leaf one = let_in(0);
    Leaf two = let_in(1);
    root.close();
    EXPECT_TRUE(next(leaf_events, EventType::close));
    EXPECT_TRUE(next(leaf_events, EventType::close));
    EXPECT_THAT(leaf_runtime.status().memberships, IsEmpty());
}

TEST_F(Replicated, ARuntimeThatStopsInTheMidstLeavesNothingBehind) {
    Leaf one = let_in(0);
    Leaf two = let_in(1);
    SendBuffer buffers[32];
    for (int i = 0; i < 50; ++i) {
        const auto n = sender.reserve(buffers);
        for (std::size_t b = 0; b < n; ++b) buffers[b].length = 1000;
        sender.send(std::span(buffers).first(n));
    }
    root_runtime.reset();
    EXPECT_TRUE(next(leaf_events, EventType::close));
}

// A root and a leaf at the two ends of a wire, where the leaf's port is as `change` makes it.
class ReplicatedInVain : public testing::Test {
protected:
    // Lets the leaf in, sends one datagram, and expects it to be counted.
    void expect_in_vain(PortOptions leaf_port) {
        RuntimeOptions options = quiet({port("ring:fan-far", 1), std::move(leaf_port)});
        options.log = [this](std::string_view line) { said.emplace_back(line); };
        Runtime runtime = Runtime::start(std::move(options));
        Receiver receiver = *runtime.open_receiver({.port = 1});
        Socket root = runtime.open(replicating()).value();
        const ControlEndpoint at = free_endpoint();
        ASSERT_TRUE(root.listen(at));
        EventQueue events = runtime.open_event_queue();
        ASSERT_TRUE(root.select(events));
        Socket leaf =
            runtime.open({.scheme = kRootedRooted, .port = 1, .receiver = &receiver}).value();
        auto accepted = accepting(root);
        ASSERT_TRUE(leaf.join_leaf(at));
        const auto at_root = accepted.get();
        std::optional<Event> event;
        do {
            event = events.wait(10s);
        } while (event && event->type != EventType::connect);
        ASSERT_TRUE(event);
        auto sender = root.sender().value();
        send(sender, "in vain");
        const auto dropped = [&] {
            const auto drops = runtime.status().ports[0].counters.drops;
            return drops[static_cast<std::size_t>(DropReason::unresolved_neighbour)];
        };
        EXPECT_TRUE(eventually([&] { return dropped() > 0; }));
        EXPECT_EQ(dropped(), 1u);
        EXPECT_TRUE(is_silent(receiver));
        runtime.stop();
    }
    std::vector<std::string> said;  // read when the runtime has stopped
};

// A leaf that there is no way to is told of, counted, and said aloud.
TEST_F(ReplicatedInVain, ALeafOnAnotherSubnetWithoutAGateway) {
    auto far = port("ring:fan-far", 2);
    far.address = {Ipv4Address(10, 8, 0, 2), 24};
    expect_in_vain(far);
    EXPECT_THAT(said, testing::Contains(testing::HasSubstr("10.8.0.2 is on another subnet")));
}

// One that does not answer ARP is told of when it has been asked often enough.
TEST_F(ReplicatedInVain, ALeafThatDoesNotAnswerArp) {
    auto deaf = port("ring:fan-far", 2);
    deaf.vlan = "5";
    expect_in_vain(deaf);
}

class ReplicatedAtOneRuntime : public Rooted {};

// The root's own address is no other host's: what is sent there never arrives by the wire.
TEST_F(ReplicatedAtOneRuntime, ALeafAtTheRootsOwnAddressIsRefused) {
    Socket root = open_root(replicating());
    ASSERT_TRUE(root.listen(root_at));
    auto leaf = runtime.open({.scheme = kRootedRooted, .port = 0, .receiver = &root_receiver});
    ASSERT_TRUE(leaf);
    EXPECT_EQ(error_of(leaf->join_leaf(root_at)),
              std::make_error_code(std::errc::address_not_available));
}

TEST_F(ReplicatedAtOneRuntime, OnlyRootedDataCanBeReplicated) {
    auto options = root_options(kRootedControl);
    options.admission.session.fan_out = FanOut::replicate;
    EXPECT_EQ(error_of(runtime.open(options)), std::make_error_code(std::errc::invalid_argument));
}

TEST_F(ReplicatedAtOneRuntime, CopiesGoToLeavesAndNotToGroupsBesides) {
    auto options = replicating();
    options.sender.also = {{GroupAddress::of(239, 1, 1, 9), UdpPort::of(5000)}};
    EXPECT_EQ(error_of(runtime.open(options)), std::make_error_code(std::errc::invalid_argument));
}

}  // namespace
}  // namespace joinleaf
