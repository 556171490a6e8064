// A DPDK port: configured, started, and closed with its owner.
#pragma once

#include <dataplane/dpdk/mempool.h>
#include <dataplane/dpdk/packet.h>
#include <dataplane/dpdk/wire.h>
#include <dataplane/multicast_filter.h>
#include <dataplane/port_clock.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#include <joinleaf/address.h>
#include <optional>
#include <string>
#include <utility>

namespace joinleaf::dataplane::dpdk {

/// What the NIC does for us. What it does not do is done in software with the same result.
struct Offloads {
    bool receive_ipv4_checksum = false;
    bool receive_udp_checksum = false;
    bool transmit_ipv4_checksum = false;
    bool transmit_udp_checksum = false;
    bool multi_segment_transmit = false;
    bool vlan_strip = false;    ///< takes the outermost tag off, and says what it held
    bool send_on_time = false;  ///< holds each frame until the time that is written on it
    bool rss = false;           ///< spreads flows over the queues by their addresses and ports
};

/// What the driver itself counts.
struct DriverCounters {
    std::uint64_t missed = 0;
    std::uint64_t errors = 0;
    std::uint64_t no_mbuf = 0;
};

/// A rule by which the NIC puts some frames on a certain queue; in force as long as this lives.
class SteeringRule {
public:
    SteeringRule(std::uint16_t port, rte_flow* flow) noexcept : port_(port), flow_(flow) {}
    SteeringRule(SteeringRule&& other) noexcept
        : port_(other.port_), flow_(std::exchange(other.flow_, nullptr)) {}
    SteeringRule& operator=(SteeringRule&& other) noexcept {
        std::swap(port_, other.port_);
        std::swap(flow_, other.flow_);
        return *this;
    }
    ~SteeringRule();

private:
    std::uint16_t port_;
    rte_flow* flow_;
};

/// What a port is to be set up with.
struct PortSetup {
    std::uint16_t mtu = 1500;
    std::uint16_t queues = 1;  ///< each way; each for one worker
    bool strip_vlan = false;   ///< if the NIC can
};

class Port final : public FilterDriver {
public:
    /// Attaches the device that `devargs` names (a PCI address or a vdev). Errors: throws
    /// std::system_error in the words of `spec`, what the user typed.
    static Port attach(const std::string& spec, const std::string& devargs, const PortSetup& setup,
                       Mempool& receive_pool);
    /// The same for one end of a wire, with the wire's queues.
    static Port attach(const std::string& spec, WireEnd end, std::uint16_t mtu,
                       Mempool& receive_pool);

    Port(Port&& other) noexcept;
    Port& operator=(Port&&) = delete;
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    ~Port() override;

    /// The worker that owns the queue. Returns how many packets were put into `out`.
    [[nodiscard]] std::uint16_t receive(std::span<Packet*> out, std::uint16_t queue = 0) noexcept {
        return rte_eth_rx_burst(id_, queue, out.data(), static_cast<std::uint16_t>(out.size()));
    }
    /// The same worker. Returns how many from the front the port took; the caller keeps the rest.
    [[nodiscard]] std::uint16_t transmit(std::span<Packet*> packets,
                                         std::uint16_t queue = 0) noexcept {
        return rte_eth_tx_burst(id_, queue, packets.data(),
                                static_cast<std::uint16_t>(packets.size()));
    }

    /// Control thread. Asks the NIC to put datagrams for a destination and port on one queue; none
    /// when it cannot. `tags`: how many VLAN tags the NIC leaves in them.
    [[nodiscard]] std::optional<SteeringRule> steer(Ipv4Address destination, std::uint16_t udp_port,
                                                    std::uint16_t queue, std::size_t tags) noexcept;

    [[nodiscard]] const MacAddress& mac() const { return mac_; }
    [[nodiscard]] const std::string& driver() const { return driver_; }
    [[nodiscard]] std::uint16_t mtu() const { return setup_.mtu; }
    [[nodiscard]] std::uint16_t queues() const { return setup_.queues; }
    [[nodiscard]] const Offloads& offloads() const { return offloads_; }
    /// Packets that the port may hold on their way out.
    [[nodiscard]] std::uint32_t transmit_slots() const { return transmit_slots_; }
    [[nodiscard]] bool link_up() const noexcept;
    /// Control thread. What the clock shows that send_on_time goes by; none: it cannot be read.
    [[nodiscard]] std::optional<ClockReading> read_clock() const noexcept;
    [[nodiscard]] DriverCounters driver_counters() const noexcept;

    [[nodiscard]] bool can_filter() const override;
    bool set_exact_list(std::span<const MacAddress> macs) override;
    bool add_mac(const MacAddress& mac) override;
    bool remove_mac(const MacAddress& mac) override;
    bool set_all_multicast() override;
    bool set_promiscuous() override;

private:
    Port(std::uint16_t id, std::string spec, const PortSetup& setup, Mempool& receive_pool);
    void configure(Mempool& receive_pool);
    void set_mtu();
    void detach() noexcept;

    static constexpr std::uint16_t kClosed = UINT16_MAX;
    std::uint16_t id_;
    std::string spec_;
    std::string driver_;
    MacAddress mac_;
    PortSetup setup_;
    Offloads offloads_;
    std::uint32_t transmit_slots_ = 0;
    std::optional<WireEnd> wire_;
};

}  // namespace joinleaf::dataplane::dpdk
