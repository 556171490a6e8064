// Sockets without admission on a snooping switch: opening, joining and leaving groups, direction,
// scope and loopback (M1, M2, M7, M8, M22 to M24, M26).
#include <tests/dpdk/prompt_switch.h>
#include <tests/dpdk/sockets_under_test.h>

#include <array>

namespace joinleaf {
namespace {

using namespace test;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr GroupEndpoint kGroup{GroupAddress::of(239, 1, 1, 1), UdpPort::of(5000)};
constexpr GroupEndpoint kChannel{GroupAddress::of(232, 1, 1, 1), UdpPort::of(5000)};
constexpr Ipv4Address kFirst(10, 9, 0, 1);

class Nonrooted : public testing::Test {
protected:
    struct Member {
        Receiver receiver;
        Socket socket;
    };
    Member open(std::size_t port, Scheme scheme = kAnySource, DataRole role = DataRole::leaf) {
        Member member{.receiver = runtime.open_receiver({.port = port}).value()};
        member.socket = runtime
                            .open({.scheme = scheme,
                                   .data_role = role,
                                   .port = port,
                                   .receiver = &member.receiver})
                            .value();
        return member;
    }
    /// The next report that the port has not been asked for yet.
    app::SeenReport report_from(std::size_t port) {
        return network->report_from(port, seen_[port]++, 5s).value();
    }

    static constexpr std::array<std::string_view, 2> kWires{"group-one", "group-two"};
    PromptSwitch network{kWires};
    Runtime runtime = Runtime::start(quiet({port("ring:group-one", 1), port("ring:group-two", 2)}));
    EventQueue events = runtime.open_event_queue();

private:
    std::array<std::size_t, 2> seen_{};
};

// M2: what can be enumerated can be opened, a root only where its plane is rooted.
TEST_F(Nonrooted, M1_EveryCombinationOfRolesOpensWhereItsPlaneIsRooted) {
    for (const auto& info : schemes()) {
        for (const auto control : {ControlRole::root, ControlRole::leaf}) {
            for (const auto data : {DataRole::root, DataRole::leaf}) {
                SocketOptions options{
                    .scheme = info.scheme, .control_role = control, .data_role = data};
                if (info.scheme.data == Plane::rooted) {
                    options.admission.session.group = kChannel;
                }
                const bool fits =
                    (control == ControlRole::leaf || info.scheme.control == Plane::rooted) &&
                    (data == DataRole::leaf || info.scheme.data == Plane::rooted);
                const auto socket = runtime.open(options);
                EXPECT_EQ(error_of(socket), fits
                                                ? std::error_code()
                                                : std::make_error_code(std::errc::invalid_argument))
                    << info.name;
            }
        }
    }
}

TEST_F(Nonrooted, M7_ConnectedAtTheTimeOfTheBurstThatTookTheReport) {
    Member leaf = open(0);
    ASSERT_TRUE(leaf.socket.select(events));
    ASSERT_TRUE(leaf.socket.set_nonblocking(true));
    const Instant called = Instant::clock::now();
    ASSERT_TRUE(leaf.socket.join_leaf(kGroup));
    const auto connected = events.wait(5s);
    ASSERT_TRUE(connected);
    EXPECT_EQ(connected->type, EventType::connect);
    EXPECT_FALSE(connected->error);
    EXPECT_EQ(connected->at, leaf.socket.connected_at().value());
    const auto report = report_from(0);
    ASSERT_EQ(report.report.records.size(), 1U);
    EXPECT_EQ(report.report.records[0].group, kGroup.group);
    EXPECT_GE(connected->at, called);
    EXPECT_LE(connected->at, report.at);
}

// M13: listening is for rooted control planes.
TEST_F(Nonrooted, M12_OneGroupForASocketThatDoesNotListen) {
    Member leaf = open(0);
    EXPECT_TRUE(leaf.socket.join_leaf(kGroup));
    EXPECT_EQ(error_of(leaf.socket.join_leaf(kGroup)), std::errc::already_connected);
    Member channel = open(0);
    EXPECT_EQ(error_of(channel.socket.join_leaf(kChannel)), std::errc::invalid_argument);
    EXPECT_EQ(error_of(channel.socket.listen(free_endpoint())), std::errc::operation_not_supported);
    EXPECT_EQ(error_of(channel.socket.join_leaf(free_endpoint())), std::errc::invalid_argument);
}

TEST_F(Nonrooted, M8_ASenderOnlyTellsTheNetworkNothingAndReceivesNothing) {
    Member sender_only = open(0);
    Member member = open(1);
    ASSERT_TRUE(member.socket.join_leaf(kGroup));
    ASSERT_TRUE(sender_only.socket.join_leaf(kGroup, {.direction = Direction::sender_only}));
    EXPECT_EQ(network->reports_from(0), 0U);
    auto from_member = member.socket.sender();
    auto from_sender = sender_only.socket.sender();
    ASSERT_TRUE(from_member && from_sender);
    send(*from_sender, "out");
    EXPECT_EQ(receive(member.receiver), "out");
    send(*from_member, "not for who only sends");
    EXPECT_TRUE(is_silent(sender_only.receiver));

    Member receiver_only = open(0);
    ASSERT_TRUE(receiver_only.socket.join_leaf(kGroup, {.direction = Direction::receiver_only}));
    EXPECT_EQ(error_of(receiver_only.socket.sender()), std::errc::not_connected);
}

TEST_F(Nonrooted, M22_AnyMembersDataReachesAllOthersAndMayComeFromOutside) {
    Member one = open(0);
    Member two = open(1);
    Member outsider = open(0);
    ASSERT_TRUE(one.socket.join_leaf(kGroup));
    ASSERT_TRUE(two.socket.join_leaf(kGroup));
    ASSERT_TRUE(outsider.socket.join_leaf(kGroup, {.direction = Direction::sender_only}));
    auto from_one = one.socket.sender();
    auto from_two = two.socket.sender();
    auto from_outside = outsider.socket.sender();
    ASSERT_TRUE(from_one && from_two && from_outside);
    send(*from_one, "one");
    EXPECT_EQ(receive(two.receiver), "one");
    send(*from_two, "two");
    EXPECT_EQ(receive(one.receiver), "two");
    send(*from_outside, "outside");
    EXPECT_EQ(receive(two.receiver), "outside");
}

// M3: source-specific multicast is the cell with nonrooted control and rooted data.
TEST_F(Nonrooted, M20_AChannelsSourceReachesItsLeavesAndNobodyElseDoes) {
    Member source = open(0, kSourceSpecific, DataRole::root);
    ASSERT_TRUE(source.socket.join_leaf(kChannel, {.direction = Direction::sender_only}));
    Member leaf = open(1, kSourceSpecific);
    ASSERT_TRUE(leaf.socket.join_leaf(kChannel, {.direction = Direction::receiver_only,
                                                 .sources = SourceFilter::only({kFirst})}));
    auto sender = source.socket.sender();
    ASSERT_TRUE(sender);
    send(*sender, "from the source");
    EXPECT_EQ(receive(leaf.receiver), "from the source");
    ASSERT_TRUE(leaf.socket.set_sources(SourceFilter::only({Ipv4Address(10, 9, 0, 77)})));
    send(*sender, "from no source any more");
    EXPECT_TRUE(is_silent(leaf.receiver));
}

TEST_F(Nonrooted, M23_AScopeOfZeroIsThisHostOnly) {
    Member sender = open(0);
    Member same_host = open(0);
    Member other_host = open(1);
    for (auto* member : {&sender, &same_host, &other_host}) {
        ASSERT_TRUE(member->socket.join_leaf(kGroup));
    }
    ASSERT_TRUE(sender.socket.set_scope(0));
    auto out = sender.socket.sender();
    ASSERT_TRUE(out);
    send(*out, "stay here");
    EXPECT_EQ(receive(same_host.receiver), "stay here");
    EXPECT_TRUE(is_silent(other_host.receiver));
    ASSERT_TRUE(sender.socket.set_scope(1));
    send(*out, "go out");
    EXPECT_EQ(receive(other_host.receiver), "go out");
}

TEST_F(Nonrooted, M24_LoopbackIsWhetherASocketHearsItself) {
    Member member = open(0);
    ASSERT_TRUE(member.socket.join_leaf(kGroup));
    auto out = member.socket.sender();
    ASSERT_TRUE(out);
    send(*out, "unheard");
    EXPECT_TRUE(is_silent(member.receiver));
    ASSERT_TRUE(member.socket.set_loopback(true));
    send(*out, "heard");
    EXPECT_EQ(receive(member.receiver), "heard");
    EXPECT_EQ(error_of(open(0, kSourceSpecific).socket.set_loopback(true)),
              std::errc::operation_not_supported);
}

TEST_F(Nonrooted, M26_ClosingLeavesTheGroup) {
    Member leaf = open(0);
    ASSERT_TRUE(leaf.socket.join_leaf(kGroup));
    ASSERT_EQ(report_from(0).report.records[0].type, igmp::RecordType::to_exclude);
    leaf.socket.close();
    ASSERT_TRUE(eventually([&] {
        const auto report = network->report_from(0, network->reports_from(0) - 1, 1s);
        return report->report.records[0].type == igmp::RecordType::to_include;
    }));
    EXPECT_THAT(runtime.status().memberships, IsEmpty());
}

}  // namespace
}  // namespace joinleaf
