#include <controlplane/socket_core.h>
#include <utility>

namespace joinleaf::controlplane {
namespace {

// Of data that comes to our own address: no querier has a say in it.
void tell_unicast_health(MembershipStatus& membership, Instant now) {
    const auto last = membership.last_datagram_at;
    if (!membership.connected_at) {
        membership.health = JoinHealth::not_reported;
    } else if (!last) {
        membership.health = JoinHealth::no_data;
    } else {
        membership.health = now - *last > kSilentAfter ? JoinHealth::silent : JoinHealth::receiving;
    }
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

Result<void> SocketCore::may_join() const {
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
    return {};
}

Result<void> SocketCore::start_group_join(GroupEndpoint, const JoinOptions&) {
    return failure(state_ == State::closed ? std::errc::not_a_socket : std::errc::invalid_argument);
}
Result<std::shared_ptr<SocketCore>> SocketCore::start_peer_join(const ControlEndpoint&,
                                                                const AdmissionRequest&) {
    return failure(state_ == State::closed ? std::errc::not_a_socket : std::errc::invalid_argument);
}
Result<void> SocketCore::listen(const ControlEndpoint&, std::size_t) {
    return failure(state_ == State::closed ? std::errc::not_a_socket
                                           : std::errc::operation_not_supported);
}
Result<RequestId> SocketCore::oldest_request() {
    return failure(state_ == State::closed ? std::errc::not_a_socket : std::errc::invalid_argument);
}
const PendingJoin* SocketCore::find_request(RequestId) const { return nullptr; }
Result<std::shared_ptr<SocketCore>> SocketCore::answer(RequestId, const Answer&) {
    return failure(std::errc::invalid_argument);
}
Result<void> SocketCore::use(AdmissionFiles) {
    return failure(state_ == State::closed ? std::errc::not_a_socket
                                           : std::errc::operation_not_supported);
}
std::optional<AdmissionStatus> SocketCore::admission_status() const { return std::nullopt; }
Result<UserData> SocketCore::peer_data() const { return failure(std::errc::not_connected); }
Result<SessionOffer> SocketCore::session() const { return failure(std::errc::not_connected); }
Result<Peer> SocketCore::peer() const { return failure(std::errc::not_connected); }
Result<void> SocketCore::say(const UserData&) { return failure(std::errc::not_connected); }
Result<void> SocketCore::set_sources(const SourceFilter&, Held) {
    return failure(std::errc::operation_not_supported);
}
void SocketCore::tick(Instant) {}

std::optional<UserData> SocketCore::hear() {
    if (talk_.empty()) return std::nullopt;
    auto data = std::move(talk_.front());
    talk_.pop_front();
    return data;
}

void SocketCore::raise(EventType type, std::error_code error, Instant at) {
    if (!events_ || (mask_ & static_cast<EventMask>(type)) == 0) return;
    events_->put(
        {.type = type, .socket = id_, .cookie = options_.cookie, .error = error, .at = at});
}

void SocketCore::inherit(const SocketCore& from) {
    events_ = from.events_;
    mask_ = from.mask_;
    scope_ = from.scope_;
    loopback_ = from.loopback_;
    nonblocking_ = from.nonblocking_;
}

void SocketCore::request_pending() {
    raise(EventType::accept, {}, std::chrono::steady_clock::now());
    wake_request_waiters();
}

// All of them: the first to look may find that another has been faster, and waits again.
void SocketCore::wake_request_waiters() {
    for (const auto& waiter : std::exchange(request_waiters_, {})) waiter();
}

// A peer that talks to nobody who listens: the oldest words go.
void SocketCore::heard(UserData data) {
    constexpr std::size_t kMostUnheard = 64;
    if (talk_.size() == kMostUnheard) talk_.pop_front();
    talk_.push_back(std::move(data));
    raise(EventType::talk, {}, std::chrono::steady_clock::now());
}

void SocketCore::session_closed(std::error_code reason) {
    detach();
    state_ = State::open;
    raise(EventType::close, reason, std::chrono::steady_clock::now());
}

void SocketCore::detach() {
    if (attachment_) attachment_->detach();
    attachment_.reset();
}

void SocketCore::attach(AttachPlan plan, Attachment::Ready ready) {
    attachment_ = std::make_shared<Attachment>(port_,
                                               Endpoints{.socket = id_,
                                                         .cookie = options_.cookie,
                                                         .handler = options_.handler,
                                                         .receiver = receiver_,
                                                         .sender = options_.sender,
                                                         .queue = options_.queue.value_or(0),
                                                         .lent = lent_},
                                               std::move(plan));
    const auto held = attachment_;  // it may fail at once, and is then ours no longer
    held->attach(scope_, loopback_, std::move(ready));
}

void SocketCore::complete(std::error_code error, Instant at) {
    if (error) {
        detach();
        state_ = State::open;
    } else {
        state_ = State::joined;
        connected_at_ = at;
    }
    raise(EventType::connect, error, at);
    if (auto waiter = std::exchange(waiter_, nullptr)) waiter(error);
}

void SocketCore::invitation_done(std::error_code error, Instant at) {
    raise(EventType::connect, error, at);
    if (auto waiter = std::exchange(waiter_, nullptr)) waiter(error);
}

void SocketCore::in_place(Instant at) {
    state_ = State::joined;
    connected_at_ = at;
}

void SocketCore::link_lost(const PortContext& port) {
    if (&port != &port_ || state_ != State::joining) return;
    if (attachment_) attachment_->detach();
    complete(std::make_error_code(std::errc::network_down), std::chrono::steady_clock::now());
}

void SocketCore::close() {
    if (state_ == State::closed) return;
    events_.reset();
    closing();
    detach();
    state_ = State::closed;
    lent_.reset();
    wake_request_waiters();
    if (auto waiter = std::exchange(waiter_, nullptr)) {
        waiter(std::make_error_code(std::errc::operation_canceled));
    }
}

Result<void> SocketCore::set_scope(std::uint8_t scope, Held applied) {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    scope_ = scope;
    if (attachment_) attachment_->set_scope(scope, std::move(applied));
    return {};
}

Result<void> SocketCore::set_loopback(bool on, Held applied) {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    if (options_.scheme.data == Plane::rooted) {
        return failure(std::errc::operation_not_supported);
    }
    loopback_ = on;
    if (attachment_) attachment_->set_loopback(on, std::move(applied));
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

Result<void> SocketCore::may_send() const {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    if (state_ != State::joined || !attachment_ || !attachment_->sends()) {
        return failure(std::errc::not_connected);
    }
    return {};
}

Result<std::shared_ptr<dataplane::SendQueue>> SocketCore::send_queue() {
    if (auto able = may_send(); !able) return tl::unexpected(able.error());
    if (options_.sender.source.call != nullptr || options_.sender.framing != Framing::datagram) {
        return failure(std::errc::operation_not_supported);
    }
    return attachment_->send_queue();
}

Result<std::shared_ptr<FeedPublisher::Impl>> SocketCore::publish_feed(
    const FeedPublisherOptions& options) {
    if (auto able = may_send(); !able) return tl::unexpected(able.error());
    if (options_.sender.framing != Framing::moldudp64) {
        return failure(std::errc::operation_not_supported);
    }
    return attachment_->publish_feed(options);
}

Result<Instant> SocketCore::connected_at() const {
    if (state_ == State::closed) return failure(std::errc::not_a_socket);
    if (!connected_at_ || state_ != State::joined) return failure(std::errc::not_connected);
    return *connected_at_;
}

std::optional<MembershipStatus> SocketCore::status() const {
    if (!attachment_) return std::nullopt;
    auto status = attachment_->status();
    if (!status) return std::nullopt;
    status->port = options_.port;
    if (state_ == State::joined) status->connected_at = connected_at_;
    const Instant now = std::chrono::steady_clock::now();
    if (attachment_->receives_group()) {
        port_.igmp().tell_health(*status, now);
    } else {
        tell_unicast_health(*status, now);
    }
    return status;
}

}  // namespace joinleaf::controlplane
