// What a rooted session is made of: where its data goes, who asks to be let in, and how it is
// answered (M5, M6, M14 to M19).
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/api.h>
#include <joinleaf/scheme.h>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace JOINLEAF_API joinleaf {

/// Where a root or leaf is reached by TCP on the management network, as in 192.0.2.1:7000.
struct ControlEndpoint {
    Ipv4Address address;
    UdpPort port = UdpPort::of(7000);  ///< a TCP port; the type only says 1 to 65535

    [[nodiscard]] static Parsed<ControlEndpoint> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    friend constexpr auto operator<=>(const ControlEndpoint&, const ControlEndpoint&) = default;
};

/// Quality of service in one direction (M15). 0: no demand, or no limit.
struct FlowSpec {
    std::uint64_t bits_per_second = 0;  ///< token rate
    std::uint32_t datagram_octets = 0;  ///< largest payload
    std::chrono::microseconds latency{0};

    /// Whether a session that offers `offered` meets this demand.
    [[nodiscard]] bool is_met_by(const FlowSpec& offered) const;
    friend bool operator==(const FlowSpec&, const FlowSpec&) = default;
};

/// Bytes that travel with a request, and come back with its answer (M14).
using UserData = std::vector<std::byte>;
inline constexpr std::size_t kMaxUserData = 1024;

enum class Framing : std::uint8_t { datagram, moldudp64 };

/// How a root's data reaches its leaves, where the data plane is rooted.
enum class FanOut : std::uint8_t {
    multicast,  ///< to the group, which leaves join by IGMP: the network copies
    /// To each admitted leaf's data address by unicast, at the group's UDP port: the root copies.
    /// For networks without multicast; no IGMP is spoken, and the group only names the session.
    replicate,
};

/// A further line of a sequenced feed: the same datagrams once more, by another way (A and B).
struct OfferedLine {
    GroupEndpoint group;
    /// Where they are sent from, for a source-specific join; unspecified: the root's address.
    Ipv4Address source;
    friend bool operator==(const OfferedLine&, const OfferedLine&) = default;
};
inline constexpr std::size_t kMaxFurtherLines = 15;

/// What a root says of its session; handed to every leaf it admits.
struct SessionOffer {
    Scheme scheme{Plane::rooted, Plane::rooted};
    GroupEndpoint group{GroupAddress::of(239, 255, 0, 1), UdpPort::of(5000)};
    /// The root's own data address: the source that leaves of a rooted data plane join, and where
    /// their data for the root goes.
    Ipv4Address root_address;
    Framing framing = Framing::datagram;
    FanOut fan_out = FanOut::multicast;
    std::uint8_t scope = 1;
    std::uint64_t first_sequence = 0;  ///< where a sequenced feed starts for this leaf
    FlowSpec from_root;                ///< what the session carries towards leaves
    FlowSpec to_root;                  ///< what a leaf may send
    /// Of a sequenced feed that is sent by multicast: its lines besides `group`, as the root's
    /// application has made them; at most kMaxFurtherLines.
    std::vector<OfferedLine> also;
    /// Of a sequenced feed: where what was lost is asked for, over the kernel's UDP on the
    /// management network. None: nowhere.
    std::optional<UdpEndpoint> repair;

    friend bool operator==(const SessionOffer&, const SessionOffer&) = default;
};

/// The name of a MoldUDP64 session: ten printable ASCII characters, padded with blanks.
using FeedSession = std::array<char, 10>;

/// What a root tells an admitted leaf that has asked its repair server for what is too old: nothing
/// before `sequence` can be had any more.
struct HistoryBegins {
    FeedSession session{};
    std::uint64_t sequence = 0;

    /// The session's name without the padding.
    [[nodiscard]] constexpr std::string_view session_name() const {
        const std::string_view all(session.data(), session.size());
        return all.substr(0, all.find_last_not_of(' ') + 1);
    }
    friend bool operator==(const HistoryBegins&, const HistoryBegins&) = default;
};

/// Who is on the other end of an admission connection.
struct Peer {
    ControlEndpoint endpoint;
    std::string name;      ///< as the peer calls itself; not proven
    std::string identity;  ///< proven by TLS: certificate subject or PSK identity; else empty
    Ipv4Address data_address;
};

/// A pending request (at a root) or invitation (at a leaf), as accept()'s condition sees it (M18).
struct PendingJoin {
    Peer peer;
    UserData caller_data;
    FlowSpec from_root;                 ///< what the joiner demands of the session
    FlowSpec to_root;                   ///< what the joiner wants to send
    std::optional<SessionOffer> offer;  ///< with an invitation
};

enum class Verdict : std::uint8_t { accept, reject, defer };

/// A condition's answer (M16, M18).
struct Answer {
    Verdict verdict = Verdict::accept;
    UserData callee_data;
};
using Condition = std::function<Answer(const PendingJoin&)>;

}  // namespace joinleaf
