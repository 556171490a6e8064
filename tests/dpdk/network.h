// The network at the far end of a port's wire: hears every frame that the port sends, and sends
// what a test wants.
#pragma once

#include <dataplane/dpdk/mempool.h>
#include <dataplane/dpdk/wire.h>
#include <igmp/message.h>
#include <joinleaf/clock.h>
#include <net/ethernet.h>
#include <net/ipv4.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace joinleaf::test {

using Bytes = std::vector<std::byte>;

/// A frame that came out of the port.
struct Heard {
    Bytes bytes;
    Instant at{};                      ///< when it was taken off the wire
    const std::byte* start = nullptr;  ///< where it lay: tells a reference from a copy
};

class Network {
public:
    explicit Network(std::uint16_t queues = 1);

    /// What to give as PortOptions::port.
    [[nodiscard]] const std::string& port() const { return port_; }

    /// Puts a frame on the wire; false when the port has not taken earlier ones away.
    [[nodiscard]] bool try_send(std::span<const std::byte> frame, std::uint16_t queue = 0);
    void send(std::span<const std::byte> frame, std::uint16_t queue = 0);
    /// The same frame as a chain of buffers that begin at `cuts`.
    void send_in_segments(std::span<const std::byte> frame,
                          std::initializer_list<std::size_t> cuts);

    /// Every frame since the last time, oldest first.
    std::vector<Heard> hear();
    /// Listens until a frame is as wanted; the ones before it are gone.
    std::optional<Heard> hear_until(const std::function<bool(const Heard&)>& wanted,
                                    std::chrono::milliseconds timeout = std::chrono::seconds(3));

    /// Takes no more frames: the wire is full until the next hear(). While nothing is being sent.
    void stop_listening();
    /// Frees all that is still on the wire to us.
    void forget();
    /// Frees what is on the wire in both directions, when the port is gone.
    void clear();

    [[nodiscard]] dataplane::dpdk::WireEnd& end() { return end_; }
    [[nodiscard]] dataplane::dpdk::Mempool& pool() { return pool_; }

private:
    dataplane::dpdk::Packet* packet_of(std::span<const std::byte> bytes);

    std::string port_;
    dataplane::dpdk::Mempool pool_;
    dataplane::dpdk::WireEnd end_;
};

/// Polls until `done`, for a few seconds at most. Returns whether it was.
[[nodiscard]] bool eventually(const std::function<bool()>& done,
                              std::chrono::milliseconds timeout = std::chrono::seconds(5));

/// Buffers of all pools of the process that are not home.
[[nodiscard]] std::string buffers_not_home();

/// The IGMP message in a frame, and the version 3 report in it.
[[nodiscard]] std::optional<Bytes> igmp_in(const Bytes& frame);
[[nodiscard]] std::optional<igmp::Report> report_in(const Bytes& frame);
/// Whether the frame is a report with a record of that type for the group.
[[nodiscard]] bool reports(const Bytes& frame, igmp::RecordType type, GroupAddress group);

/// A querier's frame with this query in it.
[[nodiscard]] Bytes query_frame(const igmp::Query& query, const net::VlanStack& vlan = {});

}  // namespace joinleaf::test
