// Rooted control between sockets of one runtime: real admission over TCP, real IGMP on wires.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <joinleaf/runtime.h>

#include <cstring>
#include <functional>
#include <string>
#include <thread>

namespace joinleaf {
namespace {

using namespace std::chrono_literals;

constexpr GroupEndpoint kGroup{GroupAddress::of(232, 1, 1, 1), UdpPort::of(5000)};
const ControlEndpoint kRootAt{Ipv4Address(127, 0, 0, 1), UdpPort::of(17001)};
const ControlEndpoint kLeafAt{Ipv4Address(127, 0, 0, 1), UdpPort::of(17002)};

UserData words(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

bool eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

// A root and a leaf at the two ends of a wire.
class Rooted : public testing::Test {
protected:
    static RuntimeOptions options() {
        RuntimeOptions options;
        for (std::uint8_t i = 1; i <= 2; ++i) {
            options.ports.push_back({.port = "ring:rooted",
                                     .address = {Ipv4Address(10, 9, 0, i), 24},
                                     .buffers = 4096});
        }
        options.log = [](std::string_view) {};
        options.idle_sleep = 50us;
        options.max_subscriptions = 1024;
        return options;
    }

    Socket open_root(Scheme scheme = kRootedRooted) {
        SocketOptions options{
            .scheme = scheme,
            .control_role = ControlRole::root,
            .data_role = scheme == kRootedRooted ? DataRole::root : DataRole::leaf,
            .port = 0,
            .receiver = &root_receiver};
        options.admission.session.group = kGroup;
        if (scheme != kRootedRooted) {
            options.admission.session.group.group = GroupAddress::of(239, 1, 1, 1);
        }
        options.admission.dead_after = 500ms;
        auto root = runtime.open(options);
        EXPECT_TRUE(root) << root.error().message();
        root->select(events);
        return *root;
    }
    Socket open_leaf(Scheme scheme = kRootedRooted) {
        auto leaf = runtime.open({.scheme = scheme, .port = 1, .receiver = &leaf_receiver});
        EXPECT_TRUE(leaf) << leaf.error().message();
        leaf->select(events);
        return *leaf;
    }
    static void send(Sender& sender, std::string_view text) {
        SendBuffer buffer[1];
        ASSERT_TRUE(eventually([&] { return sender.reserve(buffer) == 1; }));
        std::memcpy(buffer[0].data, text.data(), text.size());
        buffer[0].length = static_cast<std::uint32_t>(text.size());
        sender.send(buffer);
    }
    static std::string receive(Receiver& receiver) {
        std::string text;
        eventually([&] {
            receiver.consume([&](std::span<const Datagram> datagrams) {
                for (const auto& d : datagrams) {
                    text.append(reinterpret_cast<const char*>(d.bytes().data()), d.size());
                }
            });
            return !text.empty();
        });
        return text;
    }
    std::optional<Event> next(EventType type) {
        while (auto event = events.wait(5s)) {
            if (event->type == type) return event;
        }
        return std::nullopt;
    }

    Runtime runtime = Runtime::start(options());
    Receiver root_receiver = *runtime.open_receiver({.port = 0});
    Receiver leaf_receiver = *runtime.open_receiver({.port = 1});
    EventQueue events = runtime.open_event_queue();
};

TEST_F(Rooted, M6_LeafAsksForAdmittance_DataGoesBothWays) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(kRootAt));
    Socket leaf = open_leaf();
    Result<Socket> accepted = failure(std::errc::not_connected);
    std::thread application([&] {
        accepted = root.accept([](const PendingJoin& join) {
            EXPECT_EQ(join.caller_data, words("please"));
            EXPECT_EQ(join.peer.data_address, Ipv4Address(10, 9, 0, 2));
            return Answer{Verdict::accept, words("welcome")};
        });
    });
    const auto joined = leaf.join_leaf(kRootAt, {.caller_data = words("please")});
    application.join();
    ASSERT_TRUE(joined) << joined.error().message();
    ASSERT_TRUE(accepted) << accepted.error().message();
    EXPECT_EQ(*leaf.peer_data(), words("welcome"));
    EXPECT_EQ(*accepted->peer_data(), words("please"));

    auto from_root = root.sender();
    ASSERT_TRUE(from_root);
    send(*from_root, "to all");
    EXPECT_EQ(receive(leaf_receiver), "to all");

    auto from_leaf = leaf.sender();
    ASSERT_TRUE(from_leaf) << from_leaf.error().message();
    send(*from_leaf, "to the root alone");
    EXPECT_EQ(receive(root_receiver), "to the root alone");
}

// The root learns that an admitted leaf receives from that leaf's own socket.
TEST_F(Rooted, M6_FdConnectAtTheRootWhenTheLeafHasConfirmed) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(kRootAt));
    Socket leaf = open_leaf();
    Result<Socket> accepted = failure(std::errc::not_connected);
    std::thread application([&] { accepted = root.accept(); });
    ASSERT_TRUE(leaf.join_leaf(kRootAt));
    application.join();
    for (int i = 0; i < 2; ++i) {  // M6: and the leaf's own
        const auto connected = next(EventType::connect);
        ASSERT_TRUE(connected);
        EXPECT_FALSE(connected->error);
        EXPECT_THAT(connected->socket, testing::AnyOf(leaf.id(), accepted->id()));
    }
    EXPECT_TRUE(accepted->connected_at());
}

TEST_F(Rooted, M5_RootInvites) {
    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(kLeafAt));
    Socket root = open_root();
    Result<Socket> member = failure(std::errc::not_connected);
    std::thread application([&] { member = listening.accept(); });
    const auto leaf = root.join_leaf(kLeafAt, {.caller_data = words("come")});
    application.join();
    ASSERT_TRUE(leaf) << leaf.error().message();
    ASSERT_TRUE(member) << member.error().message();
    EXPECT_EQ(*member->peer_data(), words("come"));
    auto sender = root.sender();
    ASSERT_TRUE(sender);
    send(*sender, "hello");
    EXPECT_EQ(receive(leaf_receiver), "hello");
}

TEST_F(Rooted, M16_RejectedIsRefused) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(kRootAt));
    Socket leaf = open_leaf();
    std::thread application([&] {
        const auto answer = root.accept([](const PendingJoin&) {
            return Answer{Verdict::reject, {}};
        });
        EXPECT_EQ(answer.error(), std::errc::connection_refused);
    });
    EXPECT_EQ(leaf.join_leaf(kRootAt).error(), std::errc::connection_refused);
    application.join();
}

TEST_F(Rooted, M25_ExpelledLeafGetsFdCloseAndHearsNothingMore) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(kRootAt));
    Socket leaf = open_leaf();
    Result<Socket> accepted = failure(std::errc::not_connected);
    std::thread application([&] { accepted = root.accept(); });
    ASSERT_TRUE(leaf.join_leaf(kRootAt));
    application.join();
    ASSERT_TRUE(accepted);
    accepted->close();
    const auto closed = next(EventType::close);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->socket, leaf.id());
    EXPECT_EQ(closed->error, std::errc::connection_aborted);
    ASSERT_TRUE(eventually([&] { return runtime.status().memberships.empty(); }));
}

TEST_F(Rooted, M25_ALeafThatClosesIsGoneForTheRoot) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(kRootAt));
    Socket leaf = open_leaf();
    Result<Socket> accepted = failure(std::errc::not_connected);
    std::thread application([&] { accepted = root.accept(); });
    ASSERT_TRUE(leaf.join_leaf(kRootAt));
    application.join();
    leaf.close();
    const auto closed = next(EventType::close);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->socket, accepted->id());
    EXPECT_FALSE(closed->error);
}

TEST_F(Rooted, M4_WhenTheRootGoesEveryLeafGetsFdClose) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(kRootAt));
    Socket leaf = open_leaf();
    Result<Socket> accepted = failure(std::errc::not_connected);
    std::thread application([&] { accepted = root.accept(); });
    ASSERT_TRUE(leaf.join_leaf(kRootAt));
    application.join();
    root.close();
    for (int i = 0; i < 2; ++i) {  // M25: on both sides
        const auto closed = next(EventType::close);
        ASSERT_TRUE(closed);
        EXPECT_THAT(closed->socket, testing::AnyOf(leaf.id(), accepted->id()));
    }
}

TEST_F(Rooted, M9_SideTalkEachWay) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(kRootAt));
    Socket leaf = open_leaf();
    Result<Socket> accepted = failure(std::errc::not_connected);
    std::thread application([&] { accepted = root.accept(); });
    ASSERT_TRUE(leaf.join_leaf(kRootAt));
    application.join();
    ASSERT_TRUE(eventually([&] { return accepted->say(words("psst")).has_value(); }));
    ASSERT_TRUE(next(EventType::talk));
    EXPECT_EQ(leaf.hear(), words("psst"));
    ASSERT_TRUE(leaf.say(words("yes?")));
    ASSERT_TRUE(next(EventType::talk));
    EXPECT_EQ(accepted->hear(), words("yes?"));
}

TEST_F(Rooted, M22_RootedControlNonrootedDataReachesEveryOther) {
    Socket root = open_root(kRootedControl);
    ASSERT_TRUE(root.listen(kRootAt));
    Socket leaf = open_leaf(kRootedControl);
    Result<Socket> accepted = failure(std::errc::not_connected);
    std::thread application([&] { accepted = root.accept(); });
    ASSERT_TRUE(leaf.join_leaf(kRootAt));
    application.join();
    auto from_leaf = leaf.sender();
    ASSERT_TRUE(from_leaf);
    send(*from_leaf, "leaf");
    EXPECT_EQ(receive(root_receiver), "leaf");
    auto from_root = root.sender();
    ASSERT_TRUE(from_root);
    send(*from_root, "root");
    EXPECT_EQ(receive(leaf_receiver), "root");
}

}  // namespace
}  // namespace joinleaf
