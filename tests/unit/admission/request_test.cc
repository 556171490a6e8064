// A leaf asks to be let in (M6): how the root meets requests, and what it answers (M14 to M19).
#include "tests/unit/admission/under_test.h"

namespace joinleaf::controlplane::test {
namespace {

// M6, M9
TEST(Request, IsPendingThenAdmittedThenConfirmed) {
    RootUnderTest root;
    root.request(1);
    EXPECT_THAT(root.did(), ElementsAre("pending"));
    const auto leaf = root.accept(always(Verdict::accept, "welcome"));
    ASSERT_TRUE(leaf && *leaf);
    EXPECT_THAT(root.did(), ElementsAre("leaf 1 admitted 10.0.0.7", "1: Admit \"welcome\""));
    EXPECT_FALSE(root.root.is_member(**leaf));
    root.hears(1, Confirm{});
    EXPECT_THAT(root.did(), ElementsAre("leaf 1 connected 10.0.0.7"));
    EXPECT_TRUE(root.root.is_member(**leaf));
    ASSERT_EQ(root.root.members().size(), 1U);
    EXPECT_EQ(root.root.members()[0].peer.name, "leaf");
    EXPECT_EQ(root.root.members()[0].peer.data_address, kLeafData);
    EXPECT_THAT(root.did(), IsEmpty());  // and nothing more
}

// M6: what admission hands over.
TEST(Request, AdmitCarriesTheOfferAndWhereTheFeedStandsNow) {
    RootUnderTest root;
    root.request(1);
    root.did();
    root.root.set_first_sequence(4711);
    root.accept();
    ASSERT_EQ(root.actions.size(), 2U);
    const auto& sent = std::get<Admit>(std::get<Transmit>(root.actions[1]).message);
    SessionOffer expected = offer();
    expected.first_sequence = 4711;
    EXPECT_EQ(sent.offer, expected);
    EXPECT_EQ(sent.dead_after, 3s);
    EXPECT_EQ(sent.name, "root");
}

// M16
TEST(Accept, TakesTheOldestFirst) {
    RootUnderTest root;
    root.request(1);
    root.request(2);
    root.request(3);
    root.did();
    root.accept();
    root.accept();
    root.accept();
    EXPECT_THAT(root.did(), ElementsAre("leaf 1 admitted 10.0.0.7", "1: Admit",  //
                                        "leaf 2 admitted 10.0.0.7", "2: Admit",  //
                                        "leaf 3 admitted 10.0.0.7", "3: Admit"));
}

// M16
TEST(Accept, RejectRefusesTheJoiner) {
    RootUnderTest root;
    root.request(1);
    root.did();
    const auto leaf = root.accept(always(Verdict::reject));
    EXPECT_TRUE(leaf && !*leaf);
    EXPECT_THAT(root.did(), ElementsAre("1: Refuse connection_refused", "1: hang up"));
    EXPECT_EQ(root.accept(), failure(std::errc::operation_would_block));
    EXPECT_TRUE(root.holds_nothing());
}

// M16
TEST(Accept, DeferSendsNothingAndKeepsThePlace) {
    RootUnderTest root;
    root.request(1);
    root.request(2);
    root.did();
    const auto leaf = root.accept(always(Verdict::defer));
    EXPECT_TRUE(leaf && !*leaf);
    EXPECT_THAT(root.did(), IsEmpty());
    EXPECT_EQ(root.root.pending_count(), 2U);
    root.accept();  // asks about the same one again
    EXPECT_THAT(root.did(), ElementsAre("leaf 1 admitted 10.0.0.7", "1: Admit"));
    root.accept();
    EXPECT_THAT(root.did(), ElementsAre("leaf 2 admitted 10.0.0.7", "2: Admit"));
}

// M16: the application may think for as long as the joiner shows life.
TEST(Accept, ADeferredRequestMayWaitForAnHour) {
    RootUnderTest root;
    root.request(1);
    root.accept(always(Verdict::defer));
    for (int seconds = 0; seconds < 3600; ++seconds) {
        root.hears(1, KeepAlive{});
        root.advance(1s);
    }
    EXPECT_EQ(root.root.pending_count(), 1U);
    EXPECT_TRUE(root.accept().value());
}

// M17
TEST(Accept, BeforeListenIsInvalid) {
    RootUnderTest root(root_options(), 0);
    EXPECT_EQ(root.accept(), failure(std::errc::invalid_argument));
    EXPECT_THAT(root.did(), IsEmpty());
}

// M17
TEST(Accept, WithNothingPendingWouldBlock) {
    RootUnderTest root;
    EXPECT_EQ(root.accept(), failure(std::errc::operation_would_block));
    root.incoming(1);  // connected, but has not asked
    EXPECT_EQ(root.accept(), failure(std::errc::operation_would_block));
}

// M17
TEST(Accept, OfAWithdrawnRequestIsConnectionResetOnce) {
    RootUnderTest root;
    root.request(1);
    root.request(2);
    root.request(3);
    root.hears(1, Farewell{});
    root.breaks(2);
    EXPECT_THAT(root.did(), ElementsAre("pending", "pending", "pending", "1: hang up"));
    EXPECT_EQ(root.root.pending_count(), 1U);
    EXPECT_EQ(root.accept(), failure(std::errc::connection_reset));
    EXPECT_EQ(root.accept(), failure(std::errc::connection_reset));
    EXPECT_TRUE(root.accept().value());
    EXPECT_THAT(root.did(), ElementsAre("leaf 1 admitted 10.0.0.7", "3: Admit"));
}

// M17
TEST(Accept, OfARequestThatTimedOutIsPermissionDenied) {
    RootUnderTest root;
    root.request(1);
    root.did();
    root.advance(kWaitingDeadAfter);
    EXPECT_THAT(root.did(),
                ElementsAre("1: KeepAlive", "1: KeepAlive", "1: Refuse timed_out", "1: hang up"));
    root.request(2);
    root.hears(2, Farewell{std::errc::timed_out});  // the leaf lost its patience
    EXPECT_EQ(root.accept(), failure(std::errc::permission_denied));
    EXPECT_EQ(root.accept(), failure(std::errc::permission_denied));
    EXPECT_EQ(root.accept(), failure(std::errc::operation_would_block));
    EXPECT_TRUE(root.holds_nothing());
}

// M17: the condition is asked elsewhere, and the request ends while it thinks.
TEST(Accept, AnAnswerToARequestThatEndedMeanwhileAdmitsNobody) {
    RootUnderTest root;
    root.request(1);
    const RequestId first = root.root.oldest_request().value();
    root.breaks(1);
    root.did();
    EXPECT_EQ(root.root.find(first), nullptr);
    EXPECT_EQ(root.root.answer(first, {}, root.now, root.actions),
              failure(std::errc::connection_reset));
    EXPECT_EQ(root.root.answer(first, {}, root.now, root.actions),
              failure(std::errc::connection_reset));  // even its mark is gone
    EXPECT_THAT(root.did(), IsEmpty());
    EXPECT_TRUE(root.holds_nothing());
}

// M17
TEST(Accept, ALeafThatNeverConfirmsIsClosedAndNeverAMember) {
    RootUnderTest root;
    const LeafId leaf = root.admitted(1);
    for (int i = 0; i < 20; ++i) {
        root.hears(1, KeepAlive{});  // it lives, but does not get on
        root.advance(500ms);
        EXPECT_FALSE(root.root.is_member(leaf));
    }
    std::vector<std::string> did = root.did();
    std::erase(did, "1: KeepAlive");
    EXPECT_THAT(did, ElementsAre("1: Farewell timed_out", "1: hang up", "leaf 1 closed timed_out"));
    EXPECT_TRUE(root.holds_nothing());
    root.hears(1, Confirm{});  // too late
    EXPECT_THAT(root.did(), IsEmpty());
}

// M17
TEST(Accept, ALeafThatBreaksBeforeItConfirmsIsClosed) {
    for (const bool says_why : {false, true}) {
        RootUnderTest root;
        root.admitted(1);
        if (says_why) {
            root.hears(1, Refuse{std::errc::network_down, "no link"});
            EXPECT_THAT(root.did(), ElementsAre("1: hang up", "leaf 1 closed network_down"));
        } else {
            root.breaks(1);
            EXPECT_THAT(root.did(), ElementsAre("leaf 1 closed connection_reset"));
        }
        EXPECT_TRUE(root.holds_nothing());
    }
}

// M18, M14
TEST(Condition, SeesWhoAsksWithWhatDataAndWhatDemands) {
    RootUnderTest root;
    root.root.incoming(line(1), {.endpoint = kLeafEndpoint, .identity = "CN=desk-7"}, root.now,
                       root.actions);
    JoinRequest request = join_request();
    request.caller_data = bytes("let me in");
    request.from_root = {.bits_per_second = 1000, .datagram_octets = 200};
    request.to_root = {.bits_per_second = 10};
    root.hears(1, request);
    int asked = 0;
    root.accept([&](const PendingJoin& join) {
        ++asked;
        EXPECT_EQ(join.peer.endpoint, kLeafEndpoint);
        EXPECT_EQ(join.peer.name, "leaf");
        EXPECT_EQ(join.peer.identity, "CN=desk-7");
        EXPECT_EQ(join.peer.data_address, kLeafData);
        EXPECT_EQ(text(join.caller_data), "let me in");
        EXPECT_EQ(join.from_root, request.from_root);
        EXPECT_EQ(join.to_root, request.to_root);
        EXPECT_FALSE(join.offer);
        return Answer{};
    });
    EXPECT_EQ(asked, 1);
}

// M14
TEST(Accept, CalleeDataTooLongIsMessageSizeAndTheRequestStays) {
    RootUnderTest root;
    root.request(1);
    root.did();
    const Condition too_long = [](const PendingJoin&) {
        return Answer{Verdict::accept, UserData(kMaxUserData + 1)};
    };
    EXPECT_EQ(root.accept(too_long), failure(std::errc::message_size));
    EXPECT_THAT(root.did(), IsEmpty());
    EXPECT_EQ(root.root.pending_count(), 1U);
    const Condition just_right = [](const PendingJoin&) {
        return Answer{Verdict::accept, UserData(kMaxUserData, std::byte{'x'})};
    };
    EXPECT_TRUE(root.accept(just_right).value());
}

// M19
TEST(Listen, BacklogOfZeroIsInvalid) {
    RootUnderTest root(root_options(), 0);
    EXPECT_EQ(root.root.listen(0), failure(std::errc::invalid_argument));
    EXPECT_FALSE(root.root.is_listening());
}

// M19
TEST(Listen, OneRequestPastTheBacklogIsRefusedAndCostsNothing) {
    RootUnderTest root(root_options(), 2);
    root.request(1);
    root.request(2);
    root.did();
    for (std::uint64_t n = 3; n < 1000; ++n) {
        root.request(n);
        EXPECT_THAT(root.did(), ElementsAre(std::to_string(n) + ": Refuse connection_refused",
                                            std::to_string(n) + ": hang up", "refused backlog"));
        EXPECT_EQ(root.root.pending_count(), 2U);
        EXPECT_EQ(root.root.silent_count(), 0U);
    }
    root.accept();
    root.did();
    root.request(1000);  // room again
    EXPECT_THAT(root.did(), ElementsAre("pending"));
}

// M19
TEST(Listen, TheMarksOfWithdrawnRequestsDoNotKeepOthersOut) {
    RootUnderTest root(root_options(), 2);
    for (std::uint64_t n = 1; n <= 1000; ++n) {
        root.request(n);
        root.breaks(n);
    }
    root.request(1001);
    root.request(1002);
    EXPECT_EQ(root.root.pending_count(), 2U);
    EXPECT_TRUE(root.accept().value());  // two who wait leave no room for marks
    EXPECT_TRUE(root.accept().value());
    EXPECT_EQ(root.accept(), failure(std::errc::operation_would_block));
}

// M19
TEST(Listen, AgainChangesTheBacklogAndLetsThoseWhoWaitStay) {
    RootUnderTest root(root_options(), 1);
    root.request(1);
    EXPECT_TRUE(root.root.listen(3));
    root.request(2);
    root.request(3);
    EXPECT_TRUE(root.root.listen(1));
    root.did();
    root.request(4);
    EXPECT_THAT(root.did(),
                ElementsAre("4: Refuse connection_refused", "4: hang up", "refused backlog"));
    EXPECT_EQ(root.root.pending_count(), 3U);
}

// M19
TEST(Listen, BeforeItAConnectionIsRefused) {
    RootUnderTest root(root_options(), 0);
    root.incoming(1);
    EXPECT_THAT(root.did(), ElementsAre("1: Refuse connection_refused", "1: hang up"));
    EXPECT_TRUE(root.holds_nothing());
}

TEST(Capacity, LeavesAndRequestsTogetherAreBounded) {
    AdmissionRootOptions options = root_options();
    options.max_leaves = 2;
    RootUnderTest root(options);
    root.member(1);
    root.request(2);
    root.did();
    root.request(3);
    EXPECT_THAT(root.did(),
                ElementsAre("3: Refuse connection_refused", "3: hang up", "refused full"));
    EXPECT_EQ(root.invite(4), failure(std::errc::no_buffer_space));
    EXPECT_TRUE(root.accept().value());
    root.did();
    root.breaks(1);
    root.did();
    root.request(5);
    EXPECT_THAT(root.did(), ElementsAre("pending"));
}

TEST(SilentConnections, AreEndedAfterTheirTime) {
    RootUnderTest root;
    root.incoming(1);
    EXPECT_THAT(root.did(), IsEmpty());
    root.advance(2s);
    EXPECT_THAT(root.did(), ElementsAre("1: Refuse timed_out", "1: hang up"));
    EXPECT_TRUE(root.holds_nothing());
    root.hears(1, join_request());  // too late
    EXPECT_THAT(root.did(), IsEmpty());
}

TEST(SilentConnections, DoNotKeepAnHonestLeafOut) {
    AdmissionRootOptions options = root_options();
    options.max_silent = 4;
    RootUnderTest root(options);
    for (std::uint64_t n = 1; n <= 10'000; ++n) {
        root.incoming(n);
        EXPECT_LE(root.root.silent_count(), 4U);
    }
    root.did();
    root.request(10'001);
    EXPECT_THAT(root.did(),
                ElementsAre("9997: Refuse connection_refused", "9997: hang up", "pending"));
}

// ---- What a leaf demands (M15) ----

// M15
TEST(FlowSpec, ADemandIsMetByAnOfferOfAsMuchOrWithoutLimit) {
    const FlowSpec offered{.bits_per_second = 1000, .datagram_octets = 1400, .latency = 50us};
    EXPECT_TRUE(FlowSpec{}.is_met_by(offered));
    EXPECT_TRUE(FlowSpec{}.is_met_by({}));
    EXPECT_TRUE(offered.is_met_by(offered));
    EXPECT_TRUE((FlowSpec{.bits_per_second = 1000}.is_met_by(offered)));
    EXPECT_FALSE((FlowSpec{.bits_per_second = 1001}.is_met_by(offered)));
    EXPECT_TRUE((FlowSpec{.bits_per_second = 1001}.is_met_by({})));
    EXPECT_FALSE((FlowSpec{.datagram_octets = 1401}.is_met_by(offered)));
    EXPECT_TRUE((FlowSpec{.datagram_octets = 1401}.is_met_by({})));
    EXPECT_TRUE((FlowSpec{.latency = 51us}.is_met_by(offered)));
    EXPECT_FALSE((FlowSpec{.latency = 49us}.is_met_by(offered)));
    EXPECT_FALSE((FlowSpec{.latency = 49us}.is_met_by({})));  // no limit is no promise
}

// M15
TEST(Request, DemandsThatCannotBeMetAreRefusedBeforeTheApplicationSeesThem) {
    AdmissionRootOptions options = root_options();
    options.offer.from_root = {.bits_per_second = 1'000'000};
    options.offer.to_root = {.bits_per_second = 1000};
    RootUnderTest root(options);
    JoinRequest request = join_request();
    request.from_root = {.bits_per_second = 1'000'001};
    root.request(1, request);
    EXPECT_THAT(root.did(),
                ElementsAre("1: Refuse operation_not_supported", "1: hang up", "refused flow"));
    request.from_root = {.bits_per_second = 1'000'000};
    request.to_root = {.bits_per_second = 1001};
    root.request(2, request);
    EXPECT_THAT(root.did(),
                ElementsAre("2: Refuse operation_not_supported", "2: hang up", "refused flow"));
    request.to_root = {.bits_per_second = 1000};
    root.request(3, request);
    EXPECT_THAT(root.did(), ElementsAre("pending"));
}

// ---- Who may ask at all ----

TEST(Screen, TurnsALeafAwayBeforeTheApplicationSeesIt) {
    AdmissionRootOptions options = root_options();
    options.screen = [](const Peer& leaf, const SessionOffer& usual, Acquaintance) -> Screened {
        if (leaf.identity != "CN=desk-7") return tl::unexpected(Denial{});
        return usual;
    };
    RootUnderTest root(options);
    root.request(1);
    EXPECT_THAT(root.did(),
                ElementsAre("1: Refuse permission_denied", "1: hang up", "refused policy"));
    root.root.incoming(line(2), {.endpoint = kLeafEndpoint, .identity = "CN=desk-7"}, root.now,
                       root.actions);
    root.hears(2, join_request());
    EXPECT_THAT(root.did(), ElementsAre("pending"));
}

// M16, M17: others have been let in while it waited.
TEST(Screen, IsAskedAgainWhenALeafIsAccepted) {
    bool is_full = false;
    AdmissionRootOptions options = root_options();
    options.screen = [&](const Peer&, const SessionOffer& usual, Acquaintance) -> Screened {
        if (is_full) return tl::unexpected(Denial{RefusalReason::full, "enough"});
        return usual;
    };
    RootUnderTest root(options);
    root.request(1);
    root.request(2);
    root.did();
    is_full = true;
    EXPECT_EQ(root.accept(), failure(std::errc::connection_refused));
    const auto& told = std::get<Refuse>(std::get<Transmit>(root.actions.at(0)).message);
    EXPECT_EQ(told.text, "the session is full");
    EXPECT_EQ(std::get<LeafRefused>(root.actions.at(2)).why, "enough");
    EXPECT_THAT(root.did(),
                ElementsAre("1: Refuse connection_refused", "1: hang up", "refused full"));
    EXPECT_FALSE(root.accept(always(Verdict::reject)).value());  // who is rejected is not screened
    EXPECT_THAT(root.did(), ElementsAre("2: Refuse connection_refused", "2: hang up"));
    EXPECT_TRUE(root.holds_nothing());
}

TEST(Refusals, AreCountedByReasonAndToldWithWhoAsked) {
    AdmissionRootOptions options = root_options();
    options.max_leaves = 2;
    RootUnderTest root(options, 1);
    root.request(1);
    root.request(2);
    const auto& backlog = std::get<LeafRefused>(root.actions.back());
    EXPECT_EQ(backlog.peer.name, "leaf");
    EXPECT_EQ(backlog.peer.endpoint, kLeafEndpoint);
    EXPECT_FALSE(backlog.why.empty());
    root.accept();
    root.request(3);
    root.accept(always(Verdict::reject));
    root.member(4);
    root.request(5);
    JoinRequest greedy = join_request();
    greedy.from_root.latency = 1us;
    root.root.expel(LeafId{1}, root.actions);
    root.request(6, greedy);
    const RefusalCounts refused = root.root.counters().refused;
    EXPECT_THAT(refused, ElementsAre(0U, 1U, 1U, 0U, 1U, 1U));
}

TEST(Screen, ChoosesTheGroupForALeaf) {
    const GroupEndpoint other{GroupAddress::of(232, 2, 2, 2), UdpPort::of(5002)};
    AdmissionRootOptions options = root_options();
    options.screen = [=](const Peer&, SessionOffer usual, Acquaintance) -> Screened {
        usual.group = other;
        return usual;
    };
    RootUnderTest root(options);
    root.request(1);
    root.did();
    root.accept();
    EXPECT_EQ(std::get<Admit>(std::get<Transmit>(root.actions[1]).message).offer.group, other);
}

TEST(Request, ThatIsNotOneIsRefused) {
    const auto answer_to = [](const AdmissionMessage& first) {
        RootUnderTest root;
        root.incoming(1);
        root.hears(1, first);
        EXPECT_TRUE(root.holds_nothing());
        return root.did();
    };
    const auto refused = [](const char* why) {
        return ElementsAre(std::string("1: Refuse ") + why, "1: hang up");
    };
    EXPECT_THAT(answer_to(Confirm{}), refused("protocol_error"));
    EXPECT_THAT(answer_to(invite_message()), refused("protocol_error"));
    JoinRequest request = join_request();
    request.version = 2;
    EXPECT_THAT(answer_to(request), refused("protocol_not_supported"));
    request = join_request();
    request.caller_data.resize(kMaxUserData + 1);
    EXPECT_THAT(answer_to(request), refused("message_size"));
    request = join_request();
    request.name.resize(kMaxName + 1, 'x');
    EXPECT_THAT(answer_to(request), refused("message_size"));
    request = join_request();
    request.data_address = Ipv4Address();
    EXPECT_THAT(answer_to(request), refused("address_not_available"));
    request.data_address = Ipv4Address(239, 1, 1, 1);
    EXPECT_THAT(answer_to(request), refused("address_not_available"));
}

}  // namespace
}  // namespace joinleaf::controlplane::test
