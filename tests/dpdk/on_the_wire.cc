#include "tests/dpdk/on_the_wire.h"

#include <net/icmp.h>
#include <rte_ethdev.h>

#include <cstring>
#include <numeric>

namespace joinleaf::test {

OnTheWire::OnTheWire(std::uint16_t queues) : network_(queues) {
    options_.ports = {{.port = network_.port(),
                       .address = {kOwnAddress, 24},
                       .receive_buffers = 4096,
                       .transmit_buffers = 4096}};
    options_.log = [](std::string_view) {};  // tests look at errors and at the status
    options_.idle_sleep = 50us;
    options_.max_subscriptions = 4096;
}

void OnTheWire::start(const std::function<void(RuntimeOptions&)>& change) {
    if (change) change(options_);
    runtime_.emplace(Runtime::start(options_));
    const auto is_arp = [](const Heard& heard) {
        const auto frame = net::parse_ethernet(heard.bytes);
        return frame && frame->ethertype == net::ethertype::kArp;
    };
    ASSERT_TRUE(network_.hear_until(is_arp)) << "the port did not announce itself";
}

void OnTheWire::TearDown() {
    if (runtime_) {
        runtime_->stop(0ms);
        runtime_.reset();
    }
    network_.clear();
    EXPECT_EQ(buffers_not_home(), "");
}

Socket OnTheWire::open(SocketOptions options) {
    auto socket = runtime().open(options);
    EXPECT_TRUE(socket) << error_of(socket).message();
    return socket.value_or(Socket());
}

Socket OnTheWire::join(GroupEndpoint endpoint, SocketOptions options, const JoinOptions& how) {
    auto socket = open(options);
    const auto joined = socket.join_leaf(endpoint, how);
    EXPECT_TRUE(joined) << error_of(joined).message();
    return socket;
}

Receiver OnTheWire::open_receiver(std::size_t capacity) {
    auto receiver = runtime().open_receiver({.capacity = capacity});
    EXPECT_TRUE(receiver) << error_of(receiver).message();
    return receiver ? std::move(*receiver) : Receiver();
}

Bytes OnTheWire::arp_request(Ipv4Address target, MacAddress to, const net::VlanStack& vlan) {
    Bytes frame(128);
    frame.resize(net::build_arp_frame({kPeerMac, to, vlan},
                                      net::arp_request(kPeerMac, kPeerAddress, target), frame)
                     .value());
    return frame;
}

Bytes OnTheWire::echo_request(std::span<const std::byte> data) {
    Bytes icmp(net::kIcmpEchoHeaderSize + data.size());
    net::emit_icmp_echo({.id = 1, .sequence = 2, .data = data}, icmp);
    Bytes frame(2048);
    frame.resize(net::build_control_frame({kPeerMac, mac()},
                                          {.source = kPeerAddress,
                                           .destination = kOwnAddress,
                                           .protocol = net::ip_protocol::kIcmp,
                                           .ttl = 64},
                                          icmp, frame)
                     .value());
    return frame;
}

std::optional<net::ArpMessage> OnTheWire::arp_in(const Bytes& frame) {
    const auto ethernet = net::parse_ethernet(frame);
    if (!ethernet || ethernet->ethertype != net::ethertype::kArp) return std::nullopt;
    const auto message = net::parse_arp(ethernet->payload);
    return message ? std::optional(*message) : std::nullopt;
}

bool OnTheWire::is_echo(const Bytes& frame) {
    const auto ethernet = net::parse_ethernet(frame);
    if (!ethernet || ethernet->ethertype != net::ethertype::kIpv4) return false;
    const auto ip = net::parse_ipv4(ethernet->payload);
    return ip && ip->header.protocol == net::ip_protocol::kIcmp;
}

std::uint64_t OnTheWire::all_drops(const PortCounters& counters) {
    return std::accumulate(counters.drops.begin(), counters.drops.end(), std::uint64_t{0});
}

void OnTheWire::set_link(bool up) {
    bool found = false;
    for (std::uint16_t id = 0; id < RTE_MAX_ETHPORTS; ++id) {
        if (rte_eth_dev_is_valid_port(id) == 0) continue;
        found = true;
        ASSERT_EQ(up ? rte_eth_dev_set_link_up(id) : rte_eth_dev_set_link_down(id), 0);
    }
    ASSERT_TRUE(found);
    EXPECT_TRUE(eventually([&] { return runtime().status().ports[0].link_up == up; }));
}

void OnTheWire::publish(Sender& sender, std::string_view text) {
    SendBuffer buffer[1];
    ASSERT_TRUE(eventually([&] { return sender.reserve(buffer) == 1; })) << "no buffer to write to";
    ASSERT_GE(buffer[0].capacity, text.size());
    std::memcpy(buffer[0].data, text.data(), text.size());
    buffer[0].length = static_cast<std::uint32_t>(text.size());
    sender.send(buffer);
}

std::vector<std::string> OnTheWire::take(Receiver& receiver, std::size_t n) {
    std::vector<std::string> payloads;
    static_cast<void>(eventually([&] {
        receiver.consume([&](std::span<const Datagram> datagrams) {
            for (const auto& datagram : datagrams) payloads.push_back(text_of(datagram));
        });
        return payloads.size() >= n;
    }));
    EXPECT_GE(payloads.size(), n);
    return payloads;
}

std::string text_of(const Datagram& datagram) {
    std::string text(datagram.size(), '\0');
    const auto n = datagram.copy_to(std::as_writable_bytes(std::span(text)));
    EXPECT_EQ(n, datagram.size());
    return text;
}

Bytes bytes_of_text(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

}  // namespace joinleaf::test
