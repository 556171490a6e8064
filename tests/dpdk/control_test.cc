// What the port itself answers: ARP, echo and IGMP queries; and that a flood of them harms no data.
#include <net/arp.h>
#include <net/icmp.h>

#include <thread>

#include "tests/dpdk/on_the_wire.h"

namespace joinleaf::test {
namespace {

using igmp::RecordType;
using testing::ElementsAre;

const JoinOptions kListen{.direction = Direction::receiver_only};

class Answering : public OnTheWire {
protected:
    std::optional<Heard> echo_reply() {
        return network_.hear_until([](const Heard& heard) { return is_echo(heard.bytes); });
    }
};

TEST_F(Answering, AnArpRequestForItsAddress) {
    start();
    network_.send(arp_request(kOwnAddress, MacAddress::broadcast()));
    const auto heard =
        network_.hear_until([this](const Heard& frame) { return arp_in(frame.bytes).has_value(); });
    ASSERT_TRUE(heard);
    const auto answer = arp_in(heard->bytes);
    EXPECT_EQ(answer->operation, net::ArpOperation::reply);
    EXPECT_EQ(answer->sender_mac, mac());
    EXPECT_EQ(answer->sender_address, kOwnAddress);
    EXPECT_EQ(answer->target_mac, kPeerMac);
}

TEST_F(Answering, NoArpForOthersOrFromOtherVlans) {
    start();
    network_.send(arp_request(kPeerAddress, MacAddress::broadcast()));
    network_.send(arp_request(kOwnAddress, MacAddress::broadcast(), {.outer = 5}));
    EXPECT_FALSE(network_.hear_until([](const Heard&) { return true; }, 50ms));
}

TEST_F(Answering, AnEchoOfAnySizeUpToTheMtu) {
    start();
    for (const std::size_t size : {0u, 1u, 56u, 1472u}) {
        Bytes data(size);
        for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::byte>(i);
        network_.send(echo_request(data));
        const auto heard = echo_reply();
        ASSERT_TRUE(heard) << size;
        const auto ip = net::parse_ipv4(net::parse_ethernet(heard->bytes)->payload);
        const auto echo = net::parse_icmp_echo(ip->payload);
        ASSERT_TRUE(echo);
        EXPECT_EQ(echo->type, net::IcmpEchoType::reply);
        EXPECT_TRUE(std::equal(echo->data.begin(), echo->data.end(), data.begin(), data.end()));
        EXPECT_EQ(ip->header.destination, kPeerAddress);
    }
}

// A request larger than the port may answer, in two buffers: no answer, no harm.
TEST_F(Answering, NoEchoLargerThanTheMtu) {
    start();
    const Bytes data(1900);
    network_.send_in_segments(echo_request(data), {100});
    network_.send_in_segments(echo_request(Bytes(100)), {42, 43});
    const auto heard = echo_reply();
    ASSERT_TRUE(heard);
    EXPECT_LT(heard->bytes.size(), 200u);
}

// RFC 9776 §5.2: within the time the query allows.
TEST_F(Answering, AGeneralQuery) {
    start([](RuntimeOptions& options) { options.ports[0].robustness = 1; });
    auto queue = open_receiver();
    auto one = join(kEndpoint, {.receiver = &queue}, kListen);
    auto two = join(
        {GroupAddress::of(232, 1, 2, 3), UdpPort::of(5000)}, {.receiver = &queue},
        {.direction = Direction::receiver_only, .sources = SourceFilter::only({kPeerAddress})});
    static_cast<void>(network_.hear());
    const Instant asked = std::chrono::steady_clock::now();
    network_.send(query_frame({.max_response_time = igmp::Deciseconds(3), .robustness = 1}));
    const auto heard =
        network_.hear_until([](const Heard& frame) { return report_in(frame.bytes).has_value(); });
    ASSERT_TRUE(heard);
    EXPECT_LE(heard->at - asked, 300ms + 50ms);
    EXPECT_TRUE(reports(heard->bytes, RecordType::is_exclude, kGroup));
    EXPECT_TRUE(reports(heard->bytes, RecordType::is_include, GroupAddress::of(232, 1, 2, 3)));
    const auto querier = runtime().status().ports[0].querier;
    EXPECT_TRUE(querier.heard);
    EXPECT_EQ(querier.version, 3);
    EXPECT_EQ(querier.address, Ipv4Address(10, 0, 0, 254));
}

TEST_F(Answering, AGroupSpecificQueryAboutThatGroupAlone) {
    start([](RuntimeOptions& options) { options.ports[0].robustness = 1; });
    auto queue = open_receiver();
    auto one = join(kEndpoint, {.receiver = &queue}, kListen);
    auto two = join(nth_endpoint(1), {.receiver = &queue}, kListen);
    static_cast<void>(network_.hear());
    network_.send(
        query_frame({.group = kGroup, .max_response_time = igmp::Deciseconds(1), .robustness = 1}));
    const auto heard =
        network_.hear_until([](const Heard& frame) { return report_in(frame.bytes).has_value(); });
    ASSERT_TRUE(heard);
    EXPECT_EQ(report_in(heard->bytes)->records.size(), 1u);
    EXPECT_TRUE(reports(heard->bytes, RecordType::is_exclude, kGroup));
    network_.send(
        query_frame({.group = nth_endpoint(9).group, .max_response_time = igmp::Deciseconds(1)}));
    EXPECT_FALSE(network_.hear_until([](const Heard&) { return true; }, 200ms));
}

// A flood of queries takes nothing away from the data, and draws no flood of answers.
TEST_F(Answering, AFloodOfQueriesLosesNoData) {
    start([](RuntimeOptions& options) { options.ports[0].robustness = 1; });
    auto queue = open_receiver(4096);
    auto socket = join(kEndpoint, {.receiver = &queue}, kListen);
    static_cast<void>(network_.hear());
    const auto query = query_frame({.max_response_time = igmp::Deciseconds(1), .robustness = 1});
    constexpr std::uint64_t kQueries = 10000;
    constexpr std::size_t kDatagrams = 1000;
    for (std::uint64_t i = 0; i < kQueries; ++i) {
        network_.send(query);
        if (i % (kQueries / kDatagrams) == 0) network_.send(frame_of());
    }
    EXPECT_EQ(take(queue, kDatagrams).size(), kDatagrams);
    std::this_thread::sleep_for(200ms);
    std::size_t answers = 0;
    for (const auto& heard : network_.hear()) answers += igmp_in(heard.bytes) ? 1 : 0;
    EXPECT_GE(answers, 1u);
    EXPECT_LE(answers, 100u);
    const auto after = counters();
    EXPECT_EQ(after.received, kQueries + kDatagrams);
    EXPECT_EQ(after.delivered, kDatagrams);
}

class Link : public Answering {};

TEST_F(Link, WithoutALinkAJoinIsNetworkDown) {
    start();
    auto queue = open_receiver();
    auto socket = open({.receiver = &queue});
    set_link(false);
    EXPECT_EQ(error_of(socket.join_leaf(kEndpoint, kListen)),
              std::make_error_code(std::errc::network_down));
    set_link(true);
    EXPECT_TRUE(socket.join_leaf(kEndpoint, kListen));
}

// SCR-20: when the link is back, memberships are told again, and the address is announced.
TEST_F(Link, MembershipsAreToldAgainWhenItIsBack) {
    start([](RuntimeOptions& options) { options.ports[0].robustness = 1; });
    auto queue = open_receiver();
    auto socket = join(kEndpoint, {.receiver = &queue}, kListen);
    static_cast<void>(network_.hear());
    set_link(false);
    set_link(true);
    bool announced = false;
    EXPECT_TRUE(network_.hear_until([&](const Heard& frame) {
        announced = announced || arp_in(frame.bytes).has_value();
        return reports(frame.bytes, RecordType::to_exclude, kGroup);
    }));
    EXPECT_TRUE(announced || network_.hear_until([this](const Heard& frame) {
        return arp_in(frame.bytes).has_value();
    }));
    network_.send(frame_of());
    EXPECT_EQ(take(queue, 1).size(), 1u);
}

// A join whose report has not left when the link goes fails; nobody waits for a cable.
TEST_F(Link, AJoinUnderWayFailsWhenItGoes) {
    start();
    auto queue = open_receiver();
    auto events = runtime().open_event_queue();
    auto socket = open({.receiver = &queue});
    ASSERT_TRUE(socket.set_nonblocking(true));
    ASSERT_TRUE(socket.select(events));
    network_.stop_listening();
    ASSERT_TRUE(socket.join_leaf(kEndpoint, kListen));
    set_link(false);
    const auto event = events.wait(3s);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->error, std::make_error_code(std::errc::network_down));
    EXPECT_FALSE(events.wait(20ms));
    static_cast<void>(network_.hear());
    set_link(true);
    ASSERT_TRUE(socket.join_leaf(kEndpoint, kListen));
    EXPECT_FALSE(events.wait(3s)->error);
}

}  // namespace
}  // namespace joinleaf::test
