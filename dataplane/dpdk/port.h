// A DPDK port: configured, started, and closed with its owner.
#pragma once

#include <dataplane/dpdk/mempool.h>
#include <dataplane/dpdk/packet.h>
#include <dataplane/dpdk/wire.h>
#include <dataplane/multicast_filter.h>
#include <rte_ethdev.h>

#include <joinleaf/address.h>
#include <optional>
#include <string>

namespace joinleaf::dataplane::dpdk {

/// What the NIC does for us. What it does not do is done in software with the same result.
struct Offloads {
    bool receive_ipv4_checksum = false;
    bool receive_udp_checksum = false;
    bool transmit_ipv4_checksum = false;
    bool transmit_udp_checksum = false;
    bool multi_segment_transmit = false;
};

/// What the driver itself counts.
struct DriverCounters {
    std::uint64_t missed = 0;
    std::uint64_t errors = 0;
    std::uint64_t no_mbuf = 0;
};

class Port final : public FilterDriver {
public:
    /// Attaches the device that `devargs` names (a PCI address or a vdev), with one queue each
    /// way. Errors: throws std::system_error in the words of `spec`, what the user typed.
    static Port attach(const std::string& spec, const std::string& devargs, std::uint16_t mtu,
                       Mempool& receive_pool);
    /// The same for one end of a wire.
    static Port attach(const std::string& spec, WireEnd end, std::uint16_t mtu,
                       Mempool& receive_pool);

    Port(Port&& other) noexcept;
    Port& operator=(Port&&) = delete;
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    ~Port() override;

    /// The worker that owns the queue. Returns how many packets were put into `out`.
    [[nodiscard]] std::uint16_t receive(std::span<Packet*> out) noexcept {
        return rte_eth_rx_burst(id_, 0, out.data(), static_cast<std::uint16_t>(out.size()));
    }
    /// Returns how many from the front the port took; the caller keeps the rest.
    [[nodiscard]] std::uint16_t transmit(std::span<Packet*> packets) noexcept {
        return rte_eth_tx_burst(id_, 0, packets.data(), static_cast<std::uint16_t>(packets.size()));
    }

    [[nodiscard]] const MacAddress& mac() const { return mac_; }
    [[nodiscard]] const std::string& driver() const { return driver_; }
    [[nodiscard]] std::uint16_t mtu() const { return mtu_; }
    [[nodiscard]] const Offloads& offloads() const { return offloads_; }
    /// Packets that the port may hold on their way out.
    [[nodiscard]] std::uint32_t transmit_slots() const { return transmit_slots_; }
    [[nodiscard]] bool link_up() const noexcept;
    [[nodiscard]] DriverCounters driver_counters() const noexcept;

    [[nodiscard]] bool can_filter() const override;
    bool set_exact_list(std::span<const MacAddress> macs) override;
    bool add_mac(const MacAddress& mac) override;
    bool remove_mac(const MacAddress& mac) override;
    bool set_all_multicast() override;
    bool set_promiscuous() override;

private:
    Port(std::uint16_t id, std::string spec, std::uint16_t mtu, Mempool& receive_pool);
    void configure(Mempool& receive_pool);
    void set_mtu();
    void detach() noexcept;

    static constexpr std::uint16_t kClosed = UINT16_MAX;
    std::uint16_t id_;
    std::string spec_;
    std::string driver_;
    MacAddress mac_;
    std::uint16_t mtu_;
    Offloads offloads_;
    std::uint32_t transmit_slots_ = 0;
    std::optional<WireEnd> wire_;
};

}  // namespace joinleaf::dataplane::dpdk
