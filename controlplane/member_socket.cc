#include <controlplane/member_socket.h>
#include <algorithm>
#include <utility>

namespace joinleaf::controlplane {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

AdmissionLeafOptions logic_options(const SocketOptions& options, const PortContext& port) {
    AdmissionLeafOptions logic{.name = options.admission.name,
                               .data_address = port.options().address.address,
                               .data_plane = options.scheme.data};
    if (options.admission.any_data_plane) logic.data_plane.reset();
    return logic;
}

template <class... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

MemberSocket::MemberSocket(SocketId id, const SocketOptions& options, PortContext& port,
                           const RootedContext& context, std::shared_ptr<AdmissionHub> hub)
    : SocketCore(id, options, port),
      context_(context),
      hub_(std::move(hub)),
      logic_(logic_options(options, port)),
      was_accepted_(hub_ != nullptr) {}

MemberSocket::~MemberSocket() {
    if (hub_) AdmissionHub::let_out(std::move(hub_));
}

std::shared_ptr<MemberSocket> MemberSocket::open(SocketId id, const SocketOptions& options,
                                                 PortContext& port, const RootedContext& context,
                                                 AdmissionTransportOptions transport) {
    auto socket = std::make_shared<MemberSocket>(id, options, port, context, nullptr);
    socket->hub_ = std::make_shared<AdmissionHub>(
        context.io, std::move(transport),
        [self = std::weak_ptr(socket)](ConnectionId connection, const Peer& peer) {
            if (const auto listening = self.lock()) listening->incoming(connection, peer);
        },
        context.log);
    return socket;
}

Result<std::shared_ptr<SocketCore>> MemberSocket::start_peer_join(const ControlEndpoint& peer,
                                                                  const AdmissionRequest& request) {
    if (auto ready = may_join(); !ready) return tl::unexpected(ready.error());
    if (listener_) return failure(std::errc::invalid_argument);  // M13
    if (request.direction != Direction::sender_only && !can_receive()) {
        return failure(std::errc::invalid_argument);
    }
    if (!port().link_up()) return failure(std::errc::network_down);
    const auto connection = hub_->next_connection();
    AdmissionActions actions;
    const auto asked = logic_.request(connection, peer,
                                      {.direction = request.direction,
                                       .from_root = request.from_root,
                                       .to_root = request.to_root,
                                       .caller_data = request.caller_data},
                                      now(), actions);
    if (!asked) return tl::unexpected(asked.error());
    peer_data_.clear();
    set_state(State::joining);
    hub_->assign(connection, std::static_pointer_cast<MemberSocket>(shared_from_this()));
    carry_out(actions);
    return shared_from_this();
}

Result<void> MemberSocket::listen(const ControlEndpoint& local, std::size_t backlog) {
    if (is_closed()) return failure(std::errc::not_a_socket);
    if (state() != State::open) return failure(std::errc::invalid_argument);
    if (was_accepted_) return failure(std::errc::operation_not_supported);
    const bool was_listening = listener_.has_value();
    if (was_listening && listens_at_ != local) return failure(std::errc::invalid_argument);
    if (!listener_) {
        // A leaf that has nowhere to put data does not take any.
        listener_.emplace(AdmissionListenerOptions{
            .leaf = logic_options(options(), port()),
            .direction = can_receive() ? Direction::both : Direction::sender_only});
    }
    if (auto listening = listener_->listen(backlog); !listening) {
        if (!was_listening) listener_.reset();
        return listening;
    }
    if (was_listening) return {};
    listens_at_ = local;
    auto bound = hub_->listen(local);
    if (!bound) listener_.reset();
    return bound;
}

void MemberSocket::incoming(ConnectionId connection, const Peer& peer) {
    if (!listener_) return;
    hub_->assign(connection, std::static_pointer_cast<MemberSocket>(shared_from_this()));
    AdmissionActions actions;
    listener_->incoming(connection, peer, now(), actions);
    carry_out(actions);
}

Result<RequestId> MemberSocket::oldest_request() {
    if (is_closed()) return failure(std::errc::not_a_socket);
    if (!listener_) return failure(std::errc::invalid_argument);
    return listener_->oldest_request();
}

const PendingJoin* MemberSocket::find_request(RequestId request) const {
    return listener_ ? listener_->find(request) : nullptr;
}

// The socket that accept returns is the one that receives the session's data.
Result<std::shared_ptr<SocketCore>> MemberSocket::answer(RequestId request, const Answer& answer) {
    if (is_closed()) return failure(std::errc::not_a_socket);
    if (!listener_) return failure(std::errc::invalid_argument);
    UserData caller_data;
    if (const auto* pending = listener_->find(request)) caller_data = pending->caller_data;
    AdmissionActions actions;
    auto leaf = listener_->answer(request, answer, now(), actions);
    if (!leaf || !*leaf) {
        carry_out(actions);
        if (!leaf) return tl::unexpected(leaf.error());
        return std::shared_ptr<SocketCore>();
    }
    auto socket =
        std::make_shared<MemberSocket>(context_.next_id(), options(), port(), context_, hub_);
    socket->inherit(*this);
    context_.adopt(socket);
    socket->take_over(std::move(**leaf), std::move(caller_data), actions);
    return std::static_pointer_cast<SocketCore>(socket);
}

void MemberSocket::take_over(AdmissionLeaf leaf, UserData caller_data, AdmissionActions& actions) {
    logic_ = std::move(leaf);
    peer_data_ = std::move(caller_data);
    set_state(State::joining);
    hub_->assign(*logic_.connection(), std::static_pointer_cast<MemberSocket>(shared_from_this()));
    carry_out(actions);
}

Result<UserData> MemberSocket::peer_data() const {
    if (is_closed()) return failure(std::errc::not_a_socket);
    if (!logic_.is_connected()) return failure(std::errc::not_connected);
    return peer_data_;
}

Result<SessionOffer> MemberSocket::session() const {
    if (is_closed()) return failure(std::errc::not_a_socket);
    if (!logic_.is_connected()) return failure(std::errc::not_connected);
    return logic_.offer();
}

Result<Peer> MemberSocket::peer() const {
    if (is_closed()) return failure(std::errc::not_a_socket);
    if (!logic_.is_connected()) return failure(std::errc::not_connected);
    return logic_.root();
}

Result<void> MemberSocket::say(const UserData& data) {
    if (is_closed()) return failure(std::errc::not_a_socket);
    AdmissionActions actions;
    const auto said = logic_.say(data, now(), actions);
    carry_out(actions);
    return said;
}

Result<void> MemberSocket::use(AdmissionFiles files) {
    if (is_closed()) return failure(std::errc::not_a_socket);
    hub_->use_tls(std::move(files.tls));
    return {};
}

void MemberSocket::tick(Instant at) {
    AdmissionActions actions;
    // This thread may have been kept from running, and has heard nothing meanwhile.
    const Unread unread = [this](ConnectionId id) { return hub_->is_unread(id); };
    if (const auto due = logic_.next_deadline(); due && *due <= at) {
        logic_.advance(at, actions, unread);
    }
    if (listener_) {
        if (const auto due = listener_->next_deadline(); due && *due <= at) {
            listener_->advance(at, actions, unread);
        }
    }
    carry_out(actions);
    if (settling_ && settling_->is_over(at, worker())) {
        settling_.reset();
        session_closed({});
    }
}

// M4: the root's last data first, then FD_CLOSE. Who is expelled hears nothing more.
void MemberSocket::settle(AdmissionActions& actions) {
    const bool in_good_order =
        std::any_of(actions.begin(), actions.end(), [](const AdmissionAction& action) {
            const auto* closed = std::get_if<SessionClosed>(&action);
            return closed != nullptr && !closed->reason;
        });
    if (!in_good_order) return;
    settling_.emplace(now(), worker());
    std::erase_if(actions, [](const AdmissionAction& action) {
        return std::holds_alternative<LeaveGroup>(action) ||
               std::holds_alternative<SessionClosed>(action);
    });
}

void MemberSocket::stalled(Duration time, Instant at) {
    logic_.stalled(time, at);
    if (listener_) listener_->stalled(time, at);
}

void MemberSocket::link_lost(const PortContext& lost) {
    if (is_closed() || &lost != &port()) return;
    AdmissionActions actions;
    logic_.link_down(now(), actions);
    carry_out(actions);
}

void MemberSocket::closing() {
    settling_.reset();
    AdmissionActions actions;
    logic_.close(now(), actions);
    if (listener_) {
        listener_->close(actions);
        hub_->stop_listening();
    }
    carry_out(actions);
}

bool MemberSocket::is_listeners(ConnectionId connection) const {
    return listener_ && logic_.connection() != connection;
}

void MemberSocket::connected(ConnectionId connection, const Peer& peer) {
    AdmissionActions actions;
    logic_.connected(connection, peer, now(), actions);
    carry_out(actions);
}

void MemberSocket::connect_failed(ConnectionId connection, std::errc reason) {
    AdmissionActions actions;
    logic_.connect_failed(connection, reason, now(), actions);
    carry_out(actions);
}

void MemberSocket::received(ConnectionId connection, const AdmissionMessage& message) {
    AdmissionActions actions;
    if (is_listeners(connection)) {
        listener_->received(connection, message, now(), actions);
    } else {
        logic_.received(connection, message, now(), actions);
    }
    carry_out(actions);
}

void MemberSocket::disconnected(ConnectionId connection, std::errc reason) {
    AdmissionActions actions;
    if (is_listeners(connection)) {
        listener_->disconnected(connection, reason);
    } else {
        logic_.disconnected(connection, reason, now(), actions);
    }
    carry_out(actions);
}

// Admitted: in place first, then the report; FD_CONNECT comes at the report's time.
void MemberSocket::join_group(const SessionOffer& offer) {
    if (!port().link_up()) {
        AdmissionActions actions;
        logic_.group_joined({}, std::make_error_code(std::errc::network_down), now(), actions);
        return carry_out(actions);
    }
    set_scope(offer.scope);
    attach(plan_session(options().data_role, offer, logic_.direction(),
                        port().options().address.address),
           [self = weak_from_this()](std::error_code error, Instant at) {
               const auto socket = std::static_pointer_cast<MemberSocket>(self.lock());
               if (!socket) return;
               AdmissionActions actions;
               socket->logic_.group_joined(at, error, now(), actions);
               socket->carry_out(actions);
           });
}

void MemberSocket::carry_out(AdmissionActions& actions) {
    settle(actions);
    for (auto& action : actions) {
        std::visit(Overloaded{
                       [&](const Dial& a) { hub_->dial(a); },
                       [&](const Transmit& a) { hub_->transmit(a); },
                       [&](const HangUp& a) { hub_->hang_up(a); },
                       [&](const RequestPending&) { request_pending(); },
                       [&](const JoinGroup& a) {
                           history_notice().forget();
                           join_group(a.offer);
                       },
                       [&](const LeaveGroup&) { detach(); },
                       [&](JoinDone& a) {
                           if (!a.callee_data.empty()) peer_data_ = std::move(a.callee_data);
                           complete(a.error, a.at);
                       },
                       [&](const SessionClosed& a) { session_closed(a.reason); },
                       [&](RootSaid& a) { heard(std::move(a.data)); },
                       [&](const HistoryTold& a) { history_notice().tell(a.begins); },
                       [&](const auto&) {},  // what only a root's logic asks for
                   },
                   action);
    }
}

}  // namespace joinleaf::controlplane
