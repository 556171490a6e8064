// A runtime with one port on a wire, and the test as the network at the other end.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <joinleaf/runtime.h>
#include <net/arp.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/dpdk/network.h"
#include "tests/support/frames.h"

namespace joinleaf::test {

using namespace std::chrono_literals;

inline constexpr GroupEndpoint kEndpoint{kGroup, UdpPort::of(5000)};

[[nodiscard]] inline GroupEndpoint nth_endpoint(std::uint32_t n) {
    return {GroupAddress::from(Ipv4Address((239u << 24) + 0x20000 + n)).value(), UdpPort::of(5000)};
}

template <class T>
[[nodiscard]] std::error_code error_of(const Result<T>& result) {
    return result ? std::error_code() : result.error();
}

/// Whatever a test does: when it is over, every packet buffer is home.
class OnTheWire : public testing::Test {
protected:
    explicit OnTheWire(std::uint16_t queues = 1);

    /// Starts the runtime and waits until its ports have announced themselves.
    void start(const std::function<void(RuntimeOptions&)>& change = {});
    void TearDown() override;

    [[nodiscard]] Socket open(SocketOptions options = {});
    /// A socket that has joined.
    [[nodiscard]] Socket join(GroupEndpoint endpoint, SocketOptions options,
                              const JoinOptions& how = {});
    [[nodiscard]] Receiver open_receiver(std::size_t capacity = 1024);
    /// What the peer asks: who has `target`; an echo of `data`.
    [[nodiscard]] static Bytes arp_request(Ipv4Address target, MacAddress to,
                                           const net::VlanStack& vlan = {});
    [[nodiscard]] Bytes echo_request(std::span<const std::byte> data);
    [[nodiscard]] static std::optional<net::ArpMessage> arp_in(const Bytes& frame);
    [[nodiscard]] static bool is_echo(const Bytes& frame);
    /// Takes the port's link away, or gives it back, as a cable would: by the ring driver's own
    /// switch. Returns when that has been noticed.
    void set_link(bool up);
    /// Writes and sends one datagram.
    void publish(Sender& sender, std::string_view text);
    /// The payloads that wait, once there are `n` of them or time is up.
    [[nodiscard]] static std::vector<std::string> take(Receiver& receiver, std::size_t n);
    [[nodiscard]] PortCounters counters() { return runtime().status().ports.at(0).counters; }
    [[nodiscard]] std::uint64_t drops(DropReason why) {
        return counters().drops[static_cast<std::size_t>(why)];
    }
    [[nodiscard]] static std::uint64_t all_drops(const PortCounters& counters);
    [[nodiscard]] Runtime& runtime() { return *runtime_; }
    [[nodiscard]] MacAddress mac() { return runtime().status().ports.at(0).mac; }

    Network network_;
    RuntimeOptions options_;
    std::optional<Runtime> runtime_;
};

/// A payload as text.
[[nodiscard]] std::string text_of(const Datagram& datagram);
[[nodiscard]] Bytes bytes_of_text(std::string_view text);

}  // namespace joinleaf::test
