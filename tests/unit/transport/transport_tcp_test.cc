// The transport over plain TCP: connections, messages, ends, and each limit by itself.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <tests/unit/transport/transport_under_test.h>

namespace joinleaf::controlplane::test_support {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class Tcp : public TransportTest {
protected:
    /// A root that listens, with options of its own.
    Station& root(AdmissionTransportOptions options = {}) {
        root_ = std::make_unique<Station>(io_, std::move(options));
        at_ = listen(*root_);
        return *root_;
    }
    /// Connects from the leaf and lets it say its first words.
    ConnectionId join(Station& leaf) {
        const ConnectionId id = leaf.dial(at_);
        const std::size_t before = root_->received.size();
        EXPECT_TRUE(run_until(
            [&] { return !leaf.connected.empty() && leaf.connected.back().first == id; }));
        EXPECT_TRUE(leaf->send(id, test::a_request()));
        EXPECT_TRUE(run_until([&] { return root_->received.size() > before; }));
        return id;
    }
    bool run_until_over(const RawSocket& stranger) {
        return run_until([&] { return stranger.is_over(); });
    }

    std::unique_ptr<Station> root_;
    ControlEndpoint at_;
};

TEST_F(Tcp, ARequestAndItsAnswer) {
    Station& root = this->root();
    Station leaf(io_, {});
    const ConnectionId id = join(leaf);
    ASSERT_THAT(root.incoming, SizeIs(1));
    EXPECT_EQ(root.incoming[0].second.endpoint.address, Ipv4Address(127, 0, 0, 1));
    EXPECT_EQ(root.incoming[0].second.identity, "");
    EXPECT_EQ(leaf.connected[0].second.endpoint, at_);
    const ConnectionId at_root = root.incoming[0].first;
    EXPECT_THAT(root.received, ElementsAre(Pair(at_root, AdmissionMessage(test::a_request()))));

    ASSERT_TRUE(root->send(at_root, test::an_admission()));
    ASSERT_TRUE(run_until([&] { return !leaf.received.empty(); }));
    EXPECT_THAT(leaf.received, ElementsAre(Pair(id, AdmissionMessage(test::an_admission()))));
    // And nothing more.
    EXPECT_THAT(root.disconnected, IsEmpty());
    EXPECT_THAT(leaf.disconnected, IsEmpty());
    EXPECT_EQ(root->half_open_count(), 0u);
    EXPECT_EQ(root->counters().established, 1u);
}

TEST_F(Tcp, NothingIsToldOfAConnectionThatHasSaidNothing) {
    Station& root = this->root();
    {
        const RawSocket silent(at_);
        ASSERT_TRUE(run_until([&] { return root->half_open_count() == 1; }));
    }
    ASSERT_TRUE(run_until([&] { return root->half_open_count() == 0; }));
    EXPECT_THAT(root.incoming, IsEmpty());
    EXPECT_THAT(root.disconnected, IsEmpty());
    EXPECT_EQ(root->counters().half_open_gave_up, 1u);
    EXPECT_EQ(root->connection_count(), 0u);
}

TEST_F(Tcp, NobodyListens) {
    Station leaf(io_, {});
    const ConnectionId id = leaf.dial(free_endpoint());
    EXPECT_THAT(leaf.connect_failed, IsEmpty());  // never from inside the call
    ASSERT_TRUE(run_until([&] { return !leaf.connect_failed.empty(); }));
    EXPECT_THAT(leaf.connect_failed, ElementsAre(Pair(id, std::errc::connection_refused)));
    EXPECT_EQ(leaf->connection_count(), 0u);
}

TEST_F(Tcp, AnAddressThatIsNotOursCannotBeDialedFromOrListenedOn) {
    Station leaf(io_, {.dial_from = Ipv4Address(192, 0, 2, 1)});
    leaf.dial(free_endpoint());
    ASSERT_TRUE(run_until([&] { return !leaf.connect_failed.empty(); }));
    EXPECT_EQ(leaf.connect_failed[0].second, std::errc::address_not_available);
    EXPECT_EQ(leaf->listen({Ipv4Address(192, 0, 2, 1), UdpPort::of(7000)}).error(),
              std::make_error_code(std::errc::address_not_available));
}

TEST_F(Tcp, APortThatIsTaken) {
    this->root();
    Station second(io_, {});
    EXPECT_EQ(second->listen(at_).error(), std::make_error_code(std::errc::address_in_use));
}

TEST_F(Tcp, WhoDoesNotAnswerTimesOut) {
    // A listener whose queue is full answers no more: its kernel drops the SYN.
    Station& root = this->root();
    Station leaf(io_, {.connect_within = 300ms});
    root->stop_listening();
    const int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(at_.address.value());
    own.sin_port = htons(at_.port.value());
    const int on = 1;
    setsockopt(full, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ASSERT_EQ(bind(full, reinterpret_cast<const sockaddr*>(&own), sizeof own), 0);
    ASSERT_EQ(::listen(full, 0), 0);
    const RawSocket only(at_);
    ASSERT_TRUE(only.is_connected());
    const ConnectionId id = leaf.dial(at_);
    ASSERT_TRUE(run_until([&] { return !leaf.connect_failed.empty(); }));
    EXPECT_THAT(leaf.connect_failed, ElementsAre(Pair(id, std::errc::timed_out)));
    EXPECT_EQ(leaf->connection_count(), 0u);
    close(full);
}

TEST_F(Tcp, WhoClosesInGoodOrderAndWhoBreaksOff) {
    Station& root = this->root();
    {
        const RawSocket polite(at_);
        polite.write(request_frame());
        ASSERT_TRUE(run_until([&] { return root.received.size() == 1; }));
        polite.half_close();
        ASSERT_TRUE(run_until([&] { return root.disconnected.size() == 1; }));
    }
    EXPECT_EQ(root.disconnected[0].second, std::errc{});
    {
        const RawSocket broken(at_);
        broken.write(request_frame());
        ASSERT_TRUE(run_until([&] { return root.received.size() == 2; }));
        root->send(root.incoming[1].first, KeepAlive{});
        run_for(20ms);
        // Closed with a KeepAlive unread: the kernel resets the connection.
    }
    ASSERT_TRUE(run_until([&] { return root.disconnected.size() == 2; }));
    EXPECT_EQ(root.disconnected[1].second, std::errc::connection_reset);
    {
        const RawSocket halfway(at_);
        halfway.write(request_frame());
        halfway.write(std::string_view("\0\0\0\7abc", 7));
        halfway.half_close();
        ASSERT_TRUE(run_until([&] { return root.disconnected.size() == 3; }));
    }
    EXPECT_EQ(root.disconnected[2].second, std::errc::connection_reset);
    EXPECT_EQ(root->connection_count(), 0u);
}

// Said before the end, heard before the end.
TEST_F(Tcp, WhatWasSaidBeforeAHalfCloseIsHeardAndMayBeAnswered) {
    Station& root = this->root();
    root.on_message = [&](ConnectionId id, const AdmissionMessage&) {
        root->send(id, Refuse{.text = "no"});
        root->hang_up(id);
    };
    const RawSocket leaf(at_);
    leaf.write(request_frame());
    leaf.half_close();
    ASSERT_TRUE(run_until([&] { return root->connection_count() == 0 && !root.received.empty(); }));
    EXPECT_EQ(leaf.read(), encode_frame(Refuse{.text = "no"}).value());
    EXPECT_TRUE(leaf.is_over());
    EXPECT_THAT(root.disconnected, IsEmpty());
}

TEST_F(Tcp, HangUpWritesWhatIsQueuedAndTellsNothingMore) {
    Station& root = this->root();
    Station leaf(io_, {});
    const ConnectionId id = join(leaf);
    const ConnectionId at_root = root.incoming[0].first;
    constexpr std::size_t kMany = 40;
    for (std::size_t i = 0; i < kMany; ++i) {
        root->send(at_root, SideTalk{.data = UserData(kMaxUserData, std::byte{7})});
    }
    root->send(at_root, Farewell{.reason = std::errc::connection_aborted});
    root->hang_up(at_root);
    root->send(at_root, KeepAlive{});  // too late: not sent
    ASSERT_TRUE(run_until([&] { return !leaf.disconnected.empty(); }));
    ASSERT_THAT(leaf.received, SizeIs(kMany + 1));
    EXPECT_EQ(leaf.received.back().second,
              AdmissionMessage(Farewell{.reason = std::errc::connection_aborted}));
    EXPECT_THAT(leaf.disconnected, ElementsAre(Pair(id, std::errc{})));
    ASSERT_TRUE(run_until([&] { return root->connection_count() == 0; }));
    EXPECT_THAT(root.disconnected, IsEmpty());
    EXPECT_EQ(root->counters().linger_cut, 0u);
}

TEST_F(Tcp, HangUpOfSomeoneWhoDoesNotReadEndsWithItsDeadline) {
    Station& root = this->root({.max_queued = 8 << 20, .linger = 200ms});
    const RawSocket frozen(at_, Ipv4Address(127, 0, 0, 1), 4096);
    frozen.write(request_frame());
    ASSERT_TRUE(run_until([&] { return !root.incoming.empty(); }));
    const ConnectionId id = root.incoming[0].first;
    for (int i = 0; i < 7000; ++i) {
        root->send(id, SideTalk{.data = UserData(kMaxUserData, std::byte{7})});
    }
    run_for(50ms);
    const Instant before = std::chrono::steady_clock::now();
    root->hang_up(id);
    ASSERT_TRUE(run_until([&] { return root->connection_count() == 0; }));
    EXPECT_GE(std::chrono::steady_clock::now() - before, 190ms);
    EXPECT_EQ(root->counters().linger_cut, 1u);
    EXPECT_THAT(root.disconnected, IsEmpty());
}

TEST_F(Tcp, HangUpOfADialEndsIt) {
    Station& root = this->root();
    Station leaf(io_, {});
    const ConnectionId id = leaf.dial(at_);
    leaf->hang_up(id);
    leaf->hang_up(id);
    run_for(50ms);
    EXPECT_THAT(leaf.connected, IsEmpty());
    EXPECT_THAT(leaf.connect_failed, IsEmpty());
    EXPECT_EQ(leaf->connection_count(), 0u);
    EXPECT_THAT(root.incoming, IsEmpty());
}

TEST_F(Tcp, HangUpFromInsideIncomingKeepsTheMessageBack) {
    Station& root = this->root();
    root.on_incoming = [&](ConnectionId id) { root->hang_up(id); };
    const RawSocket leaf(at_);
    leaf.write(request_frame());
    ASSERT_TRUE(run_until_over(leaf));
    EXPECT_THAT(root.incoming, SizeIs(1));
    EXPECT_THAT(root.received, IsEmpty());
}

TEST_F(Tcp, TheTransportMayBeDestroyedFromInsideAnEvent) {
    Station& root = this->root();
    root.on_message = [&](ConnectionId, const AdmissionMessage&) { root.transport.reset(); };
    const RawSocket leaf(at_);
    auto twice = request_frame();
    const auto again = encode_frame(KeepAlive{}).value();
    twice.insert(twice.end(), again.begin(), again.end());
    leaf.write(twice);
    ASSERT_TRUE(run_until_over(leaf));
    EXPECT_THAT(root.received, SizeIs(1));
}

TEST_F(Tcp, GarbageIsNotTold) {
    Station& root = this->root();
    const RawSocket http(at_);
    http.write("GET / HTTP/1.0\r\n\r\n");
    ASSERT_TRUE(run_until_over(http));
    EXPECT_EQ(root->counters().too_long, 1u);
    const RawSocket noise(at_);
    noise.write(std::string_view("\0\0\0\2\xff\xff", 6));
    ASSERT_TRUE(run_until_over(noise));
    EXPECT_EQ(root->counters().bad_messages, 1u);
    EXPECT_THAT(root.incoming, IsEmpty());
    EXPECT_EQ(root->connection_count(), 0u);
}

TEST_F(Tcp, GarbageOfSomeoneKnownIsAProtocolError) {
    Station& root = this->root();
    const RawSocket leaf(at_);
    leaf.write(request_frame());
    ASSERT_TRUE(run_until([&] { return !root.received.empty(); }));
    leaf.write(std::string_view("\0\0\0\0", 4));
    ASSERT_TRUE(run_until([&] { return !root.disconnected.empty(); }));
    EXPECT_EQ(root.disconnected[0].second, std::errc::protocol_error);
    EXPECT_TRUE(run_until_over(leaf));
}

TEST_F(Tcp, AnotherVersionIsAnsweredInWords) {
    Station& root = this->root();
    const RawSocket newer(at_);
    // JoinRequest{version: 2}
    newer.write(std::string_view("\0\0\0\4\x0a\2\x08\2", 8));
    std::vector<std::byte> answer;
    ASSERT_TRUE(run_until([&] { return !(answer = newer.read()).empty(); }));
    const auto message = decode(std::span(answer).subspan(kFrameHeader));
    ASSERT_TRUE(message);
    EXPECT_EQ(*message, AdmissionMessage(Refuse{.reason = std::errc::protocol_not_supported,
                                                .text = "this side speaks version 1 only"}));
    EXPECT_TRUE(run_until_over(newer));
    EXPECT_EQ(root->counters().wrong_version, 1u);
    EXPECT_THAT(root.incoming, IsEmpty());
}

TEST_F(Tcp, WhatCannotBeReadIsNotSent) {
    Station& root = this->root();
    Station leaf(io_, {});
    join(leaf);
    const auto sent = root->send(root.incoming[0].first, Refuse{.text = "two\nlines"});
    EXPECT_EQ(sent.error(), std::make_error_code(std::errc::invalid_argument));
    EXPECT_EQ(root->counters().unsendable, 1u);
    run_for(20ms);
    EXPECT_THAT(leaf.received, IsEmpty());
    EXPECT_THAT(leaf.disconnected, IsEmpty());
}

TEST_F(Tcp, WhoNeverSpeaksGoesAtTheDeadline) {
    Station& root = this->root({.strangers = {.within = 100ms}});
    const RawSocket silent(at_);
    const RawSocket slow(at_);
    const Instant before = std::chrono::steady_clock::now();
    const auto frame = request_frame();
    std::size_t next = 0;
    // An octet every few milliseconds does not put the deadline off.
    ASSERT_TRUE(run_until([&] {
        if (next < 10) slow.write(std::span(frame).subspan(next++, 1));
        return silent.is_over() && slow.is_over();
    }));
    EXPECT_GE(std::chrono::steady_clock::now() - before, 90ms);
    EXPECT_EQ(root->counters().half_open_too_late, 2u);
    EXPECT_EQ(root->half_open_count(), 0u);
    EXPECT_THAT(root.incoming, IsEmpty());
}

TEST_F(Tcp, TooManyHalfOpenAndTheGreediestPays) {
    Station& root = this->root({.max_half_open = 4});
    const Ipv4Address greedy(127, 0, 0, 66);
    const RawSocket honest(at_, Ipv4Address(127, 0, 0, 7));
    ASSERT_TRUE(run_until([&] { return root->half_open_count() == 1; }));
    std::vector<RawSocket> many;
    for (int i = 0; i < 10; ++i) {
        many.emplace_back(at_, greedy);
        ASSERT_TRUE(
            run_until([&] { return root->counters().accepted == static_cast<unsigned>(2 + i); }));
    }
    EXPECT_EQ(root->half_open_count(), 4u);
    EXPECT_EQ(root->counters().half_open_evicted, 7u);
    for (std::size_t i = 0; i < 7; ++i) EXPECT_TRUE(many[i].is_over()) << i;
    for (std::size_t i = 7; i < 10; ++i) EXPECT_FALSE(many[i].is_over()) << i;
    honest.write(request_frame());
    ASSERT_TRUE(run_until([&] { return !root.received.empty(); }));
}

TEST_F(Tcp, AnAddressThatSpeaksTooOftenIsCutShort) {
    Station& root = this->root({.strangers = {.burst = 2, .per_second = 1}});
    std::vector<RawSocket> leaves;
    for (int i = 0; i < 4; ++i) {
        leaves.emplace_back(at_, Ipv4Address(127, 0, 0, 66));
        leaves.back().write(request_frame());
    }
    const RawSocket honest(at_, Ipv4Address(127, 0, 0, 7));
    honest.write(request_frame());
    ASSERT_TRUE(
        run_until([&] { return root->counters().accepted == 5 && root.incoming.size() == 3; }));
    EXPECT_EQ(root->counters().address_too_fast, 2u);
    EXPECT_TRUE(leaves[2].is_over());
    EXPECT_TRUE(leaves[3].is_over());
    EXPECT_FALSE(honest.is_over());
}

TEST_F(Tcp, TheTotalOfConnections) {
    Station& root = this->root({.max_connections = 3});
    std::vector<RawSocket> leaves;
    for (std::size_t i = 0; i < 2; ++i) {
        leaves.emplace_back(at_);
        leaves.back().write(request_frame());
        ASSERT_TRUE(run_until([&] { return root.incoming.size() == i + 1; }));
    }
    const RawSocket silent(at_);
    ASSERT_TRUE(run_until([&] { return root->half_open_count() == 1; }));
    // A stranger makes room for the next; members do not.
    leaves.emplace_back(at_);
    leaves.back().write(request_frame());
    ASSERT_TRUE(run_until([&] { return root.incoming.size() == 3; }));
    EXPECT_TRUE(silent.is_over());
    const RawSocket late(at_);
    ASSERT_TRUE(run_until_over(late));
    EXPECT_EQ(root->counters().refused_full, 1u);
    // Nor is there room for a dial.
    root.dial(at_);
    ASSERT_TRUE(run_until([&] { return !root.connect_failed.empty(); }));
    EXPECT_EQ(root.connect_failed[0].second, std::errc::no_buffer_space);
    EXPECT_EQ(root->connection_count(), 3u);
    // One goes, one may come.
    leaves.pop_back();
    ASSERT_TRUE(run_until([&] { return root->connection_count() == 2; }));
    const RawSocket next(at_);
    next.write(request_frame());
    ASSERT_TRUE(run_until([&] { return root.incoming.size() == 4; }));
}

TEST_F(Tcp, WhoDoesNotReadIsDisconnected) {
    Station& root = this->root({.max_queued = 16 * 1024});
    const RawSocket frozen(at_, Ipv4Address(127, 0, 0, 1), 4096);
    frozen.write(request_frame());
    ASSERT_TRUE(run_until([&] { return !root.incoming.empty(); }));
    const ConnectionId id = root.incoming[0].first;
    for (int i = 0; i < 20000 && root.disconnected.empty(); ++i) {
        root->send(id, SideTalk{.data = UserData(kMaxUserData, std::byte{7})});
        EXPECT_THAT(root.disconnected, IsEmpty());  // never from inside the call
        io_.restart();
        io_.poll();
    }
    EXPECT_THAT(root.disconnected, ElementsAre(Pair(id, std::errc::no_buffer_space)));
    EXPECT_EQ(root->counters().slow_readers, 1u);
    EXPECT_EQ(root->connection_count(), 0u);
}

TEST_F(Tcp, AMessageLongerThanTheLimitIsNotTakenIn) {
    Station& root = this->root({.max_message = 64});
    const RawSocket leaf(at_);
    leaf.write(request_frame());
    ASSERT_TRUE(run_until([&] { return !root.received.empty(); }));
    leaf.write(encode_frame(SideTalk{.data = UserData(65)}).value());
    ASSERT_TRUE(run_until([&] { return !root.disconnected.empty(); }));
    EXPECT_EQ(root.disconnected[0].second, std::errc::protocol_error);
    EXPECT_EQ(root->counters().too_long, 1u);
}

TEST_F(Tcp, WithoutDescriptorsItWaitsAndGoesOn) {
    Station& root = this->root({.accept_pause = 20ms});
    const RawSocket first(at_);
    first.write(request_frame());
    ASSERT_TRUE(run_until([&] { return root.incoming.size() == 1; }));
    // All descriptors but those of the strangers below are used up, whatever else is open.
    std::vector<RawSocket> strangers;
    strangers.reserve(3);
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    std::vector<int> used;
    rlimit few = before;
    few.rlim_cur = 200;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int d; (d = dup(0)) >= 0;) used.push_back(d);
    for (int i = 0; i < 2; ++i) {
        close(used.back());
        used.pop_back();
    }
    strangers.emplace_back(at_);
    strangers.emplace_back(at_);
    ASSERT_TRUE(strangers[0].is_connected() && strangers[1].is_connected());
    strangers[1].write(request_frame());
    ASSERT_TRUE(run_until([&] { return root->counters().out_of_files > 0; }));
    EXPECT_TRUE(run_until([&] { return strangers[0].is_over(); }));  // with the spare descriptor
    for (const int d : used) close(d);
    setrlimit(RLIMIT_NOFILE, &before);
    const RawSocket later(at_);
    later.write(request_frame());
    EXPECT_TRUE(run_until([&] { return root.incoming.size() >= 2; }));
    EXPECT_FALSE(first.is_over());
    EXPECT_LT(root->counters().out_of_files, 100u);  // it paused
}

TEST_F(Tcp, ListeningForOthersWithoutTlsIsSaidOnceAndLoudly) {
    Station station(io_, {});
    listen(station);
    EXPECT_THAT(station.warnings, IsEmpty());
    listen(station, Ipv4Address());
    EXPECT_THAT(station.warnings,
                ElementsAre(AllOf(HasSubstr("0.0.0.0:"), HasSubstr("without TLS"))));
}

TEST_F(Tcp, StopListening) {
    Station& root = this->root();
    Station leaf(io_, {});
    join(leaf);
    const RawSocket silent(at_);
    ASSERT_TRUE(run_until([&] { return root->half_open_count() == 1; }));
    root->stop_listening();
    EXPECT_EQ(root->half_open_count(), 0u);
    EXPECT_TRUE(silent.is_over());
    leaf.dial(at_);
    ASSERT_TRUE(run_until([&] { return !leaf.connect_failed.empty(); }));
    EXPECT_EQ(leaf.connect_failed[0].second, std::errc::connection_refused);
    EXPECT_THAT(leaf.disconnected, IsEmpty());
    // And listens again.
    ASSERT_TRUE(root->listen(at_));
    leaf.dial(at_);
    EXPECT_TRUE(run_until([&] { return leaf.connected.size() == 2; }));
}

// Many leaves come, talk, and go at random; each hears what was said to it and to no other.
TEST_F(Tcp, NumbersAreNeverMixedAndNeverUsedAgain) {
    Station& root = this->root({.strangers = {.burst = 100'000, .per_second = 100'000}});
    root.on_message = [&](ConnectionId id, const AdmissionMessage& message) {
        root->send(id, Refuse{.text = std::get<JoinRequest>(message).name});
        root->hang_up(id);
    };
    Station leaf(io_, {});
    leaf.on_connected = [&](ConnectionId id) {
        auto request = test::a_request();
        request.name = std::to_string(static_cast<std::uint64_t>(id));
        leaf->send(id, request);
    };
    constexpr std::size_t kRounds = 500;
    for (std::size_t i = 0; i < kRounds; ++i) {
        leaf.dial(at_);
        io_.restart();
        io_.poll();
    }
    ASSERT_TRUE(run_until([&] { return leaf.disconnected.size() == kRounds; }));
    ASSERT_THAT(leaf.received, SizeIs(kRounds));
    for (const auto& [id, message] : leaf.received) {
        EXPECT_EQ(std::get<Refuse>(message).text, std::to_string(static_cast<std::uint64_t>(id)));
    }
    std::set<ConnectionId> numbers;
    for (const auto& [id, peer] : root.incoming) numbers.insert(id);
    EXPECT_THAT(numbers, SizeIs(kRounds));
    ASSERT_TRUE(run_until([&] { return root->connection_count() == 0; }));
    EXPECT_EQ(leaf->connection_count(), 0u);
}

}  // namespace
}  // namespace joinleaf::controlplane::test_support
