// Where connections wait until accept() takes them: the requests at a root, the invitations at a
// listening leaf (M13, M16 to M19). Pure.
#pragma once

#include <controlplane/admission_line.h>
#include <controlplane/deadline_queue.h>
#include <joinleaf/error.h>
#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

namespace joinleaf::controlplane {

/// One pending request or invitation, in the order of arrival; never used again.
enum class RequestId : std::uint64_t {};

/// What a guest takes part under, once accepted.
struct Terms {
    SessionOffer offer;
    std::chrono::milliseconds dead_after{};
    Direction direction = Direction::both;
};

/// A request or invitation that waits, and the line it came on.
struct Guest {
    Line line;
    PendingJoin join;
    Terms terms;
};

struct WaitingRoomLimits {
    Duration first_message_within = std::chrono::seconds(2);
    /// Connections that have said nothing yet. One more pushes the oldest of them out, so that
    /// silent ones cannot keep honest ones away.
    std::size_t max_silent = 1024;
};

/// A connection comes in, has to say its first word within a time, then waits for accept. While it
/// waits, both sides show life. The owner judges the first message (is_silent() tells that it is
/// one) and then calls wait() or refuse().
///
/// A request that is withdrawn or times out while it waits leaves its place in the queue as a mark
/// of a few octets, so that accept can tell (M17); marks give way to newcomers when queue and
/// marks together reach the backlog.
class WaitingRoom {
public:
    explicit WaitingRoom(WaitingRoomLimits limits = {}) : limits_(limits) {}

    /// M19. Less than before refuses newcomers only. Error: invalid_argument (0).
    Result<void> listen(std::size_t backlog);
    [[nodiscard]] bool is_listening() const { return backlog_ != 0; }

    void incoming(ConnectionId connection, const Peer& peer, Instant now, AdmissionActions& out);
    [[nodiscard]] bool knows(ConnectionId connection) const { return seats_.contains(connection); }
    /// Whether the first message of `connection` is still to come.
    [[nodiscard]] bool is_silent(ConnectionId connection) const;
    [[nodiscard]] const Peer& peer(ConnectionId connection) const;
    [[nodiscard]] bool has_room() const { return waiting_ < backlog_; }

    /// The first message was good: `connection` waits (FD_ACCEPT). Needs has_room().
    void wait(ConnectionId connection, PendingJoin join, Terms terms, Instant now,
              AdmissionActions& out);
    void refuse(ConnectionId connection, std::errc reason, std::string text, AdmissionActions& out);
    /// Anything later than the first message.
    void received(ConnectionId connection, const AdmissionMessage& message, Instant now,
                  AdmissionActions& out);
    void disconnected(ConnectionId connection, std::errc reason);

    /// The oldest pending request. Errors: invalid_argument (before listen), operation_would_block,
    /// connection_reset (withdrawn meanwhile) and permission_denied (timed out), each told once.
    [[nodiscard]] Result<RequestId> oldest();
    /// What the condition sees (M18); null when it does not wait any more.
    [[nodiscard]] const PendingJoin* find(RequestId request) const;
    /// Out of the room. Errors: connection_reset, permission_denied, as with oldest().
    [[nodiscard]] Result<Guest> take(RequestId request);

    /// Refuses all who wait, and listens no more.
    void close(AdmissionActions& out);
    void advance(Instant now, AdmissionActions& out, const Unread& unread = {});
    /// This process did not run for `time` until `now`: that nobody was heard meanwhile is no
    /// silence of theirs.
    void stalled(Duration time, Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return deadlines_.next(); }

    [[nodiscard]] std::size_t waiting() const { return waiting_; }
    [[nodiscard]] std::size_t silent() const { return silent_.size(); }
    [[nodiscard]] std::size_t marks() const { return queue_.size() - waiting_; }

private:
    struct Seat {
        Line line;
        Peer peer;
        Instant first_message_by;
        Instant armed = kNever;
        std::optional<RequestId> request;                // none: silent so far
        std::list<ConnectionId>::iterator silent_place;  // valid while silent
    };
    struct Place {
        ConnectionId connection;
        PendingJoin join;
        Terms terms;
        std::error_code ended;  // set: only a mark is left
    };

    void leave(ConnectionId connection);
    void end(ConnectionId connection, std::errc how);
    void arm(ConnectionId connection, Seat& seat);
    void drop_oldest_mark();

    WaitingRoomLimits limits_;
    std::size_t backlog_ = 0;
    std::size_t waiting_ = 0;
    std::uint64_t last_request_ = 0;
    std::unordered_map<ConnectionId, Seat> seats_;
    std::list<ConnectionId> silent_;  // oldest first
    std::map<RequestId, Place> queue_;
    DeadlineQueue<ConnectionId> deadlines_;
};

}  // namespace joinleaf::controlplane
