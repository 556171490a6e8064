// A leaf of a MoldUDP64 feed: lines made one, what is missing asked for, and messages in order,
// each exactly once, where the NIC wrote them.
#pragma once

#include <joinleaf/address.h>
#include <joinleaf/api.h>
#include <joinleaf/clock.h>
#include <joinleaf/error.h>
#include <joinleaf/feed_messages.h>
#include <joinleaf/feed_status.h>
#include <joinleaf/receiver.h>
#include <joinleaf/session.h>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace JOINLEAF_API joinleaf {

/// What becomes of messages that come after their gap was told.
enum class GapPolicy : std::uint8_t {
    skip,          ///< they are dropped
    deliver_late,  ///< they are delivered, once, out of order, as such
    stop,          ///< nothing is delivered after a gap
};

/// Where a leaf begins in the first session it hears. Later ones it follows from their beginning.
enum class StartAt : std::uint8_t {
    live,      ///< with whatever comes first
    sequence,  ///< with a given sequence, recovered if it has passed
    /// With the oldest that the repair server still has; where that is not 1, history_begins() says
    /// so, or it is looked for by asking, which takes a second or two.
    history,
};

/// One way by which the feed comes.
struct FeedLine {
    SocketId socket{};  ///< that has joined the line's group; Socket::id()
    /// Where its datagrams come; lines of one port may share one. The FeedReceiver alone takes from
    /// it from then on, and it may be gone before the FeedReceiver is.
    const Receiver* receiver = nullptr;
};

/// A server that sends again what was lost, on the management network: requests go out by a kernel
/// UDP socket.
struct FeedRepairOptions {
    ControlEndpoint server;  ///< its UDP port
    Ipv4Address local;       ///< where requests come from; unspecified: as the kernel routes them
    /// The first request for a hole waits a random part of this, so that leaves that lost the same
    /// do not all ask at once.
    Duration request_delay = std::chrono::microseconds(500);
    /// How long an answer is waited for: at first, doubled each time, at most; up to half as long
    /// again by chance.
    Duration retry_first = std::chrono::milliseconds(2);
    Duration retry_most = std::chrono::milliseconds(200);
    /// The most messages asked for at once; the answer is one packet, whatever fits.
    std::uint16_t most_messages = 1024;
};

struct FeedReceiverOptions {
    std::vector<FeedLine> lines;  ///< 1 to kMaxLines
    /// The one session to follow, up to ten printable characters; empty: the first that is heard,
    /// and then the next.
    std::string session;
    StartAt start = StartAt::live;
    std::uint64_t start_sequence = 1;  ///< where start is StartAt::sequence
    GapPolicy on_gap = GapPolicy::skip;
    /// How long a message may be missing before it is told as a gap. Counts from when it was known
    /// to be missing; while a leaf catches up with history, from the last answer, and is three
    /// seconds at least: a repair server that many ask at once lets each wait.
    Duration gap_deadline = std::chrono::milliseconds(100);
    /// How far one line may be behind another: so long nothing is asked for that a line could still
    /// bring.
    Duration skew = std::chrono::milliseconds(1);
    /// How far packets of one line may overtake each other: so long nothing is asked for though all
    /// lines have passed it.
    Duration reordering = Duration::zero();
    std::optional<FeedRepairOptions> repair;  ///< none: what no line brings is lost
    /// Packets that may wait for those before them, in their buffers. Less than any receiver's
    /// capacity, or nothing could come any more; rounded down to a power of two. 0: half of the
    /// smallest one's.
    std::size_t window = 0;
    /// A sequence farther ahead than so many messages is believed when a second packet confirms it:
    /// another line's, or a later one of the same line. One stray packet cannot make all that
    /// follows look like something lost. 0: all are believed.
    std::uint64_t believed_jump = 1'000'000;
    /// Another session is followed at once when the last one has ended, or was silent for three
    /// seconds. Else its packets wait in the window. It is followed when it goes on for so long and
    /// nothing was heard of the last one: for as long, and for twice as long as that was silent in
    /// the last ten seconds. When the last one goes on, the other is a stranger (Kind::stranger);
    /// and one that was left so comes back when it goes on and the next is silent.
    Duration session_doubt = std::chrono::milliseconds(100);
    /// A datagram that the port spread over several buffers (a jumbo frame, or buffers smaller than
    /// the MTU) is copied into one of so many of so many octets, taken when the FeedReceiver is
    /// made. Where none is free, or it is larger, it is dropped and counted: no_spare_buffer,
    /// too_long. An answer of the repair server is as long at most.
    std::size_t spare_buffers = 64;
    std::size_t spare_octets = 9216;
};

/// What comes out, in order.
struct FeedEvent {
    enum class Kind : std::uint8_t {
        messages,  ///< `count` messages from `first` on
        late,      ///< likewise, of a gap that has been told (GapPolicy::deliver_late)
        gap,       ///< `count` messages from `first` on are lost
        session,   ///< `session` begins; the first event, and each time it changes
        end,       ///< the session is over; `first` is the sequence that would have been next
        stranger,  ///< `session` is heard beside the one that is followed, and dropped; once for
                   ///< each
        repeated,  ///< `session` is over, and begins again: what comes is dropped, as it bears the
                   ///< numbers of what was delivered; once
    };
    /// The line of what was asked for.
    static constexpr std::uint8_t kRepaired = 0xff;

    Kind kind{};
    std::uint8_t line = 0;  ///< that the messages came by: index into FeedReceiverOptions::lines
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    FeedMessages messages;
    std::string_view session;  ///< of kinds session, stranger and repeated; without padding
    Instant received_at;       ///< of messages: when their packet was read from the port
};

/// One application thread, but for status(). No call allocates or locks; none enters the kernel
/// unless something is missing. Move only.
class FeedReceiver {
public:
    static constexpr std::size_t kMaxLines = 16;
    static constexpr std::size_t kBurst = 64;

    FeedReceiver() noexcept;
    FeedReceiver(FeedReceiver&&) noexcept;
    FeedReceiver& operator=(FeedReceiver&&) noexcept;
    ~FeedReceiver();

    /// Errors: invalid_argument (no line or too many, a line without receiver, a session that is no
    /// name, a sequence of 0, a window or spare buffers that cannot be), and those of the repair
    /// socket (address_not_available, permission_denied ...).
    [[nodiscard]] static Result<FeedReceiver> open(const FeedReceiverOptions& options);

    /// Takes what has come, a burst of each receiver at most, and fills `out` with what is next, in
    /// order. Returns how many; 0 when nothing is. What earlier events point to is given back to
    /// the port. Call it often, also when nothing comes: holes are worked at here.
    [[nodiscard]] std::size_t receive(std::span<FeedEvent> out) noexcept;

    /// The same with a function of (const FeedEvent&). Returns how often it was called.
    template <class Visit>
    std::size_t poll(Visit&& visit) {
        std::array<FeedEvent, kBurst> events;
        const std::size_t n = receive(events);
        for (std::size_t i = 0; i < n; ++i) visit(std::as_const(events[i]));
        return n;
    }

    /// The root has told (by admission) that its history of `session` begins at `sequence`: what is
    /// missing before that is lost, and where the leaf begins with the history it begins there.
    void history_begins(std::string_view session, std::uint64_t sequence) noexcept;
    /// From now on the line's datagrams are those of this socket, as after joining anew. It must
    /// have the same receiver.
    void set_line(std::size_t line, SocketId socket) noexcept;

    /// Any thread, while this exists; as of a millisecond before the last receive() at most.
    [[nodiscard]] FeedStatus status() const;
    /// Makes status() exact, as when no receive() will follow.
    void publish_status() noexcept;

    class Impl;

private:
    explicit FeedReceiver(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace joinleaf
