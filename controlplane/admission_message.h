// What root and leaf say to each other on an admission connection, as values. Pure.
#pragma once

#include <joinleaf/session.h>
#include <joinleaf/socket.h>
#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

namespace joinleaf::controlplane {

inline constexpr std::uint32_t kAdmissionVersion = 1;

/// Leaf to root, first message of a connection that the leaf made (M6).
struct JoinRequest {
    std::uint32_t version = kAdmissionVersion;
    std::string name;
    Ipv4Address data_address;
    Direction direction = Direction::both;
    FlowSpec from_root;
    FlowSpec to_root;
    UserData caller_data;
    friend bool operator==(const JoinRequest&, const JoinRequest&) = default;
};

/// Root to leaf: the answer that admits, to a request or to an agreed invitation. The root takes
/// the leaf's data from the time it says this.
struct Admit {
    SessionOffer offer;
    UserData callee_data;
    std::chrono::milliseconds dead_after{};  ///< silence that ends the session, both ways
    std::string name;                        ///< the root's
    friend bool operator==(const Admit&, const Admit&) = default;
};

/// Root to leaf, first message of a connection that the root made (M5).
struct Invite {
    std::uint32_t version = kAdmissionVersion;
    std::string name;
    SessionOffer offer;
    UserData caller_data;
    std::chrono::milliseconds dead_after{};
    friend bool operator==(const Invite&, const Invite&) = default;
};

/// Leaf to root: the invitation is agreed to.
struct AcceptInvite {
    std::string name;
    Ipv4Address data_address;
    UserData callee_data;
    friend bool operator==(const AcceptInvite&, const AcceptInvite&) = default;
};

/// Leaf to root: the IGMP report has left; the leaf is connected.
struct Confirm {
    friend bool operator==(const Confirm&, const Confirm&) = default;
};

/// Either way, instead of an answer: connection_refused, operation_not_supported (flow spec) ...
struct Refuse {
    std::errc reason = std::errc::connection_refused;
    std::string text;
    friend bool operator==(const Refuse&, const Refuse&) = default;
};

/// Either way: the session is over for this leaf; see session.h for the reasons.
struct Farewell {
    std::errc reason{};  ///< 0: in good order
    friend bool operator==(const Farewell&, const Farewell&) = default;
};

struct KeepAlive {
    friend bool operator==(const KeepAlive&, const KeepAlive&) = default;
};

/// Either way, once admitted: the application's own words (M9).
struct SideTalk {
    UserData data;
    friend bool operator==(const SideTalk&, const SideTalk&) = default;
};

/// Root to leaf, once it is a member: joinleaf::HistoryBegins.
using AdmissionMessage = std::variant<JoinRequest, Admit, Invite, AcceptInvite, Confirm, Refuse,
                                      Farewell, KeepAlive, SideTalk, HistoryBegins>;

}  // namespace joinleaf::controlplane
