// A process that keeps to no rule: it dials whom it likes, and says what comes to its mind.
#pragma once

#include <tests/unit/admission/simulation/network.h>
#include <vector>

namespace joinleaf::controlplane::simulation {

class Stranger : public Process {
public:
    Stranger(Machine machine, const Times& times) : Process(std::move(machine)), times_(times) {}

    void incoming(ConnectionId id, const Peer&) override { open_.push_back(id); }
    void connected(ConnectionId id, const Peer&) override { open_.push_back(id); }
    void received(ConnectionId, const AdmissionMessage&) override {}
    void disconnected(ConnectionId id, std::errc, bool) override { std::erase(open_, id); }
    void advance() override {}
    [[nodiscard]] std::optional<Instant> next_deadline() const override { return std::nullopt; }
    [[nodiscard]] bool is_listening() const override { return true; }
    [[nodiscard]] bool is_honest() const override { return false; }
    void die() override { open_.clear(); }
    void start() override {}

    void dial(const ControlEndpoint& whom) {
        if (is_running()) network.dial(*this, network.new_connection(), whom);
    }
    void say_something();
    void hang_up_all();

private:
    [[nodiscard]] AdmissionMessage something();

    const Times& times_;
    std::vector<ConnectionId> open_;
};

}  // namespace joinleaf::controlplane::simulation
