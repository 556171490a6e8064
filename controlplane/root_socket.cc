#include <controlplane/root_socket.h>
#include <algorithm>
#include <utility>
#include <vector>

namespace joinleaf::controlplane {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

// The policy is asked before the application sees a request, and the session is the same for all.
AdmissionRootOptions logic_options(const SocketOptions& options,
                                   const std::shared_ptr<Doorkeeper>& doorkeeper) {
    AdmissionRootOptions logic;
    logic.name = options.admission.name;
    logic.offer = options.admission.session;
    logic.dead_after = options.admission.dead_after;
    logic.max_leaves = options.admission.max_leaves;
    if (doorkeeper) {
        logic.screen = [doorkeeper](const Peer& leaf,
                                    const SessionOffer& usual) -> Result<SessionOffer> {
            if (!doorkeeper->lets_in(leaf, now())) return failure(std::errc::permission_denied);
            return usual;
        };
    }
    return logic;
}

template <class... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

RootSocket::RootSocket(SocketId id, const SocketOptions& options, PortContext& port,
                       const RootedContext& context, AdmissionTransportOptions transport,
                       std::shared_ptr<Doorkeeper> doorkeeper)
    : SocketCore(id, options, port),
      context_(context),
      logic_(logic_options(options, doorkeeper)),
      doorkeeper_(std::move(doorkeeper)),
      hub_(std::make_shared<AdmissionHub>(
          context.io, std::move(transport),
          [this](ConnectionId connection, const Peer& peer) {
              hub_->assign(connection, std::static_pointer_cast<RootSocket>(shared_from_this()));
              AdmissionActions actions;
              logic_.incoming(connection, peer, now(), actions);
              carry_out(actions);
          },
          context.log)) {}

RootSocket::~RootSocket() { AdmissionHub::let_out(std::move(hub_)); }

void RootSocket::start(std::function<void(std::error_code)> ready) {
    // A root that has nowhere to put data does not take any.
    const bool receives = options().handler.call != nullptr || options().receiver != nullptr;
    attach(plan_session(options().data_role, logic_.offer(),
                        receives ? Direction::both : Direction::sender_only,
                        port().options().address.address),
           [self = weak_from_this(), ready = std::move(ready)](std::error_code error, Instant at) {
               if (const auto socket = std::static_pointer_cast<RootSocket>(self.lock())) {
                   if (!error) socket->in_place(at);
               }
               ready(error);
           });
}

Result<void> RootSocket::listen(const ControlEndpoint& local, std::size_t backlog) {
    if (is_closed()) return failure(std::errc::not_a_socket);
    if (backlog == 0) return failure(std::errc::invalid_argument);
    if (!logic_.is_listening()) {
        if (auto bound = hub_->listen(local); !bound) return bound;
    }
    return logic_.listen(backlog);
}

Result<std::shared_ptr<SocketCore>> RootSocket::start_peer_join(const ControlEndpoint& peer,
                                                                const AdmissionRequest& request) {
    const auto connection = hub_->next_connection();
    AdmissionActions actions;
    const auto leaf = logic_.invite(connection, peer, request.caller_data, now(), actions);
    if (!leaf) return tl::unexpected(leaf.error());
    hub_->assign(connection, std::static_pointer_cast<RootSocket>(shared_from_this()));
    auto socket = stand_for(*leaf, std::nullopt);
    socket->set_state(State::joining);
    carry_out(actions);
    return socket;
}

Result<SessionOffer> RootSocket::session() const {
    if (is_closed()) return failure(std::errc::not_a_socket);
    return logic_.offer();
}

Result<RequestId> RootSocket::oldest_request() {
    if (is_closed()) return failure(std::errc::not_a_socket);
    return logic_.oldest_request();
}

const PendingJoin* RootSocket::find_request(RequestId request) const {
    return logic_.find(request);
}

Result<std::shared_ptr<SocketCore>> RootSocket::answer(RequestId request, const Answer& answer) {
    if (is_closed()) return failure(std::errc::not_a_socket);
    UserData caller_data;
    Peer peer;
    const auto* pending = logic_.find(request);
    if (pending != nullptr) {
        caller_data = pending->caller_data;
        peer = pending->peer;
    }
    // Others may have been let in since it asked, and the policy may be full now.
    const bool full = doorkeeper_ && pending != nullptr &&
                      answer.verdict == joinleaf::Verdict::accept &&
                      !doorkeeper_->lets_in(peer, now());
    AdmissionActions actions;
    const auto leaf = logic_.answer(request, full ? Answer{joinleaf::Verdict::reject, {}} : answer,
                                    now(), actions);
    if (doorkeeper_ && leaf && *leaf) doorkeeper_->came(**leaf, peer);
    std::shared_ptr<LeafSocket> socket;
    if (leaf && *leaf) {
        // Heard from now on: it may send from its FD_CONNECT on, which comes before ours.
        member_came(**leaf, peer.data_address);
        socket = stand_for(**leaf, std::move(caller_data));
        socket->set_state(State::joining);
    }
    carry_out(actions);
    if (!leaf) return tl::unexpected(leaf.error());
    return socket;
}

std::shared_ptr<LeafSocket> RootSocket::stand_for(LeafId leaf, std::optional<UserData> peer_data) {
    auto socket = std::make_shared<LeafSocket>(
        context_.next_id(), options(), port(),
        std::static_pointer_cast<RootSocket>(shared_from_this()), leaf, std::move(peer_data));
    socket->inherit(*this);
    leaves_[leaf] = socket;
    context_.adopt(socket);
    return socket;
}

void RootSocket::tick(Instant at) {
    if (const auto deadline = logic_.next_deadline(); deadline && *deadline <= at) {
        AdmissionActions actions;
        logic_.advance(at, actions);
        carry_out(actions);
    }
    // Who may send to this root: once a tick, however many came and went.
    if (std::exchange(members_changed_, false) && attachment() != nullptr &&
        !attachment()->receives_group()) {
        std::vector<Ipv4Address> addresses;
        addresses.reserve(members_.size());
        for (const auto& [leaf, address] : members_) addresses.push_back(address);
        attachment()->set_admitted_sources({FilterMode::include, addresses});
    }
}

void RootSocket::closing() {
    AdmissionActions actions;
    logic_.close(actions);
    carry_out(actions);
    hub_->stop_listening();
}

void RootSocket::connected(ConnectionId connection, const Peer& peer) {
    AdmissionActions actions;
    logic_.connected(connection, peer, now(), actions);
    carry_out(actions);
}

void RootSocket::connect_failed(ConnectionId connection, std::errc reason) {
    AdmissionActions actions;
    logic_.connect_failed(connection, reason, actions);
    carry_out(actions);
}

void RootSocket::received(ConnectionId connection, const AdmissionMessage& message) {
    AdmissionActions actions;
    logic_.received(connection, message, now(), actions);
    carry_out(actions);
}

void RootSocket::disconnected(ConnectionId connection, std::errc reason) {
    AdmissionActions actions;
    logic_.disconnected(connection, reason, actions);
    carry_out(actions);
}

void RootSocket::member_came(LeafId leaf, Ipv4Address data_address) {
    members_[leaf] = data_address;
    members_changed_ = true;
}

void RootSocket::member_went(LeafId leaf) {
    if (members_.erase(leaf) != 0) members_changed_ = true;
}

void RootSocket::carry_out(AdmissionActions& actions) {
    const auto leaf_socket = [this](LeafId leaf) {
        const auto found = leaves_.find(leaf);
        return found == leaves_.end() ? nullptr : found->second.lock();
    };
    for (auto& action : actions) {
        std::visit(Overloaded{
                       [&](const Dial& a) { hub_->dial(a); },
                       [&](const Transmit& a) { hub_->transmit(a); },
                       [&](const HangUp& a) { hub_->hang_up(a); },
                       [&](const RequestPending&) { request_pending(); },
                       [&](InvitationDone& a) {
                           const auto socket = leaf_socket(a.leaf);
                           if (a.error) leaves_.erase(a.leaf);
                           if (socket && a.error) socket->set_state(State::open);
                           if (socket && !a.error) socket->peer_data_ = std::move(a.callee_data);
                           invitation_done(a.error, now());
                       },
                       [&](const LeafConnected& a) {
                           member_came(a.leaf, a.data_address);
                           if (const auto known = logic_.leaf(a.leaf); doorkeeper_ && known) {
                               doorkeeper_->came(a.leaf, known->peer);
                           }
                           if (const auto socket = leaf_socket(a.leaf)) socket->arrived();
                       },
                       [&](const LeafClosed& a) {
                           member_went(a.leaf);
                           if (doorkeeper_) doorkeeper_->went(a.leaf);
                           if (const auto socket = leaf_socket(a.leaf))
                               socket->session_closed(a.reason);
                           leaves_.erase(a.leaf);
                       },
                       [&](LeafSaid& a) {
                           if (const auto socket = leaf_socket(a.leaf))
                               socket->heard(std::move(a.data));
                       },
                       [&](const auto&) {},  // what only a leaf's logic asks for
                   },
                   action);
    }
}

LeafSocket::LeafSocket(SocketId id, const SocketOptions& options, PortContext& port,
                       std::shared_ptr<RootSocket> root, LeafId leaf,
                       std::optional<UserData> peer_data)
    : SocketCore(id, options, port),
      root_(std::move(root)),
      leaf_(leaf),
      was_invited_(!peer_data),
      peer_data_(std::move(peer_data)) {}

// An invitation's FD_CONNECT is the root's, as M11 has it; a leaf that asked has no other place
// to be told of than its own socket.
void LeafSocket::arrived() {
    if (was_invited_) {
        set_state(State::joined);
    } else {
        complete({}, now());
    }
}

Result<SessionOffer> LeafSocket::session() const {
    if (is_closed()) return failure(std::errc::not_a_socket);
    return root_->session();
}

Result<UserData> LeafSocket::peer_data() const {
    if (is_closed()) return failure(std::errc::not_a_socket);
    if (!peer_data_) return failure(std::errc::not_connected);
    return *peer_data_;
}

Result<Peer> LeafSocket::peer() const {
    if (is_closed()) return failure(std::errc::not_a_socket);
    const auto known = root_->logic_.leaf(leaf_);
    if (!known) return failure(std::errc::not_connected);
    return known->peer;
}

Result<void> LeafSocket::say(const UserData& data) {
    if (is_closed()) return failure(std::errc::not_a_socket);
    AdmissionActions actions;
    const auto said = root_->logic_.say(leaf_, data, now(), actions);
    root_->carry_out(actions);
    return said;
}

// M25: the leaf is expelled; M11: a pending invitation is cancelled.
void LeafSocket::closing() {
    AdmissionActions actions;
    root_->logic_.expel(leaf_, actions);
    root_->carry_out(actions);
}

}  // namespace joinleaf::controlplane
