// The leaf's side of asking to be let in (M6, M8, M11, M12, M14, M15).
#include "tests/unit/admission/under_test.h"

namespace joinleaf::controlplane::test {
namespace {

// M6, M14
TEST(Leaf, IsConnectedWhenAdmittedAndTheReportHasLeft) {
    LeafUnderTest leaf;
    LeafRequest request{.direction = Direction::receiver_only,
                        .from_root = {.bits_per_second = 1000},
                        .caller_data = bytes("let me in")};
    ASSERT_TRUE(leaf.request(1, request));
    EXPECT_THAT(leaf.did(), ElementsAre("1: dial 192.0.2.1:7000"));
    leaf.connected(1);
    const auto& sent = std::get<JoinRequest>(std::get<Transmit>(leaf.actions.at(0)).message);
    EXPECT_EQ(sent, (JoinRequest{.name = "leaf",
                                 .data_address = kLeafData,
                                 .direction = Direction::receiver_only,
                                 .from_root = {.bits_per_second = 1000},
                                 .caller_data = bytes("let me in")}));
    EXPECT_THAT(leaf.did(), ElementsAre("1: JoinRequest"));
    Admit admit = admit_message();
    admit.callee_data = bytes("welcome");
    leaf.hears(1, admit);
    EXPECT_THAT(leaf.did(), ElementsAre("join 232.1.1.1"));
    EXPECT_TRUE(leaf.leaf.is_pending());
    EXPECT_TRUE(leaf.leaf.is_in_group());
    EXPECT_EQ(leaf.leaf.offer(), offer());
    const Instant left = leaf.now + 2ms;  // the time stamp of the burst
    leaf.leaf.group_joined(left, {}, leaf.now + 5ms, leaf.actions);
    EXPECT_EQ(std::get<JoinDone>(leaf.actions.at(1)).at, left);
    EXPECT_THAT(leaf.did(), ElementsAre("1: Confirm", "joined ok \"welcome\""));
    EXPECT_TRUE(leaf.leaf.is_connected());
}

// M6, M11, M12: refused, unreachable, timed out, each told once, and then it may try again.
TEST(Leaf, AFailedJoinIsToldOnceAndMayBeTriedAgain) {
    const auto expect_failed = [](LeafUnderTest& leaf, const char* how) {
        const auto did = leaf.did();
        EXPECT_EQ(std::count(did.begin(), did.end(), std::string("joined ") + how), 1) << how;
        EXPECT_TRUE(leaf.holds_nothing());
        leaf.advance(1h);
        EXPECT_THAT(leaf.did(), IsEmpty());
        EXPECT_TRUE(leaf.request(2));
        EXPECT_THAT(leaf.did(), ElementsAre("2: dial 192.0.2.1:7000"));
        leaf.hears(1, admit_message());  // of the connection that is over
        EXPECT_THAT(leaf.did(), IsEmpty());
    };
    {
        LeafUnderTest leaf;
        leaf.dialing().leaf.connect_failed(line(1), std::errc::connection_refused, leaf.now,
                                           leaf.actions);
        expect_failed(leaf, "connection_refused");
    }
    {
        LeafUnderTest leaf;
        leaf.dialing().leaf.connect_failed(line(1), std::errc::network_unreachable, leaf.now,
                                           leaf.actions);
        expect_failed(leaf, "network_unreachable");
    }
    {
        LeafUnderTest leaf;
        leaf.dialing().advance(30s);
        expect_failed(leaf, "timed_out");
    }
    {
        LeafUnderTest leaf;
        leaf.asked().hears(1, Refuse{});
        expect_failed(leaf, "connection_refused");
    }
    {
        LeafUnderTest leaf;
        leaf.asked().hears(1, Refuse{std::errc::operation_not_supported, "too much"});
        expect_failed(leaf, "operation_not_supported");
    }
    {
        LeafUnderTest leaf;
        leaf.asked().hears(1, Refuse{std::errc{}, "a refusal for no reason is one"});
        expect_failed(leaf, "connection_refused");
    }
    {
        LeafUnderTest leaf;
        leaf.asked().breaks(1);
        expect_failed(leaf, "connection_reset");
    }
    {
        LeafUnderTest leaf;
        leaf.asked().advance(kWaitingDeadAfter);  // a root that has frozen
        expect_failed(leaf, "timed_out");
    }
    {
        LeafUnderTest leaf;
        leaf.joining().hears(1, Farewell{std::errc::connection_aborted});
        expect_failed(leaf, "connection_aborted");
    }
    {
        LeafUnderTest leaf;
        leaf.joining().hears(1, Farewell{});
        expect_failed(leaf, "connection_reset");
    }
}

// M11: the root defers for longer than the leaf has patience.
TEST(Leaf, GivesUpWhenNoAnswerComesAlthoughTheRootLives) {
    LeafUnderTest leaf;
    leaf.asked();
    for (int i = 0; i < 29; ++i) {
        leaf.hears(1, KeepAlive{});
        leaf.advance(1s);
        EXPECT_THAT(leaf.did(), ElementsAre("1: KeepAlive"));
    }
    leaf.advance(1s);
    EXPECT_THAT(leaf.did(), ElementsAre("1: Farewell timed_out", "1: hang up", "joined timed_out"));
    EXPECT_TRUE(leaf.holds_nothing());
}

// M25: whatever was joined is left again.
TEST(Leaf, AJoinThatFailsAfterAdmissionLeavesTheGroup) {
    {
        LeafUnderTest leaf;
        leaf.joining().group_joined(error(std::errc::network_down));
        EXPECT_THAT(leaf.did(), ElementsAre("1: Refuse network_down", "1: hang up", "leave",
                                            "joined network_down"));
        EXPECT_TRUE(leaf.holds_nothing());
    }
    {
        LeafUnderTest leaf;
        leaf.joining().breaks(1);
        EXPECT_THAT(leaf.did(), ElementsAre("leave", "joined connection_reset"));
        leaf.group_joined();  // the report leaves after all
        EXPECT_THAT(leaf.did(), IsEmpty());
    }
    {
        LeafUnderTest leaf;
        leaf.joining();
        while (leaf.leaf.is_pending()) {
            leaf.hears(1, KeepAlive{});
            leaf.advance(500ms);
        }
        auto did = leaf.did();
        std::erase(did, "1: KeepAlive");
        EXPECT_THAT(
            did, ElementsAre("1: Farewell timed_out", "1: hang up", "leave", "joined timed_out"));
        EXPECT_EQ(leaf.now - kStart, 30s);
    }
}

// M11: closing cancels, at every stage, with one event.
TEST(Leaf, ClosingCancelsAPendingJoin) {
    {
        LeafUnderTest leaf;
        leaf.dialing().leaf.close(leaf.now, leaf.actions);
        EXPECT_THAT(leaf.did(), ElementsAre("1: hang up", "joined operation_canceled"));
        EXPECT_TRUE(leaf.holds_nothing());
        leaf.connected(1);
        leaf.leaf.close(leaf.now, leaf.actions);
        EXPECT_THAT(leaf.did(), IsEmpty());  // and nothing more
    }
    {
        LeafUnderTest leaf;
        leaf.asked().leaf.close(leaf.now, leaf.actions);
        EXPECT_THAT(leaf.did(),
                    ElementsAre("1: Farewell ok", "1: hang up", "joined operation_canceled"));
        EXPECT_TRUE(leaf.holds_nothing());
    }
    {
        LeafUnderTest leaf;
        leaf.joining().leaf.close(leaf.now, leaf.actions);
        EXPECT_THAT(leaf.did(), ElementsAre("1: Farewell ok", "1: hang up", "leave",
                                            "joined operation_canceled"));
        EXPECT_TRUE(leaf.holds_nothing());
        EXPECT_EQ(leaf.request(2), failure(std::errc::not_a_socket));
    }
}

// M12
TEST(Leaf, OneJoinAtATimeAndNoneOnceConnected) {
    LeafUnderTest leaf;
    leaf.request(1);
    EXPECT_EQ(leaf.request(2), failure(std::errc::connection_already_in_progress));
    leaf.connected(1);
    EXPECT_EQ(leaf.request(2), failure(std::errc::connection_already_in_progress));
    leaf.hears(1, admit_message());
    EXPECT_EQ(leaf.request(2), failure(std::errc::connection_already_in_progress));
    leaf.group_joined();
    leaf.did();
    EXPECT_EQ(leaf.request(2), failure(std::errc::already_connected));
    EXPECT_THAT(leaf.did(), IsEmpty());
    EXPECT_TRUE(leaf.leaf.is_connected());
}

// M14
TEST(Leaf, CallerDataTooLongSendsNothing) {
    LeafUnderTest leaf;
    EXPECT_EQ(leaf.request(1, {.caller_data = UserData(kMaxUserData + 1)}),
              failure(std::errc::message_size));
    EXPECT_THAT(leaf.did(), IsEmpty());
    EXPECT_TRUE(leaf.request(1, {.caller_data = UserData(kMaxUserData)}));
}

TEST(Leaf, ARequestToAnUnusableAddressSendsNothing) {
    LeafUnderTest leaf;
    for (const Ipv4Address address :
         {Ipv4Address(), Ipv4Address(239, 1, 1, 1), Ipv4Address(255, 255, 255, 255)}) {
        EXPECT_EQ(leaf.leaf.request(line(1), {address}, {}, leaf.now, leaf.actions),
                  failure(std::errc::address_not_available));
    }
    EXPECT_THAT(leaf.did(), IsEmpty());
}

// M15: the offer is held against the demand here too.
TEST(Leaf, AnOfferOfLessThanWasAskedIsRefused) {
    LeafUnderTest leaf;
    leaf.request(1, {.to_root = {.bits_per_second = 1000}});
    leaf.connected(1);
    leaf.did();
    Admit admit = admit_message();
    admit.offer.to_root = {.bits_per_second = 999};
    leaf.hears(1, admit);
    EXPECT_THAT(leaf.did(), ElementsAre("1: Refuse operation_not_supported", "1: hang up",
                                        "joined operation_not_supported"));
    EXPECT_TRUE(leaf.holds_nothing());
}

TEST(Leaf, AnOfferThatNobodyCouldActUponIsRefused) {
    Admit no_root = admit_message();
    no_root.offer.root_address = Ipv4Address();
    Admit nonrooted = admit_message();
    nonrooted.offer.scheme = kAnySource;
    // Copies of everybody's data for everybody are nobody's to make.
    Admit copied = admit_message();
    copied.offer.scheme = kRootedControl;
    copied.offer.fan_out = FanOut::replicate;
    for (const Admit& admit : {admit_message(0ms), admit_message(99ms), admit_message(-1ms),
                               admit_message(3'600'001ms), no_root, nonrooted, copied}) {
        LeafUnderTest leaf;
        leaf.asked().hears(1, admit);
        EXPECT_THAT(leaf.did(),
                    ElementsAre("1: Refuse protocol_error", "1: hang up", "joined protocol_error"));
        EXPECT_TRUE(leaf.holds_nothing());
    }
}

// M3: with a nonrooted data plane there is no root address to name.
TEST(Leaf, ANonrootedDataPlaneNeedsNoRootAddress) {
    Admit admit = admit_message();
    admit.offer.scheme.data = Plane::nonrooted;
    admit.offer.root_address = Ipv4Address();
    AdmissionLeafOptions options = leaf_options();
    options.data_plane = Plane::nonrooted;
    LeafUnderTest leaf(options);
    leaf.asked().hears(1, admit);
    EXPECT_THAT(leaf.did(), ElementsAre("join 232.1.1.1"));
}

// M3: opened for the one data plane, offered the other. The root, which has let it in, is told.
TEST(Leaf, AnOfferOfTheOtherDataPlaneIsRefused) {
    for (const Plane own : {Plane::rooted, Plane::nonrooted}) {
        AdmissionLeafOptions options = leaf_options();
        options.data_plane = own;
        Admit admit = admit_message();
        admit.offer.scheme.data = own == Plane::rooted ? Plane::nonrooted : Plane::rooted;
        LeafUnderTest leaf(options);
        leaf.asked().hears(1, admit);
        EXPECT_THAT(leaf.did(), ElementsAre("1: Refuse operation_not_supported", "1: hang up",
                                            "joined operation_not_supported"));
        EXPECT_TRUE(leaf.holds_nothing());
    }
    RootUnderTest root;
    root.admitted(1);
    root.hears(1, Refuse{std::errc::operation_not_supported, "the other plane"});
    EXPECT_THAT(root.did(), ElementsAre("1: hang up", "leaf 1 closed operation_not_supported"));
    EXPECT_TRUE(root.holds_nothing());
}

// M3
TEST(Leaf, MayLeaveTheDataPlaneToTheRoot) {
    for (const Plane offered : {Plane::rooted, Plane::nonrooted}) {
        AdmissionLeafOptions options = leaf_options();
        options.data_plane.reset();
        Admit admit = admit_message();
        admit.offer.scheme.data = offered;
        LeafUnderTest leaf(options);
        leaf.asked().hears(1, admit);
        EXPECT_THAT(leaf.did(), ElementsAre("join 232.1.1.1"));
    }
}

// M6: who it has been admitted by, in the root's own words.
TEST(Leaf, KnowsTheNameOfTheRootThatAdmittedIt) {
    LeafUnderTest leaf;
    Admit admit = admit_message();
    admit.name = "feed";
    leaf.asked().hears(1, admit);
    EXPECT_EQ(leaf.leaf.root().name, "feed");
    EXPECT_EQ(leaf.leaf.root().data_address, kRootData);
    admit.name.resize(kMaxName + 1, 'x');
    LeafUnderTest other;
    other.asked().hears(1, admit);
    EXPECT_THAT(other.did(),
                ElementsAre("1: Refuse message_size", "1: hang up", "joined message_size"));
}

TEST(Leaf, DemandsThatCannotBeSaidAreInvalid) {
    LeafUnderTest leaf;
    for (const FlowSpec& flow :
         {FlowSpec{.datagram_octets = kMaxUdpPayload + 1}, FlowSpec{.latency = kMaxLatency + 1us},
          FlowSpec{.latency = -1us}}) {
        EXPECT_EQ(leaf.request(1, {.from_root = flow}), failure(std::errc::invalid_argument));
        EXPECT_EQ(leaf.request(1, {.to_root = flow}), failure(std::errc::invalid_argument));
    }
    EXPECT_THAT(leaf.did(), IsEmpty());
}

TEST(Options, ThatMakeNoSenseAreRefusedAtOnce) {
    AdmissionLeafOptions leaf = leaf_options();
    leaf.data_address = Ipv4Address();
    EXPECT_THROW(AdmissionLeaf{leaf}, std::system_error);
    EXPECT_THROW(AdmissionListener{{.leaf = leaf}}, std::system_error);
    leaf = leaf_options();
    leaf.name.resize(kMaxName + 1);
    EXPECT_THROW(AdmissionLeaf{leaf}, std::system_error);
    AdmissionRootOptions root = root_options();
    root.dead_after = 99ms;
    EXPECT_THROW(AdmissionRoot{root}, std::system_error);
    root = root_options();
    root.offer.scheme = kSourceSpecific;
    EXPECT_THROW(AdmissionRoot{root}, std::system_error);
    root = root_options();
    root.offer.to_root.datagram_octets = kMaxUdpPayload + 1;
    EXPECT_THROW(AdmissionRoot{root}, std::system_error);
    root = root_options();
    root.offer.root_address = Ipv4Address();
    EXPECT_THROW(AdmissionRoot{root}, std::system_error);
}

}  // namespace
}  // namespace joinleaf::controlplane::test
