// How rooted sessions are joined: invitations, requests, what goes with them and what can go wrong
// (M5, M6, M9 to M15).
#include <tests/dpdk/sockets_under_test.h>

#include <set>

namespace joinleaf {
namespace {

using namespace test;
using namespace std::chrono_literals;
using testing::UnorderedElementsAre;

class RootedJoin : public Rooted {};

Answer deferring(const PendingJoin&) { return {Verdict::defer, {}}; }

TEST_F(RootedJoin, M6_LeafAsksForAdmittance_DataGoesBothWays) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    Socket leaf = open_leaf();
    auto accepted = accepting(root, [](const PendingJoin& join) {
        EXPECT_EQ(join.caller_data, words("please"));
        EXPECT_EQ(join.peer.data_address, Ipv4Address(10, 9, 0, 2));
        return Answer{Verdict::accept, words("welcome")};
    });
    const auto joined = leaf.join_leaf(root_at, {.caller_data = words("please")});
    ASSERT_TRUE(joined) << joined.error().message();
    const auto at_root = accepted.get();
    ASSERT_TRUE(at_root) << at_root.error().message();
    EXPECT_EQ(leaf.peer_data().value(), words("welcome"));
    EXPECT_EQ(at_root->peer_data().value(), words("please"));

    auto from_root = root.sender();
    ASSERT_TRUE(from_root);
    send(*from_root, "to all");
    EXPECT_EQ(receive(leaf_receiver), "to all");

    auto from_leaf = leaf.sender();
    ASSERT_TRUE(from_leaf) << from_leaf.error().message();
    send(*from_leaf, "to the root alone");
    EXPECT_EQ(receive(root_receiver), "to the root alone");
}

TEST_F(RootedJoin, M6_NonblockingTellsByFdAcceptAndFdConnect) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    Socket leaf = open_leaf();
    ASSERT_TRUE(leaf.set_nonblocking(true));
    const auto joined = leaf.join_leaf(root_at);
    ASSERT_TRUE(joined);
    EXPECT_EQ(error_of(leaf.connected_at()), std::errc::not_connected);

    const auto asked = events.wait(5s);
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->type, EventType::accept);
    EXPECT_EQ(asked->socket, root.id());
    const auto at_root = root.accept();
    ASSERT_TRUE(at_root);
    const auto connected = events.wait(5s);
    ASSERT_TRUE(connected);
    EXPECT_EQ(connected->type, EventType::connect);
    EXPECT_EQ(connected->socket, leaf.id());
    EXPECT_FALSE(connected->error);
    EXPECT_EQ(connected->at, leaf.connected_at().value());
    // The root learns that an admitted leaf receives from that leaf's own socket.
    const auto confirmed = events.wait(5s);
    ASSERT_TRUE(confirmed);
    EXPECT_EQ(confirmed->type, EventType::connect);
    EXPECT_EQ(confirmed->socket, at_root->id());
    EXPECT_FALSE(confirmed->error);
    EXPECT_TRUE(at_root->connected_at());
    EXPECT_TRUE(no_event());
}

TEST_F(RootedJoin, M6_WhereNobodyListensIsConnectionRefused) {
    Socket leaf = open_leaf();
    EXPECT_EQ(error_of(leaf.join_leaf(root_at)), std::errc::connection_refused);
    EXPECT_EQ(next(EventType::connect)->error, std::errc::connection_refused);
    ASSERT_TRUE(leaf.set_nonblocking(true));
    ASSERT_TRUE(leaf.join_leaf(root_at));
    const auto failed = next(EventType::connect);
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->socket, leaf.id());
    EXPECT_EQ(failed->error, std::errc::connection_refused);
    EXPECT_TRUE(no_event());
}

TEST_F(RootedJoin, M6_AWildcardIsNoAddressToAsk) {
    Socket leaf = open_leaf();
    EXPECT_EQ(error_of(leaf.join_leaf(ControlEndpoint{})), std::errc::address_not_available);
    Socket root = open_root();
    EXPECT_EQ(error_of(root.join_leaf(ControlEndpoint{})), std::errc::address_not_available);
    EXPECT_TRUE(no_event());
}

TEST_F(RootedJoin, M6_ARootThatNeverAnswersIsTimedOut) {
    const MuteListener mute;
    Socket leaf = open_leaf();
    EXPECT_EQ(error_of(leaf.join_leaf(mute.at())), std::errc::timed_out);
    Socket root = open_root();
    EXPECT_EQ(error_of(root.join_leaf(mute.at())), std::errc::timed_out);
}

TEST_F(RootedJoin, M5_RootInvites) {
    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    Socket root = open_root();
    auto accepted = accepting(listening);
    const auto leaf = root.join_leaf(leaf_at, {.caller_data = words("come")});
    ASSERT_TRUE(leaf) << leaf.error().message();
    const auto member = accepted.get();
    ASSERT_TRUE(member) << member.error().message();
    EXPECT_EQ(member->peer_data().value(), words("come"));
    auto sender = root.sender();
    ASSERT_TRUE(sender);
    send(*sender, "hello");
    EXPECT_EQ(receive(leaf_receiver), "hello");
}

TEST_F(RootedJoin, M5_NonblockingTellsByFdAcceptAndFdConnect) {
    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    Socket root = open_root();
    ASSERT_TRUE(root.set_nonblocking(true));
    const auto leaf = root.join_leaf(leaf_at);
    ASSERT_TRUE(leaf) << leaf.error().message();

    const auto invited = events.wait(5s);
    ASSERT_TRUE(invited);
    EXPECT_EQ(invited->type, EventType::accept);
    EXPECT_EQ(invited->socket, listening.id());
    const auto member = listening.accept([](const PendingJoin&) {
        return Answer{Verdict::accept, words("gladly")};
    });
    ASSERT_TRUE(member) << member.error().message();
    // M10: the new socket's own, by the listening socket's registration.
    EXPECT_EQ(next(EventType::connect)->socket, member->id());
    const auto connected = events.wait(5s);
    ASSERT_TRUE(connected);
    EXPECT_EQ(connected->type, EventType::connect);
    EXPECT_EQ(connected->socket, root.id());
    EXPECT_FALSE(connected->error);
    EXPECT_EQ(leaf->peer_data().value(), words("gladly"));
    EXPECT_TRUE(no_event());
}

TEST_F(RootedJoin, M5_InvitingWhereNobodyListensIsConnectionRefused) {
    Socket root = open_root();
    EXPECT_EQ(error_of(root.join_leaf(leaf_at)), std::errc::connection_refused);
    EXPECT_EQ(next(EventType::connect)->error, std::errc::connection_refused);
    ASSERT_TRUE(root.set_nonblocking(true));
    const auto pending = root.join_leaf(leaf_at);
    ASSERT_TRUE(pending);
    const auto failed = next(EventType::connect);
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->socket, root.id());
    EXPECT_EQ(failed->error, std::errc::connection_refused);
    EXPECT_TRUE(no_event());
}

TEST_F(RootedJoin, M9_ARootGetsANewSocketALeafItsOwn) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    Socket leaf = open_leaf();
    auto accepted = accepting(root);
    const auto joined = leaf.join_leaf(root_at);
    ASSERT_TRUE(joined);
    EXPECT_EQ(joined->id(), leaf.id());
    auto at_root = accepted.get();
    ASSERT_TRUE(at_root);
    EXPECT_NE(at_root->id(), root.id());
    // It is not for multipoint data, and not for joining.
    EXPECT_EQ(error_of(at_root->sender()), std::errc::not_connected);
    EXPECT_EQ(error_of(at_root->join_leaf(leaf_at)), std::errc::invalid_argument);
    EXPECT_EQ(error_of(at_root->listen(leaf_at)), std::errc::operation_not_supported);
    EXPECT_EQ(at_root->peer().value().data_address, Ipv4Address(10, 9, 0, 2));
}

// M6: what the root's answer says of the session.
TEST_F(RootedJoin, AllEndsKnowTheSession) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    Socket asks = open_leaf();
    EXPECT_EQ(error_of(asks.session()), std::errc::not_connected);
    auto [leaf, at_root] = let_in(root, std::move(asks));
    const auto told = root.session();
    ASSERT_TRUE(told);
    EXPECT_EQ(told->root_address, Ipv4Address(10, 9, 0, 1));
    EXPECT_EQ(leaf.session().value(), *told);
    EXPECT_EQ(at_root.session().value(), *told);
    leaf.close();
    EXPECT_EQ(error_of(leaf.session()), std::errc::not_a_socket);
}

TEST_F(RootedJoin, M9_SideTalkEachWay) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    auto [leaf, at_root] = let_in(root, open_leaf());
    ASSERT_TRUE(at_root.say(words("psst")));
    EXPECT_EQ(next(EventType::talk)->socket, leaf.id());
    EXPECT_EQ(leaf.hear(), words("psst"));
    EXPECT_EQ(leaf.hear(), std::nullopt);
    ASSERT_TRUE(leaf.say(words("yes?")));
    EXPECT_EQ(next(EventType::talk)->socket, at_root.id());
    EXPECT_EQ(at_root.hear(), words("yes?"));
    EXPECT_EQ(error_of(leaf.say(UserData(kMaxUserData + 1))), std::errc::message_size);
    EXPECT_EQ(error_of(at_root.say(UserData(kMaxUserData + 1))), std::errc::message_size);
    EXPECT_TRUE(no_event());
}

TEST_F(RootedJoin, M10_EventRegistrationsAreInherited) {
    Socket root = open_root();
    ASSERT_TRUE(root.select(events, EventMask{} | EventType::close));
    ASSERT_TRUE(root.listen(root_at));
    Socket leaf = open_leaf();
    auto accepted = accepting(root);
    ASSERT_TRUE(leaf.join_leaf(root_at));
    auto at_root = accepted.get();
    ASSERT_TRUE(at_root);
    // FD_ACCEPT was not asked for; only the leaf's own event comes.
    const auto connected = events.wait(5s);
    ASSERT_TRUE(connected);
    EXPECT_EQ(connected->socket, leaf.id());
    ASSERT_TRUE(leaf.say(words("nobody wants to be told")));
    leaf.close();
    const auto closed = events.wait(5s);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->type, EventType::close);
    EXPECT_EQ(closed->socket, at_root->id());
    EXPECT_EQ(closed->cookie, 100U);
    EXPECT_TRUE(no_event());
}

TEST_F(RootedJoin, M10_PropertiesAreInherited) {
    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    ASSERT_TRUE(listening.set_nonblocking(true));
    Socket root = open_root();
    ASSERT_TRUE(root.set_nonblocking(true));
    const auto at_root = root.join_leaf(leaf_at);
    ASSERT_TRUE(next(EventType::accept));
    auto member = listening.accept();
    ASSERT_TRUE(member) << member.error().message();
    ASSERT_TRUE(next(EventType::connect));
    ASSERT_TRUE(next(EventType::connect));
    root.close();
    std::set<std::uint64_t> told;
    for (int i = 0; i < 2; ++i) told.insert(next(EventType::close).value().cookie);
    EXPECT_THAT(told, UnorderedElementsAre(100U, 200U));
    // Nobody listens there, which a blocking socket would say.
    EXPECT_TRUE(member->join_leaf(root_at));
    EXPECT_EQ(next(EventType::connect)->error, std::errc::connection_refused);
}

TEST_F(RootedJoin, M11_ClosingALeafCancelsItsRequest) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    ASSERT_TRUE(root.set_nonblocking(true));
    Socket leaf = open_leaf();
    ASSERT_TRUE(leaf.set_nonblocking(true));
    ASSERT_TRUE(leaf.join_leaf(root_at));
    ASSERT_TRUE(next(EventType::accept));
    leaf.close();
    // M17: withdrawn, and told once.
    ASSERT_TRUE(eventually(
        [&] { return error_of(root.accept(deferring)) == std::errc::connection_reset; }));
    EXPECT_EQ(error_of(root.accept()), std::errc::operation_would_block);
    EXPECT_TRUE(no_event());
}

TEST_F(RootedJoin, M11_ClosingTheReturnedSocketCancelsAnInvitation) {
    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    ASSERT_TRUE(listening.set_nonblocking(true));
    Socket root = open_root();
    ASSERT_TRUE(root.set_nonblocking(true));
    auto pending = root.join_leaf(leaf_at);
    ASSERT_TRUE(pending);
    ASSERT_TRUE(next(EventType::accept));
    // Unusable until the join is done.
    EXPECT_EQ(error_of(pending->say(words("early"))), std::errc::not_connected);
    EXPECT_EQ(error_of(pending->peer_data()), std::errc::not_connected);
    pending->close();
    const auto cancelled = next(EventType::connect);
    ASSERT_TRUE(cancelled);
    EXPECT_EQ(cancelled->socket, root.id());
    EXPECT_EQ(cancelled->error, std::errc::operation_canceled);
    ASSERT_TRUE(eventually(
        [&] { return error_of(listening.accept(deferring)) == std::errc::connection_reset; }));
    EXPECT_TRUE(no_event());
    // M12: the root is free for the next.
    EXPECT_TRUE(root.join_leaf(leaf_at));
}

TEST_F(RootedJoin, M11_ClosingEndsABlockingJoin) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    Socket leaf = open_leaf();
    auto joining = std::async(std::launch::async, [&] { return leaf.join_leaf(root_at); });
    ASSERT_TRUE(next(EventType::accept));
    leaf.close();
    EXPECT_EQ(error_of(joining.get()), std::errc::operation_canceled);

    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    auto inviting = std::async(std::launch::async, [&] { return root.join_leaf(leaf_at); });
    ASSERT_TRUE(next(EventType::accept));
    root.close();
    EXPECT_EQ(error_of(inviting.get()), std::errc::operation_canceled);
}

TEST_F(RootedJoin, M12_ARootHasOneInvitationAtATimeAndGoesOnInviting) {
    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    Socket root = open_root();
    ASSERT_TRUE(root.set_nonblocking(true));
    const auto first = root.join_leaf(leaf_at);
    ASSERT_TRUE(first);
    EXPECT_EQ(error_of(root.join_leaf(leaf_at)), std::errc::connection_already_in_progress);
    const auto member = listening.accept();
    ASSERT_TRUE(member);
    ASSERT_TRUE(eventually([&] { return first->peer_data().has_value(); }));
    const auto second = root.join_leaf(leaf_at);
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_NE(first->id(), second->id());
    const auto other = listening.accept();
    EXPECT_TRUE(other);
}

TEST_F(RootedJoin, M12_ALeafAsksOnceAndAgainAfterARefusal) {
    Socket root = open_root();
    Socket leaf = open_leaf();
    EXPECT_EQ(error_of(leaf.join_leaf(root_at)), std::errc::connection_refused);
    ASSERT_TRUE(root.listen(root_at));
    ASSERT_TRUE(leaf.set_nonblocking(true));
    ASSERT_TRUE(leaf.join_leaf(root_at));
    EXPECT_EQ(error_of(leaf.join_leaf(root_at)), std::errc::connection_already_in_progress);
    ASSERT_TRUE(next(EventType::accept));
    EXPECT_EQ(root.accept([](const PendingJoin&) {
                      return Answer{Verdict::reject, {}};
                  })
                  .error(),
              std::errc::connection_refused);
    EXPECT_EQ(next(EventType::connect)->error, std::errc::connection_refused);
    ASSERT_TRUE(leaf.join_leaf(root_at));
    const auto at_root = root.accept();
    ASSERT_TRUE(at_root);
    EXPECT_FALSE(next(EventType::connect)->error);
    EXPECT_EQ(error_of(leaf.join_leaf(root_at)), std::errc::already_connected);
}

TEST_F(RootedJoin, M13_AListeningRootInvitesSendsAndReceivesMeanwhile) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    auto [leaf, at_root] = let_in(root, open_leaf());
    Socket waiting = open_leaf();
    ASSERT_TRUE(waiting.set_nonblocking(true));
    ASSERT_TRUE(waiting.join_leaf(root_at));
    ASSERT_TRUE(next(EventType::accept));

    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    auto invited = accepting(listening);
    const auto guest = root.join_leaf(leaf_at);
    ASSERT_TRUE(guest) << guest.error().message();
    ASSERT_TRUE(invited.get());

    auto from_root = root.sender();
    ASSERT_TRUE(from_root);
    send(*from_root, "out");
    EXPECT_EQ(receive(leaf_receiver).substr(0, 3), "out");
    auto from_leaf = leaf.sender();
    ASSERT_TRUE(from_leaf);
    send(*from_leaf, "in");
    EXPECT_EQ(receive(root_receiver), "in");
    EXPECT_TRUE(root.accept());
}

TEST_F(RootedJoin, M13_AListeningLeafTakesInvitationsOnly) {
    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    EXPECT_EQ(error_of(listening.join_leaf(root_at)), std::errc::invalid_argument);
    Socket leaf = open_leaf();
    EXPECT_EQ(error_of(leaf.join_leaf(leaf_at)), std::errc::operation_not_supported);
    // And who joins or has joined does not listen.
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    const auto member = let_in(root, open_leaf());
    Socket joined = member.leaf;
    EXPECT_EQ(error_of(joined.listen(free_endpoint())), std::errc::invalid_argument);
}

TEST_F(RootedJoin, M13_AnEndpointThatIsTakenSaysSoEachTime) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    Socket other = open_root(root_options(kRootedControl));
    EXPECT_EQ(error_of(other.listen(root_at)), std::errc::address_in_use);
    EXPECT_EQ(error_of(other.listen(root_at)), std::errc::address_in_use);
    EXPECT_EQ(error_of(other.accept()), std::errc::invalid_argument);
    EXPECT_TRUE(other.listen(free_endpoint()));
    Socket leaf = open_leaf();
    EXPECT_EQ(error_of(leaf.listen(root_at)), std::errc::address_in_use);
    EXPECT_EQ(error_of(leaf.listen(root_at)), std::errc::address_in_use);
    EXPECT_TRUE(leaf.listen(leaf_at));
}

TEST_F(RootedJoin, M14_CallerDataTooLongIsMessageSizeAndNothingIsSent) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    ASSERT_TRUE(root.set_nonblocking(true));
    Socket leaf = open_leaf();
    ASSERT_TRUE(leaf.set_nonblocking(true));
    EXPECT_EQ(error_of(leaf.join_leaf(root_at, {.caller_data = UserData(kMaxUserData + 1)})),
              std::errc::message_size);
    EXPECT_EQ(error_of(root.join_leaf(leaf_at, {.caller_data = UserData(kMaxUserData + 1)})),
              std::errc::message_size);
    EXPECT_TRUE(no_event());
    EXPECT_EQ(error_of(root.accept()), std::errc::operation_would_block);

    ASSERT_TRUE(leaf.join_leaf(root_at, {.caller_data = UserData(kMaxUserData)}));
    ASSERT_TRUE(next(EventType::accept));
    // Callee data too long: the request stays.
    EXPECT_EQ(root.accept([](const PendingJoin&) {
                      return Answer{Verdict::accept, UserData(kMaxUserData + 1)};
                  })
                  .error(),
              std::errc::message_size);
    const auto at_root = root.accept([](const PendingJoin&) {
        return Answer{Verdict::accept, UserData(kMaxUserData)};
    });
    ASSERT_TRUE(at_root);
    EXPECT_FALSE(next(EventType::connect)->error);
    EXPECT_EQ(leaf.peer_data().value().size(), kMaxUserData);
    EXPECT_EQ(at_root->peer_data().value().size(), kMaxUserData);
}

TEST_F(RootedJoin, M15_ADemandThatCannotBeMetIsOperationNotSupported) {
    SocketOptions options = root_options();
    options.admission.session.from_root = {.bits_per_second = 1'000'000, .datagram_octets = 1000};
    options.admission.session.to_root = {.bits_per_second = 10'000};
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at));
    Socket leaf = open_leaf();
    EXPECT_EQ(error_of(leaf.join_leaf(root_at, {.from_root = {.bits_per_second = 2'000'000}})),
              std::errc::operation_not_supported);
    EXPECT_EQ(error_of(leaf.join_leaf(root_at, {.to_root = {.bits_per_second = 20'000}})),
              std::errc::operation_not_supported);
    ASSERT_TRUE(root.set_nonblocking(true));
    EXPECT_EQ(error_of(root.accept()), std::errc::operation_would_block);  // it never saw them
    ASSERT_TRUE(root.set_nonblocking(false));
    let_in(root, leaf,
           {.from_root = {.bits_per_second = 1'000'000, .datagram_octets = 1000},
            .to_root = {.bits_per_second = 10'000}});
}

}  // namespace
}  // namespace joinleaf
