// A c_leaf of a rooted session: it asks a root for admittance, or listens for invitations; once it
// is admitted it takes its place in the data plane, by IGMP (M5, M6, M13, M20 to M22, M25).
#pragma once

#include <controlplane/admission_hub.h>
#include <controlplane/admission_leaf.h>
#include <controlplane/admission_listener.h>
#include <controlplane/rooted_context.h>
#include <controlplane/settling.h>
#include <controlplane/socket_core.h>
#include <memory>
#include <optional>

namespace joinleaf::controlplane {

class MemberSocket final : public SocketCore, public ConnectionOwner {
public:
    /// `hub` is shared with the listening socket that an invitation was accepted from; none: it is
    /// yet to come. Errors: throws std::system_error (name too long).
    MemberSocket(SocketId id, const SocketOptions& options, PortContext& port,
                 const RootedContext& context, std::shared_ptr<AdmissionHub> hub);
    /// Control thread, as all else.
    ~MemberSocket() override;
    /// One hub of its own, for a socket that an application opened.
    [[nodiscard]] static std::shared_ptr<MemberSocket> open(SocketId id,
                                                            const SocketOptions& options,
                                                            PortContext& port,
                                                            const RootedContext& context,
                                                            AdmissionTransportOptions transport);

    Result<std::shared_ptr<SocketCore>> start_peer_join(const ControlEndpoint& peer,
                                                        const AdmissionRequest& request) override;
    Result<void> listen(const ControlEndpoint& local, std::size_t backlog) override;
    Result<RequestId> oldest_request() override;
    [[nodiscard]] const PendingJoin* find_request(RequestId request) const override;
    Result<std::shared_ptr<SocketCore>> answer(RequestId request, const Answer& answer) override;
    [[nodiscard]] Result<UserData> peer_data() const override;
    [[nodiscard]] Result<SessionOffer> session() const override;
    [[nodiscard]] Result<Peer> peer() const override;
    Result<void> say(const UserData& data) override;
    Result<void> use(AdmissionFiles files) override;
    [[nodiscard]] bool has_timers() const override { return true; }
    void tick(Instant now) override;
    void stalled(Duration time, Instant now) override;
    void link_lost(const PortContext& lost) override;

    void connected(ConnectionId connection, const Peer& peer) override;
    void connect_failed(ConnectionId connection, std::errc reason) override;
    void received(ConnectionId connection, const AdmissionMessage& message) override;
    void disconnected(ConnectionId connection, std::errc reason) override;

private:
    [[nodiscard]] bool joins_itself() const override { return true; }
    [[nodiscard]] bool lingers() const override { return true; }
    [[nodiscard]] bool can_receive() const {
        return options().handler.call != nullptr || options().receiver != nullptr;
    }
    void closing() override;
    void incoming(ConnectionId connection, const Peer& peer);
    void take_over(AdmissionLeaf leaf, UserData caller_data, AdmissionActions& actions);
    void carry_out(AdmissionActions& actions);
    void join_group(const SessionOffer& offer);
    void settle(AdmissionActions& actions);
    [[nodiscard]] bool is_listeners(ConnectionId connection) const;

    RootedContext context_;
    std::shared_ptr<AdmissionHub> hub_;
    AdmissionLeaf logic_;
    std::optional<AdmissionListener> listener_;
    ControlEndpoint listens_at_;
    bool was_accepted_;                 ///< its hub is the listening socket's
    std::optional<Settling> settling_;  ///< the root has ended the session in good order
    UserData peer_data_;
};

}  // namespace joinleaf::controlplane
