// The logic of one c_root socket: who is invited, who is admitted, who is still there (M4 to M6,
// M9, M11 to M19, M25). Pure: no socket, clock, lock or chance; one owner.
#pragma once

#include <controlplane/waiting_room.h>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace joinleaf::controlplane {

/// Why a screen does not let a leaf in.
struct Denial {
    RefusalReason reason = RefusalReason::policy;
    std::string why;  ///< for the operator, not for the leaf
};

/// How much of a leaf is known when the screen is asked.
enum class Acquaintance : std::uint8_t {
    by_address,  ///< it is about to be invited, and has not said its name
    by_name,
};

/// Decides on a leaf before the application sees it, and once more when it is accepted; and what
/// the session is for this leaf.
using Screen = std::function<tl::expected<SessionOffer, Denial>(
    const Peer& leaf, const SessionOffer& usual, Acquaintance known)>;

struct AdmissionRootOptions {
    std::string name;
    SessionOffer offer;
    std::chrono::milliseconds dead_after{3000};          ///< 100 ms to 1 h
    Duration answer_within = std::chrono::seconds(30);   ///< an invitation, up to its Confirm
    Duration confirm_within = std::chrono::seconds(10);  ///< an accepted leaf's Confirm
    Duration request_within = std::chrono::seconds(2);   ///< a connection's JoinRequest
    std::size_t max_leaves = 16384;                      ///< leaves, requests, the invitation
    std::size_t max_silent = 1024;                       ///< connections without a request yet
    Screen screen;                                       ///< empty: whoever asks
};

/// How far a leaf has come.
enum class LeafStage : std::uint8_t {
    dialing,   ///< invited; no connection yet
    invited,   ///< the invitation has been sent
    agreed,    ///< it accepted the invitation, and now joins the group
    admitted,  ///< its request was accepted, and it now joins the group
    member,    ///< it has confirmed: it receives
};

[[nodiscard]] std::string_view name(LeafStage stage) noexcept;

struct LeafInfo {
    LeafId leaf{};
    LeafStage stage{};
    Peer peer;
    Direction direction = Direction::both;
    Instant since;  ///< when it came to this stage
};

struct AdmissionRootCounters {
    std::uint64_t requests = 0;  ///< that were well-formed
    RefusalCounts refused{};
    std::uint64_t invitations = 0;
    std::uint64_t members = 0;  ///< that ever were; those who went are in one of the next three
    std::uint64_t left = 0;     ///< in good order, theirs or the root's
    std::uint64_t expelled = 0;
    std::uint64_t lost = 0;
    std::uint64_t unconfirmed = 0;  ///< let in, and gone before they were members
    std::uint64_t timed_out = 0;    ///< leaves that went silent or never confirmed
    std::uint64_t violations = 0;   ///< connections ended for what was said on them
};

/// How often a leaf is told where the history begins, however often it asks.
inline constexpr Duration kTellEvery = std::chrono::milliseconds(10);

/// Every LeafId that accept() returns ends in exactly one LeafClosed, with a LeafConnected before
/// it if the leaf ever received; every one that invite() returns in exactly one InvitationDone,
/// and if that was a success (LeafConnected comes just before it) in one LeafClosed later. Each
/// leaf's data may come from its one LeafAdmitted until its end.
///
/// A connection that HangUp was asked for, or that disconnected() or connect_failed() was called
/// for, is forgotten; what is still told about it is ignored.
class AdmissionRoot {
public:
    /// Throws std::system_error, invalid_argument: dead_after out of range, name longer than
    /// kMaxName, a scheme whose control plane is not rooted.
    explicit AdmissionRoot(AdmissionRootOptions options);

    /// M19; again to change the backlog, which lets those who wait stay. Errors: invalid_argument
    /// (backlog 0), not_a_socket (closed).
    Result<void> listen(std::size_t backlog);
    /// A leaf has connected (TLS included). Before listen, or past the limits, it is refused.
    void incoming(ConnectionId connection, const Peer& peer, Instant now, AdmissionActions& out);

    /// M5. `connection` is the number for the connection that the action Dial asks for. Errors:
    /// connection_already_in_progress (M12), address_not_available, message_size (M14),
    /// no_buffer_space (max_leaves), not_a_socket.
    Result<LeafId> invite(ConnectionId connection, ControlEndpoint leaf, UserData caller_data,
                          Instant now, AdmissionActions& out);
    /// M11: InvitationDone with operation_canceled. Nothing when the invitation has ended.
    void cancel_invite(LeafId leaf, AdmissionActions& out);
    /// The connection that Dial asked for is made (TLS included); `peer` has endpoint and identity.
    void connected(ConnectionId connection, const Peer& peer, Instant now, AdmissionActions& out);
    void connect_failed(ConnectionId connection, std::errc reason, AdmissionActions& out);

    void received(ConnectionId connection, const AdmissionMessage& message, Instant now,
                  AdmissionActions& out);
    /// `reason` 0: the peer ended the connection.
    void disconnected(ConnectionId connection, std::errc reason, AdmissionActions& out);

    /// M16 to M18: asks `condition` (none: accept) about the oldest request. Nothing in the result:
    /// it was rejected, or deferred; a deferred one keeps its place, and the next accept asks about
    /// it again. A LeafId: Admit has been sent, and the leaf is to confirm.
    /// Errors: operation_would_block, invalid_argument (before listen), connection_reset
    /// (withdrawn), permission_denied (timed out), connection_refused (accepted, but the screen
    /// lets it in no more: it was refused), message_size (callee data; the request stays),
    /// not_a_socket.
    Result<std::optional<LeafId>> accept(const Condition& condition, Instant now,
                                         AdmissionActions& out);
    /// The same in two steps, for a condition that is asked elsewhere: what waits longest, and the
    /// answer to it. Errors as with accept; the request may have ended in between.
    [[nodiscard]] Result<RequestId> oldest_request();
    [[nodiscard]] const PendingJoin* find(RequestId request) const { return room_.find(request); }
    Result<std::optional<LeafId>> answer(RequestId request, const Answer& answer, Instant now,
                                         AdmissionActions& out);

    /// M25: that leaf alone gets FD_CLOSE (connection_aborted). Nothing when it has gone already.
    void expel(LeafId leaf, AdmissionActions& out);
    /// M9. Errors: not_connected (no member), message_size.
    Result<void> say(LeafId leaf, UserData data, Instant now, AdmissionActions& out);
    /// Tells the leaf where the history of its feed begins, as HistoryBegins has it in
    /// admission.proto. Nothing for those that are not members, were told a moment ago
    /// (kTellEvery), or were offered no repair.
    void history_begins(LeafId leaf, const HistoryBegins& begins, Instant now,
                        AdmissionActions& out);
    /// M4, M25: Farewell to all leaves, refusal to all who wait. Afterwards nothing is held.
    void close(AdmissionActions& out);

    void advance(Instant now, AdmissionActions& out, const Unread& unread = {});
    /// As WaitingRoom::stalled. The times to answer and to confirm go on.
    void stalled(Duration time, Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// Where a sequenced feed starts for leaves admitted or invited from now on.
    void set_first_sequence(std::uint64_t sequence) { options_.offer.first_sequence = sequence; }
    /// Where leaves admitted or invited from now on ask for what they have lost.
    void set_repair(const UdpEndpoint& at) { options_.offer.repair = at; }

    // For status and data plane.
    [[nodiscard]] std::vector<LeafInfo> members() const;
    /// All stages.
    [[nodiscard]] std::vector<LeafInfo> leaves() const;
    /// All stages, those above `after`, `limit` at most.
    [[nodiscard]] std::vector<LeafInfo> leaves_after(LeafId after, std::size_t limit) const;
    [[nodiscard]] std::optional<LeafInfo> leaf(LeafId leaf) const;
    [[nodiscard]] bool is_member(LeafId leaf) const;
    [[nodiscard]] std::size_t pending_count() const { return room_.waiting(); }
    [[nodiscard]] std::size_t silent_count() const { return room_.silent(); }
    [[nodiscard]] std::size_t leaf_count() const { return leaves_.size(); }
    [[nodiscard]] bool is_inviting() const { return invitation_.has_value(); }
    [[nodiscard]] bool is_listening() const { return room_.is_listening(); }
    [[nodiscard]] const SessionOffer& offer() const { return options_.offer; }
    [[nodiscard]] const AdmissionRootCounters& counters() const { return counters_; }

private:
    struct Leaf {
        Line line;
        LeafStage stage;
        Peer peer;
        Direction direction = Direction::both;
        Instant since;
        Instant confirm_by = kNever;  // none for members
        Instant armed = kNever;
        bool has_repair = false;  // as it was offered
        std::optional<Instant> history_told_at;
    };
    using Leaves = std::map<LeafId, Leaf>;
    // M12: at most one at a time.
    struct Invitation {
        LeafId leaf;
        UserData caller_data;
        UserData callee_data;
    };

    [[nodiscard]] tl::expected<SessionOffer, Denial> screened(const Peer& peer,
                                                              Acquaintance known) const;
    void turn_away(const Peer& peer, RefusalReason reason, std::string_view why,
                   AdmissionActions& out);
    [[nodiscard]] Duration cadence() const;
    [[nodiscard]] Duration patience() const;
    LeafId admit(Guest guest, const UserData& callee_data, Instant now, AdmissionActions& out);
    LeafId add(Leaf leaf);
    void arm(Leaves::iterator leaf);
    [[nodiscard]] Leaves::iterator of(ConnectionId connection);
    void enter(Leaf& leaf, LeafStage stage, Instant now);
    void first_message(ConnectionId connection, const AdmissionMessage& message, Instant now,
                       AdmissionActions& out);
    void leaf_said(Leaves::iterator leaf, const AdmissionMessage& message, Instant now,
                   AdmissionActions& out);
    void agreed(Leaves::iterator leaf, const AcceptInvite& message, Instant now,
                AdmissionActions& out);
    void confirmed(Leaves::iterator leaf, Instant now, AdmissionActions& out);
    void deny(Leaves::iterator leaf, const Denial& denial, AdmissionActions& out);
    void count_end(LeafStage stage, std::errc reason);
    void violated(Leaves::iterator leaf, AdmissionActions& out);
    void part(Leaves::iterator leaf, std::errc told, std::errc reason, AdmissionActions& out);
    void gone(Leaves::iterator leaf, std::errc reason, AdmissionActions& out);

    AdmissionRootOptions options_;
    bool closed_ = false;
    std::uint64_t last_leaf_ = 0;
    WaitingRoom room_;
    Leaves leaves_;
    std::unordered_map<ConnectionId, LeafId> by_connection_;
    std::optional<Invitation> invitation_;
    DeadlineQueue<LeafId> deadlines_;
    AdmissionRootCounters counters_;
};

}  // namespace joinleaf::controlplane
