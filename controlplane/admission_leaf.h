// The logic of one c_leaf socket in a rooted session: it asks to be let in, or was invited, joins
// the group, and stays until one side ends it (M6, M9, M11, M12, M25). Pure: no socket, clock,
// lock or chance; one owner.
#pragma once

#include <controlplane/waiting_room.h>
#include <optional>
#include <string>

namespace joinleaf::controlplane {

struct AdmissionLeafOptions {
    std::string name;
    Ipv4Address data_address;
    /// Of the sessions that it can take part in; none: either.
    std::optional<Plane> data_plane = Plane::rooted;
    /// A join: connecting, the answer, and joining the group. Then timed_out.
    Duration answer_within = std::chrono::seconds(30);
};

/// What a leaf asks for.
struct LeafRequest {
    Direction direction = Direction::both;
    FlowSpec from_root;
    FlowSpec to_root;
    UserData caller_data;
};

/// Every join, by request() or by an accepted invitation, ends in exactly one JoinDone; after one
/// without error exactly one SessionClosed follows, unless the leaf itself closes first. Every
/// JoinGroup is followed by exactly one LeaveGroup, also when joining the group failed.
///
/// A connection that HangUp was asked for, or that disconnected() or connect_failed() was called
/// for, is forgotten; what is still told about it is ignored.
class AdmissionLeaf {
public:
    /// Throws std::system_error, invalid_argument: name longer than kMaxName, data address not
    /// unicast.
    explicit AdmissionLeaf(AdmissionLeafOptions options);
    /// For AdmissionListener: sends AcceptInvite, and joins when the root admits it.
    AdmissionLeaf(AdmissionLeafOptions options, Guest invitation, UserData callee_data, Instant now,
                  AdmissionActions& out);

    /// M6, M11. `connection` is the number for the connection that the action Dial asks for.
    /// Errors: connection_already_in_progress, already_connected (M12), address_not_available,
    /// message_size (M14), not_a_socket (closed).
    Result<void> request(ConnectionId connection, ControlEndpoint root, LeafRequest request,
                         Instant now, AdmissionActions& out);
    /// The connection that Dial asked for is made (TLS included); `peer` has endpoint and identity.
    void connected(ConnectionId connection, const Peer& peer, Instant now, AdmissionActions& out);
    void connect_failed(ConnectionId connection, std::errc reason, Instant now,
                        AdmissionActions& out);
    void received(ConnectionId connection, const AdmissionMessage& message, Instant now,
                  AdmissionActions& out);
    /// `reason` 0: the peer ended the connection.
    void disconnected(ConnectionId connection, std::errc reason, Instant now,
                      AdmissionActions& out);

    /// What JoinGroup asked for is done: the report left at `at`; or it failed. Not to be called
    /// for a JoinGroup that a LeaveGroup has followed.
    void group_joined(Instant at, std::error_code error, Instant now, AdmissionActions& out);
    /// The data port has lost its link: network_down.
    void link_down(Instant now, AdmissionActions& out);

    /// M9. Errors: not_connected, message_size.
    Result<void> say(UserData data, Instant now, AdmissionActions& out);
    /// M25, M11: leaves, or cancels a pending join (JoinDone with operation_canceled). Idempotent.
    void close(Instant now, AdmissionActions& out);

    void advance(Instant now, AdmissionActions& out, const Unread& unread = {});
    /// As WaitingRoom::stalled.
    void stalled(Duration time, Instant now) {
        if (line_) line_->forgive(time, now);
    }
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] bool is_pending() const { return stage_ != Stage::idle && !is_connected(); }
    [[nodiscard]] bool is_connected() const { return stage_ == Stage::connected; }
    /// Between JoinGroup and LeaveGroup.
    [[nodiscard]] bool is_in_group() const {
        return stage_ == Stage::joining || stage_ == Stage::connected;
    }
    /// The connection to the root; none while idle.
    [[nodiscard]] std::optional<ConnectionId> connection() const;
    /// What the root offered; valid while is_in_group().
    [[nodiscard]] const SessionOffer& offer() const { return terms_.offer; }
    [[nodiscard]] Direction direction() const { return terms_.direction; }
    [[nodiscard]] const Peer& root() const { return root_; }

private:
    enum class Stage : std::uint8_t { idle, dialing, asked, joining, connected };

    void admitted(const Admit& message, Instant now, AdmissionActions& out);
    void join_group(Instant now, AdmissionActions& out);
    void root_said(const AdmissionMessage& message, Instant now, AdmissionActions& out);
    void part(AdmissionMessage&& last_words, std::errc reason, Instant now, AdmissionActions& out);
    void end(std::errc reason, Instant now, AdmissionActions& out);

    AdmissionLeafOptions options_;
    bool closed_ = false;
    Stage stage_ = Stage::idle;
    std::optional<Line> line_;
    Instant answer_by_ = kNever;
    Instant look_again_{};
    LeafRequest request_;
    Terms terms_;
    UserData callee_data_;
    Peer root_;
};

}  // namespace joinleaf::controlplane
