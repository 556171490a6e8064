#include <controlplane/attachment.h>
#include <net/udp.h>
#include <algorithm>
#include <utility>

namespace joinleaf::controlplane {
namespace {

constexpr std::uint8_t kUnicastTtl = 64;

using dataplane::Acknowledgement;
using dataplane::Route;

Instant now() { return std::chrono::steady_clock::now(); }

std::uint32_t payload_capacity(const PortOptions& options) {
    return static_cast<std::uint32_t>(options.mtu - net::kIpv4HeaderSize - net::kUdpHeaderSize);
}

}  // namespace

Attachment::Attachment(PortContext& port, const Endpoints& endpoints, AttachPlan plan)
    : port_(port), endpoints_(endpoints), plan_(std::move(plan)) {}

void Attachment::attach(std::uint8_t scope, bool loopback, Ready ready) {
    scope_ = scope;
    loopback_ = loopback;
    ready_ = std::move(ready);
    attached_ = true;
    called_at_ = now();
    // The receiving side is ready before the report leaves, so that not even the first datagram is
    // missed; the sending side after it, because it hears itself through the receiving one (M24).
    if (plan_.reception) {
        subscribe();
    } else if (const auto added = add_outlet(); !added) {
        finish(added.error(), called_at_);
    }
}

void Attachment::subscribe() {
    filter_ = std::make_shared<const SourceFilter>(plan_.reception->sources);
    subscription_ = dataplane::make_subscription();
    subscription_->key = {plan_.reception->destination, plan_.reception->port.value()};
    subscription_->socket = endpoints_.socket;
    subscription_->cookie = endpoints_.cookie;
    if (endpoints_.handler.call != nullptr) {
        subscription_->outgo = endpoints_.handler;
    } else {
        subscription_->deliver_to(endpoints_.receiver->queue);
    }
    subscription_->set_filter(*filter_);
    subscription_->loopback = loopback_;
    if (receives_group()) port_.filter().add(group());
    seat().proxy->send(
        dataplane::AddSubscription{.lane = seat().lane, .subscription = subscription_.get()},
        [self = shared_from_this()](const Acknowledgement& answer) {
            if (!self->attached_) return;
            if (!answer.done) {
                self->finish(std::make_error_code(std::errc::no_buffer_space), answer.at);
                return;
            }
            self->steered_ = true;
            self->port_.steering().bring(
                self->subscription_->key, self->endpoints_.queue,
                [self, at = answer.at](bool done) {
                    if (!self->attached_) return;
                    if (!done) {
                        self->finish(std::make_error_code(std::errc::no_buffer_space), at);
                        return;
                    }
                    self->subscribed(at);
                });
        });
}

void Attachment::subscribed(Instant at) {
    // A root that replicates is told of leaves before it sends for the first time.
    if (replicates() || (plan_.sending && endpoints_.sender.source.call != nullptr)) {
        if (const auto added = add_outlet(); !added) {
            finish(added.error(), at);
            return;
        }
    }
    report(at);
}

Result<std::shared_ptr<dataplane::SendQueue>> Attachment::send_queue() {
    if (!outlet_) {
        if (const auto added = add_outlet(); !added) return tl::unexpected(added.error());
    }
    return send_queue_;
}

Result<std::size_t> Attachment::feed_capacity(std::span<Attachment* const> others) const {
    std::vector<const Attachment*> lines{this};
    for (const Attachment* other : others) {
        if (std::ranges::find(lines, other) != lines.end()) {
            return failure(std::errc::invalid_argument);
        }
        lines.push_back(other);
    }
    std::size_t capacity = payload_capacity(port_.options());
    std::size_t held = 0;
    for (const Attachment* line : lines) {
        if (line->feed_) return failure(std::errc::device_or_resource_busy);
        const auto& to = *line->plan_.sending;
        if (!others.empty() && !to.destination.is_multicast() && !line->replicates()) {
            return failure(std::errc::invalid_argument);
        }
        capacity = std::min<std::size_t>(capacity, payload_capacity(line->port_.options()));
        held += line->port_.port().transmit_slots() + dataplane::FeedLine::kSlots;
    }
    // The lines share this port's buffers: when one holds all that it can, the others go on.
    if (!others.empty() && held >= port_.options().transmit_buffers) {
        return failure(std::errc::no_buffer_space);
    }
    return capacity;
}

Result<void> Attachment::publish_feed(const std::shared_ptr<FeedPublisher::Impl>& feed,
                                      std::span<Attachment* const> others) {
    if (auto able = feed_capacity(others); !able) return tl::unexpected(able.error());
    std::vector<Attachment*> lines{this};
    lines.insert(lines.end(), others.begin(), others.end());
    for (Attachment* line : lines) {
        if (auto ready = line->prepare_feed(!others.empty()); !ready) return ready;
    }
    for (std::size_t i = 0; i < lines.size(); ++i) lines[i]->begin_feed(feed, i);
    return {};
}

// What goes by several ports goes out as references to one payload, also where it goes to one group
// alone.
Result<void> Attachment::prepare_feed(bool by_several) {
    if (outlet_ && by_several && !outlet_->replication) remove_outlet();
    by_several_ = by_several;
    if (outlet_) return {};
    return add_outlet();
}

void Attachment::begin_feed(std::shared_ptr<FeedPublisher::Impl> feed, std::size_t line) {
    feed_ = std::move(feed);
    line_ = line;
    dataplane::SetFeed command{.outlet = outlet_.get()};
    if (!feed_->lines) {
        command.feed = &feed_->source;
    } else {
        command.line = &feed_->lines->line(line);
        if (line == 0) command.builds = &*feed_->lines;
    }
    seat().proxy->send(command, [outlet = outlet_, held = feed_](const Acknowledgement&) {});
}

Result<void> Attachment::add_outlet() {
    const auto& to = *plan_.sending;
    if (!to.destination.is_multicast()) {
        next_hop_ = port_.watch_neighbour(to.destination,
                                          [self = weak_from_this()](std::optional<MacAddress> mac) {
                                              const auto attachment = self.lock();
                                              if (!attachment) return;
                                              attachment->next_mac_ = mac;
                                              attachment->next_hop_silent_ = !mac;
                                              attachment->refresh_outlet();
                                          });
        if (!next_hop_) return failure(std::errc::network_unreachable);
    }
    if (!endpoints_.sender.also.empty() && (!to.destination.is_multicast() || replicates())) {
        return failure(std::errc::invalid_argument);
    }
    if (!port_.take_outlet()) return failure(std::errc::no_buffer_space);
    if (endpoints_.sender.source.call == nullptr && !sends_feed()) {
        send_queue_ = std::make_shared<dataplane::SendQueue>(endpoints_.sender.capacity,
                                                             payload_capacity(port_.options()));
    }
    outlet_ = std::make_shared<dataplane::Outlet>(header());
    outlet_->key = {to.destination, to.port.value()};
    outlet_->source = port_.options().address.address;
    outlet_->source_port = to.port.value();
    outlet_->payload_capacity = payload_capacity(port_.options());
    outlet_->inline_source = endpoints_.sender.source;
    outlet_->queue = send_queue_.get();
    outlet_->own = subscription_.get();
    outlet_->route = route();
    outlet_->udp_checksum = endpoints_.sender.udp_checksum;
    outlet_->pacer = {pace(), now()};
    if (replicates() || by_several_ || !endpoints_.sender.also.empty()) {
        if (auto added = add_replication(); !added) {
            outlet_.reset();
            send_queue_.reset();
            port_.give_outlet_back();
            return added;
        }
    }
    seat().proxy->send(dataplane::AddOutlet{.lane = seat().lane, .outlet = outlet_.get()},
                       [self = shared_from_this(), outlet = outlet_](const Acknowledgement&) {
                           // M8: who only sends has nothing to tell the network, so it was complete
                           // when called.
                           if (self->attached_ && !self->plan_.reception)
                               self->finish({}, self->called_at_);
                       });
    if (replicas_ && !replicates()) {
        replicas_->add_group({*GroupAddress::from(to.destination), to.port});
        for (const auto& line : endpoints_.sender.also) replicas_->add_group(line);
    }
    return {};
}

// Many destinations: the leaves of a session, who come and go, or this group and others.
Result<void> Attachment::add_replication() {
    const auto& also = endpoints_.sender.also;
    try {
        outlet_->replication = std::make_unique<dataplane::Replication>(
            replicates() ? plan_.sending->leaves : also.size() + 1, port_.replica_pool(),
            port_.port().offloads().multi_segment_transmit);
    } catch (const std::system_error&) {
        return failure(std::errc::no_buffer_space);
    }
    if (!replicates()) {
        outlet_->replication->heard_here.push_back(outlet_->key);
        for (const auto& line : also) {
            outlet_->replication->heard_here.push_back({line.group.address(), line.port.value()});
        }
    }
    replicas_ = std::make_shared<Replicas>(port_, *seat().proxy, outlet_);
    replicas_->set_scope(scope_, {});
    return {};
}

// M7: the join has completed when the burst that carries the report has been taken; where there is
// nothing to report, when the worker delivers.
void Attachment::report(Instant in_place) {
    if (!receives_group()) {
        finish({}, in_place);
        return;
    }
    const auto result = port_.igmp().set_filter(
        member(), group(), plan_.reception->sources, now(),
        [self = shared_from_this()](Instant at, bool done) {
            if (!self->attached_) return;
            self->finish(done ? std::error_code{} : std::make_error_code(std::errc::network_down),
                         at);
        });
    if (!result) finish(std::make_error_code(result.error()), now());
}

void Attachment::finish(std::error_code error, Instant at) {
    const auto ready = std::exchange(ready_, nullptr);
    if (error) detach();
    if (ready) ready(error, at);
}

void Attachment::detach() {
    if (!std::exchange(attached_, false)) return;
    ready_ = nullptr;
    if (next_hop_) port_.release_neighbour(*std::exchange(next_hop_, std::nullopt));
    if (feed_) {
        if (line_ == 0) feed_->closed.store(true, std::memory_order_relaxed);
        if (feed_->lines) feed_->lines->line(line_).close();
    }
    remove_outlet();
    if (subscription_) {
        if (receives_group()) {
            port_.igmp().remove_member(member(), now());
            port_.filter().remove(group());
        }
        if (std::exchange(steered_, false)) {
            port_.steering().drop(subscription_->key, endpoints_.queue);
        }
        seat().proxy->send(
            dataplane::RemoveSubscription{.lane = seat().lane, .subscription = subscription_.get()},
            [subscription = subscription_, filter = filter_, receiver = endpoints_.receiver,
             lent = endpoints_.lent](const Acknowledgement&) {});
        subscription_.reset();
    }
}

void Attachment::remove_outlet() {
    replicas_.reset();
    if (!outlet_) return;
    seat().proxy->send(dataplane::RemoveOutlet{.lane = seat().lane, .outlet = outlet_.get()},
                       // The worker may still look at all of these until it says that it does not.
                       [outlet = outlet_, own = subscription_, queue = send_queue_, feed = feed_,
                        lent = endpoints_.lent](const Acknowledgement&) {});
    port_.give_outlet_back();
    if (send_queue_) send_queue_->close();
    send_queue_.reset();
    outlet_.reset();
}

Result<void> Attachment::set_sources(const SourceFilter& sources, Held applied) {
    const auto told = port_.igmp().set_filter(member(), group(), sources, now(), {});
    if (!told) return failure(told.error());
    replace_filter(sources, [held = std::move(applied)] {});
    return {};
}

void Attachment::set_admitted_sources(const SourceFilter& sources, std::function<void()> applied) {
    if (subscription_) replace_filter(sources, std::move(applied));
}

void Attachment::replace_filter(const SourceFilter& sources, std::function<void()> applied) {
    plan_.reception->sources = sources;
    const auto old = std::exchange(filter_, std::make_shared<const SourceFilter>(sources));
    seat().proxy->send(
        dataplane::ReplaceFilter{.subscription = subscription_.get(), .filter = filter_.get()},
        [old, subscription = subscription_, fresh = filter_,
         applied = std::move(applied)](const Acknowledgement&) { applied(); });
}

Route Attachment::route() const {
    if (scope_ == 0) return Route::host_only;
    if (plan_.sending->destination.is_multicast() || next_mac_) return Route::wire;
    return next_hop_silent_ ? Route::unresolved : Route::waiting;
}

dataplane::Pace Attachment::pace() const {
    const auto& sender = endpoints_.sender;
    const std::uint32_t longest = dataplane::octets_on_wire(
        static_cast<std::uint32_t>(header().size()) + payload_capacity(port_.options()));
    return {.packets_per_second = sender.packets_per_second,
            .bits_per_second = sender.bits_per_second,
            .burst_packets = sender.burst,
            .burst_octets = sender.burst * longest};
}

dataplane::HeaderTemplate Attachment::header() const {
    const auto& to = *plan_.sending;
    const auto group = GroupAddress::from(to.destination);
    return dataplane::HeaderTemplate(
        {.ethernet = {.source = port_.port().mac(),
                      .destination =
                          group ? MacAddress::of_group(*group) : next_mac_.value_or(MacAddress()),
                      .vlan = port_.vlan()},
         .source = port_.options().address.address,
         .destination = to.destination,
         .ports = {.source_port = to.port.value(), .destination_port = to.port.value()},
         .ttl = group ? std::max<std::uint8_t>(scope_, 1) : kUnicastTtl});
}

void Attachment::refresh_outlet(Held applied) {
    if (!outlet_) return;
    if (replicas_) replicas_->set_scope(scope_, applied);
    const auto fresh = std::make_shared<const dataplane::HeaderTemplate>(header());
    seat().proxy->send(
        dataplane::ReplaceHeader{.outlet = outlet_.get(), .header = fresh.get(), .route = route()},
        [fresh, outlet = outlet_, held = std::move(applied)](const Acknowledgement&) {});
}

void Attachment::set_scope(std::uint8_t scope, Held applied) {
    scope_ = scope;
    refresh_outlet(std::move(applied));
}

void Attachment::set_rate(std::uint64_t packets_per_second, std::uint64_t bits_per_second,
                          Held applied) {
    endpoints_.sender.packets_per_second = packets_per_second;
    endpoints_.sender.bits_per_second = bits_per_second;
    if (!outlet_) return;
    seat().proxy->send(dataplane::SetPace{.outlet = outlet_.get(), .pace = pace()},
                       [outlet = outlet_, held = std::move(applied)](const Acknowledgement&) {});
}

void Attachment::set_loopback(bool on, Held applied) {
    loopback_ = on;
    if (!subscription_) return;
    seat().proxy->send(
        dataplane::SetLoopback{.subscription = subscription_.get(), .on = on},
        [subscription = subscription_, held = std::move(applied)](const Acknowledgement&) {});
}

std::optional<MembershipStatus> Attachment::status() const {
    if (!subscription_ || (!receives_group() && !plan_.reception->session)) return std::nullopt;
    const auto instant = [](const std::atomic<std::int64_t>& at) -> std::optional<Instant> {
        const auto value = at.load(std::memory_order_relaxed);
        if (value == 0) return std::nullopt;
        return Instant(Duration(value));
    };
    const auto named = plan_.reception->session ? *plan_.reception->session : group();
    MembershipStatus status{.group = {named, plan_.reception->port}};
    status.socket = static_cast<std::uint32_t>(endpoints_.socket);
    status.sources = plan_.reception->sources;
    status.first_datagram_at = instant(subscription_->first_at);
    status.last_datagram_at = instant(subscription_->last_at);
    status.delivered = subscription_->delivered.load(std::memory_order_relaxed);
    status.queue_full = subscription_->queue_full.load(std::memory_order_relaxed);
    status.source_filtered = subscription_->source_filtered.load(std::memory_order_relaxed);
    return status;
}

}  // namespace joinleaf::controlplane
