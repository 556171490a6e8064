// The control thread's side of one socket: from opened to joining, joined, closed.
#pragma once

#include <controlplane/event_queue.h>
#include <controlplane/port_context.h>
#include <controlplane/roles.h>
#include <dataplane/outlet.h>
#include <dataplane/subscription.h>

#include <joinleaf/socket.h>
#include <functional>
#include <future>
#include <memory>
#include <optional>

namespace joinleaf::controlplane {

/// Control thread only. What the worker borrows from it is kept until the worker has given it back,
/// because every command's completion holds a reference to the socket.
class SocketCore : public std::enable_shared_from_this<SocketCore> {
public:
    enum class State : unsigned char { open, joining, joined, closed };

    SocketCore(SocketId id, const SocketOptions& options, PortContext& port);

    /// M7. On success the join is under way; its end is told by FD_CONNECT and to the waiter.
    Result<void> start_join(GroupEndpoint group, const JoinOptions& options);
    /// Called once with the result of the join that is under way; cleared by it.
    void wait_for_join(std::function<void(std::error_code)> waiter) { waiter_ = std::move(waiter); }

    Result<void> set_sources(const SourceFilter& sources);
    Result<void> set_scope(std::uint8_t scope);
    Result<void> set_loopback(bool on);
    Result<void> set_nonblocking(bool on);
    Result<void> select(std::shared_ptr<EventQueue::Impl> queue, EventMask mask);
    /// The first call gives a socket that also receives its way out.
    [[nodiscard]] Result<std::shared_ptr<dataplane::SendQueue>> send_queue();
    [[nodiscard]] Result<Instant> connected_at() const;

    /// A join whose report has not left fails: who waits for it must not wait for the cable.
    void link_lost(const PortContext& port);

    /// M11, M26. A join under way ends with operation_canceled.
    void close();
    /// Any thread, after close(). Waits until the worker no longer calls what the application gave
    /// this socket.
    void wait_until_let_go() const {
        if (let_go_.valid()) let_go_.wait();
    }

    [[nodiscard]] SocketId id() const { return id_; }
    [[nodiscard]] bool is_nonblocking() const { return nonblocking_; }
    [[nodiscard]] bool is_closed() const { return state_ == State::closed; }
    [[nodiscard]] const std::shared_ptr<PortPools>& port_pools() const { return pools_; }
    [[nodiscard]] std::optional<MembershipStatus> status() const;

private:
    [[nodiscard]] igmp::MemberId member() const {
        return static_cast<igmp::MemberId>(static_cast<std::uint32_t>(id_));
    }
    [[nodiscard]] dataplane::HeaderTemplate header() const;
    void subscribe();
    void report();
    [[nodiscard]] Result<void> add_outlet();
    void complete(std::error_code error, Instant at);
    void leave();

    SocketId id_;
    SocketOptions options_;
    std::shared_ptr<Receiver::Impl> receiver_;
    PortContext& port_;  ///< not to be touched once closed
    std::shared_ptr<PortPools> pools_;
    State state_ = State::open;
    std::uint64_t attempt_ = 0;  ///< tells the answers of an abandoned join from those of a new one
    std::uint8_t scope_ = 1;
    bool loopback_ = false;
    bool nonblocking_ = false;
    /// Held with all that the worker may call the application through. Nobody keeps this promise:
    /// it is broken when the last holder has let go. None where the worker calls nothing.
    std::shared_ptr<std::promise<void>> lent_;
    std::shared_future<void> let_go_;
    std::shared_ptr<EventQueue::Impl> events_;
    EventMask mask_ = 0;
    std::function<void(std::error_code)> waiter_;

    std::optional<GroupEndpoint> group_;
    JoinPlan plan_;
    Instant called_at_{};
    std::optional<Instant> connected_at_;
    std::shared_ptr<const SourceFilter> filter_;
    std::shared_ptr<dataplane::Subscription> subscription_;
    std::shared_ptr<dataplane::Outlet> outlet_;
    std::shared_ptr<dataplane::SendQueue> send_queue_;
};

}  // namespace joinleaf::controlplane
