// A process with c_leaf sockets: one that asks, one that listens, and those that accepted an
// invitation. Carries out what their logic wants, plays the application, and holds the logic to
// what it promises.
#pragma once

#include <controlplane/admission_listener.h>
#include <tests/unit/admission/simulation/network.h>
#include <memory>
#include <optional>

namespace joinleaf::controlplane::simulation {

class LeafProcess : public Process {
public:
    /// One c_leaf socket, as its application sees it.
    struct Socket {
        AdmissionLeaf logic;
        ConnectionId line{};  // of the latest join
        bool is_pending = false;
        bool is_connected = false;
        bool is_in_group = false;
        bool closing = false;
        bool link_down = false;
        bool group_failed = false;
        Instant since{};        // the latest join
        Instant local_since{};  // the same by the process's clock
        Instant in_group_since{};
        std::uint64_t join = 0;    // the latest JoinGroup
        std::uint64_t closed = 0;  // counts SessionClosed
    };

    LeafProcess(Machine machine, Ipv4Address data_address, const Times& times);

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
    void close_listener();
    std::error_code accept(Verdict verdict);
    void request(Socket& socket, const ControlEndpoint& root);
    /// A new socket, which then belongs to the process.
    Socket* open();
    void close(Socket& socket);
    void link_down(Socket& socket);
    void say(Socket& socket);

    [[nodiscard]] std::vector<std::unique_ptr<Socket>>& sockets() { return sockets_; }
    [[nodiscard]] bool is_connected_on(ConnectionId id) const;

    void check() const;

private:
    [[nodiscard]] Socket* socket_on(ConnectionId id);
    void carry_out(Socket* socket);
    void join_group(Socket& socket);
    void check_reason(const Socket& socket, std::errc reason, bool was_pending) const;
    void drop_closed();

    const Times& times_;
    AdmissionLeafOptions options_;
    std::unique_ptr<AdmissionListener> listener_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    AdmissionActions actions_;
    std::uint64_t joins_ = 0;  // JoinGroups of all sockets
    std::size_t backlog_ = 0;
    std::size_t may_wait_ = 0;
};

}  // namespace joinleaf::controlplane::simulation
