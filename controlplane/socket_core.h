// The control thread's side of one socket: from opened to joining, joined, closed. What a join is
// depends on the scheme and role; see nonrooted_socket.h.
#pragma once

#include <controlplane/admission_files.h>
#include <controlplane/attachment.h>
#include <controlplane/event_queue.h>
#include <controlplane/port_context.h>
#include <controlplane/roles.h>
#include <controlplane/waiting_room.h>
#include <joinleaf/socket.h>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace joinleaf::controlplane {

/// Control thread only.
class SocketCore : public std::enable_shared_from_this<SocketCore> {
public:
    enum class State : unsigned char { open, joining, joined, closed };

    SocketCore(SocketId id, const SocketOptions& options, PortContext& port);
    virtual ~SocketCore() = default;
    SocketCore(const SocketCore&) = delete;
    SocketCore& operator=(const SocketCore&) = delete;

    /// M7. On success the join is under way; its end is told by FD_CONNECT and to the waiter.
    virtual Result<void> start_group_join(GroupEndpoint group, const JoinOptions& options);
    /// M5, M6, M9: the same; gives the socket that join_leaf returns.
    virtual Result<std::shared_ptr<SocketCore>> start_peer_join(const ControlEndpoint& peer,
                                                                const AdmissionRequest& request);
    virtual Result<void> listen(const ControlEndpoint& local, std::size_t backlog);
    /// M16: the oldest pending request or invitation, and the answer to it. No socket in the
    /// result: it was rejected or deferred.
    virtual Result<RequestId> oldest_request();
    [[nodiscard]] virtual const PendingJoin* find_request(RequestId request) const;
    virtual Result<std::shared_ptr<SocketCore>> answer(RequestId request, const Answer& answer);
    /// Calls back once, when a request may be pending (soon after each FD_ACCEPT) or the socket
    /// has been closed.
    void wait_for_request(std::function<void()> waiter) {
        request_waiters_.push_back(std::move(waiter));
    }
    /// Any thread.
    [[nodiscard]] const AdmissionOptions& admission() const { return options_.admission; }
    /// From now on, in place of what was read before. Errors: operation_not_supported,
    /// not_a_socket.
    virtual Result<void> use(AdmissionFiles files);
    /// Whether a socket that answer() gave still joins a group, and tells the waiter when it has.
    [[nodiscard]] bool ends_in_join() const { return state_ == State::joining && joins_itself(); }
    [[nodiscard]] virtual Result<UserData> peer_data() const;
    [[nodiscard]] virtual Result<SessionOffer> session() const;
    [[nodiscard]] virtual Result<Peer> peer() const;
    virtual Result<void> say(const UserData& data);
    [[nodiscard]] std::optional<UserData> hear();

    /// Whether tick() is wanted, about once a millisecond.
    [[nodiscard]] virtual bool has_timers() const { return false; }
    virtual void tick(Instant now);
    /// There were no ticks for `time` until `now`; one follows.
    virtual void stalled(Duration, Instant) {}
    /// Called once with the result of the join that is under way; cleared by it. Returns the waiter
    /// there was.
    using JoinWaiter = std::function<void(std::error_code)>;
    JoinWaiter wait_for_join(JoinWaiter waiter) {
        return std::exchange(waiter_, std::move(waiter));
    }

    /// `applied` is let go of when the worker has done as told: what is sent or received then meets
    /// the change.
    virtual Result<void> set_sources(const SourceFilter& sources, Held applied);
    Result<void> set_scope(std::uint8_t scope, Held applied = {});
    Result<void> set_loopback(bool on, Held applied);
    Result<void> set_nonblocking(bool on);
    Result<void> select(std::shared_ptr<EventQueue::Impl> queue, EventMask mask);
    /// The first call gives a socket that also receives its way out.
    [[nodiscard]] Result<std::shared_ptr<dataplane::SendQueue>> send_queue();
    [[nodiscard]] Result<std::shared_ptr<FeedPublisher::Impl>> publish_feed(
        const FeedPublisherOptions& options);
    [[nodiscard]] Result<Instant> connected_at() const;

    /// A join whose report has not left fails: who waits for it must not wait for the cable.
    virtual void link_lost(const PortContext& port);

    /// Whether closing it now would drop nothing that it should let out first.
    [[nodiscard]] bool is_sent() const {
        return !lingers() || attachment_ == nullptr || attachment_->is_sent();
    }
    /// M11, M26. A join under way ends with operation_canceled.
    void close();
    /// Any thread, after close(). Whether the worker no longer calls what the application gave this
    /// socket; waits a little for it.
    [[nodiscard]] bool is_let_go() const {
        constexpr std::chrono::microseconds kLittle(50);
        return !let_go_.valid() || let_go_.wait_for(kLittle) == std::future_status::ready;
    }

    [[nodiscard]] SocketId id() const { return id_; }
    [[nodiscard]] std::size_t port_index() const { return options_.port; }
    [[nodiscard]] bool is_nonblocking() const { return nonblocking_; }
    [[nodiscard]] bool is_closed() const { return state_ == State::closed; }
    [[nodiscard]] const std::shared_ptr<PortPools>& port_pools() const { return pools_; }
    [[nodiscard]] std::optional<MembershipStatus> status() const;
    /// A root's.
    [[nodiscard]] virtual std::optional<AdmissionStatus> admission_status() const;

protected:
    /// Errors: what another join is answered in this state (M12); nothing when one may start.
    [[nodiscard]] Result<void> may_join() const;
    void attach(AttachPlan plan, Attachment::Ready ready);
    void detach();
    /// The join under way has ended so: FD_CONNECT, and the waiter.
    void complete(std::error_code error, Instant at);
    /// M5, M11: a root's invitation has ended so; the root goes on as it was.
    void invitation_done(std::error_code error, Instant at);
    /// A root has its place in the data plane.
    void in_place(Instant at);
    /// The session is over (FD_CLOSE); another join may be tried.
    void session_closed(std::error_code reason);
    void request_pending();
    void heard(UserData data);
    [[nodiscard]] virtual bool joins_itself() const { return false; }
    /// Whether the other side is told when it closes, which must not overtake its data.
    [[nodiscard]] virtual bool lingers() const { return false; }
    /// What the role adds to close(): before anything is taken away.
    virtual void closing() {}
    void set_state(State state) { state_ = state; }
    /// Events and their registration, as a socket that comes out of this one has them (M10).
    void inherit(const SocketCore& from);

    void raise(EventType type, std::error_code error, Instant at);
    [[nodiscard]] const SocketOptions& options() const { return options_; }
    [[nodiscard]] PortContext& port() { return port_; }
    /// Whose worker delivers to this socket.
    [[nodiscard]] const dataplane::Worker& worker() {
        return port_.steering().seat(options_.queue.value_or(0)).proxy->worker();
    }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] Attachment* attachment() { return attachment_.get(); }

private:
    void wake_request_waiters();
    [[nodiscard]] Result<void> may_send() const;

    SocketId id_;
    SocketOptions options_;
    std::shared_ptr<Receiver::Impl> receiver_;
    PortContext& port_;  ///< not to be touched once closed
    std::shared_ptr<PortPools> pools_;
    State state_ = State::open;
    std::uint8_t scope_ = 1;
    bool loopback_ = false;
    bool nonblocking_ = false;
    /// Held with all that the worker may call the application through. Nobody keeps this promise:
    /// it is broken when the last holder has let go. None where the worker calls nothing.
    std::shared_ptr<std::promise<void>> lent_;
    std::shared_future<void> let_go_;
    std::shared_ptr<EventQueue::Impl> events_;
    EventMask mask_ = 0;
    JoinWaiter waiter_;
    std::vector<std::function<void()>> request_waiters_;
    std::deque<UserData> talk_;
    std::optional<Instant> connected_at_;
    std::shared_ptr<Attachment> attachment_;
};

}  // namespace joinleaf::controlplane
