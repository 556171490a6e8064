#include "tests/dpdk/network.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <igmp/actions.h>
#include <net/frame.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <array>
#include <thread>

#include "tests/support/frames.h"

namespace joinleaf::test {
namespace {

using dataplane::dpdk::Packet;

unsigned networks_made = 0;

// Nobody's protocol: what the wire is filled with.
constexpr net::BigEndian<std::uint16_t> kFillerType{0x88b5};

bool is_filler(const Packet* packet) {
    return net::load<net::EthernetWire>(dataplane::dpdk::data(packet)).ethertype == kFillerType;
}

void empty(rte_ring* ring) {
    void* packet = nullptr;
    while (rte_ring_dequeue(ring, &packet) == 0) {
        dataplane::dpdk::free(static_cast<Packet*>(packet));
    }
}

}  // namespace

Network::Network(std::uint16_t queues)
    : port_(fmt::format("ring:test{}", ++networks_made)),
      pool_(fmt::format("test{}", networks_made), 8191, 2048),
      end_(dataplane::dpdk::WireEnd::attach(port_.substr(5), queues)) {}

Packet* Network::packet_of(std::span<const std::byte> bytes) {
    std::array<Packet*, 1> packet{};
    if (!pool_.allocate(packet)) throw std::runtime_error("the test has no buffers left");
    std::copy(bytes.begin(), bytes.end(), dataplane::dpdk::data(packet[0]));
    dataplane::dpdk::set_length(packet[0], static_cast<std::uint32_t>(bytes.size()));
    return packet[0];
}

bool Network::try_send(std::span<const std::byte> frame, std::uint16_t queue) {
    std::array<Packet*, 1> packet{packet_of(frame)};
    if (end_.transmit(packet, queue) == 1) return true;
    dataplane::dpdk::free(packet[0]);
    return false;
}

void Network::send(std::span<const std::byte> frame, std::uint16_t queue) {
    EXPECT_TRUE(eventually([&] { return try_send(frame, queue); })) << "the port takes nothing";
}

void Network::send_in_segments(std::span<const std::byte> frame,
                               std::initializer_list<std::size_t> cuts) {
    Packet* head = nullptr;
    std::size_t begin = 0;
    std::vector<std::size_t> ends(cuts);
    ends.push_back(frame.size());
    for (const std::size_t end : ends) {
        Packet* segment = packet_of(frame.subspan(begin, end - begin));
        begin = end;
        if (head == nullptr) {
            head = segment;
        } else {
            ASSERT_EQ(rte_pktmbuf_chain(head, segment), 0);
        }
    }
    std::array<Packet*, 1> packet{head};
    ASSERT_TRUE(eventually([&] { return end_.transmit(packet) == 1; }));
}

std::vector<Heard> Network::hear() {
    std::vector<Heard> frames;
    std::array<Packet*, 32> packets;
    for (std::uint16_t queue = 0; queue < end_.queues();) {
        const auto n = end_.receive(packets, queue);
        if (n == 0) ++queue;
        const Instant at = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < n; ++i) {
            if (!is_filler(packets[i])) {
                Heard heard{.at = at, .start = dataplane::dpdk::data(packets[i])};
                heard.bytes.resize(dataplane::dpdk::length(packets[i]));
                EXPECT_EQ(dataplane::dpdk::copy_out(packets[i], 0, heard.bytes),
                          heard.bytes.size());
                frames.push_back(std::move(heard));
            }
            dataplane::dpdk::free(packets[i]);
        }
    }
    return frames;
}

std::optional<Heard> Network::hear_until(const std::function<bool(const Heard&)>& wanted,
                                         std::chrono::milliseconds timeout) {
    std::optional<Heard> found;
    static_cast<void>(eventually(
        [&] {
            for (auto& heard : hear()) {
                if (!found && wanted(heard)) found = std::move(heard);
            }
            return found.has_value();
        },
        timeout));
    return found;
}

void Network::stop_listening() {
    Bytes filler(60);
    net::store(filler.data(), net::EthernetWire{kPeerMac, kPeerMac, kFillerType});
    for (;;) {
        Packet* packet = packet_of(filler);
        if (rte_ring_enqueue(end_.receive_ring(), packet) == 0) continue;
        dataplane::dpdk::free(packet);
        return;
    }
}

void Network::forget() {
    for (std::uint16_t queue = 0; queue < end_.queues(); ++queue) empty(end_.receive_ring(queue));
}

void Network::clear() {
    forget();
    for (std::uint16_t queue = 0; queue < end_.queues(); ++queue) empty(end_.transmit_ring(queue));
}

bool eventually(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return true;
}

std::string buffers_not_home() {
    std::string all;
    rte_mempool_walk(
        [](rte_mempool* pool, void* text) {
            const unsigned out = rte_mempool_in_use_count(pool);
            if (out != 0) {
                *static_cast<std::string*>(text) += fmt::format("{}: {}; ", pool->name, out);
            }
        },
        &all);
    return all;
}

std::optional<Bytes> igmp_in(const Bytes& frame) {
    const auto ethernet = net::parse_ethernet(frame);
    if (!ethernet || ethernet->ethertype != net::ethertype::kIpv4) return std::nullopt;
    const auto ip = net::parse_ipv4(ethernet->payload);
    if (!ip || ip->header.protocol != net::ip_protocol::kIgmp) return std::nullopt;
    return Bytes(ip->payload.begin(), ip->payload.end());
}

std::optional<igmp::Report> report_in(const Bytes& frame) {
    const auto message = igmp_in(frame);
    if (!message || igmp::verify(*message) != igmp::MessageType::v3_report) return std::nullopt;
    auto report = igmp::parse_report(*message);
    EXPECT_TRUE(report) << "a malformed report";
    return report ? std::optional(std::move(*report)) : std::nullopt;
}

bool reports(const Bytes& frame, igmp::RecordType type, GroupAddress group) {
    const auto report = report_in(frame);
    return report && std::any_of(report->records.begin(), report->records.end(),
                                 [&](const igmp::Record& record) {
                                     return record.type == type && record.group == group;
                                 });
}

Bytes query_frame(const igmp::Query& query, const net::VlanStack& vlan) {
    const auto to = query.group.value_or(igmp::kAllSystems);
    Bytes frame(2048);
    const auto size = net::build_control_frame(
        {kPeerMac, MacAddress::of_group(to), vlan},
        igmp::envelope(Ipv4Address(10, 0, 0, 254), to.address()), igmp::emit(query), frame);
    frame.resize(size.value());
    return frame;
}

}  // namespace joinleaf::test
