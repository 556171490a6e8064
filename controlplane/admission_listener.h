// The logic of a listening c_leaf: it accepts invitations, and nothing else (M5, M13, M16 to M19).
// Pure: no socket, clock, lock or chance; one owner.
#pragma once

#include <controlplane/admission_leaf.h>
#include <optional>

namespace joinleaf::controlplane {

struct AdmissionListenerOptions {
    /// Inherited by the leaves that accept() returns (M10).
    AdmissionLeafOptions leaf;
    Direction direction = Direction::both;
    FlowSpec from_root;  ///< what this leaf demands (M15); an invitation to less is refused
    FlowSpec to_root;
    WaitingRoomLimits limits;
};

/// Invitations wait here until accept() takes them; from then on the connection belongs to the
/// AdmissionLeaf that accept() returned, and what happens to it is to be told to that leaf.
class AdmissionListener {
public:
    /// Throws as AdmissionLeaf does.
    explicit AdmissionListener(AdmissionListenerOptions options);

    /// M19. Errors: invalid_argument (backlog 0), not_a_socket (closed).
    Result<void> listen(std::size_t backlog);
    void incoming(ConnectionId connection, const Peer& peer, Instant now, AdmissionActions& out);
    void received(ConnectionId connection, const AdmissionMessage& message, Instant now,
                  AdmissionActions& out);
    void disconnected(ConnectionId connection, std::errc reason);

    /// As AdmissionRoot::accept. A leaf in the result has agreed; when the root has admitted it, it
    /// joins the group. Its JoinDone is still to come.
    Result<std::optional<AdmissionLeaf>> accept(const Condition& condition, Instant now,
                                                AdmissionActions& out);
    [[nodiscard]] Result<RequestId> oldest_request();
    [[nodiscard]] const PendingJoin* find(RequestId request) const { return room_.find(request); }
    Result<std::optional<AdmissionLeaf>> answer(RequestId request, const Answer& answer,
                                                Instant now, AdmissionActions& out);

    /// Refuses what waits. Leaves that were accepted stay.
    void close(AdmissionActions& out);
    void advance(Instant now, AdmissionActions& out, const Unread& unread = {});
    /// As WaitingRoom::stalled.
    void stalled(Duration time, Instant now) { room_.stalled(time, now); }
    [[nodiscard]] std::optional<Instant> next_deadline() const { return room_.next_deadline(); }

    [[nodiscard]] std::size_t pending_count() const { return room_.waiting(); }
    [[nodiscard]] std::size_t silent_count() const { return room_.silent(); }
    [[nodiscard]] bool is_listening() const { return room_.is_listening(); }

private:
    AdmissionListenerOptions options_;
    bool closed_ = false;
    WaitingRoom room_;
};

}  // namespace joinleaf::controlplane
