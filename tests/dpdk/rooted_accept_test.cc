// What accept says and does in rooted sessions, and what waits for it (M16 to M19).
#include <tests/dpdk/sockets_under_test.h>

#include <atomic>

namespace joinleaf {
namespace {

using namespace test;
using namespace std::chrono_literals;

class RootedAccept : public Rooted {
protected:
    /// Nonblocking, and listens.
    Socket open_listening_root(std::size_t backlog = 16) {
        Socket root = open_root();
        EXPECT_TRUE(root.listen(root_at, backlog));
        EXPECT_TRUE(root.set_nonblocking(true));
        return root;
    }
    Socket ask(std::string_view caller_data = {}) {
        Socket leaf = open_leaf();
        EXPECT_TRUE(leaf.set_nonblocking(true));
        EXPECT_TRUE(leaf.join_leaf(root_at, {.caller_data = words(caller_data)}));
        return leaf;
    }
    static Condition answering(Verdict verdict) {
        return [verdict](const PendingJoin&) { return Answer{verdict, {}}; };
    }
};

TEST_F(RootedAccept, M16_TakesTheOldestFirst) {
    Socket root = open_listening_root();
    Socket first = ask("first");
    ASSERT_TRUE(next(EventType::accept));
    Socket second = ask("second");
    ASSERT_TRUE(next(EventType::accept));
    EXPECT_EQ(root.accept().value().peer_data().value(), words("first"));
    EXPECT_EQ(root.accept().value().peer_data().value(), words("second"));
}

// The root learns that an admitted leaf receives from the socket that stands for it.
TEST_F(RootedAccept, M6_FdConnectAtTheRootWhenTheLeafHasConfirmed) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    Socket leaf = open_leaf();
    auto accepted = accepting(root);
    ASSERT_TRUE(leaf.join_leaf(root_at));
    const auto at_root = accepted.get();
    ASSERT_TRUE(at_root);
    for (int i = 0; i < 2; ++i) {  // M6: and the leaf's own
        const auto connected = next(EventType::connect);
        ASSERT_TRUE(connected);
        EXPECT_FALSE(connected->error);
        EXPECT_THAT(connected->socket, testing::AnyOf(leaf.id(), at_root->id()));
    }
    EXPECT_TRUE(at_root->connected_at());
}

TEST_F(RootedAccept, M16_RejectedIsRefused) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    Socket leaf = open_leaf();
    auto rejected = accepting(root, answering(Verdict::reject));
    EXPECT_EQ(error_of(leaf.join_leaf(root_at)), std::errc::connection_refused);
    EXPECT_EQ(error_of(rejected.get()), std::errc::connection_refused);

    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    auto declined = accepting(listening, answering(Verdict::reject));
    EXPECT_EQ(error_of(root.join_leaf(leaf_at)), std::errc::connection_refused);
    EXPECT_EQ(error_of(declined.get()), std::errc::connection_refused);
}

TEST_F(RootedAccept, M16_DeferredStaysAndIsNotAnswered) {
    Socket root = open_listening_root();
    Socket leaf = ask();
    ASSERT_TRUE(next(EventType::accept));
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(error_of(root.accept(answering(Verdict::defer))),
                  std::errc::operation_would_block);
    }
    EXPECT_TRUE(no_event());
    const auto at_root = root.accept();
    ASSERT_TRUE(at_root);
    const auto connected = next(EventType::connect);
    ASSERT_TRUE(connected);
    EXPECT_FALSE(connected->error);
}

TEST_F(RootedAccept, M17_BlockingWaitsForARequest) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    auto accepted = accepting(root);
    EXPECT_EQ(accepted.wait_for(50ms), std::future_status::timeout);
    Socket leaf = ask();
    EXPECT_TRUE(accepted.get());
}

TEST_F(RootedAccept, M17_ClosingEndsABlockingAccept) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    auto accepted = accepting(root);
    EXPECT_EQ(accepted.wait_for(50ms), std::future_status::timeout);
    root.close();
    EXPECT_EQ(error_of(accepted.get()), std::errc::not_a_socket);
}

TEST_F(RootedAccept, M17_NothingPendingWouldBlock) {
    Socket root = open_listening_root();
    EXPECT_EQ(error_of(root.accept()), std::errc::operation_would_block);
    Socket leaf = open_leaf();
    ASSERT_TRUE(leaf.listen(leaf_at));
    ASSERT_TRUE(leaf.set_nonblocking(true));
    EXPECT_EQ(error_of(leaf.accept()), std::errc::operation_would_block);
}

TEST_F(RootedAccept, M17_BeforeListenIsInvalid) {
    EXPECT_EQ(error_of(open_root().accept()), std::errc::invalid_argument);
    EXPECT_EQ(error_of(open_leaf().accept()), std::errc::invalid_argument);
}

TEST_F(RootedAccept, M17_ARequestThatTimedOutIsPermissionDenied) {
    Socket root = open_listening_root();
    const MuteLeaf mute(root_at);
    ASSERT_TRUE(next(EventType::accept));
    ASSERT_TRUE(eventually([&] {
        return error_of(root.accept(answering(Verdict::defer))) == std::errc::permission_denied;
    }));
    EXPECT_EQ(error_of(root.accept()), std::errc::operation_would_block);
    EXPECT_TRUE(no_event());
}

TEST_F(RootedAccept, M17_ALeafThatNeverConfirmsIsClosedAndNeverAMember) {
    Socket root = open_listening_root();
    const MuteLeaf mute(root_at);
    ASSERT_TRUE(next(EventType::accept));
    auto at_root = root.accept();
    ASSERT_TRUE(at_root);
    EXPECT_EQ(error_of(at_root->say(words("anybody?"))), std::errc::not_connected);
    const auto closed = next(EventType::close);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->socket, at_root->id());
    EXPECT_EQ(closed->error, std::errc::timed_out);
    EXPECT_EQ(error_of(at_root->peer()), std::errc::not_connected);
}

TEST_F(RootedAccept, M17_ARequestWithdrawnWhileTheConditionThinksIsConnectionReset) {
    Socket root = open_listening_root();
    Socket leaf = ask();
    ASSERT_TRUE(next(EventType::accept));
    const auto accepted = root.accept([&](const PendingJoin&) {
        leaf.close();
        std::this_thread::sleep_for(100ms);
        return Answer{};
    });
    EXPECT_EQ(error_of(accepted), std::errc::connection_reset);
    EXPECT_TRUE(no_event());
}

TEST_F(RootedAccept, M18_TheConditionSeesWhoAsksAndForWhat) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    SocketOptions options{.scheme = kRootedRooted, .port = 1, .receiver = &leaf_receiver};
    options.admission.name = "desk-7";
    auto leaf = runtime.open(options);
    ASSERT_TRUE(leaf);
    auto accepted = accepting(root, [](const PendingJoin& join) {
        EXPECT_EQ(join.peer.endpoint.address, Ipv4Address(127, 0, 0, 1));
        EXPECT_EQ(join.peer.name, "desk-7");
        EXPECT_EQ(join.peer.identity, "");  // proven by nothing
        EXPECT_EQ(join.peer.data_address, Ipv4Address(10, 9, 0, 2));
        EXPECT_EQ(join.caller_data, words("card 4711"));
        EXPECT_EQ(join.from_root, (FlowSpec{.bits_per_second = 1'000'000}));
        EXPECT_EQ(join.to_root, (FlowSpec{.datagram_octets = 100}));
        EXPECT_FALSE(join.offer);
        return Answer{Verdict::accept, words("come in")};
    });
    ASSERT_TRUE(leaf->join_leaf(root_at, {.from_root = {.bits_per_second = 1'000'000},
                                          .to_root = {.datagram_octets = 100},
                                          .caller_data = words("card 4711")}));
    const auto at_root = accepted.get();
    ASSERT_TRUE(at_root);
    EXPECT_EQ(leaf->peer_data().value(), words("come in"));
}

TEST_F(RootedAccept, M18_TheConditionOfALeafSeesTheOffer) {
    SocketOptions options = root_options();
    options.admission.name = "feed";
    Socket root = open_root(options);
    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    auto accepted = accepting(listening, [](const PendingJoin& join) {
        EXPECT_EQ(join.peer.name, "feed");
        EXPECT_TRUE(join.offer);
        EXPECT_EQ(join.offer->group.group, GroupAddress::of(232, 1, 1, 1));
        EXPECT_EQ(join.offer->root_address, Ipv4Address(10, 9, 0, 1));
        return Answer{};
    });
    EXPECT_TRUE(root.join_leaf(leaf_at));
    EXPECT_TRUE(accepted.get());
}

TEST_F(RootedAccept, M19_OnePastTheBacklogIsRefused) {
    Socket root = open_listening_root(1);
    Socket first = ask("first");
    ASSERT_TRUE(next(EventType::accept));
    Socket second = open_leaf();
    EXPECT_EQ(error_of(second.join_leaf(root_at)), std::errc::connection_refused);
    EXPECT_EQ(next(EventType::connect)->socket, second.id());
    // Who waits goes on waiting.
    const auto at_root = root.accept();
    ASSERT_TRUE(at_root);
    EXPECT_EQ(at_root->peer_data().value(), words("first"));
    EXPECT_EQ(next(EventType::connect)->socket, first.id());
    EXPECT_EQ(next(EventType::connect)->socket, at_root->id());
    EXPECT_TRUE(no_event());
}

TEST_F(RootedAccept, M19_ABacklogOfZeroIsInvalid) {
    EXPECT_EQ(error_of(open_root().listen(root_at, 0)), std::errc::invalid_argument);
    EXPECT_EQ(error_of(open_leaf().listen(leaf_at, 0)), std::errc::invalid_argument);
}

}  // namespace
}  // namespace joinleaf
