// Who is let in and who is not, who is told of it, and what keeps an admission alive.
#include <tests/dpdk/sockets_under_test.h>
#include <tests/support/certificates.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace joinleaf {
namespace {

using namespace test;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kKey7 =
    "desk-7:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
constexpr std::string_view kKey8 =
    "desk-8:101112131415161718191a1b1c1d1e1f000102030405060708090a0b0c0d0e0f\n";

class RootedAdmission : public Rooted {
protected:
    /// Tells of refusals in `told`.
    SocketOptions telling_options() {
        SocketOptions options = root_options();
        options.admission.refused = [this](const Peer& peer, std::string_view why) {
            const std::lock_guard lock(mutex);
            told.push_back(peer.name + ": " + std::string(why));
        };
        return options;
    }
    Socket open_named_leaf(std::string name, std::string psk = {}) {
        SocketOptions options{.scheme = kRootedRooted, .port = 1, .receiver = &leaf_receiver};
        options.admission.name = std::move(name);
        options.admission.tls.psk = std::move(psk);
        auto leaf = runtime.open(options);
        EXPECT_TRUE(leaf) << leaf.error().message();
        return *leaf;
    }
    Socket ask(std::string name) {
        Socket leaf = open_named_leaf(std::move(name));
        EXPECT_TRUE(leaf.select(events));
        EXPECT_TRUE(leaf.set_nonblocking(true));
        EXPECT_TRUE(leaf.join_leaf(root_at));
        return leaf;
    }
    std::vector<std::string> who_was_told() {
        const std::lock_guard lock(mutex);
        return told;
    }
    AdmissionStatus status() { return runtime.status().admissions.at(0); }
    std::uint64_t refused(RefusalReason reason) {
        return status().refused[static_cast<std::size_t>(reason)];
    }
    std::error_code join(std::string name, std::string psk = {}) {
        return error_of(open_named_leaf(std::move(name), std::move(psk)).join_leaf(root_at));
    }

    const TemporaryFolder folder;
    std::mutex mutex;
    std::vector<std::string> told;
};

// ---- Refusals ----

TEST_F(RootedAdmission, M16_WhomThePolicyDoesNotLetInAnyMoreIsRefusedAtAccept) {
    SocketOptions options = telling_options();
    options.admission.policy = folder.write("policy.toml", "default = 'allow'\nmax_leaves = 1");
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at));
    ASSERT_TRUE(root.set_nonblocking(true));
    Socket first = ask("first");
    ASSERT_TRUE(next(EventType::accept));
    Socket second = ask("second");
    ASSERT_TRUE(next(EventType::accept));
    Socket at_root = root.accept().value();
    EXPECT_EQ(error_of(root.accept()), std::errc::connection_refused);
    EXPECT_EQ(error_of(root.accept()), std::errc::operation_would_block);
    for (int i = 0; i < 3; ++i) {  // the leaves' two, and that of the socket that stands for one
        const auto event = next(EventType::connect);
        ASSERT_TRUE(event);
        EXPECT_EQ(event->error, event->socket == second.id()
                                    ? std::make_error_code(std::errc::connection_refused)
                                    : std::error_code());
    }
    EXPECT_THAT(who_was_told(),
                ElementsAre("second: there are 1 leaves, as many as the policy lets in"));
    EXPECT_EQ(refused(RefusalReason::full), 1U);
    // And who asks now is not even asked about.
    EXPECT_EQ(join("third"), std::errc::connection_refused);
    EXPECT_EQ(error_of(root.accept()), std::errc::operation_would_block);
    EXPECT_EQ(refused(RefusalReason::full), 2U);
    at_root.close();
    Socket fourth = ask("fourth");
    ASSERT_TRUE(next(EventType::accept));
    EXPECT_TRUE(root.accept());
}

TEST_F(RootedAdmission, M19_WhoIsPastTheBacklogOrTheLimitIsToldToTheRootsProgram) {
    SocketOptions options = telling_options();
    options.admission.max_leaves = 2;
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at, 1));
    ASSERT_TRUE(root.set_nonblocking(true));
    Socket first = ask("first");
    ASSERT_TRUE(next(EventType::accept));
    EXPECT_EQ(join("past the backlog"), std::errc::connection_refused);
    Socket at_root = root.accept().value();
    Socket second = ask("second");
    ASSERT_TRUE(next(EventType::accept));
    Socket other = root.accept().value();
    EXPECT_EQ(join("past the limit"), std::errc::connection_refused);
    EXPECT_THAT(who_was_told(),
                ElementsAre("past the backlog: as many as the backlog allows wait to be accepted",
                            "past the limit: there are as many leaves as this root takes"));
    EXPECT_EQ(refused(RefusalReason::backlog), 1U);
    EXPECT_EQ(refused(RefusalReason::full), 1U);
    EXPECT_EQ(refused(RefusalReason::policy), 0U);
}

TEST_F(RootedAdmission, TheStatusCountsWhoIsThereAndWhoHasBeen) {
    SocketOptions options = telling_options();
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at));
    EXPECT_EQ(status().socket, static_cast<std::uint32_t>(root.id()));
    EXPECT_EQ(status().group, options.admission.session.group);
    auto [leaf, at_root] = let_in(root, open_leaf());
    EXPECT_EQ(status().members, 1U);
    EXPECT_EQ(status().joining, 0U);
    leaf.close();
    EXPECT_TRUE(eventually([&] { return status().left == 1; }));
    let_in(root, open_leaf()).at_root.close();
    EXPECT_TRUE(eventually([&] { return status().expelled == 1; }));
    Socket waiting = ask("waiting");
    EXPECT_TRUE(eventually([&] { return status().pending == 1; }));
    EXPECT_EQ(error_of(root.accept([](const PendingJoin&) {
                  return Answer{Verdict::reject, {}};
              })),
              std::errc::connection_refused);
    EXPECT_THAT(who_was_told(), IsEmpty());  // the application knows
    const auto now = status();
    EXPECT_EQ(now.members, 0U);
    EXPECT_EQ(now.admitted, 2U);
    EXPECT_EQ(now.admitted, now.members + now.left + now.expelled + now.lost);
    EXPECT_THAT(now.refused, ElementsAre(0U, 0U, 0U, 0U, 0U, 1U));
    root.close();
    EXPECT_THAT(runtime.status().admissions, IsEmpty());
}

// ---- Who is on the other end ----

TEST_F(RootedAdmission, M6_ALeafThatAskedKnowsTheRootsName) {
    SocketOptions options = root_options();
    options.admission.name = "feed";
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at));
    const auto member = let_in(root, open_leaf());
    EXPECT_EQ(member.leaf.peer().value().name, "feed");
    EXPECT_EQ(member.leaf.peer().value().endpoint, root_at);
    EXPECT_EQ(member.leaf.peer().value().data_address, Ipv4Address(10, 9, 0, 1));
}

TEST_F(RootedAdmission, ANameThatCannotBeSaidIsInvalid) {
    for (const auto& name : {std::string("two\nlines"), std::string(256, 'x')}) {
        SocketOptions options = root_options();
        options.admission.name = name;
        EXPECT_EQ(error_of(runtime.open(options)), std::errc::invalid_argument);
        options = {.scheme = kRootedRooted, .port = 1, .receiver = &leaf_receiver};
        options.admission.name = name;
        EXPECT_EQ(error_of(runtime.open(options)), std::errc::invalid_argument);
    }
}

// M15: what no message can hold is not asked for, nor offered.
TEST_F(RootedAdmission, AFlowThatCannotBeSaidIsInvalid) {
    EXPECT_EQ(error_of(open_leaf().join_leaf(root_at, {.from_root = {.latency = 2h}})),
              std::errc::invalid_argument);
    SocketOptions options = root_options();
    options.admission.session.from_root.datagram_octets = 70'000;
    EXPECT_EQ(error_of(runtime.open(options)), std::errc::invalid_argument);
}

// ---- Schemes ----

// A leaf that was opened for the one data plane, at a root of the other.
TEST_F(RootedAdmission, M3_ALeafDoesNotTakePartInTheOtherDataPlane) {
    for (const Scheme own : {kRootedRooted, kRootedControl}) {
        const Scheme other = own == kRootedRooted ? kRootedControl : kRootedRooted;
        const auto at = free_endpoint();
        Socket root = open_root(other);
        ASSERT_TRUE(root.listen(at));
        Socket leaf = open_leaf(own);
        auto accepted = accepting(root);
        EXPECT_EQ(error_of(leaf.join_leaf(at)), std::errc::operation_not_supported);
        const auto at_root = accepted.get();  // the root had let it in, and is told
        ASSERT_TRUE(at_root);
        const auto closed = next(EventType::close);
        ASSERT_TRUE(closed);
        EXPECT_EQ(closed->socket, at_root->id());
        EXPECT_EQ(closed->error, std::errc::operation_not_supported);
        EXPECT_EQ(status().members, 0U);
        EXPECT_EQ(status().joining, 0U);

        // An invitation does not even come as far as accept.
        const auto listens_at = free_endpoint();
        Socket listening = open_leaf(own);
        ASSERT_TRUE(listening.listen(listens_at));
        ASSERT_TRUE(listening.set_nonblocking(true));
        EXPECT_EQ(error_of(root.join_leaf(listens_at)), std::errc::operation_not_supported);
        EXPECT_EQ(error_of(listening.accept()), std::errc::operation_would_block);
        EXPECT_EQ(status().joining, 0U);
        for (const auto& membership : runtime.status().memberships) {
            EXPECT_NE(membership.socket, static_cast<std::uint32_t>(leaf.id()));
        }
        leaf.close();
        // M12: it may still join what it was opened for.
        root.close();
    }
}

TEST_F(RootedAdmission, M3_ALeafThatLeavesItToTheRootTakesPartInEither) {
    for (const Scheme scheme : {kRootedRooted, kRootedControl}) {
        const auto at = free_endpoint();
        Socket root = open_root(scheme);
        ASSERT_TRUE(root.listen(at));
        SocketOptions options{.scheme = kRootedRooted, .port = 1, .receiver = &leaf_receiver};
        options.admission.any_data_plane = true;
        Socket leaf = runtime.open(options).value();
        auto accepted = accepting(root);
        ASSERT_TRUE(leaf.join_leaf(at));
        ASSERT_TRUE(accepted.get());
        root.close();
    }
}

// ---- Stalls ----

// The control thread is held up for longer than dead_after; what the leaf says meanwhile waits.
TEST_F(RootedAdmission, M25_AStalledRootReadsBeforeItJudges) {
    std::atomic<bool> hold{false};
    SocketOptions options = root_options();
    options.admission.max_leaves = 1;
    options.admission.refused = [&](const Peer&, std::string_view) {
        while (hold) std::this_thread::sleep_for(1ms);
    };
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at));
    auto accepted = accepting(root);
    const MuteLeaf leaf(root_at);
    Socket at_root = accepted.get().value();
    leaf.say(controlplane::Confirm{});
    ASSERT_TRUE(eventually([&] { return at_root.say({}).has_value(); }));
    hold = true;
    const MuteLeaf one_too_many(root_at);  // whose refusal is told for as long as we like
    for (int i = 0; i < 4; ++i) {
        std::this_thread::sleep_for(250ms);  // twice dead_after in all
        leaf.say(controlplane::KeepAlive{});
    }
    hold = false;
    EXPECT_TRUE(at_root.say(words("still there?")));
    EXPECT_EQ(status().members, 1U);
    // And when it falls silent it is gone.
    const auto closed = next(EventType::close);
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->error, std::errc::timed_out);
}

// ---- Files that are read again ----

TEST_F(RootedAdmission, APolicyReadAgainHoldsForThoseToCome) {
    SocketOptions options = telling_options();
    options.admission.policy = folder.write("policy.toml", "default = 'allow'");
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at));
    auto accepted = accepting(root);
    Socket leaf = open_named_leaf("van");
    ASSERT_TRUE(leaf.join_leaf(root_at));
    Socket at_root = accepted.get().value();
    ASSERT_TRUE(root.set_nonblocking(true));
    Socket waiting = ask("another van");
    ASSERT_TRUE(eventually([&] { return status().pending == 1; }));

    folder.write("policy.toml", "[[rule]]\nname = 'desks'\naction = 'allow'\nleaf = 'desk-*'");
    ASSERT_TRUE(root.reload_admission());
    EXPECT_TRUE(at_root.say(words("you stay")));
    EXPECT_EQ(join("third van"), std::errc::permission_denied);
    EXPECT_EQ(error_of(root.accept()), std::errc::connection_refused);  // who had waited
    EXPECT_THAT(who_was_told(), SizeIs(2));
    EXPECT_EQ(refused(RefusalReason::policy), 2U);
    Socket desk = ask("desk-7");
    EXPECT_TRUE(eventually([&] { return root.accept().has_value(); }));
}

TEST_F(RootedAdmission, AFileWithAnErrorLeavesWhatWasInForce) {
    SocketOptions options = telling_options();
    options.admission.policy = folder.write("policy.toml", "default = 'deny'");
    options.admission.tls.psk = folder.write("keys", kKey7);
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at));
    folder.write("keys", kKey8);  // good, but not without the other
    folder.write("policy.toml", "default = 'perhaps'");
    EXPECT_EQ(error_of(root.reload_admission()), std::errc::invalid_argument);
    const auto key7 = folder.write("key7", kKey7);
    EXPECT_EQ(join("desk", key7), std::errc::permission_denied);
    EXPECT_EQ(refused(RefusalReason::policy), 1U);  // it came as far as the policy
    folder.write("policy.toml", "default = 'allow'");
    ASSERT_TRUE(root.reload_admission());
    EXPECT_EQ(join("desk", key7), std::errc::permission_denied);
    EXPECT_EQ(refused(RefusalReason::policy), 1U);  // TLS has turned it away
    auto accepted = accepting(root);
    EXPECT_EQ(join("desk", folder.write("key8", kKey8)), std::error_code());
    EXPECT_TRUE(accepted.get());
}

TEST_F(RootedAdmission, AnotherPolicyFileIsReadWhereTheFirstHasGone) {
    SocketOptions options = telling_options();
    options.admission.policy = folder.write("policy.toml", "default = 'deny'");
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at));
    EXPECT_EQ(join("desk"), std::errc::permission_denied);
    AdmissionOptions names;
    names.policy = folder.write("moved.toml", "default = 'allow'");
    ASSERT_TRUE(root.reload_admission(names));
    auto accepted = accepting(root);
    EXPECT_EQ(join("desk"), std::error_code());
    EXPECT_TRUE(accepted.get());

    // Whether there is a policy, or TLS, is a matter of opening.
    EXPECT_EQ(error_of(root.reload_admission(AdmissionOptions())),
              std::errc::operation_not_supported);
    names.tls.psk = folder.write("keys", kKey7);
    EXPECT_EQ(error_of(root.reload_admission(names)), std::errc::operation_not_supported);
}

TEST_F(RootedAdmission, ALeafShowsTheKeyThatItHasReadLast) {
    SocketOptions options = root_options();
    options.admission.tls.psk = folder.write("keys", std::string(kKey7));
    Socket root = open_root(options);
    ASSERT_TRUE(root.listen(root_at));
    Socket leaf = open_named_leaf("desk", folder.write("own", kKey8));
    EXPECT_EQ(error_of(leaf.join_leaf(root_at)), std::errc::permission_denied);
    folder.write("own", kKey7);
    EXPECT_EQ(error_of(leaf.join_leaf(root_at)), std::errc::permission_denied);
    ASSERT_TRUE(leaf.reload_admission());
    auto accepted = accepting(root);
    EXPECT_TRUE(leaf.join_leaf(root_at));
    auto at_root = accepted.get();
    ASSERT_TRUE(at_root);
    EXPECT_EQ(at_root->peer().value().identity, "desk-7");
    EXPECT_EQ(error_of(at_root->reload_admission()), std::errc::operation_not_supported);
    leaf.close();
    EXPECT_EQ(error_of(leaf.reload_admission()), std::errc::not_a_socket);
    EXPECT_EQ(error_of(Socket().reload_admission()), std::errc::not_a_socket);
    auto nonrooted = runtime.open({.receiver = &root_receiver});
    EXPECT_EQ(error_of(nonrooted->reload_admission()), std::errc::operation_not_supported);
}

// ---- Listening ----

// The policy goes by a name that an invited leaf has not said when it is called.
TEST_F(RootedAdmission, M5_AnInvitedLeafIsJudgedByItsNameWhenItHasSaidIt) {
    SocketOptions options = telling_options();
    options.admission.policy =
        folder.write("policy.toml", "[[rule]]\nname = 'desks'\naction = 'allow'\nleaf = 'desk-*'");
    Socket root = open_root(options);
    for (const auto* name : {"desk-7", "van"}) {
        const auto at = free_endpoint();
        Socket listening = open_named_leaf(name);
        ASSERT_TRUE(listening.listen(at));
        auto agreed = accepting(listening);
        const auto at_root = root.join_leaf(at);
        const auto member = agreed.get();
        if (std::string_view(name) == "desk-7") {
            EXPECT_TRUE(at_root) << at_root.error().message();
            EXPECT_TRUE(member) << member.error().message();
        } else {
            EXPECT_EQ(error_of(at_root), std::errc::permission_denied);
            EXPECT_EQ(error_of(member), std::errc::permission_denied);
        }
    }
    EXPECT_THAT(who_was_told(), SizeIs(1));
}

TEST_F(RootedAdmission, M13_WhoListensAlreadyListensNowhereElse) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at, 1));
    EXPECT_EQ(error_of(root.listen(free_endpoint(), 1)), std::errc::invalid_argument);
    EXPECT_TRUE(root.listen(root_at, 2));
    Socket leaf = open_leaf();
    ASSERT_TRUE(leaf.listen(leaf_at));
    EXPECT_EQ(error_of(leaf.listen(free_endpoint())), std::errc::invalid_argument);
    EXPECT_TRUE(leaf.listen(leaf_at, 2));
}

// M8: a leaf that has nowhere to put data is invited as a sender.
TEST_F(RootedAdmission, M8_AListeningLeafThatCannotReceiveOnlySends) {
    auto listening = runtime.open({.scheme = kRootedRooted, .port = 1});
    ASSERT_TRUE(listening);
    ASSERT_TRUE(listening->listen(leaf_at));
    Socket root = open_root();
    auto agreed = accepting(*listening);
    const auto at_root = root.join_leaf(leaf_at);
    ASSERT_TRUE(at_root) << at_root.error().message();
    auto member = agreed.get();
    ASSERT_TRUE(member) << member.error().message();
    EXPECT_THAT(runtime.status().memberships, IsEmpty());
    auto from_root = root.sender();
    ASSERT_TRUE(from_root);
    send(*from_root, "to nobody");
    auto from_leaf = member->sender();
    ASSERT_TRUE(from_leaf) << from_leaf.error().message();
    send(*from_leaf, "to the root");
    EXPECT_EQ(receive(root_receiver), "to the root");
}

// M14: callee data are of the join that has completed last.
TEST_F(RootedAdmission, PeerDataAreNotThoseOfAnEarlierSession) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    Socket leaf = open_leaf();
    for (const std::string_view callee : {"welcome", ""}) {
        auto accepted = accepting(root, [callee](const PendingJoin&) {
            return Answer{Verdict::accept, words(callee)};
        });
        ASSERT_TRUE(leaf.join_leaf(root_at));
        EXPECT_EQ(leaf.peer_data().value(), words(callee));
        accepted.get().value().close();
        ASSERT_TRUE(next(EventType::close));
    }
}

// M13: its connections are the listening socket's.
TEST_F(RootedAdmission, WhoWasInvitedDoesNotListen) {
    Socket listening = open_leaf();
    ASSERT_TRUE(listening.listen(leaf_at));
    Socket root = open_root();
    auto agreed = accepting(listening);
    auto at_root = root.join_leaf(leaf_at);
    ASSERT_TRUE(at_root) << at_root.error().message();
    auto member = agreed.get().value();
    at_root->close();
    ASSERT_TRUE(next(EventType::close));
    EXPECT_EQ(error_of(member.listen(free_endpoint())), std::errc::operation_not_supported);
}

// Two threads wait for requests on one socket: none of them waits for ever.
TEST_F(RootedAdmission, M17_EveryoneWhoWaitsInAcceptIsWoken) {
    Socket root = open_root();
    ASSERT_TRUE(root.listen(root_at));
    // The other may have been faster (connection_reset): then it is asked again.
    const auto accept_one = [&] {
        return std::async(std::launch::async, [&] {
            auto accepted = root.accept();
            while (error_of(accepted) == std::errc::connection_reset) accepted = root.accept();
            return accepted;
        });
    };
    auto one = accept_one();
    auto two = accept_one();
    EXPECT_EQ(one.wait_for(50ms), std::future_status::timeout);
    Socket first = ask("first");
    Socket second = ask("second");
    ASSERT_EQ(one.wait_for(5s), std::future_status::ready);
    ASSERT_EQ(two.wait_for(5s), std::future_status::ready);
    EXPECT_TRUE(one.get());
    EXPECT_TRUE(two.get());
    auto three = accepting(root);
    auto four = accepting(root);
    EXPECT_EQ(three.wait_for(50ms), std::future_status::timeout);
    root.close();
    EXPECT_EQ(error_of(three.get()), std::errc::not_a_socket);
    EXPECT_EQ(error_of(four.get()), std::errc::not_a_socket);
}

}  // namespace
}  // namespace joinleaf
