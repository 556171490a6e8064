// Rooted sessions while they last and when they end: whose data reaches whom, who leaves, who is
// told (M4, M20 to M22, M25), and that nothing stays behind.
#include <tests/dpdk/prompt_switch.h>
#include <tests/dpdk/sockets_under_test.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <thread>

namespace joinleaf {
namespace {

using namespace test;
using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class RootedSession : public Rooted {};

TEST_F(RootedSession, M25_ALeafThatClosesIsGoneForTheRoot) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    auto [leaf, at_root] = let_in(root, open_leaf());
    leaf.close();
    const auto closed = next(EventType::close);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->socket, at_root.id());
    EXPECT_FALSE(closed->error);
    EXPECT_TRUE(no_event());
    EXPECT_THAT(runtime.status().memberships, IsEmpty());
}

TEST_F(RootedSession, M25_ALeafWhoseHandleIsDroppedSaysFarewellToo) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    Socket at_root = let_in(root, open_leaf()).at_root;
    const auto closed = next(EventType::close);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->socket, at_root.id());
    EXPECT_FALSE(closed->error) << closed->error.message();
}

TEST_F(RootedSession, M25_AnExpelledLeafGetsFdCloseAndHearsNothingMore) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    auto [leaf, at_root] = let_in(root, open_leaf());
    at_root.close();
    const auto closed = next(EventType::close);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->socket, leaf.id());
    EXPECT_EQ(closed->error, std::errc::connection_aborted);
    EXPECT_THAT(runtime.status().memberships, IsEmpty());
    auto sender = root.sender();
    ASSERT_TRUE(sender);
    send(*sender, "for those who are left");
    EXPECT_TRUE(is_silent(leaf_receiver));
    EXPECT_TRUE(no_event());
    // M12: it may ask again.
    let_in(root, leaf);
}

TEST_F(RootedSession, M4_WhenTheRootClosesEveryLeafGetsFdClose) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    auto [leaf, at_root] = let_in(root, open_leaf());
    root.close();
    std::set<SocketId> told;  // M25: on both sides
    for (int i = 0; i < 2; ++i) {
        const auto closed = next(EventType::close);
        ASSERT_TRUE(closed);
        EXPECT_FALSE(closed->error) << closed->error.message();
        told.insert(closed->socket);
    }
    EXPECT_THAT(told, UnorderedElementsAre(leaf.id(), at_root.id()));
    EXPECT_TRUE(no_event());
    EXPECT_THAT(runtime.status().memberships, IsEmpty());
}

TEST_F(RootedSession, M4_ARootWhoseHandleIsDroppedSaysFarewellToo) {
    Socket leaf = open_leaf();
    {
        Socket root = open_root();
        ASSERT_TRUE(root.listen(root_at));
        let_in(root, leaf).at_root.select(runtime.open_event_queue());
        const auto expelled = next(EventType::close);  // by dropping the socket that stood for it
        ASSERT_TRUE(expelled);
        EXPECT_EQ(expelled->error, std::errc::connection_aborted);
    }
    Socket at_root;
    {
        Socket root = open_root();
        ASSERT_TRUE(root.listen(root_at));
        at_root = let_in(root, leaf).at_root;
        at_root.select(runtime.open_event_queue());
    }
    const auto closed = next(EventType::close);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->socket, leaf.id());
    EXPECT_FALSE(closed->error) << closed->error.message();
}

// A root and two leaves on a snooping switch; the root in a runtime of its own.
class RootedNetwork : public testing::Test {
protected:
    struct Leaf {
        Receiver receiver;
        Socket socket;
        Socket at_root;
    };

    Socket open_root(Scheme scheme = kRootedRooted) {
        SocketOptions options = root_options(scheme);
        options.receiver = &root_receiver;
        auto root = root_runtime->open(options);
        EXPECT_TRUE(root) << root.error().message();
        EXPECT_TRUE(root->select(root_events));
        EXPECT_TRUE(root->listen(root_at));
        return *root;
    }
    Leaf open_leaf(std::size_t on_port, Scheme scheme = kRootedRooted) {
        Leaf leaf{.receiver = *leaf_runtime.open_receiver({.port = on_port})};
        auto socket =
            leaf_runtime.open({.scheme = scheme, .port = on_port, .receiver = &leaf.receiver});
        EXPECT_TRUE(socket);
        leaf.socket = *socket;
        EXPECT_TRUE(leaf.socket.select(leaf_events));
        return leaf;
    }
    Leaf let_in(Socket& root, std::size_t on_port, Scheme scheme = kRootedRooted) {
        Leaf leaf = open_leaf(on_port, scheme);
        admit(root, leaf);
        return leaf;
    }
    static void admit(Socket& root, Leaf& leaf) {
        auto accepted = accepting(root);
        const auto at = root_endpoint;
        const auto joined = leaf.socket.join_leaf(at);
        EXPECT_TRUE(joined) << joined.error().message();
        leaf.at_root = *accepted.get();
        EXPECT_TRUE(eventually([&] { return leaf.at_root.say({}).has_value(); }));
    }
    static std::optional<Event> next_close(EventQueue& events) {
        while (auto event = events.wait(5s)) {
            if (event->type == EventType::close) return event;
        }
        return std::nullopt;
    }

    static constexpr std::array<std::string_view, 3> kWires{"net-root", "net-one", "net-two"};
    inline static const ControlEndpoint root_endpoint = free_endpoint();
    const ControlEndpoint root_at = root_endpoint;
    PromptSwitch network{kWires};
    std::optional<Runtime> root_runtime = Runtime::start(quiet({port("ring:net-root", 1)}));
    Runtime leaf_runtime =
        Runtime::start(quiet({port("ring:net-one", 2), port("ring:net-two", 3)}));
    Receiver root_receiver = *root_runtime->open_receiver({.port = 0});
    EventQueue root_events = root_runtime->open_event_queue();
    EventQueue leaf_events = leaf_runtime.open_event_queue();
};

TEST_F(RootedNetwork, M20_TheRootsDataReachesEveryLeaf) {
    Socket root = open_root();
    Leaf one = let_in(root, 0);
    Leaf two = let_in(root, 1);
    auto sender = root.sender();
    ASSERT_TRUE(sender);
    send(*sender, "to all");
    EXPECT_EQ(receive(one.receiver), "to all");
    EXPECT_EQ(receive(two.receiver), "to all");
    EXPECT_TRUE(is_silent(root_receiver));
}

// M20: and the root may hear any of them.
TEST_F(RootedNetwork, M21_ALeafsDataReachesTheRootAndNoOtherLeaf) {
    Socket root = open_root();
    Leaf one = let_in(root, 0);
    Leaf two = let_in(root, 1);
    auto from_one = one.socket.sender();
    auto from_two = two.socket.sender();
    ASSERT_TRUE(from_one && from_two);
    send(*from_one, "one");
    EXPECT_EQ(receive(root_receiver), "one");
    send(*from_two, "two");
    EXPECT_EQ(receive(root_receiver), "two");
    EXPECT_TRUE(is_silent(one.receiver));
    EXPECT_TRUE(is_silent(two.receiver));
}

TEST_F(RootedNetwork, M21_WhoIsNotAdmittedDoesNotReachTheRoot) {
    Socket root = open_root();
    // Another session whose leaves are told to send to the first one's root.
    SocketOptions options = root_options();
    options.receiver = nullptr;
    options.admission.session.root_address = Ipv4Address(10, 9, 0, 1);
    auto decoy = leaf_runtime.open(options);
    ASSERT_TRUE(decoy);
    const auto decoy_at = free_endpoint();
    ASSERT_TRUE(decoy->listen(decoy_at));
    Leaf stranger = open_leaf(1);
    auto accepted = accepting(*decoy);
    ASSERT_TRUE(stranger.socket.join_leaf(decoy_at));
    const auto at_decoy = accepted.get();
    ASSERT_TRUE(at_decoy);

    auto sender = stranger.socket.sender();
    ASSERT_TRUE(sender);
    const auto dropped = [&] {
        const auto drops = root_runtime->status().ports[0].counters.drops;
        return drops[static_cast<std::size_t>(DropReason::source_filtered)];
    };
    send(*sender, "let me in");
    EXPECT_TRUE(eventually([&] { return dropped() == 1; }));
    EXPECT_TRUE(is_silent(root_receiver));

    Leaf member = let_in(root, 0);
    auto from_member = member.socket.sender();
    ASSERT_TRUE(from_member);
    send(*from_member, "as a member");
    EXPECT_EQ(receive(root_receiver), "as a member");
    send(*sender, "and now?");
    EXPECT_TRUE(eventually([&] { return dropped() == 2; }));
    EXPECT_TRUE(is_silent(root_receiver));
}

// A leaf may send when it has its FD_CONNECT, whenever the root gets to know of that; and no more
// when it has never confirmed.
TEST_F(RootedNetwork, M21_AnAdmittedLeafsDataIsTakenBeforeItHasConfirmed) {
    Socket root = open_root();
    SocketOptions options = root_options();
    options.receiver = nullptr;
    options.admission.session.root_address = Ipv4Address(10, 9, 0, 1);
    auto decoy = leaf_runtime.open(options);
    ASSERT_TRUE(decoy);
    const auto decoy_at = free_endpoint();
    ASSERT_TRUE(decoy->listen(decoy_at));
    Leaf other = open_leaf(1);  // lets the leaf's address speak, whoever has admitted it
    auto accepted = accepting(*decoy);
    ASSERT_TRUE(other.socket.join_leaf(decoy_at));
    const auto at_decoy = accepted.get();
    ASSERT_TRUE(at_decoy);
    auto sender = other.socket.sender();
    ASSERT_TRUE(sender);

    auto asked = accepting(root);
    const MuteLeaf mute(root_at, Ipv4Address(10, 9, 0, 3));
    auto at_root = asked.get();
    ASSERT_TRUE(at_root);
    EXPECT_TRUE(eventually([&] {  // Admit has been sent when the worker knows
        send(*sender, "in");
        return !receive(root_receiver, 10ms).empty();
    }));
    EXPECT_EQ(error_of(at_root->say({})), std::errc::not_connected);
    const auto closed = next_close(root_events);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->socket, at_root->id());
    EXPECT_EQ(closed->error, std::errc::timed_out);
    EXPECT_TRUE(eventually([&] {
        send(*sender, "out");
        return is_silent(root_receiver);
    }));
    const auto status = root_runtime->status().admissions.at(0);
    EXPECT_EQ(status.unconfirmed, 1U);
    EXPECT_EQ(status.admitted, 0U);
}

TEST_F(RootedNetwork, M22_AnyMembersDataReachesAllOthers) {
    Socket root = open_root(kRootedControl);
    Leaf one = let_in(root, 0, kRootedControl);
    Leaf two = let_in(root, 1, kRootedControl);
    auto from_root = root.sender();
    auto from_one = one.socket.sender();
    auto from_two = two.socket.sender();
    ASSERT_TRUE(from_root && from_one && from_two);
    send(*from_root, "root");
    EXPECT_EQ(receive(one.receiver), "root");
    EXPECT_EQ(receive(two.receiver), "root");
    send(*from_one, "one");
    EXPECT_EQ(receive(root_receiver), "one");
    EXPECT_EQ(receive(two.receiver), "one");
    send(*from_two, "two");
    EXPECT_EQ(receive(root_receiver), "two");
    EXPECT_EQ(receive(one.receiver), "two");
    EXPECT_TRUE(is_silent(root_receiver));
    EXPECT_TRUE(is_silent(one.receiver));
    EXPECT_TRUE(is_silent(two.receiver));
}

TEST_F(RootedNetwork, M25_ExpellingOneLeafTouchesNoOther) {
    Socket root = open_root();
    Leaf one = let_in(root, 0);
    Leaf two = let_in(root, 1);
    one.at_root.close();
    const auto closed = next_close(leaf_events);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->socket, one.socket.id());
    EXPECT_EQ(closed->error, std::errc::connection_aborted);
    auto sender = root.sender();
    ASSERT_TRUE(sender);
    send(*sender, "for the other");
    EXPECT_EQ(receive(two.receiver), "for the other");
    EXPECT_TRUE(is_silent(one.receiver));
    EXPECT_FALSE(leaf_events.next());
    EXPECT_TRUE(two.at_root.say(words("you stay")));
}

TEST_F(RootedNetwork, M25_ClosingTheRootIsFdCloseOnBothSidesForEachLeaf) {
    Socket root = open_root();
    const Leaf one = let_in(root, 0);
    const Leaf two = let_in(root, 1);
    root.close();
    std::set<SocketId> at_root;
    std::set<SocketId> at_leaves;
    for (int i = 0; i < 2; ++i) {
        at_root.insert(next_close(root_events).value().socket);
        at_leaves.insert(next_close(leaf_events).value().socket);
    }
    EXPECT_THAT(at_root, UnorderedElementsAre(one.at_root.id(), two.at_root.id()));
    EXPECT_THAT(at_leaves, UnorderedElementsAre(one.socket.id(), two.socket.id()));
    EXPECT_THAT(leaf_runtime.status().memberships, IsEmpty());
}

// A root that ends its session as soon as it has handed everything over: a leaf that has heard of
// the end has everything.
class RootedEnd : public RootedNetwork {
protected:
    static constexpr int kDatagrams = 60;

    /// 200 datagrams a second: the last leaves 150 ms after it was handed over.
    SocketOptions slow_root(std::chrono::milliseconds linger) {
        SocketOptions options = root_options();
        options.admission.linger = linger;
        options.sender.packets_per_second = 200;
        return options;
    }
    static void send_all(Sender& sender) {
        for (int i = 0; i < kDatagrams; ++i) send(sender, ".");
    }
    static std::size_t received_until_close(Leaf& leaf, EventQueue& events) {
        std::size_t received = 0;
        bool is_closed = false;
        while (true) {
            const auto some = receive(leaf.receiver, 10ms).size();
            received += some;
            if (is_closed && some == 0) return received;
            if (const auto event = events.next(); event && event->type == EventType::close) {
                EXPECT_FALSE(event->error) << event->error.message();
                is_closed = true;
            }
        }
    }
    std::uint64_t dropped() {
        const auto drops = root_runtime->status().ports[0].counters.drops;
        return drops[static_cast<std::size_t>(DropReason::sender_closed)];
    }
};

TEST_F(RootedEnd, M25_TheFarewellDoesNotOvertakeData) {
    auto root = root_runtime->open(slow_root(5s));
    ASSERT_TRUE(root);
    ASSERT_TRUE(root->listen(root_at));
    Leaf leaf = let_in(*root, 0);
    auto sender = root->sender();
    ASSERT_TRUE(sender);
    send_all(*sender);
    root->close();
    EXPECT_EQ(received_until_close(leaf, leaf_events), static_cast<std::size_t>(kDatagrams));
    EXPECT_EQ(dropped(), 0U);
}

// At full speed, when the farewell comes while the leaf's worker is still busy with what lies
// before it in the port.
TEST_F(RootedEnd, M4_TheLastBurstIsDeliveredBeforeFdClose) {
    for (int round = 0; round < 5; ++round) {
        Socket root = open_root();
        Leaf leaf = let_in(root, 0);
        auto sender = root.sender();
        ASSERT_TRUE(sender);
        for (int i = 0; i < 500; ++i) send(*sender, ".");
        root.close();
        EXPECT_EQ(received_until_close(leaf, leaf_events), 500U);
        while (root_events.next()) {
        }
    }
}

TEST_F(RootedEnd, M25_NorDoesItWhenTheRuntimeStops) {
    auto root = root_runtime->open(slow_root(5s));
    ASSERT_TRUE(root);
    ASSERT_TRUE(root->listen(root_at));
    Leaf leaf = let_in(*root, 0);
    auto sender = root->sender();
    ASSERT_TRUE(sender);
    send_all(*sender);
    root_runtime->stop(5s);
    EXPECT_EQ(received_until_close(leaf, leaf_events), static_cast<std::size_t>(kDatagrams));
}

TEST_F(RootedEnd, M25_ALeafsLastWordsReachTheRootToo) {
    Socket root = open_root();
    Leaf leaf{.receiver = *leaf_runtime.open_receiver({.port = 0})};
    SocketOptions options{.scheme = kRootedRooted, .port = 0, .receiver = &leaf.receiver};
    options.sender.packets_per_second = 200;
    options.admission.linger = 5s;
    leaf.socket = leaf_runtime.open(options).value();
    admit(root, leaf);
    auto sender = leaf.socket.sender();
    ASSERT_TRUE(sender);
    send_all(*sender);
    leaf.socket.close();
    std::size_t received = 0;
    while (const auto some = receive(root_receiver, 1s).size()) {
        received += some;
        if (received == static_cast<std::size_t>(kDatagrams)) break;
    }
    EXPECT_EQ(received, static_cast<std::size_t>(kDatagrams));
}

// The wait is bounded, and what did not leave is counted.
TEST_F(RootedEnd, M25_LingerBoundsHowLongDataIsWaitedFor) {
    for (const auto linger : {0ms, 50ms}) {
        const auto before = dropped();
        auto root = root_runtime->open(slow_root(linger));
        ASSERT_TRUE(root);
        ASSERT_TRUE(root->listen(root_at));
        Leaf leaf = let_in(*root, 0);
        auto sender = root->sender();
        ASSERT_TRUE(sender);
        send_all(*sender);
        const auto began = std::chrono::steady_clock::now();
        root->close();
        EXPECT_GE(std::chrono::steady_clock::now() - began, linger);
        const auto received = received_until_close(leaf, leaf_events);
        EXPECT_LT(received, static_cast<std::size_t>(kDatagrams));
        EXPECT_TRUE(eventually([&] { return dropped() - before == kDatagrams - received; }));
    }
}

TEST_F(RootedNetwork, M4_WhenItsRuntimeIsDestroyedEveryLeafGetsFdClose) {
    Socket root = open_root();
    const Leaf one = let_in(root, 0);
    const Leaf two = let_in(root, 1);
    root_receiver = {};
    root_runtime.reset();
    std::set<SocketId> told;
    for (int i = 0; i < 2; ++i) {
        const auto closed = next_close(leaf_events);
        ASSERT_TRUE(closed);
        EXPECT_FALSE(closed->error) << closed->error.message();
        told.insert(closed->socket);
    }
    EXPECT_THAT(told, UnorderedElementsAre(one.socket.id(), two.socket.id()));
    EXPECT_THAT(leaf_runtime.status().memberships, IsEmpty());
    EXPECT_EQ(error_of(root.join_leaf(root_at)), std::errc::not_a_socket);
}

// Joining and leaving again and again, asked for and invited in turn.
class RootedRounds : public Rooted {
protected:
    struct Footprint {
        std::size_t descriptors = 0;
        BuffersInUse buffers[2];
        std::size_t resident_kb = 0;
    };
    [[nodiscard]] Footprint footprint() const {
        Footprint now;
        for ([[maybe_unused]] const auto& entry :
             std::filesystem::directory_iterator("/proc/self/fd")) {
            ++now.descriptors;
        }
        const auto status = runtime.status();
        for (std::size_t i = 0; i < 2; ++i) now.buffers[i] = status.ports[i].buffers;
        std::size_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages >> pages;
        now.resident_kb = pages * 4;
        return now;
    }
    static bool same_but_memory(const Footprint& a, const Footprint& b) {
        const auto same = [](const BuffersInUse& x, const BuffersInUse& y) {
            return x.receive == y.receive && x.transmit == y.transmit && x.control == y.control;
        };
        return a.descriptors == b.descriptors && same(a.buffers[0], b.buffers[0]) &&
               same(a.buffers[1], b.buffers[1]);
    }
    static void tell(const char* when, const Footprint& now) {
        std::cout << when << ": " << now.descriptors << " descriptors, " << now.resident_kb
                  << " kB resident";
        for (const auto& port : now.buffers) {
            std::cout << ", buffers " << port.receive << '/' << port.transmit << '/'
                      << port.control;
        }
        std::cout << std::endl;
    }

    void ask_and_leave(Socket& root) {
        Socket leaf = open_leaf();
        ASSERT_TRUE(leaf.set_nonblocking(true));
        ASSERT_TRUE(leaf.join_leaf(root_at));
        ASSERT_TRUE(next(EventType::accept));
        const auto at_root = root.accept();
        ASSERT_TRUE(at_root) << at_root.error().message();
        const auto connected = next(EventType::connect);
        ASSERT_TRUE(connected);
        ASSERT_FALSE(connected->error) << connected->error.message();
        leaf.close();
        const auto closed = next(EventType::close);
        ASSERT_TRUE(closed);
        ASSERT_EQ(closed->socket, at_root->id());
    }
    void invite_and_expel(Socket& root, Socket& listening) {
        auto at_root = root.join_leaf(leaf_at);
        ASSERT_TRUE(at_root) << at_root.error().message();
        ASSERT_TRUE(next(EventType::accept));
        const auto member = listening.accept();
        ASSERT_TRUE(member) << member.error().message();
        for (int i = 0; i < 2; ++i) {  // the member's and the root's
            const auto connected = next(EventType::connect);
            ASSERT_TRUE(connected);
            ASSERT_FALSE(connected->error) << connected->error.message();
        }
        at_root->close();
        const auto closed = next(EventType::close);
        ASSERT_TRUE(closed);
        ASSERT_EQ(closed->socket, member->id());
    }
};

// M25: nothing half-open, nothing leaked. JOINLEAF_ROUNDS sets how many rounds there are.
TEST_F(RootedRounds, M25_NothingStaysBehind) {
    const char* wanted = std::getenv("JOINLEAF_ROUNDS");
    const int pairs = (wanted != nullptr ? std::atoi(wanted) : 1000) / 2;
    SocketOptions options = root_options();
    options.admission.dead_after = 10s;  // a machine that is busy with other things is no fault
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at));
    ASSERT_TRUE(root.set_nonblocking(true));
    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    ASSERT_TRUE(listening.set_nonblocking(true));
    const auto before = footprint();
    tell("before", before);

    constexpr int kWarmUp = 100;
    Footprint warm;
    for (int pair = 0; pair < kWarmUp + pairs; ++pair) {
        if (pair == kWarmUp) warm = footprint();
        const auto began = std::chrono::steady_clock::now();
        ASSERT_NO_FATAL_FAILURE(ask_and_leave(root)) << "round " << pair;
        ASSERT_NO_FATAL_FAILURE(invite_and_expel(root, listening)) << "round " << pair;
        // As fast as one address may go on connecting.
        std::this_thread::sleep_until(began + 10ms);
    }
    EXPECT_TRUE(eventually([&] { return same_but_memory(footprint(), before); }));
    const auto after = footprint();
    tell("after", after);
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed for a while; it looks for leaks itself
    EXPECT_LT(after.resident_kb, warm.resident_kb + 4096);
#endif
    EXPECT_THAT(runtime.status().memberships, IsEmpty());
    EXPECT_TRUE(no_event());
}

}  // namespace
}  // namespace joinleaf
