#include "tests/unit/admission/describe.h"

#include <fmt/format.h>
#include <algorithm>

namespace joinleaf::controlplane::test {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;  // clang 14 does not deduce aggregates

std::string with(std::string_view name, std::errc reason) {
    return fmt::format("{} {}", name, describe(reason));
}

std::string said(const UserData& data) {
    if (data.empty()) return {};
    return fmt::format(" \"{}{}\"", text(data).substr(0, 20), data.size() > 20 ? "..." : "");
}

}  // namespace

std::string describe(std::errc error) {
    static constexpr std::pair<std::errc, std::string_view> kNames[] = {
        {std::errc{}, "ok"},
        {std::errc::address_not_available, "address_not_available"},
        {std::errc::connection_aborted, "connection_aborted"},
        {std::errc::connection_refused, "connection_refused"},
        {std::errc::connection_reset, "connection_reset"},
        {std::errc::message_size, "message_size"},
        {std::errc::network_down, "network_down"},
        {std::errc::network_unreachable, "network_unreachable"},
        {std::errc::operation_canceled, "operation_canceled"},
        {std::errc::operation_not_supported, "operation_not_supported"},
        {std::errc::permission_denied, "permission_denied"},
        {std::errc::protocol_error, "protocol_error"},
        {std::errc::protocol_not_supported, "protocol_not_supported"},
        {std::errc::timed_out, "timed_out"},
    };
    const auto* known = std::find_if(std::begin(kNames), std::end(kNames),
                                     [&](const auto& name) { return name.first == error; });
    return known != std::end(kNames) ? std::string(known->second)
                                     : std::make_error_code(error).message();
}

std::string describe(const std::error_code& error) {
    return describe(static_cast<std::errc>(error.default_error_condition().value()));
}

std::string describe(const AdmissionMessage& message) {
    return std::visit(
        Overloaded{
            [](const JoinRequest&) { return std::string("JoinRequest"); },
            [](const Admit& m) { return "Admit" + said(m.callee_data); },
            [](const Invite& m) { return "Invite" + said(m.caller_data); },
            [](const AcceptInvite& m) { return "AcceptInvite" + said(m.callee_data); },
            [](const Confirm&) { return std::string("Confirm"); },
            [](const Refuse& m) { return with("Refuse", m.reason); },
            [](const Farewell& m) { return with("Farewell", m.reason); },
            [](const KeepAlive&) { return std::string("KeepAlive"); },
            [](const SideTalk& m) { return "SideTalk" + said(m.data); },
            [](const HistoryBegins& m) { return fmt::format("HistoryBegins {}", m.sequence); },
        },
        message);
}

std::string describe(const AdmissionAction& action) {
    const auto number = [](auto id) { return static_cast<std::uint64_t>(id); };
    return std::visit(
        Overloaded{
            [&](const Dial& a) {
                return fmt::format("{}: dial {}:{}", number(a.connection), a.to.address.to_string(),
                                   a.to.port.value());
            },
            [&](const Transmit& a) {
                return fmt::format("{}: {}", number(a.connection), describe(a.message));
            },
            [&](const HangUp& a) { return fmt::format("{}: hang up", number(a.connection)); },
            [&](const RequestPending&) { return std::string("pending"); },
            [&](const InvitationDone& a) {
                return fmt::format("leaf {} invited {}{}", number(a.leaf), describe(a.error),
                                   said(a.callee_data));
            },
            [&](const LeafRefused& a) { return fmt::format("refused {}", name(a.reason)); },
            [&](const LeafAdmitted& a) {
                return fmt::format("leaf {} admitted {}", number(a.leaf),
                                   a.data_address.to_string());
            },
            [&](const LeafConnected& a) {
                return fmt::format("leaf {} connected {}", number(a.leaf),
                                   a.data_address.to_string());
            },
            [&](const LeafClosed& a) {
                return fmt::format("leaf {} closed {}", number(a.leaf), describe(a.reason));
            },
            [&](const LeafSaid& a) {
                return fmt::format("leaf {} said{}", number(a.leaf), said(a.data));
            },
            [&](const JoinGroup& a) {
                return fmt::format("join {}", a.offer.group.group.to_string());
            },
            [&](const LeaveGroup&) { return std::string("leave"); },
            [&](const JoinDone& a) {
                return fmt::format("joined {}{}", describe(a.error), said(a.callee_data));
            },
            [&](const SessionClosed& a) { return fmt::format("closed {}", describe(a.reason)); },
            [&](const RootSaid& a) { return "root said" + said(a.data); },
            [&](const HistoryTold& a) {
                return fmt::format("history begins at {}", a.begins.sequence);
            },
        },
        action);
}

std::vector<std::string> describe(const AdmissionActions& actions) {
    std::vector<std::string> all;
    all.reserve(actions.size());
    for (const AdmissionAction& action : actions) all.push_back(describe(action));
    return all;
}

UserData bytes(std::string_view text) {
    UserData data;
    for (const char c : text) data.push_back(static_cast<std::byte>(c));
    return data;
}

std::string text(const UserData& data) {
    std::string all;
    for (const std::byte b : data) all.push_back(static_cast<char>(b));
    return all;
}

}  // namespace joinleaf::controlplane::test
