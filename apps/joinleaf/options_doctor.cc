// The options of `doctor`.
#include <apps/joinleaf/options_doctor.h>
#include <net/vlan.h>

namespace joinleaf::app {

DoctorOptions doctor_options(const Typed& typed, CommonOptions common) {
    constexpr std::uint64_t kMostWait = 3600;
    DoctorOptions doctor{.common = std::move(common)};
    if (typed.querier_wait) {
        doctor.querier_wait = std::chrono::seconds(
            valid(parse_whole("--querier-wait", *typed.querier_wait, 0, kMostWait)));
    }
    if (!typed.port) {
        const auto stray = first_given({{"--address", &typed.address},
                                        {"--vlan", &typed.vlan},
                                        {"--mtu", &typed.mtu},
                                        {"--querier-wait", &typed.querier_wait}});
        if (!stray.empty()) {
            throw WrongUse(
                fmt::format("{} says more of a port; add --port, as in --port eth1", stray));
        }
        return doctor;
    }
    doctor.port.emplace();
    doctor.port->port = *typed.port;
    if (typed.address) {
        doctor.port->address = valid("--address", Ipv4Interface::parse(*typed.address));
        doctor.listens = true;
    }
    if (typed.vlan) {
        doctor.port->vlan = valid("--vlan", net::VlanStack::parse(*typed.vlan)).to_string();
    }
    if (typed.mtu) {
        doctor.port->mtu =
            static_cast<std::uint16_t>(valid(parse_whole("--mtu", *typed.mtu, 68, 65535)));
    }
    return doctor;
}

}  // namespace joinleaf::app
