#include <controlplane/receiver_impl.h>
#include <controlplane/socket_core.h>
#include <net/udp.h>

#include <algorithm>

namespace joinleaf::controlplane {
namespace {

using dataplane::Acknowledgement;

Instant now() { return std::chrono::steady_clock::now(); }

dataplane::Pacer pacer_of(const SenderOptions& options) {
    return {{.packets_per_second = options.packets_per_second, .burst_packets = options.burst},
            now()};
}

}  // namespace

SocketCore::SocketCore(SocketId id, const SocketOptions& options, PortContext& port)
    : id_(id),
      options_(options),
      receiver_(options.receiver != nullptr ? options.receiver->impl() : nullptr),
      port_(port),
      pools_(port.pools()) {
    if (options.handler.call == nullptr && options.sender.source.call == nullptr) return;
    lent_ = std::make_shared<std::promise<void>>();
    let_go_ = lent_->get_future();
}

Result<void> SocketCore::start_join(GroupEndpoint group, const JoinOptions& options) {
    switch (state_) {
        case State::joining:
            return failure(std::errc::connection_already_in_progress);
        case State::joined:
            return failure(std::errc::already_connected);
        case State::closed:
            return failure(std::errc::not_a_socket);
        case State::open:
            break;
    }
    auto plan = plan_join(options_, group.group, options);
    if (!plan) return tl::unexpected(plan.error());
    if (!port_.link_up()) return failure(std::errc::network_down);

    group_ = group;
    plan_ = std::move(*plan);
    called_at_ = now();
    if (!plan_.receives) {
        if (auto added = add_outlet(); !added) return added;
    }
    state_ = State::joining;
    ++attempt_;
    // The receiving side is ready before the report leaves, so that not even the first datagram is
    // missed; the sending side after it, because it hears itself through the receiving one (M24).
    if (plan_.receives) subscribe();
    return {};
}

void SocketCore::subscribe() {
    filter_ = std::make_shared<const SourceFilter>(plan_.sources);
    subscription_ = std::make_shared<dataplane::Subscription>();
    subscription_->key = {group_->group.address(), group_->port.value()};
    subscription_->socket = id_;
    subscription_->cookie = options_.cookie;
    subscription_->handler = options_.handler;
    subscription_->queue = receiver_ ? &receiver_->queue : nullptr;
    subscription_->filter = filter_.get();
    subscription_->loopback = loopback_;
    port_.filter().add(group_->group);
    port_.proxy().send(
        dataplane::AddSubscription{.lane = port_.lane(), .subscription = subscription_.get()},
        [self = shared_from_this(), attempt = attempt_](const Acknowledgement& answer) {
            if (attempt != self->attempt_ || self->state_ != State::joining) return;
            if (!answer.done) {
                self->complete(std::make_error_code(std::errc::no_buffer_space), answer.at);
                return;
            }
            // Most members never send. Whoever does so by an inline source does it from now on;
            // for the others the first sender() will do.
            if (self->plan_.sends && self->options_.sender.source.call != nullptr) {
                if (const auto added = self->add_outlet(); !added) {
                    self->complete(added.error(), answer.at);
                    return;
                }
            }
            self->report();
        });
}

Result<void> SocketCore::add_outlet() {
    if (!port_.take_outlet()) return failure(std::errc::no_buffer_space);
    const auto payload_capacity = static_cast<std::uint32_t>(
        port_.options().mtu - net::kIpv4HeaderSize - net::kUdpHeaderSize);
    if (options_.sender.source.call == nullptr) {
        send_queue_ =
            std::make_shared<dataplane::SendQueue>(options_.sender.capacity, payload_capacity);
    }
    outlet_ = std::make_shared<dataplane::Outlet>(header());
    outlet_->key = {group_->group.address(), group_->port.value()};
    outlet_->source = port_.options().address.address;
    outlet_->source_port = group_->port.value();
    outlet_->payload_capacity = payload_capacity;
    outlet_->inline_source = options_.sender.source;
    outlet_->queue = send_queue_.get();
    outlet_->own = subscription_.get();
    outlet_->on_wire = scope_ > 0;
    outlet_->udp_checksum = options_.sender.udp_checksum;
    outlet_->pacer = pacer_of(options_.sender);
    port_.proxy().send(dataplane::AddOutlet{.lane = port_.lane(), .outlet = outlet_.get()},
                       [self = shared_from_this(), outlet = outlet_](const Acknowledgement&) {
                           // M8: who only sends has nothing to tell the network.
                           const bool is_this_join =
                               outlet == self->outlet_ && self->state_ == State::joining;
                           if (is_this_join && !self->plan_.receives)
                               self->complete({}, self->called_at_);
                       });
    return {};
}

// M7: the join has completed when the burst that carries the report has been taken.
void SocketCore::report() {
    const auto result = port_.igmp().set_filter(
        member(), group_->group, plan_.sources, now(),
        [self = shared_from_this(), attempt = attempt_](Instant at, bool done) {
            if (attempt != self->attempt_ || self->state_ != State::joining) return;
            self->complete(done ? std::error_code{} : std::make_error_code(std::errc::network_down),
                           at);
        });
    if (!result) complete(std::make_error_code(result.error()), now());
}

void SocketCore::complete(std::error_code error, Instant at) {
    if (error) {
        leave();
        state_ = State::open;
    } else {
        state_ = State::joined;
        connected_at_ = at;
    }
    if (events_ && (mask_ & static_cast<EventMask>(EventType::connect)) != 0) {
        events_->put({.type = EventType::connect,
                      .socket = id_,
                      .cookie = options_.cookie,
                      .error = error,
                      .at = at});
    }
    if (auto waiter = std::exchange(waiter_, nullptr)) waiter(error);
}

void SocketCore::link_lost(const PortContext& port) {
    if (&port != &port_ || state_ != State::joining) return;
    complete(std::make_error_code(std::errc::network_down), now());
}

void SocketCore::leave() {
    if (outlet_) {
        port_.proxy().send(dataplane::RemoveOutlet{.lane = port_.lane(), .outlet = outlet_.get()},
                           // The worker may still look at both until it says that it does not.
                           [outlet = outlet_, own = subscription_, queue = send_queue_,
                            lent = lent_](const Acknowledgement&) {});
        port_.give_outlet_back();
        if (send_queue_) send_queue_->close();
        send_queue_.reset();
        outlet_.reset();
    }
    if (subscription_) {
        port_.igmp().remove_member(member(), now());
        port_.filter().remove(group_->group);
        port_.proxy().send(dataplane::RemoveSubscription{.lane = port_.lane(),
                                                         .subscription = subscription_.get()},
                           [subscription = subscription_, filter = filter_, receiver = receiver_,
                            lent = lent_](const Acknowledgement&) {});
        subscription_.reset();
    }
}

void SocketCore::close() {
    if (state_ == State::closed) return;
    if (state_ != State::open) leave();
    state_ = State::closed;
    ++attempt_;
    events_.reset();
    lent_.reset();
    if (auto waiter = std::exchange(waiter_, nullptr)) {
        waiter(std::make_error_code(std::errc::operation_canceled));
    }
}

Result<void> SocketCore::set_sources(const SourceFilter& sources) {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    if (!subscription_ || state_ != State::joined) return failure(std::errc::not_connected);
    if (auto checked = check_sources(options_.scheme, group_->group, sources); !checked) {
        return checked;
    }
    const auto told = port_.igmp().set_filter(member(), group_->group, sources, now(), {});
    if (!told) return failure(told.error());
    plan_.sources = sources;
    const auto old = std::exchange(filter_, std::make_shared<const SourceFilter>(sources));
    port_.proxy().send(
        dataplane::ReplaceFilter{.subscription = subscription_.get(), .filter = filter_.get()},
        [old, subscription = subscription_, fresh = filter_](const Acknowledgement&) {});
    return {};
}

dataplane::HeaderTemplate SocketCore::header() const {
    return dataplane::HeaderTemplate(
        {.ethernet = {.source = port_.port().mac(),
                      .destination = MacAddress::of_group(group_->group),
                      .vlan = port_.vlan()},
         .source = port_.options().address.address,
         .destination = group_->group.address(),
         .ports = {.source_port = group_->port.value(), .destination_port = group_->port.value()},
         .ttl = std::max<std::uint8_t>(scope_, 1)});
}

Result<void> SocketCore::set_scope(std::uint8_t scope) {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    scope_ = scope;
    if (!outlet_) return {};
    const auto fresh = std::make_shared<const dataplane::HeaderTemplate>(header());
    port_.proxy().send(
        dataplane::ReplaceHeader{
            .outlet = outlet_.get(), .header = fresh.get(), .on_wire = scope > 0},
        [fresh, outlet = outlet_](const Acknowledgement&) {});
    return {};
}

Result<void> SocketCore::set_loopback(bool on) {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    if (options_.scheme.data == Plane::rooted) {
        return failure(std::errc::operation_not_supported);
    }
    loopback_ = on;
    if (!subscription_) return {};
    port_.proxy().send(dataplane::SetLoopback{.subscription = subscription_.get(), .on = on},
                       [subscription = subscription_](const Acknowledgement&) {});
    return {};
}

Result<void> SocketCore::set_nonblocking(bool on) {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    nonblocking_ = on;
    return {};
}

Result<void> SocketCore::select(std::shared_ptr<EventQueue::Impl> queue, EventMask mask) {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    events_ = std::move(queue);
    mask_ = mask;
    return {};
}

Result<std::shared_ptr<dataplane::SendQueue>> SocketCore::send_queue() {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    if (!plan_.sends || state_ != State::joined) return failure(std::errc::not_connected);
    if (options_.sender.source.call != nullptr) {
        return failure(std::errc::operation_not_supported);
    }
    if (!outlet_) {
        if (const auto added = add_outlet(); !added) return tl::unexpected(added.error());
    }
    return send_queue_;
}

Result<Instant> SocketCore::connected_at() const {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    if (!connected_at_ || state_ != State::joined) return failure(std::errc::not_connected);
    return *connected_at_;
}

std::optional<MembershipStatus> SocketCore::status() const {
    if (!subscription_) return std::nullopt;
    const auto instant = [](const std::atomic<std::int64_t>& at) -> std::optional<Instant> {
        const auto value = at.load(std::memory_order_relaxed);
        if (value == 0) return std::nullopt;
        return Instant(Duration(value));
    };
    MembershipStatus status{.group = *group_};
    status.socket = static_cast<std::uint32_t>(id_);
    status.port = options_.port;
    status.sources = plan_.sources;
    status.connected_at = connected_at_;
    status.first_datagram_at = instant(subscription_->first_at);
    status.last_datagram_at = instant(subscription_->last_at);
    status.delivered = subscription_->delivered.load(std::memory_order_relaxed);
    status.queue_full = subscription_->queue_full.load(std::memory_order_relaxed);
    status.source_filtered = subscription_->source_filtered.load(std::memory_order_relaxed);
    return status;
}

}  // namespace joinleaf::controlplane
