#include <controlplane/root_socket.h>
#include <fmt/format.h>
#include <algorithm>
#include <utility>
#include <vector>

namespace joinleaf::controlplane {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

// The policy is asked before the application sees a request, and the session is the same for all.
// A leaf at the root's own address would never see what is sent to that by unicast.
AdmissionRootOptions logic_options(const SocketOptions& options, Ipv4Address own_address,
                                   const std::shared_ptr<Doorkeeper>& doorkeeper) {
    AdmissionRootOptions logic;
    logic.name = options.admission.name;
    logic.offer = options.admission.session;
    logic.dead_after = options.admission.dead_after;
    logic.max_leaves = options.admission.max_leaves;
    if (doorkeeper || logic.offer.fan_out == FanOut::replicate) {
        logic.screen = [doorkeeper, own_address](
                           const Peer& leaf, const SessionOffer& usual,
                           Acquaintance known) -> tl::expected<SessionOffer, Denial> {
            if (usual.fan_out == FanOut::replicate && leaf.data_address == own_address) {
                return tl::unexpected(Denial{RefusalReason::address,
                                             "its data address is the root's own, and data that is "
                                             "replicated goes to the leaf's"});
            }
            if (!doorkeeper) return usual;
            auto decision = doorkeeper->decide(leaf, known == Acquaintance::by_name);
            if (decision.allow) return usual;
            return tl::unexpected(
                Denial{decision.is_full ? RefusalReason::full : RefusalReason::policy,
                       std::move(decision.text)});
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
      logic_(logic_options(options, port.options().address.address, doorkeeper)),
      doorkeeper_(std::move(doorkeeper)),
      notices_(context.log, options.admission.refused),
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
    auto plan = plan_session(options().data_role, logic_.offer(),
                             receives ? Direction::both : Direction::sender_only,
                             port().options().address.address);
    if (logic_.offer().fan_out == FanOut::replicate) {
        plan.sending->leaves = options().admission.max_leaves;
    }
    attach(std::move(plan),
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
        listens_at_ = local;
    }
    if (listens_at_ != local) return failure(std::errc::invalid_argument);
    return logic_.listen(backlog);
}

Result<std::shared_ptr<SocketCore>> RootSocket::start_peer_join(const ControlEndpoint& peer,
                                                                const AdmissionRequest& request) {
    if (placing_invited_) return failure(std::errc::connection_already_in_progress);
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
    if (const auto* pending = logic_.find(request)) caller_data = pending->caller_data;
    refresh_first_sequence();
    AdmissionActions actions;
    const auto leaf = logic_.answer(request, answer, now(), actions);
    std::shared_ptr<LeafSocket> socket;
    if (leaf && *leaf) {
        socket = stand_for(**leaf, std::move(caller_data));
        socket->set_state(State::joining);
    }
    carry_out(actions);
    if (!leaf) return tl::unexpected(leaf.error());
    return socket;
}

Result<void> RootSocket::use(AdmissionFiles files) {
    if (is_closed()) return failure(std::errc::not_a_socket);
    hub_->use_tls(std::move(files.tls));
    if (doorkeeper_ && files.policy) doorkeeper_->use(std::move(*files.policy));
    return {};
}

std::optional<AdmissionStatus> RootSocket::admission_status() const {
    const auto& counters = logic_.counters();
    const auto here = static_cast<std::size_t>(counters.members - counters.left -
                                               counters.expelled - counters.lost);
    return AdmissionStatus{.socket = static_cast<std::uint32_t>(id()),
                           .port = port_index(),
                           .group = logic_.offer().group,
                           .members = here,
                           .joining = logic_.leaf_count() - here,
                           .pending = logic_.pending_count(),
                           .admitted = counters.members,
                           .left = counters.left,
                           .expelled = counters.expelled,
                           .lost = counters.lost,
                           .unconfirmed = counters.unconfirmed,
                           .refused = counters.refused};
}

std::size_t RootSocket::tell_history(Ipv4Address address, const HistoryBegins& begins) {
    // Whoever of them has not asked is told the truth as well; but a crowd behind one address is
    // not told all at once of what one of it has asked.
    constexpr std::size_t kMostAtOnce = 64;
    AdmissionActions actions;
    for (const LeafId leaf : directory_.at(address, kMostAtOnce)) {
        logic_.history_begins(leaf, begins, now(), actions);
    }
    const std::size_t told = actions.size();
    carry_out(actions);
    return told;
}

std::string RootSocket::name_of_leaf(Ipv4Address address) const {
    const auto leaves = directory_.at(address, 2);
    const auto first = leaves.empty() ? std::nullopt : logic_.leaf(leaves.front());
    if (!first) return {};
    return leaves.size() == 1 ? first->peer.name : first->peer.name + " and others";
}

// Where the feed stands now is where a leaf that is let in now begins.
void RootSocket::refresh_first_sequence() {
    if (feed_log_) logic_.set_first_sequence(feed_log_->end());
}

std::vector<LeafStatus> RootSocket::leaf_status(std::uint64_t after, std::size_t limit) const {
    std::vector<LeafStatus> leaves;
    for (auto& leaf : logic_.leaves_after(static_cast<LeafId>(after), limit)) {
        leaves.push_back({.number = static_cast<std::uint64_t>(leaf.leaf),
                          .stage = name(leaf.stage),
                          .peer = std::move(leaf.peer),
                          .since = leaf.since});
    }
    return leaves;
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
        // This thread may have been kept from running, and has heard nothing meanwhile.
        logic_.advance(at, actions, [this](ConnectionId id) { return hub_->is_unread(id); });
        carry_out(actions);
    }
    std::erase_if(settling_, [&](auto& leaving) {
        if (!leaving.first.is_over(at, worker())) return false;
        stop_hearing(leaving.second);
        return true;
    });
    refresh_sources();
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
    refresh_first_sequence();
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
    if (const auto known = logic_.leaf(leaf)) {
        directory_.came(leaf, known->peer.endpoint.address, data_address);
    }
    const auto told = [self = weak_from_this(), leaf] {
        if (const auto root = std::static_pointer_cast<RootSocket>(self.lock())) {
            root->arrived(leaf);
        }
    };
    if (Replicas* to = replicas()) {
        to->leaf_came(data_address, leaf_port(), told);
        const bool is_beyond = !port().options().address.contains(data_address);
        if (is_beyond && logic_.offer().scope < 2) {
            context_.log(fmt::format(
                "the leaf at {} is on another subnet, and the session's scope is {}: no router "
                "will pass its data on; give the session a scope of 2 or more",
                data_address.to_string(), logic_.offer().scope));
        }
    } else {
        told();
    }
}

void RootSocket::arrived(LeafId leaf) {
    const auto found = leaves_.find(leaf);
    if (found == leaves_.end()) return;
    if (const auto socket = found->second.lock()) socket->arrived();
}

Replicas* RootSocket::replicas() {
    return attachment() == nullptr ? nullptr : attachment()->replicas();
}

void RootSocket::once_placed(Ipv4Address data_address, std::function<void()> done) {
    if (Replicas* to = replicas()) {
        to->when_placed(data_address, leaf_port(), std::move(done));
    } else {
        done();
    }
}

void RootSocket::member_went(LeafId leaf) {
    const auto member = members_.find(leaf);
    if (member == members_.end()) return;
    const Ipv4Address address = member->second;
    members_.erase(member);
    directory_.went(leaf);
    if (Replicas* to = replicas()) to->leaf_went(address, leaf_port());
}

void RootSocket::came(LeafId leaf, Ipv4Address data_address) {
    if (!inside_.emplace(leaf, data_address).second) return;
    if (++sources_[data_address] == 1) ++sources_version_;
    if (const auto known = logic_.leaf(leaf); doorkeeper_ && known) {
        doorkeeper_->came(leaf, known->peer);
    }
}

void RootSocket::went(LeafId leaf, std::error_code reason) {
    if (doorkeeper_) doorkeeper_->went(leaf);
    // Who leaves in good order is heard to the last datagram; an expelled leaf no longer.
    if (reason) {
        stop_hearing(leaf);
    } else {
        settling_.emplace_back(Settling(now(), worker()), leaf);
    }
}

void RootSocket::stop_hearing(LeafId leaf) {
    const auto found = inside_.find(leaf);
    if (found == inside_.end()) return;
    const auto source = sources_.find(found->second);
    if (--source->second == 0) {
        sources_.erase(source);
        ++sources_version_;
    }
    inside_.erase(found);
}

// M21: a leaf that is told that it is in may send at once, so the worker has to know it before.
void RootSocket::transmit(Transmit&& action) {
    const bool filters = attachment() != nullptr && attachment()->receives_unicast();
    if (filters && std::holds_alternative<Admit>(action.message) &&
        applied_version_ != sources_version_) {
        held_.push_back({sources_version_, std::move(action)});
    } else {
        hub_->transmit(action);
    }
}

void RootSocket::hang_up(const HangUp& action) {
    std::erase_if(
        held_, [&](const HeldAdmit& held) { return held.admit.connection == action.connection; });
    hub_->hang_up(action);
}

// One change at a time: however many come and go meanwhile, they are in the next.
void RootSocket::refresh_sources() {
    if (applying_ || applied_version_ == sources_version_) return;
    if (attachment() == nullptr || !attachment()->receives_unicast()) return;
    std::vector<Ipv4Address> addresses;
    addresses.reserve(sources_.size());
    for (const auto& [address, leaves] : sources_) addresses.push_back(address);
    applying_ = true;
    attachment()->set_admitted_sources(
        {FilterMode::include, addresses}, [self = weak_from_this(), version = sources_version_] {
            if (const auto socket = std::static_pointer_cast<RootSocket>(self.lock())) {
                socket->sources_applied(version);
            }
        });
}

void RootSocket::sources_applied(std::uint64_t version) {
    applying_ = false;
    applied_version_ = version;
    while (!held_.empty() && held_.front().version <= version) {
        hub_->transmit(held_.front().admit);
        held_.pop_front();
    }
    refresh_sources();
}

void RootSocket::carry_out(AdmissionActions& actions) {
    const auto leaf_socket = [this](LeafId leaf) {
        const auto found = leaves_.find(leaf);
        return found == leaves_.end() ? nullptr : found->second.lock();
    };
    for (auto& action : actions) {
        std::visit(
            Overloaded{
                [&](const Dial& a) { hub_->dial(a); }, [&](Transmit& a) { transmit(std::move(a)); },
                [&](const HangUp& a) { hang_up(a); },
                [&](const RequestPending&) { request_pending(); },
                [&](InvitationDone& a) {
                    const auto socket = leaf_socket(a.leaf);
                    if (a.error) {
                        went(a.leaf, a.error);
                        leaves_.erase(a.leaf);
                    }
                    if (socket && a.error) socket->set_state(State::open);
                    if (socket && !a.error) socket->peer_data_ = std::move(a.callee_data);
                    const auto member = members_.find(a.leaf);
                    if (a.error || member == members_.end()) {
                        invitation_done(a.error, now());
                        return;
                    }
                    placing_invited_ = true;
                    once_placed(member->second, [self = weak_from_this()] {
                        const auto root = std::static_pointer_cast<RootSocket>(self.lock());
                        if (!root) return;
                        root->placing_invited_ = false;
                        root->invitation_done({}, now());
                    });
                },
                [&](const LeafRefused& a) { notices_.tell(a.peer, a.why, now()); },
                [&](const LeafAdmitted& a) { came(a.leaf, a.data_address); },
                [&](const LeafConnected& a) { member_came(a.leaf, a.data_address); },
                [&](const LeafClosed& a) {
                    member_went(a.leaf);
                    went(a.leaf, a.reason);
                    if (const auto socket = leaf_socket(a.leaf)) socket->session_closed(a.reason);
                    leaves_.erase(a.leaf);
                },
                [&](LeafSaid& a) {
                    if (const auto socket = leaf_socket(a.leaf)) socket->heard(std::move(a.data));
                },
                [&](const auto&) {},  // what only a leaf's logic asks for
            },
            action);
    }
    refresh_sources();
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
