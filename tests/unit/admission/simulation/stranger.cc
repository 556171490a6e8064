#include "tests/unit/admission/simulation/stranger.h"

#include "tests/unit/admission/describe.h"

namespace joinleaf::controlplane::simulation {

void Stranger::connected(ConnectionId id, const Peer&) {
    talks_.push_back({id, chance.percent(50) ? join_request() : invite()});
}

void Stranger::received(ConnectionId id, const AdmissionMessage& message) {
    for (Talk& talk : talks_) {
        if (talk.id != id) continue;
        if (std::holds_alternative<JoinRequest>(message)) talk.fitting = admit();
        if (std::holds_alternative<Invite>(message)) talk.fitting = accept_invite();
        if (std::holds_alternative<AcceptInvite>(message)) talk.fitting = admit();
        if (std::holds_alternative<Admit>(message)) talk.fitting = Confirm{};
    }
}

void Stranger::disconnected(ConnectionId id, std::errc, bool) {
    std::erase_if(talks_, [&](const Talk& talk) { return talk.id == id; });
}

void Stranger::say_something() {
    if (!is_running() || talks_.empty()) return;
    Talk& talk = chance.of(talks_);
    const ConnectionId to = talk.id;
    AdmissionMessage message = something();
    if (talk.fitting && chance.percent(80)) {
        message = *talk.fitting;
        talk.fitting.reset();
    } else if (chance.percent(50)) {
        message = KeepAlive{};
    }
    if (network.is_traced()) network.trace(this, "says " + test::describe(message));
    network.send(*this, to, message);
    if (!chance.percent(5)) return;
    std::erase_if(talks_, [&](const Talk& each) { return each.id == to; });
    network.hang_up(*this, to);
}

void Stranger::hang_up_all() {
    talks_.clear();
    std::vector<ConnectionId> held;  // those included that nobody has answered yet
    for (const auto& connection : network.connections()) {
        const End* end = network.end_of(*this, connection.first);
        if (end != nullptr && end->is_held()) held.push_back(connection.first);
    }
    for (const ConnectionId id : held) network.hang_up(*this, id);
}

// ---- Things to say, most of them in order ----

SessionOffer Stranger::offer() {
    SessionOffer offer;
    if (chance.percent(90)) offer.root_address = Ipv4Address(10, 6, 6, 6);
    if (chance.percent(20)) offer.repair = {Ipv4Address(10, 6, 6, 6), UdpPort::of(6000)};
    if (chance.percent(20)) offer.framing = Framing::moldudp64;
    return offer;
}

std::chrono::milliseconds Stranger::dead_after() {
    return chance.percent(90) ? times_.dead_after : std::chrono::milliseconds(chance.below(200));
}

UserData Stranger::data() {
    return UserData(chance.percent(90) ? 3 : kMaxUserData + 1, std::byte{'x'});
}

Ipv4Address Stranger::data_address() { return Ipv4Address(chance.percent(90) ? 0x0a060606 : 0); }

AdmissionMessage Stranger::join_request() {
    return JoinRequest{.name = "x", .data_address = data_address(), .caller_data = data()};
}

AdmissionMessage Stranger::admit() {
    return Admit{.offer = offer(), .callee_data = data(), .dead_after = dead_after(), .name = "x"};
}

AdmissionMessage Stranger::invite() {
    return Invite{.name = "x", .offer = offer(), .caller_data = data(), .dead_after = dead_after()};
}

AdmissionMessage Stranger::accept_invite() {
    return AcceptInvite{.name = "x", .data_address = data_address(), .callee_data = data()};
}

AdmissionMessage Stranger::something() {
    const auto reason = chance.one_of({std::errc{}, std::errc::timed_out, std::errc::network_down,
                                       std::errc::connection_refused, std::errc::io_error});
    switch (chance.below(10)) {
        case 0:
            return join_request();
        case 1:
            return admit();
        case 2:
            return invite();
        case 3:
            return accept_invite();
        case 4:
            return Confirm{};
        case 5:
            return Refuse{reason, "x"};
        case 6:
            return Farewell{reason};
        case 7:
            return SideTalk{data()};
        case 8:
            return HistoryBegins{{}, 1};
        default:
            return KeepAlive{};
    }
}

}  // namespace joinleaf::controlplane::simulation
