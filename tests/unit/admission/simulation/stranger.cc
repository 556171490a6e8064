#include "tests/unit/admission/simulation/stranger.h"

#include "tests/unit/admission/describe.h"

namespace joinleaf::controlplane::simulation {

void Stranger::say_something() {
    if (!is_running() || open_.empty()) return;
    const ConnectionId to = chance.of(open_);
    const AdmissionMessage message = something();
    if (network.is_traced()) network.trace(this, "says " + test::describe(message));
    network.send(*this, to, message);
    if (!chance.percent(10)) return;
    std::erase(open_, to);
    network.hang_up(*this, to);
}

void Stranger::hang_up_all() {
    open_.clear();
    std::vector<ConnectionId> held;  // those included that nobody has answered yet
    for (const auto& [id, connection] : network.connections()) {
        const End* end = network.end_of(*this, id);
        if (end != nullptr && end->is_held()) held.push_back(id);
    }
    for (const ConnectionId id : held) network.hang_up(*this, id);
}

AdmissionMessage Stranger::something() {
    SessionOffer offer;
    if (chance.percent(80)) offer.root_address = Ipv4Address(10, 6, 6, 6);
    const auto dead_after =
        chance.percent(80) ? times_.dead_after : std::chrono::milliseconds(chance.below(200));
    const UserData data(chance.percent(90) ? 3 : kMaxUserData + 1, std::byte{'x'});
    const auto reason = chance.one_of({std::errc{}, std::errc::timed_out, std::errc::network_down,
                                       std::errc::connection_refused, std::errc::io_error});
    const Ipv4Address address(chance.percent(90) ? 0x0a060606 : 0);
    switch (chance.below(10)) {
        case 0:
        case 1:
            return JoinRequest{.name = "x", .data_address = address, .caller_data = data};
        case 2:
            return Admit{offer, data, dead_after};
        case 3:
            return Invite{
                .name = "x", .offer = offer, .caller_data = data, .dead_after = dead_after};
        case 4:
            return AcceptInvite{.name = "x", .data_address = address, .callee_data = data};
        case 5:
            return Confirm{};
        case 6:
            return Refuse{reason, "x"};
        case 7:
            return Farewell{reason};
        case 8:
            return SideTalk{data};
        default:
            return KeepAlive{};
    }
}

}  // namespace joinleaf::controlplane::simulation
