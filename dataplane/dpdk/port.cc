#include <dataplane/dpdk/eal.h>
#include <dataplane/dpdk/error.h>
#include <dataplane/dpdk/port.h>
#include <fmt/format.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ring.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <utility>

namespace joinleaf::dataplane::dpdk {
namespace {

constexpr std::uint16_t kDescriptors = 1024;

rte_ether_addr to_rte(const MacAddress& mac) {
    rte_ether_addr address;
    std::memcpy(address.addr_bytes, mac.octets().data(), sizeof address.addr_bytes);
    return address;
}

// DPDK's lists of devices have no lock, and runtimes start and stop on threads of their own.
std::recursive_mutex& devices() {
    static std::recursive_mutex mutex;
    return mutex;
}

// Many drivers return -1 for whatever went wrong; it is not errno's 1, 'not permitted'.
int meaning_of(int result) { return result == -1 ? EIO : result; }

// What the driver said since clear_log(), as the end of a sentence.
std::string said() {
    const auto line = first_log_line();
    return line.empty() ? "" : fmt::format(" ({})", line);
}

// Locally administered; different for every port of the process.
MacAddress made_up_mac() {
    static std::uint8_t made = 0;
    return MacAddress({0x02, 0x6a, 0x6c, 0x00, 0x00, ++made});
}

std::uint16_t find_port(const std::string& devargs) {
    rte_dev_iterator iterator;
    std::uint16_t id = RTE_MAX_ETHPORTS;
    RTE_ETH_FOREACH_MATCHING_DEV(id, devargs.c_str(), &iterator) {
        rte_eth_iterator_cleanup(&iterator);
        return id;
    }
    const auto name = devargs.substr(0, devargs.find(','));
    if (rte_eth_dev_get_port_by_name(name.c_str(), &id) == 0) return id;
    return RTE_MAX_ETHPORTS;
}

}  // namespace

Port Port::attach(const std::string& spec, const std::string& devargs, std::uint16_t mtu,
                  Mempool& receive_pool) {
    const std::lock_guard lock(devices());
    clear_log();
    const int result = rte_dev_probe(devargs.c_str());
    if (result < 0) {
        fail(meaning_of(result), fmt::format("port '{}' could not be opened{}", spec, said()));
    }
    const std::uint16_t id = find_port(devargs);
    if (id == RTE_MAX_ETHPORTS) {
        fail(ENODEV, fmt::format("port '{}' is not an Ethernet device that DPDK drives; bind the "
                                 "NIC with dpdk-devbind.py, or name another port",
                                 spec));
    }
    return {id, spec, mtu, receive_pool};
}

Port Port::attach(const std::string& spec, WireEnd end, std::uint16_t mtu, Mempool& receive_pool) {
    const std::lock_guard lock(devices());
    static unsigned made = 0;
    const auto name = fmt::format("jl_end{}", made++);
    rte_ring* in = end.receive_ring();
    rte_ring* out = end.transmit_ring();
    const int id = rte_eth_from_rings(name.c_str(), &in, 1, &out, 1, 0);
    if (id < 0) fail(rte_errno, fmt::format("port '{}' could not be made", spec));
    Port port(static_cast<std::uint16_t>(id), spec, mtu, receive_pool);
    port.transmit_slots_ = rte_ring_get_size(out);
    port.wire_.emplace(std::move(end));
    return port;
}

Port::Port(std::uint16_t id, std::string spec, std::uint16_t mtu, Mempool& receive_pool)
    : id_(id), spec_(std::move(spec)), mtu_(mtu) {
    try {
        configure(receive_pool);
    } catch (...) {
        detach();
        throw;
    }
}

void Port::configure(Mempool& receive_pool) {
    rte_eth_dev_info info{};
    if (const int result = rte_eth_dev_info_get(id_, &info); result != 0) {
        fail(result, fmt::format("port '{}' tells nothing of itself", spec_));
    }
    driver_ = info.driver_name;
    if (info.max_mtu != 0 && mtu_ > info.max_mtu) {
        fail(EINVAL, fmt::format("port '{}' cannot carry an MTU of {}; its largest is {}", spec_,
                                 mtu_, info.max_mtu));
    }
    rte_eth_conf conf{};
    // AF_PACKET names 1518 octets as its limit, whatever its slots were made to hold.
    conf.rxmode.mtu =
        driver_ == "net_af_packet" ? std::min<std::uint32_t>(mtu_, RTE_ETHER_MTU) : mtu_;
    constexpr auto kReceiveChecksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    constexpr auto kTransmitWanted = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
                                     RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    conf.rxmode.offloads = info.rx_offload_capa & kReceiveChecksums;
    conf.txmode.offloads = info.tx_offload_capa & kTransmitWanted;
    offloads_.receive_ipv4_checksum = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0;
    offloads_.receive_udp_checksum = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) != 0;
    offloads_.transmit_ipv4_checksum = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
    offloads_.transmit_udp_checksum = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0;
    offloads_.multi_segment_transmit = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;

    const auto check = [this](int result, std::string_view what) {
        if (result != 0) {
            fail(meaning_of(result), fmt::format("port '{}': {}{}", spec_, what, said()));
        }
    };
    clear_log();
    check(rte_eth_dev_configure(id_, 1, 1, &conf),
          fmt::format("the driver {} refused the configuration", driver_));
    std::uint16_t receive_slots = kDescriptors;
    std::uint16_t transmit_slots = kDescriptors;
    check(rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive_slots, &transmit_slots),
          "no descriptor rings");
    transmit_slots_ = transmit_slots;
    const auto socket = rte_eth_dev_socket_id(id_);
    const auto numa = static_cast<unsigned>(socket);
    check(rte_eth_rx_queue_setup(id_, 0, receive_slots, numa, nullptr, receive_pool.raw()),
          "no receive queue");
    check(rte_eth_tx_queue_setup(id_, 0, transmit_slots, numa, nullptr), "no transmit queue");
    set_mtu();
    check(rte_eth_dev_start(id_), "it did not start");
    rte_ether_addr address{};
    check(rte_eth_macaddr_get(id_, &address), "it has no MAC address");
    std::array<std::uint8_t, 6> octets{};
    std::memcpy(octets.data(), address.addr_bytes, octets.size());
    mac_ = MacAddress(octets);
    // Rings have no address of their own, and a frame from our own address is an echo.
    if (mac_ == MacAddress()) mac_ = made_up_mac();
}

void Port::set_mtu() {
    // These would change the kernel's own interface, and not change it back.
    constexpr std::array<std::string_view, 2> kBorrowed = {"net_af_packet", "net_af_xdp"};
    if (std::find(kBorrowed.begin(), kBorrowed.end(), driver_) != kBorrowed.end()) return;
    const int result = rte_eth_dev_set_mtu(id_, mtu_);
    // Virtual ports without an MTU of their own carry what fits a buffer.
    if (result == 0 || result == -ENOTSUP) return;
    fail(result,
         fmt::format("port '{}': an MTU of {} was refused; use the interface's own", spec_, mtu_));
}

Port::Port(Port&& other) noexcept
    : id_(std::exchange(other.id_, kClosed)),
      spec_(std::move(other.spec_)),
      driver_(std::move(other.driver_)),
      mac_(other.mac_),
      mtu_(other.mtu_),
      offloads_(other.offloads_),
      transmit_slots_(other.transmit_slots_),
      wire_(std::move(other.wire_)) {}

Port::~Port() {
    const std::lock_guard lock(devices());
    if (id_ != kClosed) detach();
}

// Each step is tried whatever became of the one before; a device that stays is told of when the
// same port is opened again.
void Port::detach() noexcept {
    rte_eth_dev_info info{};
    const bool known = rte_eth_dev_info_get(id_, &info) == 0;
    static_cast<void>(rte_eth_dev_stop(id_));
    static_cast<void>(rte_eth_dev_close(id_));
    // The device is attached again when the same port is opened again.
    if (known && info.device != nullptr) static_cast<void>(rte_dev_remove(info.device));
}

bool Port::link_up() const noexcept {
    rte_eth_link link{};
    return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

DriverCounters Port::driver_counters() const noexcept {
    rte_eth_stats stats{};
    if (rte_eth_stats_get(id_, &stats) != 0) return {};
    return {.missed = stats.imissed,
            .errors = stats.ierrors + stats.oerrors,
            .no_mbuf = stats.rx_nombuf};
}

bool Port::can_filter() const {
    // These hand over whatever the other side sends, and say yes to any request about it.
    constexpr std::array<std::string_view, 5> kUnfiltered = {"net_ring", "net_null", "net_memif",
                                                             "net_pcap", "net_vhost"};
    return std::find(kUnfiltered.begin(), kUnfiltered.end(), driver_) == kUnfiltered.end();
}

bool Port::set_exact_list(std::span<const MacAddress> macs) {
    std::vector<rte_ether_addr> list;
    list.reserve(macs.size());
    for (const auto& mac : macs) list.push_back(to_rte(mac));
    return rte_eth_dev_set_mc_addr_list(id_, list.data(),
                                        static_cast<std::uint32_t>(list.size())) == 0;
}

bool Port::add_mac(const MacAddress& mac) {
    auto address = to_rte(mac);
    return rte_eth_dev_mac_addr_add(id_, &address, 0) == 0;
}

bool Port::remove_mac(const MacAddress& mac) {
    auto address = to_rte(mac);
    return rte_eth_dev_mac_addr_remove(id_, &address) == 0;
}

bool Port::set_all_multicast() { return rte_eth_allmulticast_enable(id_) == 0; }

bool Port::set_promiscuous() { return rte_eth_promiscuous_enable(id_) == 0; }

}  // namespace joinleaf::dataplane::dpdk
