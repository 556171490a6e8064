// What root and leaf hold each other to on an admission connection. Pure.
#pragma once

#include <controlplane/admission_message.h>
#include <joinleaf/clock.h>
#include <joinleaf/error.h>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace joinleaf::controlplane {

inline constexpr std::size_t kMaxName = 255;
inline constexpr std::chrono::milliseconds kMinDeadAfter{100};
inline constexpr std::chrono::milliseconds kMaxDeadAfter{3'600'000};
inline constexpr std::chrono::microseconds kMaxLatency{3'600'000'000};
inline constexpr std::uint32_t kMaxUdpPayload = 65507;

[[nodiscard]] constexpr bool is_usable(std::chrono::milliseconds dead_after) {
    return dead_after >= kMinDeadAfter && dead_after <= kMaxDeadAfter;
}
/// Whether one host can be connected to there; loopback included.
[[nodiscard]] constexpr bool is_usable(const ControlEndpoint& endpoint) {
    return endpoint.address.is_unicast() || endpoint.address.is_loopback();
}
/// Whether it can be said: within the limits of admission.proto.
[[nodiscard]] constexpr bool is_usable(const FlowSpec& flow) {
    return flow.datagram_octets <= kMaxUdpPayload && flow.latency.count() >= 0 &&
           flow.latency <= kMaxLatency;
}
/// Whether the lines besides the first are as many as may be, each joinable, and there is a feed
/// that can have them.
[[nodiscard]] bool are_usable_lines(const SessionOffer& offer);
/// Whether there is no repair server, or a feed for it and one host that it is on.
[[nodiscard]] bool is_usable_repair(const SessionOffer& offer);
/// Whether a leaf can take part in what is offered.
[[nodiscard]] bool is_usable(const SessionOffer& offer);

/// Why a well-formed message cannot be acted upon; empty error: it can.
struct Objection {
    std::errc reason{};
    std::string_view text;
    explicit operator bool() const { return reason != std::errc{}; }
};
[[nodiscard]] Objection object_to(const JoinRequest& request);
[[nodiscard]] Objection object_to(const Admit& admit);
[[nodiscard]] Objection object_to(const Invite& invite);
[[nodiscard]] Objection object_to(const AcceptInvite& accept);
/// A leaf that was opened for one data plane cannot take part in the other; none: in either.
[[nodiscard]] Objection object_to_plane(std::optional<Plane> own, const SessionOffer& offer);
/// M15.
[[nodiscard]] bool is_met(const FlowSpec& from_root, const FlowSpec& to_root,
                          const SessionOffer& offer);

/// How a connection ended that said nothing of its end: never in good order, and never as by an
/// expulsion, which is the root's to say.
[[nodiscard]] std::errc broken(std::errc reason);
/// Why a session ended, as FD_CLOSE tells it: one of the reasons in session.h whatever the peer
/// said, or the connection's own end gave.
[[nodiscard]] std::errc close_reason(std::errc told);
/// Why a join failed: never success.
[[nodiscard]] std::errc join_error(std::errc told);

}  // namespace joinleaf::controlplane
