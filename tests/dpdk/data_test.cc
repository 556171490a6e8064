// Who gets what is sent, and how far it goes: M20, M22, M23, M24, and the sources of each socket.
#include <net/udp.h>

#include <set>

#include "tests/dpdk/on_the_wire.h"

namespace joinleaf::test {
namespace {

using igmp::RecordType;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kChannel = GroupAddress::of(232, 1, 2, 3);
constexpr GroupEndpoint kChannelEndpoint{kChannel, UdpPort::of(5000)};
constexpr Ipv4Address kStranger(10, 0, 0, 77);

/// A datagram as the wire saw it.
struct Sent {
    std::string text;
    Ipv4Address source;
    Ipv4Address destination;
    unsigned ttl = 0;
};

class Data : public OnTheWire {
protected:
    /// A member with a queue of its own.
    struct Member {
        Receiver receiver;
        Socket socket;
        Sender sender;
        std::vector<std::string> got(std::size_t n) { return take(receiver, n); }
    };
    Member member(SocketOptions options = {}, GroupEndpoint endpoint = kEndpoint,
                  const JoinOptions& how = {}) {
        Member made{open_receiver(), {}, {}};
        options.receiver = &made.receiver;
        made.socket = join(endpoint, options, how);
        if (auto sender = made.socket.sender()) made.sender = std::move(*sender);
        return made;
    }
    /// The datagrams that the network hears until one says `last`; each must be in good order.
    std::vector<Sent> heard_until(std::string_view last) {
        std::vector<Sent> all;
        EXPECT_TRUE(eventually([&] {
            for (const auto& heard : network_.hear()) {
                if (auto sent = datagram_in(heard.bytes)) all.push_back(std::move(*sent));
            }
            return !all.empty() && all.back().text == last;
        }));
        return all;
    }
    std::optional<Sent> datagram_in(const Bytes& frame) {
        const auto ethernet = net::parse_ethernet(frame);
        if (!ethernet || ethernet->ethertype != net::ethertype::kIpv4) return std::nullopt;
        const auto ip = net::parse_ipv4(ethernet->payload);
        if (!ip || ip->header.protocol != net::ip_protocol::kUdp) return std::nullopt;
        const auto udp = net::parse_udp(ip->header, ip->payload);
        EXPECT_TRUE(udp) << "a malformed datagram";
        if (!udp) return std::nullopt;
        EXPECT_EQ(ethernet->header.source, mac());
        EXPECT_EQ(ethernet->header.destination,
                  MacAddress::of_group(GroupAddress::from(ip->header.destination).value()));
        EXPECT_EQ(udp->header.destination_port, 5000);
        return Sent{{reinterpret_cast<const char*>(udp->payload.data()), udp->payload.size()},
                    ip->header.source,
                    ip->header.destination,
                    ip->header.ttl};
    }
    void send_from(Ipv4Address source, std::string_view text) {
        network_.send(frame_of({.source = source, .payload = bytes_of_text(text)}));
    }
};

// M22: what any member sends reaches every other, on the wire and on this host.
TEST_F(Data, OfAMemberReachesEveryOtherMember) {
    start();
    auto a = member();
    auto b = member();
    auto c = member();
    publish(a.sender, "from a");
    EXPECT_THAT(b.got(1), ElementsAre("from a"));
    EXPECT_THAT(c.got(1), ElementsAre("from a"));
    publish(b.sender, "from b");
    EXPECT_THAT(a.got(1), ElementsAre("from b"));  // and not its own
    EXPECT_THAT(c.got(1), ElementsAre("from b"));
    const auto sent = heard_until("from b");
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].source, kOwnAddress);
    EXPECT_EQ(sent[0].destination, kGroup.address());
    EXPECT_EQ(sent[0].ttl, 1u);  // M23: the default
}

// M22: and it may come from anybody.
TEST_F(Data, OfANonMemberReachesEveryMember) {
    start();
    auto a = member();
    auto b = member();
    send_from(kStranger, "from outside");
    EXPECT_THAT(a.got(1), ElementsAre("from outside"));
    EXPECT_THAT(b.got(1), ElementsAre("from outside"));
}

TEST_F(Data, ForAnotherGroupOrPortReachesNobody) {
    start();
    auto a = member();
    auto other_port = member({}, {kGroup, UdpPort::of(5001)});
    auto other_group = member({}, nth_endpoint(1));
    send_from(kStranger, "for a");
    EXPECT_THAT(a.got(1), ElementsAre("for a"));
    EXPECT_THAT(other_port.got(0), IsEmpty());
    EXPECT_THAT(other_group.got(0), IsEmpty());
}

// M20, in the rooted data plane that needs no admission: the root's data reaches every leaf.
TEST_F(Data, OfARootReachesEveryLeaf) {
    start();
    const JoinOptions from_here{.sources = SourceFilter::only({kOwnAddress})};
    auto one = member({.scheme = kSourceSpecific}, kChannelEndpoint, from_here);
    auto two = member({.scheme = kSourceSpecific}, kChannelEndpoint, from_here);
    auto elsewhere = member({.scheme = kSourceSpecific}, kChannelEndpoint,
                            {.sources = SourceFilter::only({kPeerAddress})});
    auto root = member({.scheme = kSourceSpecific, .data_role = DataRole::root}, kChannelEndpoint);
    publish(root.sender, "news");
    EXPECT_THAT(one.got(1), ElementsAre("news"));
    EXPECT_THAT(two.got(1), ElementsAre("news"));
    EXPECT_EQ(heard_until("news").size(), 1u);
    EXPECT_THAT(elsewhere.got(0), IsEmpty());
    EXPECT_FALSE(one.socket.sender());  // M3: a leaf only receives
}

// M23: 0 stays on this host, n crosses n-1 routers; changed while it runs.
TEST_F(Data, GoesAsFarAsItsScope) {
    start();
    auto a = member();
    auto b = member();
    const auto send = [&](std::uint8_t scope, std::string_view text) {
        ASSERT_TRUE(a.socket.set_scope(scope));
        publish(a.sender, text);
        EXPECT_THAT(b.got(1), ElementsAre(text));
    };
    send(0, "stays here");
    send(1, "one");
    send(64, "far");
    send(0, "stays here again");
    send(255, "last");
    const auto sent = heard_until("last");
    ASSERT_EQ(sent.size(), 3u);
    EXPECT_EQ(sent[0].text, "one");
    EXPECT_EQ(sent[0].ttl, 1u);
    EXPECT_EQ(sent[1].ttl, 64u);
    EXPECT_EQ(sent[2].ttl, 255u);
    EXPECT_TRUE(eventually([&] { return a.sender.in_flight() == 0; }));
}

// M23: nothing that is handed over after set_scope(0) has returned is ever on the wire.
TEST_F(Data, AScopeHoldsFromTheMomentItIsSet) {
    start([](RuntimeOptions& options) { options.idle_sleep = 0us; });
    auto a = member();
    for (int i = 0; i < 500; ++i) {
        ASSERT_TRUE(a.socket.set_scope(0));
        publish(a.sender, "stays");
        ASSERT_TRUE(eventually([&] { return a.sender.in_flight() == 0; }));
        ASSERT_TRUE(a.socket.set_scope(1));
        publish(a.sender, "goes");
        ASSERT_TRUE(eventually([&] { return a.sender.in_flight() == 0; }));
    }
    const auto sent = heard_until("goes");
    EXPECT_EQ(sent.size(), 500u);
    for (const auto& each : sent) ASSERT_EQ(each.text, "goes");
}

TEST_F(Data, TheScopeMayBeSetBeforeTheJoin) {
    start();
    auto receiver = open_receiver();
    auto socket = open({.receiver = &receiver});
    ASSERT_TRUE(socket.set_scope(7));
    ASSERT_TRUE(socket.join_leaf(kEndpoint));
    auto sender = socket.sender();
    ASSERT_TRUE(sender);
    publish(*sender, "far");
    EXPECT_EQ(heard_until("far").back().ttl, 7u);
}

// M24: whether a d_leaf hears itself; off by default, changed while it runs, for itself alone.
TEST_F(Data, LoopbackIsForTheSocketItself) {
    start();
    auto a = member();
    auto b = member();
    publish(a.sender, "off");
    EXPECT_THAT(b.got(1), ElementsAre("off"));
    ASSERT_TRUE(a.socket.set_loopback(true));
    publish(a.sender, "on");
    EXPECT_THAT(a.got(1), ElementsAre("on"));
    publish(b.sender, "of b");
    EXPECT_THAT(a.got(1), ElementsAre("of b"));
    ASSERT_TRUE(a.socket.set_loopback(false));
    publish(a.sender, "off again");
    EXPECT_THAT(b.got(2), ElementsAre("on", "off again"));
    EXPECT_THAT(a.got(0), IsEmpty());
}

TEST_F(Data, LoopbackAndScopeZeroTogether) {
    start();
    auto a = member();
    ASSERT_TRUE(a.socket.set_loopback(true));
    ASSERT_TRUE(a.socket.set_scope(0));
    publish(a.sender, "to myself");
    EXPECT_THAT(a.got(1), ElementsAre("to myself"));
    ASSERT_TRUE(a.socket.set_scope(1));
    publish(a.sender, "out");
    EXPECT_EQ(heard_until("out").size(), 1u);
}

// M24 is about a nonrooted data plane.
TEST_F(Data, LoopbackInARootedDataPlaneIsNotSupported) {
    start();
    auto root = open({.scheme = kSourceSpecific, .data_role = DataRole::root});
    EXPECT_EQ(error_of(root.set_loopback(true)),
              std::make_error_code(std::errc::operation_not_supported));
}

// Each socket has its own sources, whatever others of the group want.
TEST_F(Data, EachSocketHasItsOwnSources) {
    start();
    auto any = member();
    auto only = member({}, kEndpoint, {.sources = SourceFilter::only({kPeerAddress})});
    auto all_but =
        member({}, kEndpoint, {.sources = SourceFilter(FilterMode::exclude, {kPeerAddress})});
    send_from(kPeerAddress, "peer");
    send_from(kStranger, "stranger");
    EXPECT_THAT(any.got(2), ElementsAre("peer", "stranger"));
    EXPECT_THAT(only.got(1), ElementsAre("peer"));
    EXPECT_THAT(all_but.got(1), ElementsAre("stranger"));
    EXPECT_EQ(drops(DropReason::source_filtered), 0u);  // somebody wanted each
    std::uint64_t filtered = 0;
    for (const auto& status : runtime().status().memberships) filtered += status.source_filtered;
    EXPECT_EQ(filtered, 2u);
}

TEST_F(Data, WhatNobodyWantsOfAGroupIsCountedOnce) {
    start();
    auto one = member({}, kEndpoint, {.sources = SourceFilter::only({kPeerAddress})});
    auto two = member({}, kEndpoint, {.sources = SourceFilter::only({kPeerAddress})});
    send_from(kStranger, "stranger");
    EXPECT_TRUE(eventually([&] { return drops(DropReason::source_filtered) == 1; }));
    send_from(kPeerAddress, "peer");
    EXPECT_THAT(one.got(1), ElementsAre("peer"));
    EXPECT_THAT(two.got(1), ElementsAre("peer"));
    EXPECT_EQ(drops(DropReason::source_filtered), 1u);
}

// RFC 9776 §2: takes effect on delivery and is told to the querier.
TEST_F(Data, SourcesMayChangeWhileItRuns) {
    start();
    auto one = member({}, kEndpoint, {.sources = SourceFilter::only({kPeerAddress})});
    send_from(kPeerAddress, "peer");
    EXPECT_THAT(one.got(1), ElementsAre("peer"));
    static_cast<void>(network_.hear());
    ASSERT_TRUE(one.socket.set_sources(SourceFilter::only({kStranger})));
    EXPECT_TRUE(network_.hear_until([](const Heard& heard) {
        return reports(heard.bytes, RecordType::allow, kGroup) &&
               reports(heard.bytes, RecordType::block, kGroup);
    }));
    send_from(kPeerAddress, "peer again");
    send_from(kStranger, "stranger");
    EXPECT_THAT(one.got(1), ElementsAre("stranger"));
    ASSERT_TRUE(one.socket.set_sources(SourceFilter::any()));
    EXPECT_TRUE(network_.hear_until(
        [](const Heard& heard) { return reports(heard.bytes, RecordType::to_exclude, kGroup); }));
    send_from(kPeerAddress, "peer once more");
    EXPECT_THAT(one.got(1), ElementsAre("peer once more"));
    EXPECT_EQ(error_of(one.socket.set_sources(SourceFilter::nothing())),
              std::make_error_code(std::errc::invalid_argument));
    EXPECT_EQ(error_of(one.socket.set_sources(SourceFilter::only({kGroup.address()}))),
              std::make_error_code(std::errc::invalid_argument));
}

// The same datagram to several sockets costs a reference each, and no copy.
TEST_F(Data, ForSeveralSocketsLiesInOneBuffer) {
    start();
    auto shared = open_receiver();
    std::vector<Member> members;
    for (int i = 0; i < 3; ++i) members.push_back(member());
    auto fourth = join(kEndpoint, {.cookie = 4, .receiver = &shared});
    auto fifth = join(kEndpoint, {.cookie = 5, .receiver = &shared});
    send_from(kStranger, "one for all");
    std::set<const std::byte*> where;
    std::set<std::uint64_t> cookies;
    Datagram datagram[1];
    for (auto& each : members) {
        ASSERT_TRUE(eventually([&] { return each.receiver.receive(datagram) == 1; }));
        EXPECT_EQ(datagram[0].socket(), each.socket.id());
        EXPECT_EQ(text_of(datagram[0]), "one for all");
        where.insert(datagram[0].bytes().data());
        each.receiver.release(datagram);
    }
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(eventually([&] { return shared.receive(datagram) == 1; }));
        where.insert(datagram[0].bytes().data());
        cookies.insert(datagram[0].cookie());
        shared.release(datagram);
    }
    EXPECT_EQ(where.size(), 1u);
    EXPECT_EQ(cookies, (std::set<std::uint64_t>{4, 5}));
    EXPECT_TRUE(eventually([&] { return network_.pool().in_use() == 0; }));
}

// What the wire and members on this host get is one buffer as well.
TEST_F(Data, SentLiesInOneBufferForTheWireAndForMembersHere) {
    start();
    auto a = member();
    auto b = member();
    publish(a.sender, "one for all");
    const auto heard = network_.hear_until(
        [this](const Heard& frame) { return datagram_in(frame.bytes).has_value(); });
    ASSERT_TRUE(heard);
    Datagram datagram[1];
    ASSERT_TRUE(eventually([&] { return b.receiver.receive(datagram) == 1; }));
    EXPECT_EQ(datagram[0].bytes().data(), heard->start + 42);
    EXPECT_EQ(datagram[0].source(), kOwnAddress);
    b.receiver.release(datagram);
}

TEST_F(Data, StatusTellsWhatEachMembershipGot) {
    start();
    auto a = member();
    send_from(kStranger, "x");
    EXPECT_THAT(a.got(1), ElementsAre("x"));
    const auto all = runtime().status().memberships;
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].group, kEndpoint);
    EXPECT_EQ(all[0].delivered, 1u);
    EXPECT_EQ(all[0].connected_at, a.socket.connected_at().value());
    EXPECT_TRUE(all[0].first_datagram_at);
    EXPECT_EQ(all[0].first_datagram_at, all[0].last_datagram_at);
    EXPECT_GE(*all[0].first_datagram_at, *all[0].connected_at);
}

}  // namespace
}  // namespace joinleaf::test
