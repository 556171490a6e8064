// A process that keeps to no rule: it dials whom it likes, and says what fits or what comes to its
// mind.
#pragma once

#include <tests/unit/admission/simulation/network.h>
#include <vector>

namespace joinleaf::controlplane::simulation {

class Stranger : public Process {
public:
    Stranger(Machine machine, const Times& times) : Process(std::move(machine)), times_(times) {}

    void incoming(ConnectionId id, const Peer&) override { talks_.push_back({id, {}}); }
    void connected(ConnectionId id, const Peer& peer) override;
    void received(ConnectionId id, const AdmissionMessage& message) override;
    void disconnected(ConnectionId id, std::errc, bool) override;
    void advance() override {}
    void stalled(Duration) override {}
    [[nodiscard]] std::optional<Instant> next_deadline() const override { return std::nullopt; }
    [[nodiscard]] bool is_listening() const override { return true; }
    [[nodiscard]] bool is_honest() const override { return false; }
    void die() override { talks_.clear(); }
    void start() override {}

    void dial(const ControlEndpoint& whom) {
        if (is_running()) network.dial(*this, network.new_connection(), whom);
    }
    void say_something();
    void hang_up_all();

private:
    struct Talk {
        ConnectionId id{};
        std::optional<AdmissionMessage> fitting;  // what an honest process would say next
    };

    [[nodiscard]] AdmissionMessage something();
    [[nodiscard]] AdmissionMessage join_request();
    [[nodiscard]] AdmissionMessage admit();
    [[nodiscard]] AdmissionMessage invite();
    [[nodiscard]] AdmissionMessage accept_invite();
    [[nodiscard]] SessionOffer offer();
    [[nodiscard]] std::chrono::milliseconds dead_after();
    [[nodiscard]] UserData data();
    [[nodiscard]] Ipv4Address data_address();

    const Times& times_;
    std::vector<Talk> talks_;
};

}  // namespace joinleaf::controlplane::simulation
