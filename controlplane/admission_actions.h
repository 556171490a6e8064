// What the admission logic wants done: connections to make and break, messages to send, events to
// tell, groups to join and leave. Values; the admission agent carries them out, a simulation too.
#pragma once

#include <controlplane/admission_message.h>

#include <joinleaf/clock.h>
#include <joinleaf/event.h>
#include <joinleaf/status.h>
#include <string>
#include <variant>
#include <vector>

namespace joinleaf::controlplane {

/// One admission connection; numbers are given by whoever makes it and never used again.
enum class ConnectionId : std::uint64_t {};

/// One leaf as its root knows it, from acceptance or invitation on; never used again.
enum class LeafId : std::uint64_t {};

struct Dial {
    ConnectionId connection;
    ControlEndpoint to;
};
struct Transmit {
    ConnectionId connection;
    AdmissionMessage message;
};
/// After what was transmitted has been sent.
struct HangUp {
    ConnectionId connection;
};

// At a root.
/// A request or an invitation waits to be accepted (FD_ACCEPT on the listening socket).
struct RequestPending {};
/// The invitation of `leaf` has ended: FD_CONNECT on the root's socket (M5, M11).
struct InvitationDone {
    LeafId leaf;
    std::error_code error;
    UserData callee_data;
};
/// A leaf was turned away before the application was asked; `why` is for the operator.
struct LeafRefused {
    Peer peer;
    RefusalReason reason;
    std::string why;
};
/// The leaf was let in, and is about to be told (Admit comes next): its data may come before it has
/// confirmed. LeafConnected follows, or the leaf's end.
struct LeafAdmitted {
    LeafId leaf;
    Ipv4Address data_address;
};
/// The leaf has confirmed: it receives. From now on it counts as a member.
struct LeafConnected {
    LeafId leaf;
    Ipv4Address data_address;
};
/// FD_CLOSE on the socket that stands for the leaf; also after expel(), so that whoever keeps the
/// members hears of every end.
struct LeafClosed {
    LeafId leaf;
    Ipv4Address data_address;
    std::error_code reason;
};
struct LeafSaid {
    LeafId leaf;
    UserData data;
};

// At a leaf.
/// Join the group that `offer` names; then call group_joined().
struct JoinGroup {
    SessionOffer offer;
};
/// Comes exactly once after each JoinGroup, also when joining has failed.
struct LeaveGroup {};
/// The leaf's own request, or the accepted invitation, has ended: FD_CONNECT (M6, M11).
struct JoinDone {
    std::error_code error;
    UserData callee_data;
    Instant at;  ///< when the report left
};
/// FD_CLOSE: the session is over; LeaveGroup has come before.
struct SessionClosed {
    std::error_code reason;
};
struct RootSaid {
    UserData data;
};
/// The root's repair server has nothing before that.
struct HistoryTold {
    HistoryBegins begins;
};

using AdmissionAction =
    std::variant<Dial, Transmit, HangUp, RequestPending, InvitationDone, LeafRefused, LeafAdmitted,
                 LeafConnected, LeafClosed, LeafSaid, JoinGroup, LeaveGroup, JoinDone,
                 SessionClosed, RootSaid, HistoryTold>;
using AdmissionActions = std::vector<AdmissionAction>;

}  // namespace joinleaf::controlplane
