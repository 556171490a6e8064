// The control thread's side of one socket: from opened to joining, joined, closed. What a join is
// depends on the scheme and role; see nonrooted_socket.h.
#pragma once

#include <controlplane/attachment.h>
#include <controlplane/event_queue.h>
#include <controlplane/port_context.h>
#include <controlplane/roles.h>
#include <joinleaf/socket.h>
#include <functional>
#include <future>
#include <memory>
#include <optional>

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
    virtual Result<void> start_join(GroupEndpoint group, const JoinOptions& options) = 0;
    /// Called once with the result of the join that is under way; cleared by it.
    void wait_for_join(std::function<void(std::error_code)> waiter) { waiter_ = std::move(waiter); }

    virtual Result<void> set_sources(const SourceFilter& sources) = 0;
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

protected:
    /// Errors: what another join is answered in this state (M12); nothing when one may start.
    [[nodiscard]] Result<void> may_join() const;
    void attach(AttachPlan plan);
    void complete(std::error_code error, Instant at);

    [[nodiscard]] const SocketOptions& options() const { return options_; }
    [[nodiscard]] PortContext& port() { return port_; }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] Attachment* attachment() { return attachment_.get(); }

private:
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
    std::function<void(std::error_code)> waiter_;
    std::optional<Instant> connected_at_;
    std::shared_ptr<Attachment> attachment_;
};

}  // namespace joinleaf::controlplane
