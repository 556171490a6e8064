// Membership that tells the truth: who is there, who has gone and why (M4, M9, M25).
#include "tests/unit/admission/under_test.h"

namespace joinleaf::controlplane::test {
namespace {

// ---- At the root ----

// M25
TEST(Membership, ALeafThatClosesIsToldToTheRoot) {
    RootUnderTest root;
    root.member(1);
    root.hears(1, Farewell{});
    EXPECT_THAT(root.did(), ElementsAre("1: hang up", "leaf 1 closed ok"));
    EXPECT_TRUE(root.holds_nothing());
}

// M25: killed; its kernel ends the connection for it.
TEST(Membership, ALeafThatDiesIsConnectionReset) {
    for (const std::errc reason : {std::errc{}, std::errc::connection_reset}) {
        RootUnderTest root;
        root.member(1);
        root.breaks(1, reason);
        EXPECT_THAT(root.did(), ElementsAre("leaf 1 closed connection_reset"));
        EXPECT_TRUE(root.holds_nothing());
    }
}

// M25: frozen, or behind a cut cable.
TEST(Membership, ALeafThatFallsSilentIsTimedOut) {
    RootUnderTest root;
    root.member(1);
    root.advance(2999ms);
    EXPECT_THAT(root.did(), ElementsAre("1: KeepAlive", "1: KeepAlive"));
    root.advance(1ms);
    EXPECT_THAT(root.did(),
                ElementsAre("1: Farewell timed_out", "1: hang up", "leaf 1 closed timed_out"));
    EXPECT_TRUE(root.holds_nothing());
}

// M25
TEST(Membership, ALeafWhoseDataPortLostItsLinkSaysSo) {
    RootUnderTest root;
    root.member(1);
    root.hears(1, Farewell{std::errc::network_down});
    EXPECT_THAT(root.did(), ElementsAre("1: hang up", "leaf 1 closed network_down"));
}

// M25: what a leaf may not say of itself, that it was expelled, included.
TEST(Membership, AReasonThatIsNoneIsConnectionReset) {
    for (const std::errc reason :
         {static_cast<std::errc>(4711), std::errc::connection_aborted, std::errc::io_error}) {
        RootUnderTest root;
        root.member(1);
        root.hears(1, Farewell{reason});
        EXPECT_THAT(root.did(), ElementsAre("1: hang up", "leaf 1 closed connection_reset"));
    }
}

// M25
TEST(Membership, ExpellingOneLeafTouchesNoOther) {
    RootUnderTest root;
    const LeafId first = root.member(1);
    const LeafId second = root.member(2);
    const LeafId third = root.admitted(3);
    root.root.expel(second, root.actions);
    EXPECT_THAT(root.did(), ElementsAre("2: Farewell connection_aborted", "2: hang up",
                                        "leaf 2 closed connection_aborted"));
    EXPECT_TRUE(root.root.is_member(first));
    EXPECT_FALSE(root.root.is_member(second));
    EXPECT_TRUE(root.root.leaf(third));
    root.root.expel(second, root.actions);
    root.hears(2, KeepAlive{});
    root.breaks(2);
    EXPECT_THAT(root.did(), IsEmpty());  // and nothing more
}

// M25: also one that has yet to confirm.
TEST(Membership, ExpellingALeafThatIsStillJoining) {
    RootUnderTest root;
    const LeafId leaf = root.admitted(1);
    root.root.expel(leaf, root.actions);
    EXPECT_THAT(root.did(), ElementsAre("1: Farewell connection_aborted", "1: hang up",
                                        "leaf 1 closed connection_aborted"));
    EXPECT_TRUE(root.holds_nothing());
}

// M4, M25
TEST(Membership, ClosingTheRootEndsItForEveryLeaf) {
    RootUnderTest root;
    root.member(1);
    root.admitted(2);
    root.invited(3);
    root.request(4);
    root.incoming(5);
    root.did();
    root.root.close(root.actions);
    EXPECT_THAT(root.did(),
                ElementsAre("4: Refuse connection_refused", "4: hang up",
                            "5: Refuse connection_refused", "5: hang up",        //
                            "1: Farewell ok", "1: hang up", "leaf 1 closed ok",  //
                            "2: Farewell ok", "2: hang up", "leaf 2 closed ok",  //
                            "3: Farewell ok", "3: hang up", "leaf 3 invited operation_canceled"));
    EXPECT_TRUE(root.holds_nothing());
    EXPECT_EQ(root.invite(6), failure(std::errc::not_a_socket));
    EXPECT_EQ(root.accept(), failure(std::errc::not_a_socket));
    EXPECT_EQ(root.root.listen(1), failure(std::errc::not_a_socket));
    root.did();
    root.root.close(root.actions);
    EXPECT_THAT(root.did(), IsEmpty());
    root.request(7);
    EXPECT_THAT(root.did(), ElementsAre("7: Refuse connection_refused", "7: hang up"));
    EXPECT_TRUE(root.holds_nothing());
}

// Admit may be on its way for long, and until it is there the leaf does not know dead_after.
TEST(KeepAlive, ComesAtTheWaitingPaceUntilTheLeafHasConfirmed) {
    AdmissionRootOptions options = root_options();
    options.dead_after = 1h;
    RootUnderTest root(options);
    root.admitted(1);
    root.invited(2);
    root.hears(2, accept_invite());
    root.did();
    root.advance(1s);
    EXPECT_THAT(root.did(), ElementsAre("1: KeepAlive", "2: KeepAlive"));
    root.hears(1, Confirm{});
    root.hears(2, Confirm{});
    root.did();
    root.advance(19min);
    EXPECT_THAT(root.did(), IsEmpty());
}

TEST(KeepAlive, IsSentByTheRootOnlyWhenNothingElseWas) {
    RootUnderTest root;
    const LeafId leaf = root.member(1);
    for (int i = 0; i < 10; ++i) {
        root.hears(1, KeepAlive{});
        root.advance(900ms);
        EXPECT_TRUE(root.root.say(leaf, bytes("x"), root.now, root.actions));
    }
    auto did = root.did();
    EXPECT_EQ(std::count(did.begin(), did.end(), "1: KeepAlive"), 0);
    for (int i = 0; i < 10; ++i) {
        root.hears(1, KeepAlive{});
        root.advance(1s);
        EXPECT_THAT(root.did(), ElementsAre("1: KeepAlive"));
    }
}

// Nobody is taken for dead who is heard in time, however the clock is driven.
TEST(KeepAlive, AdvancingLateIsAdvancingOnce) {
    RootUnderTest root;
    root.member(1);
    root.now += 2900ms;
    root.root.advance(root.now, root.actions);
    EXPECT_THAT(root.did(), ElementsAre("1: KeepAlive"));
    root.hears(1, KeepAlive{});
    root.now += 24h;
    root.root.advance(root.now, root.actions);
    EXPECT_THAT(root.did(),
                ElementsAre("1: Farewell timed_out", "1: hang up", "leaf 1 closed timed_out"));
}

// A process that was stopped has heard nothing, and that is not the others' fault: what waits is
// read before anybody is given up.
TEST(Stall, NobodyIsGivenUpWhoseWordsWaitToBeRead) {
    RootUnderTest root;
    root.member(1);
    root.member(2);
    root.admitted(3);
    root.invited(4);
    root.request(5);
    root.did();
    root.unread = {line(1), line(3), line(4), line(5)};
    root.wake_after(60s);
    EXPECT_THAT(root.did(),
                ElementsAre("2: Farewell timed_out", "2: hang up", "leaf 2 closed timed_out"));
    root.unread.clear();
    root.hears(1, KeepAlive{});
    root.hears(3, Confirm{});
    root.hears(4, accept_invite());
    root.hears(5, KeepAlive{});
    root.did();
    root.wake_after(kLookAgain);
    // A request and a member go on; the invitation's 30 s were over.
    EXPECT_THAT(root.did(), testing::UnorderedElementsAre(
                                "5: KeepAlive", "1: KeepAlive", "3: KeepAlive",
                                "4: Farewell timed_out", "4: hang up", "leaf 4 invited timed_out"));
    EXPECT_EQ(root.root.members().size(), 2U);
    EXPECT_EQ(root.root.pending_count(), 1U);
}

// Both sides were stopped, as when a machine sleeps: nothing waits, and nobody has been silent.
TEST(Stall, WhatCouldNotBeHeardIsNoSilence) {
    RootUnderTest root;
    root.member(1);
    root.request(2);
    LeafUnderTest leaf;
    leaf.joined();
    ListenerUnderTest listener;
    listener.invitation(1);
    root.advance(900ms);
    leaf.advance(900ms);
    listener.advance(900ms);
    root.root.stalled(60s, root.now + 60s);
    leaf.leaf.stalled(60s, leaf.now + 60s);
    listener.listener.stalled(60s, listener.now + 60s);
    root.wake_after(60s);
    leaf.wake_after(60s);
    listener.now += 60s;
    listener.listener.advance(listener.now, listener.actions);
    root.did();
    root.advance(2099ms);
    leaf.advance(2099ms);
    listener.advance(2099ms);
    EXPECT_EQ(root.root.members().size(), 1U);
    EXPECT_EQ(root.root.pending_count(), 1U);
    EXPECT_TRUE(leaf.leaf.is_connected());
    EXPECT_EQ(listener.listener.pending_count(), 1U);
    root.advance(1ms);  // 3 s in which something could have been heard
    leaf.advance(1ms);
    listener.advance(1ms);
    EXPECT_EQ(root.root.pending_count(), 0U);
    EXPECT_EQ(root.root.members().size(), 0U);
    EXPECT_FALSE(leaf.leaf.is_connected());
    EXPECT_EQ(listener.listener.pending_count(), 0U);
}

// Octets that never become a message keep nobody alive.
TEST(Stall, WhatIsNeverReadPutsTheEndOffByDeadAfterAtMost) {
    RootUnderTest root;
    root.member(1);
    root.unread = {line(1)};
    root.wake_after(10s);
    root.advance(2980ms);
    EXPECT_EQ(root.root.leaf_count(), 1U);
    root.did();
    root.advance(20ms);
    EXPECT_THAT(root.did(),
                ElementsAre("1: Farewell timed_out", "1: hang up", "leaf 1 closed timed_out"));
    EXPECT_TRUE(root.holds_nothing());
}

// Whoever talks all the time and never confirms gains no more than that, either.
TEST(Stall, WordsBesideTheMatterDoNotPutTheEndOff) {
    RootUnderTest root;
    root.admitted(1);
    root.unread = {line(1)};
    const Instant began = root.now;
    while (root.root.leaf_count() != 0) {
        root.hears(1, KeepAlive{});
        root.advance(100ms);
        ASSERT_LT(root.now - began, 20s);
    }
    EXPECT_GE(root.now - began, 10s);  // its time to confirm
    EXPECT_LE(root.now - began, 10s + 3s + 100ms);
}

// M9
TEST(SideTalk, GoesBothWaysOnceConnected) {
    RootUnderTest root;
    const LeafId leaf = root.member(1);
    EXPECT_TRUE(root.root.say(leaf, bytes("psst"), root.now, root.actions));
    root.hears(1, SideTalk{bytes("yes?")});
    EXPECT_THAT(root.did(), ElementsAre("1: SideTalk \"psst\"", "leaf 1 said \"yes?\""));
    LeafUnderTest other;
    other.joined();
    EXPECT_TRUE(other.leaf.say(bytes("yes?"), other.now, other.actions));
    other.hears(1, SideTalk{bytes("psst")});
    EXPECT_THAT(other.did(), ElementsAre("1: SideTalk \"yes?\"", "root said \"psst\""));
}

TEST(Counters, EveryMemberThatEverWasIsThereOrLeftOrExpelledOrLost) {
    RootUnderTest root;
    root.member(1);
    root.hears(1, Farewell{});
    root.root.expel(root.member(2), root.actions);
    root.member(3);
    root.breaks(3);
    root.member(4);
    root.hears(4, Farewell{std::errc::network_down});
    root.admitted(5);
    root.breaks(5);
    root.member(6);
    const auto& counters = root.root.counters();
    EXPECT_EQ(counters.left, 1U);
    EXPECT_EQ(counters.expelled, 1U);
    EXPECT_EQ(counters.lost, 2U);
    EXPECT_EQ(counters.unconfirmed, 1U);
    EXPECT_EQ(counters.members, 5U);
    EXPECT_EQ(root.root.members().size(), 1U);
}

// M9
TEST(SideTalk, NeedsAMemberAndFewWords) {
    RootUnderTest root;
    const LeafId leaf = root.admitted(1);
    EXPECT_EQ(root.root.say(leaf, bytes("x"), root.now, root.actions),
              failure(std::errc::not_connected));
    root.hears(1, Confirm{});
    root.did();
    EXPECT_EQ(root.root.say(leaf, UserData(kMaxUserData + 1), root.now, root.actions),
              failure(std::errc::message_size));
    EXPECT_THAT(root.did(), IsEmpty());
    LeafUnderTest other;
    other.joining();
    EXPECT_EQ(other.leaf.say(bytes("x"), other.now, other.actions),
              failure(std::errc::not_connected));
    other.group_joined();
    other.did();
    EXPECT_EQ(other.leaf.say(UserData(kMaxUserData + 1), other.now, other.actions),
              failure(std::errc::message_size));
    EXPECT_THAT(other.did(), IsEmpty());
}

// Who asks the repair server again and again is not told as often.
TEST(History, AMemberIsToldWhereItBeginsButNotAllTheTime) {
    RootUnderTest root({.name = "root", .offer = feed_offer()});
    const LeafId leaf = root.member(1);
    const auto tell = [&](std::uint64_t sequence) {
        root.root.history_begins(leaf, history_begins(sequence), root.now, root.actions);
        return root.did();
    };
    EXPECT_THAT(tell(40), ElementsAre("1: HistoryBegins 40"));
    root.now += kTellEvery - 1ns;
    EXPECT_THAT(tell(41), IsEmpty());
    root.now += 1ns;
    EXPECT_THAT(tell(42), ElementsAre("1: HistoryBegins 42"));
}

TEST(History, IsToldToMembersOfAFeedWithARepairServerAlone) {
    RootUnderTest feed({.name = "root", .offer = feed_offer()});
    const LeafId joining = feed.admitted(1);
    feed.root.history_begins(joining, history_begins(40), feed.now, feed.actions);
    EXPECT_THAT(feed.did(), IsEmpty());
    feed.hears(1, Confirm{});
    feed.did();
    feed.root.history_begins(joining, history_begins(40), feed.now, feed.actions);
    EXPECT_THAT(feed.did(), ElementsAre("1: HistoryBegins 40"));
    feed.hears(1, Farewell{});
    feed.did();
    feed.root.history_begins(joining, history_begins(41), feed.now + 1s, feed.actions);
    EXPECT_THAT(feed.did(), IsEmpty());
    RootUnderTest other;
    other.root.history_begins(other.member(1), history_begins(40), other.now, other.actions);
    EXPECT_THAT(other.did(), IsEmpty());
}

TEST(History, AnInvitedMemberIsToldToo) {
    RootUnderTest root({.name = "root", .offer = feed_offer()});
    const LeafId leaf = root.invited(1);
    root.hears(1, accept_invite());
    root.hears(1, Confirm{});
    root.did();
    root.root.history_begins(leaf, history_begins(7), root.now, root.actions);
    EXPECT_THAT(root.did(), ElementsAre("1: HistoryBegins 7"));
}

// ---- At the leaf ----

TEST(History, ALeafHearsWhereItBeginsOnceItIsConnected) {
    LeafUnderTest leaf;
    leaf.asked().hears(1, Admit{.offer = feed_offer(), .dead_after = 3s, .name = "root"});
    leaf.group_joined();
    leaf.did();
    leaf.hears(1, history_begins(40));
    EXPECT_THAT(leaf.did(), ElementsAre("history begins at 40"));
    leaf.hears(1, history_begins(41));
    EXPECT_THAT(leaf.did(), ElementsAre("history begins at 41"));
}

TEST(History, WhereNoRepairWasOfferedItIsOutOfPlace) {
    LeafUnderTest leaf;
    leaf.joined().hears(1, history_begins(40));
    EXPECT_THAT(leaf.did(), ElementsAre("1: Farewell protocol_error", "1: hang up", "leave",
                                        "closed connection_reset"));
}

// M4: closed in good order.
TEST(Session, EndsWhenTheRootCloses) {
    LeafUnderTest leaf;
    leaf.joined().hears(1, Farewell{});
    EXPECT_THAT(leaf.did(), ElementsAre("1: hang up", "leave", "closed ok"));
    EXPECT_TRUE(leaf.holds_nothing());
}

// M4: dead.
TEST(Session, EndsWhenTheRootDies) {
    LeafUnderTest leaf;
    leaf.joined().breaks(1, std::errc::connection_reset);
    EXPECT_THAT(leaf.did(), ElementsAre("leave", "closed connection_reset"));
    EXPECT_TRUE(leaf.holds_nothing());
    leaf.advance(1h);
    EXPECT_THAT(leaf.did(), IsEmpty());  // and nothing more
}

// M4: frozen, or unreachable.
TEST(Session, EndsWhenTheRootFallsSilent) {
    LeafUnderTest leaf;
    leaf.joined().advance(2999ms);
    EXPECT_THAT(leaf.did(), ElementsAre("1: KeepAlive", "1: KeepAlive"));
    leaf.advance(1ms);
    EXPECT_THAT(leaf.did(),
                ElementsAre("1: Farewell timed_out", "1: hang up", "leave", "closed timed_out"));
    EXPECT_TRUE(leaf.holds_nothing());
}

// M25
TEST(Session, EndsForALeafThatIsExpelled) {
    LeafUnderTest leaf;
    leaf.joined().hears(1, Farewell{std::errc::connection_aborted});
    EXPECT_THAT(leaf.did(), ElementsAre("1: hang up", "leave", "closed connection_aborted"));
    EXPECT_FALSE(leaf.leaf.is_in_group());
}

// M25
TEST(Session, ALeafThatClosesTellsTheRootAndHearsNothingItself) {
    LeafUnderTest leaf;
    leaf.joined().leaf.close(leaf.now, leaf.actions);
    EXPECT_THAT(leaf.did(), ElementsAre("1: Farewell ok", "1: hang up", "leave"));
    leaf.leaf.close(leaf.now, leaf.actions);
    leaf.hears(1, Farewell{});
    leaf.breaks(1);
    leaf.advance(1h);
    EXPECT_THAT(leaf.did(), IsEmpty());
    EXPECT_TRUE(leaf.holds_nothing());
}

// M25: the data port's link.
TEST(Session, EndsWhenTheLinkIsLost) {
    LeafUnderTest leaf;
    leaf.joined().leaf.link_down(leaf.now, leaf.actions);
    EXPECT_THAT(leaf.did(), ElementsAre("1: Farewell network_down", "1: hang up", "leave",
                                        "closed network_down"));
    LeafUnderTest pending;
    pending.asked().leaf.link_down(pending.now, pending.actions);
    EXPECT_THAT(pending.did(),
                ElementsAre("1: Farewell network_down", "1: hang up", "joined network_down"));
    LeafUnderTest idle;
    idle.leaf.link_down(idle.now, idle.actions);
    EXPECT_THAT(idle.did(), IsEmpty());
}

// The root's dead_after is the leaf's, from Admit on.
TEST(Session, DeadAfterIsWhatTheRootSays) {
    LeafUnderTest leaf;
    leaf.asked().hears(1, admit_message(300ms));
    leaf.group_joined();
    leaf.did();
    leaf.advance(299ms);
    EXPECT_THAT(leaf.did(), ElementsAre("1: KeepAlive", "1: KeepAlive"));
    leaf.advance(1ms);
    EXPECT_FALSE(leaf.leaf.is_connected());
}

// An invitation may have waited with its last sign of life long ago, as the waiting rule allows.
TEST(Session, AnInvitationThatWaitedIsNotDeadOnArrival) {
    ListenerUnderTest listener;
    listener.invitation(1, invite_message(100ms));
    listener.advance(2s);
    listener.did();
    auto leaf = listener.accept();
    ASSERT_TRUE(leaf && *leaf);
    AdmissionActions actions;
    (*leaf)->advance(listener.now + kWaitingDeadAfter - 1ms, actions);
    EXPECT_TRUE((*leaf)->is_pending());
    (*leaf)->received(line(1), admit_message(100ms), listener.now + 2999ms, actions);
    (*leaf)->advance(listener.now + 2999ms + 99ms, actions);
    EXPECT_TRUE((*leaf)->is_pending());
    (*leaf)->advance(listener.now + 2999ms + 100ms, actions);
    EXPECT_FALSE((*leaf)->is_pending());
}

TEST(Stall, ARootWhoseWordsWaitIsNotTakenForDead) {
    {
        LeafUnderTest leaf;
        leaf.joined().unread = {line(1)};
        leaf.wake_after(60s);
        EXPECT_THAT(leaf.did(), IsEmpty());
        EXPECT_EQ(leaf.leaf.next_deadline(), leaf.now + kLookAgain);
        leaf.unread.clear();
        leaf.hears(1, KeepAlive{});
        leaf.wake_after(kLookAgain);
        EXPECT_THAT(leaf.did(), ElementsAre("1: KeepAlive"));
        EXPECT_TRUE(leaf.leaf.is_connected());
    }
    {
        LeafUnderTest leaf;
        leaf.asked().unread = {line(1)};
        leaf.wake_after(29s);
        leaf.unread.clear();
        leaf.hears(1, admit_message());
        EXPECT_THAT(leaf.did(), ElementsAre("join 232.1.1.1"));
    }
    {
        LeafUnderTest leaf;
        leaf.joined().wake_after(60s);  // nothing waits: it was silent
        EXPECT_THAT(leaf.did(), ElementsAre("1: Farewell timed_out", "1: hang up", "leave",
                                            "closed timed_out"));
    }
}

TEST(Stall, AnInvitationWhoseRootsWordsWaitStays) {
    ListenerUnderTest listener;
    listener.invitation(1);
    listener.invitation(2);
    listener.did();
    listener.unread = {line(1)};
    listener.now += 60s;
    listener.listener.advance(listener.now, listener.actions,
                              [&](ConnectionId id) { return listener.unread.contains(id); });
    EXPECT_THAT(listener.did(), ElementsAre("2: Refuse timed_out", "2: hang up"));
    EXPECT_EQ(listener.listener.pending_count(), 1U);
}

// A connection that breaks by itself has not been ended by anybody's decision.
TEST(Session, ABrokenConnectionIsNoExpulsion) {
    LeafUnderTest leaf;
    leaf.joined().breaks(1, std::errc::connection_aborted);
    EXPECT_THAT(leaf.did(), ElementsAre("leave", "closed connection_reset"));
    RootUnderTest root;
    root.member(1);
    root.breaks(1, std::errc::connection_aborted);
    EXPECT_THAT(root.did(), ElementsAre("leaf 1 closed connection_reset"));
}

// M12: the session over, the socket may ask again.
TEST(Session, MayBeAskedForAgain) {
    LeafUnderTest leaf;
    leaf.joined().hears(1, Farewell{});
    leaf.did();
    EXPECT_TRUE(leaf.request(2));
    leaf.connected(2);
    leaf.hears(2, admit_message());
    leaf.group_joined();
    EXPECT_THAT(leaf.did(), ElementsAre("2: dial 192.0.2.1:7000", "2: JoinRequest",
                                        "join 232.1.1.1", "2: Confirm", "joined ok"));
}

// ---- Words out of place ----

std::vector<AdmissionMessage> one_of_each() {
    return {join_request(),   admit_message(),
            invite_message(), accept_invite(),
            Confirm{},        Refuse{},
            Farewell{},       KeepAlive{},
            SideTalk{},       SideTalk{UserData(kMaxUserData + 1)},
            HistoryBegins{}};
}

// What fits leaves the connection in place or ends it as the rules say; all else ends it at once.
TEST(Protocol, AtTheRootEveryStageTakesOnlyItsOwnWords) {
    struct Stage {
        const char* name;
        void (*reach)(RootUnderTest&);
        std::vector<std::size_t> fits;  // which of one_of_each() let it live
        const char* violation;
    };
    const Stage stages[] = {
        {"pending", [](RootUnderTest& r) { r.request(1); }, {7}, "1: Refuse protocol_error"},
        {"admitted", [](RootUnderTest& r) { r.admitted(1); }, {4, 7}, "1: Farewell protocol_error"},
        {"invited", [](RootUnderTest& r) { r.invited(1); }, {3, 7}, "1: Farewell protocol_error"},
        {"agreed",
         [](RootUnderTest& r) {
             r.invited(1);
             r.hears(1, accept_invite());
         },
         {4, 7},
         "1: Farewell protocol_error"},
        {"member", [](RootUnderTest& r) { r.member(1); }, {7, 8}, "1: Farewell protocol_error"},
    };
    const auto messages = one_of_each();
    for (const Stage& stage : stages) {
        for (std::size_t i = 0; i < messages.size(); ++i) {
            SCOPED_TRACE(std::string(stage.name) + " hears " + describe(messages[i]));
            RootUnderTest root;
            stage.reach(root);
            root.did();
            root.hears(1, messages[i]);
            const auto did = root.did();
            if (std::count(stage.fits.begin(), stage.fits.end(), i) != 0) {
                EXPECT_FALSE(root.holds_nothing());
                continue;
            }
            EXPECT_TRUE(root.holds_nothing());
            EXPECT_EQ(std::count(did.begin(), did.end(), "1: hang up"), 1);
            const bool ends_in_order =
                std::holds_alternative<Farewell>(messages[i]) ||
                (std::holds_alternative<Refuse>(messages[i]) &&
                 stage.violation == std::string("1: Farewell protocol_error") &&
                 stage.name != std::string("member"));
            EXPECT_EQ(std::count(did.begin(), did.end(), stage.violation), ends_in_order ? 0 : 1);
        }
    }
}

TEST(Protocol, AtALeafEveryStageTakesOnlyItsOwnWords) {
    struct Stage {
        const char* name;
        LeafUnderTest& (LeafUnderTest::*reach)();
        std::vector<std::size_t> fits;
        bool may_be_refused;
    };
    const Stage stages[] = {
        {"asked", &LeafUnderTest::asked, {1, 7}, true},
        {"joining", &LeafUnderTest::joining, {7}, false},
        {"connected", &LeafUnderTest::joined, {7, 8}, false},
    };
    const auto messages = one_of_each();
    for (const Stage& stage : stages) {
        for (std::size_t i = 0; i < messages.size(); ++i) {
            SCOPED_TRACE(std::string(stage.name) + " hears " + describe(messages[i]));
            LeafUnderTest leaf;
            (leaf.*stage.reach)().hears(1, messages[i]);
            const auto did = leaf.did();
            if (std::count(stage.fits.begin(), stage.fits.end(), i) != 0) {
                EXPECT_FALSE(leaf.holds_nothing());
                continue;
            }
            EXPECT_TRUE(leaf.holds_nothing());
            EXPECT_EQ(std::count(did.begin(), did.end(), "1: hang up"), 1);
            EXPECT_EQ(std::count(did.begin(), did.end(), "leave"),
                      stage.name == std::string("asked") ? 0 : 1);
            const bool ends_in_order =
                std::holds_alternative<Farewell>(messages[i]) ||
                (std::holds_alternative<Refuse>(messages[i]) && stage.may_be_refused);
            EXPECT_EQ(std::count(did.begin(), did.end(), "1: Farewell protocol_error"),
                      ends_in_order ? 0 : 1);
        }
    }
}

TEST(Protocol, WhatIsToldOfAForgottenConnectionIsIgnored) {
    RootUnderTest root;
    LeafUnderTest leaf;
    ListenerUnderTest listener;
    for (const AdmissionMessage& message : one_of_each()) {
        root.hears(99, message);
        leaf.hears(99, message);
        listener.hears(99, message);
    }
    root.connected(99);
    root.breaks(99);
    leaf.connected(99);
    leaf.breaks(99);
    listener.listener.disconnected(line(99), std::errc{});
    EXPECT_THAT(root.did(), IsEmpty());
    EXPECT_THAT(leaf.did(), IsEmpty());
    EXPECT_THAT(listener.did(), IsEmpty());
}

}  // namespace
}  // namespace joinleaf::controlplane::test
