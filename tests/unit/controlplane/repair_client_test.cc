// Requests and answers over the loopback interface.
#include <arpa/inet.h>
#include <controlplane/repair_client.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace joinleaf::controlplane {
namespace {

using namespace std::chrono_literals;

constexpr Ipv4Address kLoopback(127, 0, 0, 1);

class Peer {
public:
    Peer() : descriptor_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(kLoopback.value());
        socklen_t size = sizeof(at);
        EXPECT_EQ(bind(descriptor_, reinterpret_cast<sockaddr*>(&at), size), 0);
        EXPECT_EQ(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&at), &size), 0);
        port_ = ntohs(at.sin_port);
    }
    ~Peer() { close(descriptor_); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    [[nodiscard]] ControlEndpoint endpoint() const {
        return {kLoopback, UdpPort::from(port_).value()};
    }
    std::vector<std::byte> receive() {
        std::vector<std::byte> bytes(100);
        socklen_t size = sizeof(from);
        const auto n = recvfrom(descriptor_, bytes.data(), bytes.size(), 0,
                                reinterpret_cast<sockaddr*>(&from), &size);
        bytes.resize(static_cast<std::size_t>(n));
        return bytes;
    }
    void send(std::size_t octets, const sockaddr_in& to) const {
        const std::vector<std::byte> bytes(octets, std::byte{7});
        EXPECT_EQ(sendto(descriptor_, bytes.data(), octets, 0,
                         reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
                  static_cast<ssize_t>(octets));
    }

    sockaddr_in from{};

private:
    int descriptor_;
    std::uint16_t port_ = 0;
};

const net::MoldRequest kRequest{net::MoldSession::from("S1").value(), 17, 3};

TEST(RepairClient, SendsWhatIsAskedForAndTakesTheAnswer) {
    Peer server;
    auto client = RepairClient::open(server.endpoint(), Ipv4Address());
    ASSERT_TRUE(client);
    client->send(kRequest);
    EXPECT_EQ(net::parse_mold_request(server.receive()), kRequest);
    std::array<std::byte, 64> out{};
    EXPECT_FALSE(client->receive(out));
    server.send(40, server.from);
    EXPECT_EQ(client->receive(out), 40u);
    EXPECT_EQ(out[39], std::byte{7});
    EXPECT_FALSE(client->receive(out));
    EXPECT_EQ(client->counters().answers, 1u);
}

TEST(RepairClient, StrangersAndAnswersThatAreTooLongAreCounted) {
    Peer server, stranger;
    auto client = RepairClient::open(server.endpoint(), kLoopback);
    ASSERT_TRUE(client);
    client->send(kRequest);
    server.receive();
    stranger.send(40, server.from);
    server.send(65, server.from);
    server.send(64, server.from);
    std::array<std::byte, 64> out{};
    EXPECT_EQ(client->receive(out), 64u);
    EXPECT_EQ(client->counters().strangers, 1u);
    EXPECT_EQ(client->counters().too_long, 1u);
    EXPECT_EQ(client->counters().answers, 2u);
}

TEST(RepairClient, AFloodOfStrangersHoldsNobody) {
    Peer server, stranger;
    auto client = RepairClient::open(server.endpoint(), kLoopback);
    ASSERT_TRUE(client);
    client->send(kRequest);
    server.receive();
    for (int i = 0; i < 100; ++i) stranger.send(1, server.from);
    std::array<std::byte, 64> out{};
    EXPECT_FALSE(client->receive(out));
    EXPECT_LT(client->counters().strangers, 100u);
}

// ICMP says that nobody is there; that is no error, since somebody may come.
TEST(RepairClient, AServerThatIsNotThereMayComeBack) {
    std::optional<Peer> server(std::in_place);
    auto client = RepairClient::open(server->endpoint(), kLoopback);
    ASSERT_TRUE(client);
    server.reset();
    std::array<std::byte, 64> out{};
    for (int i = 0; i < 3; ++i) {
        client->send(kRequest);
        EXPECT_FALSE(client->receive(out));
    }
    EXPECT_EQ(client->counters().unsent, 0u);
}

TEST(RepairClient, WhatTheKernelDoesNotTakeIsCounted) {
    auto client = RepairClient::open({Ipv4Address(255, 255, 255, 255), UdpPort::of(9)}, kLoopback);
    ASSERT_TRUE(client);
    client->send(kRequest);  // no broadcast without being allowed to
    EXPECT_EQ(client->counters().unsent, 1u);
}

TEST(RepairClient, AnAddressThatIsNotHere) {
    const auto client = RepairClient::open({kLoopback, UdpPort::of(9)}, Ipv4Address(192, 0, 2, 1));
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error(), std::make_error_code(std::errc::address_not_available));
}

}  // namespace
}  // namespace joinleaf::controlplane
