#include <dataplane/dpdk/eal.h>
#include <dataplane/dpdk/error.h>
#include <dataplane/dpdk/port.h>
#include <dataplane/dpdk/send_time.h>
#include <fmt/format.h>
#include <net/vlan.h>
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

Port Port::attach(const std::string& spec, const std::string& devargs, const PortSetup& setup,
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
    return {id, spec, setup, receive_pool};
}

Port Port::attach(const std::string& spec, WireEnd end, std::uint16_t mtu, Mempool& receive_pool) {
    const std::lock_guard lock(devices());
    static unsigned made = 0;
    const auto name = fmt::format("jl_end{}", made++);
    std::vector<rte_ring*> in;
    std::vector<rte_ring*> out;
    for (std::uint16_t queue = 0; queue < end.queues(); ++queue) {
        in.push_back(end.receive_ring(queue));
        out.push_back(end.transmit_ring(queue));
    }
    const unsigned queues = end.queues();
    const int id = rte_eth_from_rings(name.c_str(), in.data(), queues, out.data(), queues, 0);
    if (id < 0) fail(rte_errno, fmt::format("port '{}' could not be made", spec));
    Port port(static_cast<std::uint16_t>(id), spec, {.mtu = mtu, .queues = end.queues()},
              receive_pool);
    port.transmit_slots_ = rte_ring_get_size(out[0]);
    port.wire_.emplace(std::move(end));
    return port;
}

Port::Port(std::uint16_t id, std::string spec, const PortSetup& setup, Mempool& receive_pool)
    : id_(id), spec_(std::move(spec)), setup_(setup) {
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
    if (info.max_mtu != 0 && setup_.mtu > info.max_mtu) {
        fail(EINVAL, fmt::format("port '{}' cannot carry an MTU of {}; its largest is {}", spec_,
                                 setup_.mtu, info.max_mtu));
    }
    const unsigned most_queues = std::min(info.max_rx_queues, info.max_tx_queues);
    if (setup_.queues > most_queues) {
        fail(EINVAL, fmt::format("port '{}' cannot have {} queues; {} at most", spec_,
                                 setup_.queues, most_queues));
    }
    rte_eth_conf conf{};
    // AF_PACKET names 1518 octets as its limit, whatever its slots were made to hold.
    conf.rxmode.mtu = driver_ == "net_af_packet"
                          ? std::min<std::uint32_t>(setup_.mtu, RTE_ETHER_MTU)
                          : setup_.mtu;
    constexpr auto kReceiveChecksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
    constexpr auto kTransmitWanted = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
                                     RTE_ETH_TX_OFFLOAD_MULTI_SEGS |
                                     RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP;
    conf.rxmode.offloads =
        info.rx_offload_capa &
        (kReceiveChecksums | (setup_.strip_vlan ? RTE_ETH_RX_OFFLOAD_VLAN_STRIP : 0));
    conf.txmode.offloads = info.tx_offload_capa & kTransmitWanted;
    offloads_.receive_ipv4_checksum = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0;
    offloads_.receive_udp_checksum = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) != 0;
    offloads_.transmit_ipv4_checksum = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
    offloads_.transmit_udp_checksum = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0;
    offloads_.multi_segment_transmit = (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
    offloads_.vlan_strip = (conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0;
    offloads_.send_on_time =
        (conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_SEND_ON_TIMESTAMP) != 0 && SendTime::field();
    const auto spread = info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);
    offloads_.rss = setup_.queues > 1 && spread != 0;
    if (offloads_.rss) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = spread;
    }

    const auto check = [this](int result, std::string_view what) {
        if (result != 0) {
            fail(meaning_of(result), fmt::format("port '{}': {}{}", spec_, what, said()));
        }
    };
    clear_log();
    check(rte_eth_dev_configure(id_, setup_.queues, setup_.queues, &conf),
          fmt::format("the driver {} refused the configuration", driver_));
    std::uint16_t receive_slots = kDescriptors;
    std::uint16_t transmit_slots = kDescriptors;
    check(rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive_slots, &transmit_slots),
          "no descriptor rings");
    transmit_slots_ = transmit_slots;
    const auto socket = rte_eth_dev_socket_id(id_);
    const auto numa = static_cast<unsigned>(socket);
    for (std::uint16_t queue = 0; queue < setup_.queues; ++queue) {
        check(rte_eth_rx_queue_setup(id_, queue, receive_slots, numa, nullptr, receive_pool.raw()),
              "no receive queue");
        check(rte_eth_tx_queue_setup(id_, queue, transmit_slots, numa, nullptr),
              "no transmit queue");
    }
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
    const int result = rte_eth_dev_set_mtu(id_, setup_.mtu);
    // Virtual ports without an MTU of their own carry what fits a buffer.
    if (result == 0 || result == -ENOTSUP) return;
    fail(result, fmt::format("port '{}': an MTU of {} was refused; use the interface's own", spec_,
                             setup_.mtu));
}

Port::Port(Port&& other) noexcept
    : id_(std::exchange(other.id_, kClosed)),
      spec_(std::move(other.spec_)),
      driver_(std::move(other.driver_)),
      mac_(other.mac_),
      setup_(other.setup_),
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

std::optional<SteeringRule> Port::steer(Ipv4Address destination, std::uint16_t udp_port,
                                        std::uint16_t queue, std::size_t tags) noexcept {
    rte_flow_attr attributes{};
    attributes.ingress = 1;
    rte_flow_item_ipv4 ip{};
    ip.hdr.dst_addr = rte_cpu_to_be_32(destination.value());
    rte_flow_item_ipv4 ip_mask{};
    ip_mask.hdr.dst_addr = 0xffffffff;
    rte_flow_item_udp udp{};
    udp.hdr.dst_port = rte_cpu_to_be_16(udp_port);
    rte_flow_item_udp udp_mask{};
    udp_mask.hdr.dst_port = 0xffff;
    std::array<rte_flow_item, 4 + net::kMaxVlanTags> pattern{};
    std::size_t n = 0;
    pattern[n++].type = RTE_FLOW_ITEM_TYPE_ETH;
    for (; tags > 0; --tags) pattern[n++].type = RTE_FLOW_ITEM_TYPE_VLAN;
    pattern[n++] = {
        .type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &ip, .last = nullptr, .mask = &ip_mask};
    pattern[n++] = {
        .type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp, .last = nullptr, .mask = &udp_mask};
    pattern[n].type = RTE_FLOW_ITEM_TYPE_END;
    const rte_flow_action_queue to{.index = queue};
    std::array<rte_flow_action, 2> actions{};
    actions[0] = {.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &to};
    actions[1].type = RTE_FLOW_ACTION_TYPE_END;
    rte_flow_error error{};
    rte_flow* const flow =
        rte_flow_create(id_, &attributes, pattern.data(), actions.data(), &error);
    if (flow == nullptr) return std::nullopt;
    return SteeringRule(id_, flow);
}

SteeringRule::~SteeringRule() {
    rte_flow_error error{};
    // A port that is gone has taken its rules with it; there is nobody to tell.
    if (flow_ != nullptr) static_cast<void>(rte_flow_destroy(port_, flow_, &error));
}

bool Port::link_up() const noexcept {
    rte_eth_link link{};
    return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

// Our time is read before and after, so that a driver that takes long is off by half of it.
std::optional<ClockReading> Port::read_clock() const noexcept {
    ClockReading reading;
    const Instant before = Instant::clock::now();
    // DPDK may change this function yet, and has no other for the clock that send times count in.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    const int result = rte_eth_read_clock(id_, &reading.ticks);
#pragma GCC diagnostic pop
    if (result != 0) return std::nullopt;
    reading.at = before + (Instant::clock::now() - before) / 2;
    return reading;
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
