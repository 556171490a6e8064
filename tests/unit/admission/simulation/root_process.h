// A process with one c_root socket: carries out what the logic wants, plays the application, and
// holds the logic to what it promises.
#pragma once

#include <controlplane/admission_root.h>
#include <tests/unit/admission/simulation/network.h>
#include <map>
#include <memory>
#include <optional>

namespace joinleaf::controlplane::simulation {

class RootProcess : public Process {
public:
    RootProcess(Machine machine, Ipv4Address data_address, const Times& times);

    void incoming(ConnectionId id, const Peer& peer) override;
    void connected(ConnectionId id, const Peer& peer) override;
    void received(ConnectionId id, const AdmissionMessage& message) override;
    void disconnected(ConnectionId id, std::errc reason, bool was_connecting) override;
    void advance() override;
    void stalled(Duration time) override;
    [[nodiscard]] std::optional<Instant> next_deadline() const override;
    [[nodiscard]] bool is_listening() const override;
    void die() override;
    void start() override;

    // The application. Each does nothing when the process or the socket is not there.
    void listen(std::size_t backlog);
    /// The error of accept, if any.
    std::error_code accept(Verdict verdict);
    /// Accepts in two steps, with time to think between.
    void accept_slowly(Verdict verdict);
    void expel(LeafId leaf);
    void invite(const ControlEndpoint& leaf);
    void cancel_invite();
    void say(LeafId leaf);
    void tell_history(LeafId leaf);
    void close();
    [[nodiscard]] bool is_open() const { return logic_ != nullptr; }

    [[nodiscard]] std::vector<LeafId> leaves() const;
    /// The leaf on this connection, if it is a member.
    [[nodiscard]] std::optional<LeafId> member_on(ConnectionId id) const;
    [[nodiscard]] ConnectionId connection_of(LeafId leaf) const { return known_.at(leaf).line; }
    [[nodiscard]] bool is_full() const;

    void check() const;
    /// Every member is a connected leaf: `is_connected` tells of one on that connection.
    void check_agreement(const std::function<bool(ConnectionId)>& is_connected) const;

private:
    struct Known {
        ConnectionId line{};
        bool is_invited = false;   // by an invitation that has not ended
        bool is_admitted = false;  // its data is taken
        bool is_member = false;
        Instant since{};        // accepted or invited
        Instant local_since{};  // the same by the process's clock
    };

    using Accepted = Result<std::optional<LeafId>>;
    void answered(const Accepted& leaf, Verdict verdict, std::size_t waited);
    // `only`: the one connection that the occasion was about.
    void carry_out(std::optional<ConnectionId> only = {});
    void ended(LeafId leaf, std::errc reason, bool by_invitation);
    void check_reason(const Known& leaf, LeafId id, std::errc reason) const;

    const Times& times_;
    AdmissionRootOptions options_;
    std::unique_ptr<AdmissionRoot> logic_;
    AdmissionActions actions_;
    std::map<LeafId, Known> known_;
    std::vector<ConnectionId> asked_;  // who has asked, oldest first; some have gone since
    std::uint64_t life_ = 0;           // counts sockets
    std::optional<LeafId> inviting_;
    std::optional<LeafId> expelling_;
    std::optional<LeafId> cancelling_;
    bool closing_ = false;
    std::size_t backlog_ = 0;
    std::size_t may_wait_ = 0;  // the backlog, or what waited when it was lowered
};

}  // namespace joinleaf::controlplane::simulation
