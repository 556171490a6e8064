// A root invites a leaf (M5): both sides of it, cancelling (M11), and one at a time (M12).
#include "tests/unit/admission/under_test.h"

namespace joinleaf::controlplane::test {
namespace {

// ---- At the root ----

// M5, M9, M14
TEST(Invite, IsDoneWhenTheLeafHasConfirmed) {
    RootUnderTest root(root_options(), 0);
    const auto leaf = root.invite(1, bytes("come"));
    ASSERT_TRUE(leaf);
    EXPECT_THAT(root.did(), ElementsAre("1: dial 192.0.2.7:7001"));
    root.connected(1);
    const auto& sent = std::get<Invite>(std::get<Transmit>(root.actions.at(0)).message);
    EXPECT_EQ(sent.offer, offer());
    EXPECT_EQ(sent.name, "root");
    EXPECT_EQ(sent.dead_after, 3s);
    EXPECT_THAT(root.did(), ElementsAre("1: Invite \"come\""));
    AcceptInvite agreed = accept_invite();
    agreed.callee_data = bytes("gladly");
    root.hears(1, agreed);
    // It has yet to join the group; its data may come from now on.
    EXPECT_THAT(root.did(), ElementsAre("leaf 1 admitted 10.0.0.7", "1: Admit"));
    EXPECT_FALSE(root.root.is_member(*leaf));
    root.hears(1, Confirm{});
    EXPECT_THAT(root.did(),
                ElementsAre("leaf 1 connected 10.0.0.7", "leaf 1 invited ok \"gladly\""));
    EXPECT_TRUE(root.root.is_member(*leaf));
    EXPECT_FALSE(root.root.is_inviting());
}

// M5, M12: refused, unreachable, timed out; the same root may try again.
TEST(Invite, FailsOnceAndMayBeTriedAgain) {
    const auto expect_failed = [](RootUnderTest& root, const char* how) {
        const auto did = root.did();
        EXPECT_EQ(std::count(did.begin(), did.end(), std::string("leaf 1 invited ") + how), 1);
        EXPECT_TRUE(root.holds_nothing());
        EXPECT_TRUE(root.invite(2));
        EXPECT_THAT(root.did(), ElementsAre("2: dial 192.0.2.7:7001"));
    };
    {
        RootUnderTest root;
        root.invite(1);
        root.root.connect_failed(line(1), std::errc::connection_refused, root.actions);
        expect_failed(root, "connection_refused");
    }
    {
        RootUnderTest root;
        root.invite(1);
        root.root.connect_failed(line(1), std::errc::host_unreachable, root.actions);
        expect_failed(root, "network_unreachable");
    }
    {
        RootUnderTest root;
        root.invite(1);
        root.advance(30s);
        EXPECT_THAT(root.did(), ElementsAre("1: dial 192.0.2.7:7001", "1: hang up",
                                            "leaf 1 invited timed_out"));
        EXPECT_TRUE(root.holds_nothing());
    }
    {
        RootUnderTest root;
        root.invited(1);
        root.hears(1, Refuse{});
        expect_failed(root, "connection_refused");
    }
    {
        RootUnderTest root;
        root.invited(1);
        root.breaks(1);
        expect_failed(root, "connection_reset");
    }
    {
        RootUnderTest root;
        root.invited(1);
        root.advance(kWaitingDeadAfter);  // not a word
        expect_failed(root, "timed_out");
    }
    {
        RootUnderTest root;
        root.invited(1);
        root.hears(1, accept_invite());
        root.hears(1, Refuse{std::errc::network_down, "no link"});
        expect_failed(root, "network_down");
    }
    {
        RootUnderTest root;
        root.invited(1);
        for (int i = 0; i < 30; ++i) {  // it thinks, and never decides
            root.hears(1, KeepAlive{});
            root.advance(1s);
        }
        expect_failed(root, "timed_out");
    }
}

// M11: closing the socket that join_leaf returned, at every stage.
TEST(Invite, CancelledEndsInOneEventAndTellsTheLeaf) {
    {
        RootUnderTest root;
        const LeafId leaf = root.invite(1).value();
        root.did();
        root.root.cancel_invite(leaf, root.actions);
        EXPECT_THAT(root.did(), ElementsAre("1: hang up", "leaf 1 invited operation_canceled"));
        EXPECT_TRUE(root.holds_nothing());
        root.connected(1);  // too late
        root.root.cancel_invite(leaf, root.actions);
        EXPECT_THAT(root.did(), IsEmpty());
    }
    for (const bool agreed : {false, true}) {
        RootUnderTest root;
        const LeafId leaf = root.invited(1);
        if (agreed) root.hears(1, accept_invite());
        root.did();
        root.root.cancel_invite(leaf, root.actions);
        EXPECT_THAT(root.did(), ElementsAre("1: Farewell ok", "1: hang up",
                                            "leaf 1 invited operation_canceled"));
        EXPECT_TRUE(root.holds_nothing());
    }
}

// M11: after completion there is nothing to cancel.
TEST(Invite, CancelOfAMemberDoesNothing) {
    RootUnderTest root;
    const LeafId leaf = root.member(1);
    root.root.cancel_invite(leaf, root.actions);
    EXPECT_THAT(root.did(), IsEmpty());
    EXPECT_TRUE(root.root.is_member(leaf));
}

// M12
TEST(Invite, OneAtATimeAndMoreAfterSuccess) {
    RootUnderTest root;
    root.invite(1);
    EXPECT_EQ(root.invite(2), failure(std::errc::connection_already_in_progress));
    root.connected(1);
    EXPECT_EQ(root.invite(2), failure(std::errc::connection_already_in_progress));
    root.hears(1, accept_invite());
    EXPECT_EQ(root.invite(2), failure(std::errc::connection_already_in_progress));
    root.hears(1, Confirm{});
    root.did();
    EXPECT_TRUE(root.invite(2));  // a root may go on inviting
    EXPECT_THAT(root.did(), ElementsAre("2: dial 192.0.2.7:7001"));
}

// M13: a listening root invites, and admits meanwhile.
TEST(Invite, GoesOnBesideRequests) {
    RootUnderTest root;
    root.invited(1);
    const LeafId asking = root.member(2);
    EXPECT_TRUE(root.root.is_member(asking));
    root.hears(1, accept_invite());
    root.did();
    root.hears(1, Confirm{});
    EXPECT_THAT(root.did(), ElementsAre("leaf 1 connected 10.0.0.7", "leaf 1 invited ok"));
    EXPECT_EQ(root.root.members().size(), 2U);
}

// M14
TEST(Invite, CallerDataTooLongSendsNothing) {
    RootUnderTest root;
    EXPECT_EQ(root.invite(1, UserData(kMaxUserData + 1)), failure(std::errc::message_size));
    EXPECT_THAT(root.did(), IsEmpty());
    EXPECT_TRUE(root.holds_nothing());
    EXPECT_TRUE(root.invite(1, UserData(kMaxUserData)));
}

TEST(Invite, OfAnUnusableAddressSendsNothing) {
    RootUnderTest root;
    for (const Ipv4Address address : {Ipv4Address(), Ipv4Address(239, 1, 1, 1),
                                      Ipv4Address(255, 255, 255, 255), Ipv4Address(0, 1, 2, 3)}) {
        EXPECT_EQ(root.root.invite(line(1), {address}, {}, root.now, root.actions),
                  failure(std::errc::address_not_available));
    }
    EXPECT_THAT(root.did(), IsEmpty());
    EXPECT_TRUE(root.root.invite(line(1), {Ipv4Address(127, 0, 0, 1)}, {}, root.now, root.actions));
}

TEST(Invite, OfALeafThatTheScreenTurnsAwayIsDenied) {
    AdmissionRootOptions options = root_options();
    options.screen = [](const Peer& leaf, const SessionOffer& usual, Acquaintance) -> Screened {
        if (leaf.name == "stranger") return tl::unexpected(Denial{});
        return usual;
    };
    RootUnderTest root(options);
    root.invited(1);
    AcceptInvite accept = accept_invite();
    accept.name = "stranger";
    root.hears(1, accept);
    EXPECT_THAT(root.did(), ElementsAre("refused policy", "1: Farewell permission_denied",
                                        "1: hang up", "leaf 1 invited permission_denied"));
}

// A policy that goes by name cannot decide before the leaf has said its name.
TEST(Invite, TheScreenIsToldWhetherTheLeafHasSaidItsName) {
    std::vector<std::pair<Acquaintance, std::string>> asked;
    AdmissionRootOptions options = root_options();
    options.screen = [&](const Peer& leaf, const SessionOffer& usual,
                         Acquaintance known) -> Screened {
        asked.emplace_back(known, leaf.name);
        return usual;
    };
    RootUnderTest root(options);
    root.invited(1);
    root.hears(1, accept_invite());
    EXPECT_THAT(asked, ElementsAre(std::pair(Acquaintance::by_address, std::string()),
                                   std::pair(Acquaintance::by_name, std::string("leaf"))));
}

// ---- At the listening leaf ----

// M5, M14
TEST(Invitation, IsPendingThenAgreedThenJoined) {
    ListenerUnderTest listener;
    Invite invite = invite_message();
    invite.caller_data = bytes("come");
    listener.invitation(1, invite);
    EXPECT_THAT(listener.did(), ElementsAre("pending"));
    auto leaf = listener.accept(always(Verdict::accept, "gladly"));
    ASSERT_TRUE(leaf && *leaf);
    EXPECT_THAT(listener.did(), ElementsAre("1: AcceptInvite \"gladly\""));
    EXPECT_TRUE((*leaf)->is_pending());
    EXPECT_FALSE((*leaf)->is_in_group());  // it is for the root to admit it
    EXPECT_EQ((*leaf)->connection(), line(1));
    EXPECT_EQ((*leaf)->root().name, "root");
    EXPECT_EQ((*leaf)->root().data_address, kRootData);

    AdmissionActions actions;
    (*leaf)->received(line(1), admit_message(), listener.now, actions);
    EXPECT_THAT(describe(std::exchange(actions, {})), ElementsAre("join 232.1.1.1"));
    const Instant left = listener.now + 3ms;
    (*leaf)->group_joined(left, {}, listener.now + 5ms, actions);
    EXPECT_EQ(std::get<JoinDone>(actions.at(1)).at, left);
    EXPECT_THAT(describe(actions), ElementsAre("1: Confirm", "joined ok"));
    EXPECT_TRUE((*leaf)->is_connected());
    EXPECT_TRUE(listener.holds_nothing());  // the connection is the leaf's now
}

// M13
TEST(Listener, AcceptsInvitationsOnly) {
    for (const AdmissionMessage& message :
         {AdmissionMessage(join_request()), AdmissionMessage(admit_message()),
          AdmissionMessage(Confirm{}), AdmissionMessage(SideTalk{})}) {
        ListenerUnderTest listener;
        listener.incoming(1);
        listener.hears(1, message);
        EXPECT_THAT(listener.did(), ElementsAre("1: Refuse operation_not_supported", "1: hang up"));
        EXPECT_TRUE(listener.holds_nothing());
    }
}

// M18
TEST(Invitation, TheConditionSeesTheOffer) {
    ListenerUnderTest listener;
    Invite invite = invite_message();
    invite.caller_data = bytes("come");
    listener.invitation(1, invite);
    int asked = 0;
    listener.accept([&](const PendingJoin& join) {
        ++asked;
        EXPECT_EQ(join.peer.endpoint, kRootEndpoint);
        EXPECT_EQ(join.peer.name, "root");
        EXPECT_EQ(text(join.caller_data), "come");
        EXPECT_EQ(join.offer, offer());
        return Answer{};
    });
    EXPECT_EQ(asked, 1);
}

// M16
TEST(Invitation, RejectedIsRefusedAndDeferredStays) {
    ListenerUnderTest listener;
    listener.invitation(1);
    listener.invitation(2);
    listener.did();
    EXPECT_FALSE(listener.accept(always(Verdict::defer)).value());
    EXPECT_THAT(listener.did(), IsEmpty());
    EXPECT_FALSE(listener.accept(always(Verdict::reject)).value());
    EXPECT_THAT(listener.did(), ElementsAre("1: Refuse connection_refused", "1: hang up"));
    EXPECT_TRUE(listener.accept().value());
    EXPECT_THAT(listener.did(), ElementsAre("2: AcceptInvite"));
}

// M17
TEST(Listener, AcceptBeforeListenIsInvalidAndWithNothingPendingWouldBlock) {
    ListenerUnderTest listener(listener_options(), 0);
    EXPECT_EQ(listener.accept().error(), error(std::errc::invalid_argument));
    EXPECT_TRUE(listener.listener.listen(1));
    EXPECT_EQ(listener.accept().error(), error(std::errc::operation_would_block));
}

// M17: cancelled by the root while it waited, and gone silent.
TEST(Invitation, WithdrawnIsConnectionResetAndTimedOutPermissionDenied) {
    ListenerUnderTest listener;
    listener.invitation(1);
    listener.hears(1, Farewell{});
    listener.invitation(2);
    listener.advance(kWaitingDeadAfter);
    listener.did();
    EXPECT_EQ(listener.accept().error(), error(std::errc::connection_reset));
    EXPECT_EQ(listener.accept().error(), error(std::errc::permission_denied));
    EXPECT_EQ(listener.accept().error(), error(std::errc::operation_would_block));
    EXPECT_THAT(listener.did(), IsEmpty());
    EXPECT_TRUE(listener.holds_nothing());
}

// M19
TEST(Listener, BacklogBoundsTheInvitations) {
    ListenerUnderTest listener(listener_options(), 1);
    listener.invitation(1);
    listener.did();
    listener.invitation(2);
    EXPECT_THAT(listener.did(), ElementsAre("2: Refuse connection_refused", "2: hang up"));
    EXPECT_EQ(listener.listener.pending_count(), 1U);
    EXPECT_EQ(listener.listener.listen(0), failure(std::errc::invalid_argument));
}

// M15
TEST(Invitation, ToLessThanTheLeafNeedsIsRefused) {
    AdmissionListenerOptions options = listener_options();
    options.from_root = {.datagram_octets = 1400};
    ListenerUnderTest listener(options);
    Invite invite = invite_message();
    invite.offer.from_root = {.datagram_octets = 1000};
    listener.invitation(1, invite);
    EXPECT_THAT(listener.did(), ElementsAre("1: Refuse operation_not_supported", "1: hang up"));
    invite.offer.from_root = {.datagram_octets = 1400};
    listener.invitation(2, invite);
    EXPECT_THAT(listener.did(), ElementsAre("pending"));
}

// M3
TEST(Invitation, ToTheOtherDataPlaneIsRefused) {
    for (const Plane own : {Plane::rooted, Plane::nonrooted}) {
        AdmissionListenerOptions options = listener_options();
        options.leaf.data_plane = own;
        ListenerUnderTest listener(options);
        Invite invite = invite_message();
        invite.offer.scheme.data = own == Plane::rooted ? Plane::nonrooted : Plane::rooted;
        listener.invitation(1, invite);
        EXPECT_THAT(listener.did(), ElementsAre("1: Refuse operation_not_supported", "1: hang up"));
        EXPECT_TRUE(listener.holds_nothing());
        invite.offer.scheme.data = own;
        listener.invitation(2, invite);
        EXPECT_THAT(listener.did(), ElementsAre("pending"));
    }
}

// M16: the root has thought better of it, or its policy has: no group is joined, and no event but
// one.
TEST(Invitation, ThatTheRootTakesBackAfterItWasAgreedToIsRefused) {
    ListenerUnderTest listener;
    listener.invitation(1);
    auto leaf = listener.accept();
    ASSERT_TRUE(leaf && *leaf);
    AdmissionActions actions;
    (*leaf)->received(line(1), Farewell{std::errc::permission_denied}, listener.now, actions);
    EXPECT_THAT(describe(actions), ElementsAre("1: hang up", "joined permission_denied"));
    EXPECT_FALSE((*leaf)->is_pending());
}

// M14
TEST(Invitation, CalleeDataTooLongIsMessageSizeAndTheInvitationStays) {
    ListenerUnderTest listener;
    listener.invitation(1);
    listener.did();
    const auto too_long = [](const PendingJoin&) {
        return Answer{Verdict::accept, UserData(kMaxUserData + 1)};
    };
    EXPECT_EQ(listener.accept(too_long).error(), error(std::errc::message_size));
    EXPECT_THAT(listener.did(), IsEmpty());
    EXPECT_EQ(listener.listener.pending_count(), 1U);
}

TEST(Invitation, ThatNobodyCouldActUponIsRefused) {
    const auto answer_to = [](const Invite& invite) {
        ListenerUnderTest listener;
        listener.invitation(1, invite);
        EXPECT_TRUE(listener.holds_nothing());
        return listener.did().at(0);
    };
    Invite invite = invite_message(99ms);
    EXPECT_EQ(answer_to(invite), "1: Refuse protocol_error");
    invite = invite_message(3'600'001ms);
    EXPECT_EQ(answer_to(invite), "1: Refuse protocol_error");
    invite = invite_message();
    invite.offer.root_address = Ipv4Address();  // a rooted data plane without a root
    EXPECT_EQ(answer_to(invite), "1: Refuse protocol_error");
    invite = invite_message();
    invite.offer.scheme.control = Plane::nonrooted;
    EXPECT_EQ(answer_to(invite), "1: Refuse protocol_error");
    invite = invite_message();
    invite.version = 0;
    EXPECT_EQ(answer_to(invite), "1: Refuse protocol_not_supported");
    invite = invite_message();
    invite.name.resize(kMaxName + 1, 'x');
    EXPECT_EQ(answer_to(invite), "1: Refuse message_size");
    invite = invite_message();
    invite.caller_data.resize(kMaxUserData + 1);
    EXPECT_EQ(answer_to(invite), "1: Refuse message_size");
}

// M25: the listening socket closes; what it had accepted is a socket of its own.
TEST(Listener, CloseRefusesWhatWaitsAndLeavesTheAcceptedAlone) {
    ListenerUnderTest listener;
    listener.invitation(1);
    auto leaf = listener.accept();
    ASSERT_TRUE(leaf && *leaf);
    listener.invitation(2);
    listener.incoming(3);
    listener.did();
    listener.listener.close(listener.actions);
    EXPECT_THAT(listener.did(), ElementsAre("2: Refuse connection_refused", "2: hang up",
                                            "3: Refuse connection_refused", "3: hang up"));
    EXPECT_TRUE(listener.holds_nothing());
    EXPECT_TRUE((*leaf)->is_pending());
    EXPECT_EQ(listener.accept().error(), error(std::errc::not_a_socket));
    EXPECT_EQ(listener.listener.listen(1), failure(std::errc::not_a_socket));
}

}  // namespace
}  // namespace joinleaf::controlplane::test
