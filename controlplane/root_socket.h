// A c_root: it listens, invites, admits and expels; its session's data goes to the members alone.
// And the socket that stands for one of its leaves (M5, M6, M9, M13, M25).
#pragma once

#include <controlplane/admission_hub.h>
#include <controlplane/admission_root.h>
#include <controlplane/doorkeeper.h>
#include <controlplane/leaf_directory.h>
#include <controlplane/refusal_notices.h>
#include <controlplane/rooted_context.h>
#include <controlplane/settling.h>
#include <controlplane/socket_core.h>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>

namespace joinleaf::controlplane {

class LeafSocket;

class RootSocket final : public SocketCore, public ConnectionOwner {
public:
    /// `options.admission.session` is complete and has been checked. Errors: throws
    /// std::system_error (names too long, dead_after out of range).
    RootSocket(SocketId id, const SocketOptions& options, PortContext& port,
               const RootedContext& context, AdmissionTransportOptions transport,
               std::shared_ptr<Doorkeeper> doorkeeper);
    /// Control thread, as all else.
    ~RootSocket() override;

    /// Takes its place in the data plane; `ready` is called once, with how that ended.
    void start(std::function<void(std::error_code)> ready);

    Result<std::shared_ptr<SocketCore>> start_peer_join(const ControlEndpoint& peer,
                                                        const AdmissionRequest& request) override;
    Result<void> listen(const ControlEndpoint& local, std::size_t backlog) override;
    [[nodiscard]] Result<SessionOffer> session() const override;
    Result<RequestId> oldest_request() override;
    [[nodiscard]] const PendingJoin* find_request(RequestId request) const override;
    Result<std::shared_ptr<SocketCore>> answer(RequestId request, const Answer& answer) override;
    Result<void> use(AdmissionFiles files) override;
    [[nodiscard]] std::optional<AdmissionStatus> admission_status() const override;
    std::size_t tell_history(Ipv4Address address, const HistoryBegins& begins) override;
    [[nodiscard]] std::string name_of_leaf(Ipv4Address address) const override;
    [[nodiscard]] std::vector<LeafStatus> leaf_status(std::uint64_t after,
                                                      std::size_t limit) const override;
    /// Admission goes on: the leaves tell of their own links.
    void link_lost(const PortContext&) override {}
    [[nodiscard]] bool has_timers() const override { return true; }
    void tick(Instant now) override;
    void stalled(Duration time, Instant now) override { logic_.stalled(time, now); }

    void connected(ConnectionId connection, const Peer& peer) override;
    void connect_failed(ConnectionId connection, std::errc reason) override;
    void received(ConnectionId connection, const AdmissionMessage& message) override;
    void disconnected(ConnectionId connection, std::errc reason) override;

    [[nodiscard]] const AdmissionRoot& logic() const { return logic_; }

private:
    friend class LeafSocket;

    // An Admit that waits until the worker goes by the sources of that version.
    struct HeldAdmit {
        std::uint64_t version;
        Transmit admit;
    };

    void closing() override;
    [[nodiscard]] bool lingers() const override { return true; }
    void feed_begun(const FeedPublisher::Impl& feed) override { feed_log_ = feed.log; }
    // A server that the application offers goes before its publisher's.
    void repair_begun(const UdpEndpoint& at) override {
        if (logic_.offer().repair && !offers_own_repair_) return;
        offers_own_repair_ = true;
        logic_.set_repair(at);
    }
    void refresh_first_sequence();
    void carry_out(AdmissionActions& actions);
    std::shared_ptr<LeafSocket> stand_for(LeafId leaf, std::optional<UserData> peer_data);
    void member_came(LeafId leaf, Ipv4Address data_address);
    void member_went(LeafId leaf);
    void arrived(LeafId leaf);
    /// Where data is replicated, FD_CONNECT comes when a leaf's copies go out.
    void once_placed(Ipv4Address data_address, std::function<void()> done);
    [[nodiscard]] Replicas* replicas();
    [[nodiscard]] UdpPort leaf_port() const { return logic_.offer().group.port; }
    void came(LeafId leaf, Ipv4Address data_address);
    void went(LeafId leaf, std::error_code reason);
    void stop_hearing(LeafId leaf);
    void transmit(Transmit&& action);
    void hang_up(const HangUp& action);
    void refresh_sources();
    void sources_applied(std::uint64_t version);

    RootedContext context_;
    AdmissionRoot logic_;
    bool offers_own_repair_ = false;
    std::shared_ptr<Doorkeeper> doorkeeper_;  ///< none: whoever asks is let in
    RefusalNotices notices_;
    std::shared_ptr<AdmissionHub> hub_;
    ControlEndpoint listens_at_;
    std::map<LeafId, std::weak_ptr<LeafSocket>> leaves_;
    std::map<LeafId, Ipv4Address> members_;                  ///< those that have confirmed
    LeafDirectory directory_;                                ///< of the same
    std::shared_ptr<const dataplane::MessageLog> feed_log_;  ///< none: no sequenced feed
    bool placing_invited_ = false;  ///< the leaf that was invited has come, and is not placed yet
    // Whose data is taken, from before they are told that they are in: several leaves may share an
    // address.
    std::map<LeafId, Ipv4Address> inside_;
    std::map<Ipv4Address, std::size_t> sources_;
    std::uint64_t sources_version_ = 0;
    std::uint64_t applied_version_ = 0;
    bool applying_ = false;
    std::deque<HeldAdmit> held_;
    std::vector<std::pair<Settling, LeafId>> settling_;  ///< have left, and are heard until then
};

/// Stands for one leaf at its root; carries no multipoint data.
class LeafSocket final : public SocketCore {
public:
    /// `peer_data`: of a leaf that has asked; none as long as an invitation is pending (M14).
    LeafSocket(SocketId id, const SocketOptions& options, PortContext& port,
               std::shared_ptr<RootSocket> root, LeafId leaf, std::optional<UserData> peer_data);

    [[nodiscard]] Result<UserData> peer_data() const override;
    [[nodiscard]] Result<Peer> peer() const override;
    [[nodiscard]] Result<SessionOffer> session() const override;
    Result<void> say(const UserData& data) override;
    void link_lost(const PortContext&) override {}

private:
    friend class RootSocket;

    void closing() override;
    /// It has confirmed: it receives.
    void arrived();

    std::shared_ptr<RootSocket> root_;
    LeafId leaf_;
    bool was_invited_;
    std::optional<UserData> peer_data_;
};

}  // namespace joinleaf::controlplane
