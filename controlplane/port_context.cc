#include <controlplane/port_context.h>
#include <dataplane/dpdk/error.h>
#include <fmt/format.h>
#include <net/frame.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <utility>

namespace joinleaf::controlplane {
namespace {

using dataplane::dpdk::BufferMemory;
using dataplane::dpdk::Mempool;
using dataplane::dpdk::Packet;
using dataplane::dpdk::Port;

constexpr unsigned kControlBuffers = 2047;
// What the transmit rings of most ports hold; a ring of a wire holds more, of smaller buffers.
constexpr std::uint32_t kUsualSlots = 1024;

// As many as the port holds, and as many again in bursts being made and in the caches of lcores.
unsigned replica_buffers(std::uint32_t transmit_slots) { return 2 * transmit_slots + 511; }

constexpr Duration kLinkEvery = std::chrono::milliseconds(50);
constexpr Duration kClockEvery = std::chrono::milliseconds(100);

// Ethernet with two tags, and alignment.
std::uint16_t data_room(std::uint16_t mtu) {
    return static_cast<std::uint16_t>(std::max(2048, (mtu + 64 + 63) / 64 * 64));
}

// What a person meets first is told before the driver fails in its own words.
std::unique_ptr<KernelInterface> claim_interface(const PortSpec& spec, const PortOptions& options,
                                                 const net::VlanStack& vlan) {
    if (!spec.is_kernel_interface()) return nullptr;
    auto interface = std::make_unique<KernelInterface>(spec.name);
    interface->check_mtu(options.mtu, static_cast<unsigned>(vlan.tags()));
    return interface;
}

Port open_port(unsigned number, const PortOptions& options, const PortSpec& spec,
               const net::VlanStack& vlan, PortPools& pools) {
    const auto queues = static_cast<std::uint16_t>(options.queues);
    if (spec.kind == PortKind::ring) {
        return Port::attach(spec.text, dataplane::dpdk::WireEnd::attach(spec.name, queues),
                            options.mtu, pools.receive);
    }
    return Port::attach(spec.text, spec.devargs(number, options.mtu, queues),
                        {.mtu = options.mtu, .queues = queues, .strip_vlan = vlan.tags() > 0},
                        pools.receive);
}

// The two ends of a wire share its name; everything else has one owner.
std::string lock_name(unsigned number, const PortSpec& spec) {
    if (spec.kind == PortKind::ring || spec.kind == PortKind::null) {
        return fmt::format("{}/{}/{}", spec.text, getpid(), number);
    }
    return spec.is_kernel_interface() ? spec.name : spec.text;
}

}  // namespace

PortPools::PortPools(unsigned number, const PortOptions& options, int node_, BufferMemory memory_)
    : node(node_),
      memory(memory_),
      receive(fmt::format("jl_rx{}", number), options.receive_buffers, data_room(options.mtu),
              memory, node),
      transmit(fmt::format("jl_tx{}", number), options.transmit_buffers, data_room(options.mtu),
               memory, node),
      control(fmt::format("jl_ctl{}", number), kControlBuffers, data_room(options.mtu), memory,
              node) {}

std::shared_ptr<PortPools> PortPools::make(unsigned number, const PortOptions& options, int node,
                                           BufferMemory memory) {
    static std::mutex mutex;
    static auto* waiting = new std::vector<std::unique_ptr<PortPools>>;
    const auto retire = [](PortPools* pools) {
        std::unique_ptr<PortPools> owned(pools);
        const std::lock_guard lock(mutex);
        if (!owned->is_home()) waiting->push_back(std::move(owned));
    };
    {
        const std::lock_guard lock(mutex);
        std::erase_if(*waiting, [](const auto& pools) { return pools->is_home(); });
    }
    return {new PortPools(number, options, node, memory), retire};
}

bool PortPools::is_home() const {
    return receive.in_use() == 0 && transmit.in_use() == 0 && control.in_use() == 0 &&
           (!replicas || replicas->in_use() == 0);
}

std::uint64_t PortPools::octets() const {
    return receive.octets() + transmit.octets() + control.octets();
}

unsigned PortPools::megabytes(const PortOptions& options) {
    const auto room = data_room(options.mtu);
    return Mempool::megabytes(options.receive_buffers, room) +
           Mempool::megabytes(options.transmit_buffers, room) +
           Mempool::megabytes(kControlBuffers, room) +
           Mempool::megabytes(replica_buffers(kUsualSlots), room);
}

Mempool& PortContext::replica_pool() {
    if (!pools_->replicas) {
        const bool chained = port_.offloads().multi_segment_transmit;
        const auto room = chained
                              ? static_cast<std::uint16_t>(dataplane::Replication::kSmallPayload)
                              : data_room(options_.mtu);
        pools_->replicas.emplace(fmt::format("jl_rep{}", number_),
                                 replica_buffers(port_.transmit_slots()), room, pools_->memory,
                                 pools_->node);
        if (!chained) {
            log_(
                fmt::format("port '{}' does not transmit chains of buffers: datagrams that go to "
                            "many are copied for each",
                            options_.port));
        }
    }
    return *pools_->replicas;
}

PortContext::PortContext(unsigned number, const PortOptions& options, const PortSpec& spec,
                         const net::VlanStack& vlan, std::shared_ptr<PortPools> pools, Log log)
    : options_(options),
      number_(number),
      lock_(lock_name(number, spec)),
      pools_(std::move(pools)),
      vlan_(vlan),
      interface_(claim_interface(spec, options, vlan)),
      port_(open_port(number, options, spec, vlan, *pools_)),
      filter_(port_),
      responder_(port_.mac(), options.address.address, vlan_),
      neighbours_({.own = options.address, .mac = port_.mac(), .gateway = options.gateway}),
      steering_(port_, vlan_.tags() - (port_.offloads().vlan_strip ? 1 : 0)),
      log_(std::move(log)),
      link_up_(has_link()) {
    if (!link_up_ && spec.is_kernel_interface()) {
        log_(fmt::format("port '{0}' has no link; 'ip link set {1} up' if that is not meant",
                         spec.text, spec.name));
    }
    if (filter_.mode() != MulticastFilterMode::exact_list &&
        filter_.mode() != MulticastFilterMode::mac_table) {
        log_(
            fmt::format("port '{}' has no multicast filter of its own ({}): the worker sorts "
                        "every frame",
                        spec.text, name(filter_.mode())));
    }
    igmp::HostOptions igmp;
    igmp.address = options.address.address;
    igmp.prefix_length = options.address.prefix_length;
    igmp.mtu = options.mtu;
    igmp.robustness = options.robustness;
    igmp.require_router_alert = options.require_router_alert;
    igmp.minimum_version = static_cast<igmp::Version>(options.minimum_igmp_version);
    igmp_ = std::make_unique<IgmpAgent>(
        igmp, port_.mac(), vlan_,
        [this](std::span<const std::byte> frame, IgmpAgent::Sent sent) {
            send_frame(frame, std::move(sent));
        },
        log_);
}

void PortContext::attach(std::span<WorkerProxy* const> proxies, const Relays& relays,
                         std::size_t max_subscriptions) {
    const dataplane::Identity identity{
        .mac = port_.mac(), .address = options_.address.address, .vlan = vlan_};
    steering_.set_relays(relays);
    for (std::uint16_t queue = 0; queue < port_.queues(); ++queue) {
        auto& worker = proxies[queue]->worker();
        const auto lane = worker.add_lane(std::make_unique<dataplane::Lane>(
            port_, pools_->transmit, identity, max_subscriptions, queue));
        worker.lane(lane).link_up.store(link_up_, std::memory_order_relaxed);
        steering_.add_seat({proxies[queue], lane});
    }
}

bool PortContext::owns(const WorkerProxy& proxy, dataplane::LaneIndex lane) const {
    const auto& seats = steering_.seats();
    return std::any_of(seats.begin(), seats.end(),
                       [&](const Seat& seat) { return seat.proxy == &proxy && seat.lane == lane; });
}

void PortContext::handle(const dataplane::ControlFrame& frame) {
    handle_packet(frame.packet, frame);
    dataplane::dpdk::free(frame.packet);
}

void PortContext::handle_packet(const Packet* packet, const dataplane::ControlFrame& frame) {
    std::vector<std::byte> joined;
    auto bytes = dataplane::dpdk::first_segment(packet);
    if (!dataplane::dpdk::is_contiguous(packet)) {
        joined.resize(dataplane::dpdk::length(packet));
        joined.resize(dataplane::dpdk::copy_out(packet, 0, joined));
        bytes = joined;
    }
    if (bytes.size() < std::size_t{frame.offset} + frame.length) return;
    const auto link = net::load<net::EthernetWire>(bytes.data());
    const auto message = bytes.subspan(frame.offset, frame.length);
    std::vector<std::byte> out(options_.mtu + 64U);
    // An IPv4 header begins with its version; an ARP message with the hardware type, 1.
    if (message.empty() || message[0] == std::byte{0}) {
        reply(std::span(out).first(responder_.answer_arp(message, out)));
        if (const auto arp = net::parse_arp(message)) {
            neighbours_.received(*arp, frame.at, neighbour_news_);
        }
        return;
    }
    const auto ip = net::parse_ipv4(message);
    if (!ip) return;
    if (ip->header.protocol == net::ip_protocol::kIgmp) {
        igmp_->receive(ip->header, ip->payload, frame.at);
    } else if (ip->header.protocol == net::ip_protocol::kIcmp) {
        reply(std::span(out).first(responder_.answer_echo(*ip, link.source, out)));
    }
}

void PortContext::send_frame(std::span<const std::byte> frame, IgmpAgent::Sent sent) {
    std::array<Packet*, 1> packet{};
    if (frame.size() > pools_->control.data_room() || !pools_->control.allocate(packet)) {
        count(DropReason::no_buffer);
        if (sent) sent(std::chrono::steady_clock::now(), false);
        return;
    }
    dataplane::dpdk::set_length(packet[0], static_cast<std::uint32_t>(frame.size()));
    std::copy(frame.begin(), frame.end(), dataplane::dpdk::data(packet[0]));
    const Seat& seat = control_seat();
    seat.proxy->send(dataplane::TransmitFrame{.lane = seat.lane, .packet = packet[0]},
                     [sent = std::move(sent)](const dataplane::Acknowledgement& answer) {
                         if (sent) sent(answer.at, answer.done);
                     });
}

void PortContext::reply(std::span<const std::byte> frame) {
    if (frame.empty()) return;
    if (control_seat().proxy->is_congested()) {
        count(DropReason::control_queue_full);
    } else {
        send_frame(frame, {});
    }
}

void PortContext::announce() {
    std::array<std::byte, 128> out;
    reply(std::span<const std::byte>(out).first(responder_.announce(out)));
}

std::optional<NeighbourWatch> PortContext::watch_neighbour(Ipv4Address host,
                                                           NeighbourChanged changed) {
    const auto next_hop = neighbours_.next_hop(host);
    if (!next_hop) return std::nullopt;
    const Instant now = std::chrono::steady_clock::now();
    bool admitted = false;
    const auto mac = neighbours_.watch(*next_hop, now, neighbour_news_, admitted);
    if (!admitted) return std::nullopt;
    if (mac) neighbour_news_.changes.push_back({*next_hop, mac});
    const NeighbourWatch watch{*next_hop, ++last_watch_};
    neighbour_watchers_.emplace(watch, std::move(changed));
    return watch;
}

void PortContext::release_neighbour(const NeighbourWatch& watch) {
    if (neighbour_watchers_.erase(watch) != 0) neighbours_.release(watch.next_hop);
}

void PortContext::ask_and_tell_neighbours(Instant now) {
    const auto deadline = neighbours_.next_deadline();
    if (deadline && *deadline <= now) neighbours_.advance(now, neighbour_news_);
    const auto news = std::exchange(neighbour_news_, {});
    std::array<std::byte, 128> out;
    for (const auto& request : news.requests) {
        const auto size = net::build_arp_frame(
            {.source = port_.mac(), .destination = MacAddress::broadcast(), .vlan = vlan_}, request,
            out);
        if (size) send_frame(std::span<const std::byte>(out).first(*size), {});
    }
    for (const auto& change : news.changes) {
        auto watcher = neighbour_watchers_.lower_bound({change.next_hop, 0});
        for (; watcher != neighbour_watchers_.end() && watcher->first.next_hop == change.next_hop;
             ++watcher) {
            watcher->second(change.mac);
        }
    }
}

void PortContext::tick(Instant now) {
    watch_link(now);
    watch_clock(now);
    ask_and_tell_neighbours(now);
    igmp_->advance(now);
}

// The worker sends ahead by microseconds, from the last of these readings on.
void PortContext::watch_clock(Instant now) {
    if (!port_.offloads().send_on_time || now - clock_watched_ < kClockEvery) return;
    clock_watched_ = now;
    const auto reading = port_.read_clock();
    const auto field = dataplane::dpdk::SendTime::field();
    if (!reading || !field) return;
    if (clock_) {
        clock_->read(*reading);
    } else {
        clock_.emplace(*reading);
    }
    std::optional<dataplane::dpdk::SendTiming> timing;
    if (clock_->is_known()) timing = {*clock_, *field};
    for (const Seat& seat : steering_.seats()) {
        seat.proxy->send(dataplane::SetSendTiming{seat.lane, timing}, [](const auto&) {});
    }
}

bool PortContext::has_link() const {
    return port_.link_up() && (!interface_ || interface_->is_running());
}

void PortContext::watch_link(Instant now) {
    if (now - link_watched_ < kLinkEvery) return;
    link_watched_ = now;
    const bool up = has_link();
    if (up == link_up_) return;
    link_up_ = up;
    for (const Seat& seat : steering_.seats()) {
        seat.proxy->worker().lane(seat.lane).link_up.store(up, std::memory_order_relaxed);
    }
    log_(fmt::format("port '{}': link {}", options_.port, up ? "up" : "down"));
    igmp_->link_changed(up, now);
    if (up) {
        filter_.reapply();  // some drivers forget what they were told when the link goes
        announce();
    }
}

namespace {

std::vector<std::string_view> names(const dataplane::dpdk::Offloads& offloads) {
    std::vector<std::string_view> all;
    const auto add = [&all](bool has, std::string_view name) {
        if (has) all.push_back(name);
    };
    add(offloads.receive_ipv4_checksum, "receive_ipv4_checksum");
    add(offloads.receive_udp_checksum, "receive_udp_checksum");
    add(offloads.transmit_udp_checksum, "transmit_udp_checksum");
    add(offloads.multi_segment_transmit, "multi_segment_transmit");
    add(offloads.vlan_strip, "vlan_strip");
    add(offloads.send_on_time, "send_on_time");
    add(offloads.rss, "rss");
    return all;
}

}  // namespace

PortStatus PortContext::status() const {
    using dataplane::Count;
    const auto driver = port_.driver_counters();
    PortStatus status;
    status.spec = options_.port;
    status.driver = port_.driver();
    status.mac = port_.mac();
    status.address = options_.address;
    status.mtu = port_.mtu();
    status.link_up = link_up_;
    status.filter_mode = filter_.mode();
    status.offloads = names(port_.offloads());
    status.queues = port_.queues();
    status.steered_groups = steering_.steered();
    status.querier = igmp_->querier_status();
    status.igmp = igmp_->counts();
    auto& counters = status.counters;
    counters.drops = drops_;
    for (const Seat& seat : steering_.seats()) {
        const auto& published = seat.proxy->worker().lane(seat.lane).published;
        counters.received += published.get(Count::received);
        counters.received_bytes += published.get(Count::received_bytes);
        counters.transmitted += published.get(Count::transmitted);
        counters.transmitted_bytes += published.get(Count::transmitted_bytes);
        counters.delivered += published.get(Count::delivered);
        counters.delivered_bytes += published.get(Count::delivered_bytes);
        counters.sent += published.get(Count::sent);
        counters.sent_bytes += published.get(Count::sent_bytes);
        for (std::size_t i = 0; i < kDropReasonCount; ++i) {
            counters.drops[i] += published.get(static_cast<DropReason>(i));
        }
    }
    counters.missed = driver.missed;
    counters.errors = driver.errors;
    counters.no_mbuf = driver.no_mbuf;
    status.buffers = {.receive = pools_->receive.in_use(),
                      .transmit = pools_->transmit.in_use(),
                      .control = pools_->control.in_use(),
                      .replicas = pools_->replicas ? pools_->replicas->in_use() : 0};
    return status;
}

}  // namespace joinleaf::controlplane
