// A leaf's lines made one: packets of a sequenced feed by any number of lines in, its messages in
// order, each exactly once, out. Pure: time comes in, and packets stay where they are.
#pragma once

#include <dataplane/doorway.h>
#include <dataplane/hold_window.h>
#include <dataplane/sequence_ranges.h>
#include <joinleaf/clock.h>
#include <joinleaf/feed_receiver.h>
#include <joinleaf/histogram.h>
#include <net/moldudp64.h>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace joinleaf::dataplane {

using joinleaf::GapPolicy;
using joinleaf::LineCounters;
using joinleaf::StartAt;

struct ArbiterOptions {
    std::size_t lines = 2;  ///< 1 to kMaxLines
    /// The one session to follow; none: the first that is heard, and then the next.
    std::optional<net::MoldSession> session;
    StartAt start = StartAt::live;
    std::uint64_t start_sequence = 1;
    GapPolicy policy = GapPolicy::skip;
    /// Packets that may wait for those before them. It bounds the memory whatever is missing: when
    /// it is full newcomers are dropped (Fate::window_full) and become part of a gap themselves. At
    /// least what comes in the time that a gap may last.
    std::size_t window = 4096;
    /// Ranges that are remembered as lost, per line and in all.
    std::size_t remembered_ranges = 64;
    /// Packets whose first copy's time is remembered, to tell how far other lines are behind.
    std::size_t remembered_packets = 4096;
    /// A sequence more than so many messages ahead of all that is known is believed when another
    /// packet confirms it; 0: at once. One stray packet must not make all that follows a hole.
    std::uint64_t believed_jump = 1'000'000;
    /// While the session that is followed lives, another one is followed when it goes on for so
    /// long and nothing was heard of the first: for as long, and for twice as long as that was
    /// silent of late.
    Duration session_doubt = std::chrono::milliseconds(100);
};

/// What became of a packet. The first two: the packet is kept, and next() gives its handle back
/// exactly once. All others: the packet is of no use any more.
enum class Fate : std::uint8_t {
    taken,          ///< its messages are next
    held,           ///< it waits for those before it
    control,        ///< a heartbeat or an end of session
    duplicate,      ///< all of it has been delivered or is held
    late,           ///< its gap has been told already
    before_start,   ///< before where the leaf began
    window_full,    ///< too many wait
    old_session,    ///< of a session that is over
    other_session,  ///< of a session that is not followed
    after_end,      ///< of a message, or said of one, beyond the end of its session
    unconfirmed,    ///< far ahead, or of a session that may follow and has no room to wait
    stopped,        ///< after a gap that was to stop all

    kCount,  ///< not a fate: how many there are
};
inline constexpr std::size_t kFateCount = static_cast<std::size_t>(Fate::kCount);
[[nodiscard]] std::string_view name(Fate fate) noexcept;

/// The next thing for the application, in order.
struct FeedItem {
    enum class Kind : std::uint8_t {
        messages,  ///< from `first` on
        late,      ///< likewise, of a gap that has been told
        gap,       ///< `count` messages from `first` on are lost
        session,   ///< `session` begins; the first thing told, and each time it changes
        end,       ///< the session is over; `first` is the sequence that would have been next
        discard,   ///< nothing to deliver; only the packet to give back
        stranger,  ///< `session` is heard beside the one that is followed; once for each
        repeated,  ///< the session is over, and begins again: what comes is dropped; once
    };
    Kind kind = Kind::discard;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    net::MoldMessages messages;
    PacketHandle handle = nullptr;
    bool give_back = false;  ///< nothing more comes of `handle`: its owner may have it back
    std::uint8_t line = 0;   ///< that the packet came by; Arbiter::kRepair: recovered
    Instant arrived;         ///< when the arbiter was told of it
    Instant received;        ///< when it came from the wire
    net::MoldSession session;

    [[nodiscard]] static FeedItem discarded(std::uint8_t by, PacketHandle packet) noexcept {
        return {.kind = Kind::discard, .handle = packet, .give_back = true, .line = by};
    }
};

/// The first range that is missing.
struct Hole {
    SequenceRange range;
    Instant since;  ///< when it was known to be missing, or came nearer while catching up
    /// When all lines had passed it, so that none could bring it any more but by reordering. None:
    /// one still could.
    std::optional<Instant> passed;
    bool answered = false;  ///< what came last in turn was an answer
};

/// After each arrive(), give_up() or history_begins() the owner calls next() until it returns
/// false. Allocates in the constructor alone. One owner.
class Arbiter {
public:
    static constexpr std::size_t kMaxLines = 16;
    /// The line of answers to requests.
    static constexpr std::uint8_t kRepair = 0xff;
    /// A line that was silent so long brings nothing any more.
    static constexpr Duration kSilence = std::chrono::seconds(3);
    /// A silence that is worth remembering, to know another one from the end; and for how long.
    static constexpr Duration kPause = std::chrono::milliseconds(50);
    static constexpr Duration kRemembered = std::chrono::seconds(10);
    /// What a line says again after so long is no copy that the network has made.
    static constexpr Duration kSaidAgain = std::chrono::milliseconds(10);

    explicit Arbiter(const ArbiterOptions& options);

    /// A packet by a line, or an answer by kRepair. The octets must stay until the handle has come
    /// back. Decisions are by `now`; `received`, which may be earlier, is for how far lines are
    /// apart.
    Fate arrive(std::uint8_t line, const net::MoldPacket& packet, PacketHandle handle, Instant now,
                Instant received) noexcept;
    Fate arrive(std::uint8_t line, const net::MoldPacket& packet, PacketHandle handle,
                Instant now) noexcept {
        return arrive(line, packet, handle, now, now);
    }
    /// Whether arrive() would do nothing with the packet but count it, whatever its messages are.
    [[nodiscard]] bool has_all_of(const net::MoldPacket& packet) const noexcept {
        return packet.end() <= next_ && told_gaps_.empty() && packet.session == session_ &&
               has_started_;
    }
    /// False: nothing (more) until something arrives.
    bool next(FeedItem& item) noexcept {
        if (pending_ == 0 && session_told_) [[likely]] {
            if (!current_) return false;
            return deliver_current(item);
        }
        return next_slowly(item);
    }

    /// What is missing now.
    [[nodiscard]] std::optional<Hole> hole() const noexcept;
    [[nodiscard]] bool has_hole() const noexcept { return has_started_ && edge_ > next_; }
    /// The hole is lost: it is told, and what is behind it comes.
    void give_up(Instant now) noexcept;
    /// Call often, when all that has come was looked at: who waits to be followed may be alone now.
    void advance(Instant now) noexcept {
        if (const auto at = next_deadline(); at && now >= *at) [[unlikely]]
            follow_rival(now);
    }
    /// When advance() has something to do though nothing arrives.
    [[nodiscard]] std::optional<Instant> next_deadline() const noexcept {
        if (!rival_ || !has_rival_lived()) return std::nullopt;
        return heard_ + kSilence;
    }
    /// The repair server has nothing before `sequence`: what is missing there is lost. Where the
    /// leaf begins with the history, and has begun with nothing yet, that is no gap.
    void history_begins(std::uint64_t sequence, Instant now) noexcept;

    /// Delivers nothing any more; what is held is given back.
    void stop() noexcept {
        stopped_ = true;
        pending_ |= kWindow;
        turn_away_rival();
    }

    /// None before the first packet.
    [[nodiscard]] std::optional<net::MoldSession> session() const noexcept;
    /// The sequence of the next message to be delivered.
    [[nodiscard]] std::uint64_t next_sequence() const noexcept { return next_; }
    /// The highest sequence that is known to exist, plus one.
    [[nodiscard]] std::uint64_t edge() const noexcept { return edge_; }
    /// From a start in the past until nothing is missing for the first time.
    [[nodiscard]] bool is_catching_up() const noexcept { return catching_up_; }
    [[nodiscard]] bool is_stopped() const noexcept { return stopped_; }
    /// Packets that wait: for those before them, or until it is known what session follows.
    [[nodiscard]] std::size_t held() const noexcept { return window_.size() + door_.size(); }

    [[nodiscard]] const LineCounters& line(std::uint8_t line) const noexcept {
        return of(line).counters;
    }
    /// How long after the first copy that line's came, where it was not the first.
    [[nodiscard]] const Histogram& skew(std::uint8_t line) const noexcept { return of(line).skew; }
    [[nodiscard]] std::uint64_t count(Fate fate) const noexcept {
        return fates_[static_cast<std::size_t>(fate)];
    }
    [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
    [[nodiscard]] std::uint64_t delivered_late() const noexcept { return delivered_late_; }
    [[nodiscard]] std::uint64_t gaps() const noexcept { return gaps_; }
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

private:
    // What next() has to tell beside the current packet, a bit each.
    enum Pending : unsigned {
        kGap = 1,      // gap_
        kLate = 2,     // late_
        kWindow = 4,   // packets that wait may be next
        kEnd = 8,      // the end of the session is known and not told
        kSwitch = 16,  // another session follows when this one is told: rival_
        kDoor = 32,    // and then what has waited for that
        kAway = 64,    // packets that have waited in vain
        kStranger = 128,
        kRepeated = 256
    };
    struct Line {
        explicit Line(std::size_t ranges) : holes(ranges) {}
        // Keeps count of what this line brings, whoever was first.
        void follow(std::uint64_t first, std::uint64_t end, Instant now) noexcept;
        LineCounters counters;
        Histogram skew;
        SequenceRanges holes;
        std::uint64_t next = 0;  // 0: nothing heard in this session
        Instant heard;
    };
    struct FirstCopy {
        std::uint64_t first = 0;
        Instant received;
        std::uint8_t line = 0;
    };

    [[nodiscard]] const Line& of(std::uint8_t line) const noexcept {
        return lines_[line == kRepair ? lines_.size() - 1 : line];
    }
    [[nodiscard]] Line& of(std::uint8_t line) noexcept {
        return lines_[line == kRepair ? lines_.size() - 1 : line];
    }
    [[nodiscard]] FirstCopy& first_copy(std::uint64_t first) noexcept {
        return first_copies_[(first * 0x9e3779b97f4a7c15u) >> first_copy_shift_];
    }

    // A packet that says there is much that nobody else has spoken of.
    struct Claim {
        std::uint64_t sequence = 0;
        std::uint8_t line = 0;
        Instant at;
    };

    // A session that may be followed next.
    struct Rival {
        net::MoldSession session;
        Instant since;
        Instant heard;
        Fate when_refused = Fate::other_session;
        std::optional<Waiting> said;  // of what has come after the last message that is known
    };
    // A session that was followed before.
    struct PastSession {
        net::MoldSession session;
        std::uint64_t next = 0;
        bool has_ended = false;

        // A line that is behind brings nothing that was not known.
        [[nodiscard]] bool has_more(const net::MoldPacket& packet) const noexcept {
            if (has_ended) return false;
            return packet.kind == net::MoldKind::data ? packet.end() > next
                                                      : packet.sequence >= next;
        }
    };

    [[nodiscard]] HeldPacket held_packet(std::uint8_t line, const net::MoldPacket& packet,
                                         PacketHandle handle, Instant now) const noexcept {
        return {packet.sequence, packet.messages, handle, now, received_, line};
    }
    [[nodiscard]] bool is_far(std::uint64_t sequence) const noexcept {
        return options_.believed_jump != 0 && sequence > edge_ &&
               sequence - edge_ > options_.believed_jump;
    }
    bool is_confirmed(std::uint8_t line, const net::MoldPacket& packet, Instant now) noexcept;
    Fate judge(std::uint8_t line, const net::MoldPacket& packet, PacketHandle handle,
               Instant now) noexcept;
    Fate judge_other_session(std::uint8_t line, const net::MoldPacket& packet, PacketHandle handle,
                             Instant now) noexcept;
    [[nodiscard]] PastSession* past_session(const net::MoldSession& session) noexcept;
    [[nodiscard]] bool is_stranger(const net::MoldSession& session) const noexcept;
    [[nodiscard]] bool is_over() const noexcept;
    [[nodiscard]] bool has_rival_lived() const noexcept;
    [[nodiscard]] bool is_rival_next() const noexcept;
    [[nodiscard]] bool has_rival_taken_over() const noexcept;
    void note_pause(Duration silence) noexcept;
    void note_repeated(std::uint8_t line, const net::MoldPacket& packet) noexcept;
    bool keep_at_door(const Waiting& waiting) noexcept;
    void weigh_rival(const net::MoldPacket& packet) noexcept;
    void follow_rival(Instant now) noexcept;
    void turn_away_waiting() noexcept;
    void turn_away_rival() noexcept;
    Fate judge_control(const net::MoldPacket& packet, Instant now) noexcept;
    Fate judge_old(std::uint8_t line, const net::MoldPacket& packet, PacketHandle handle,
                   Instant now) noexcept;
    Fate duplicate(std::uint8_t line, const net::MoldPacket& packet) noexcept;
    Fate judge_early(std::uint8_t line, const net::MoldPacket& packet, PacketHandle handle,
                     Instant now) noexcept;
    void begin_first_session(const net::MoldPacket& packet, Instant now) noexcept;
    void begin_next_session() noexcept;
    void begin(const net::MoldSession& session, std::uint64_t start) noexcept;
    bool let_in(FeedItem& item) noexcept;
    Fate judge_waiting(const Waiting& waiting) noexcept;
    void raise_edge(std::uint64_t edge, Instant now) noexcept;
    void note_passed() noexcept;
    // A leaf that begins with the history has nothing yet, and may be told that it begins later.
    [[nodiscard]] bool is_beginning_open() const noexcept {
        if (!first_session_ || options_.start != StartAt::history || next_ != start_) return false;
        if (!has_hole() || current_) return false;
        return window_.empty() || window_.front().first > next_ || window_.front().end() <= next_;
    }
    [[nodiscard]] bool all_have_passed(std::uint64_t sequence, Instant now) const noexcept;
    /// Of Pending, when next_ has moved.
    [[nodiscard]] unsigned what_may_be_next() const noexcept {
        return kWindow | (end_ && !end_told_ ? kEnd : 0u);
    }
    void lose(SequenceRange range) noexcept;
    void advance_to(std::uint64_t sequence) noexcept;

    bool deliver_current(FeedItem& item) noexcept;
    bool next_slowly(FeedItem& item) noexcept;
    bool next_late(FeedItem& item) noexcept;
    bool next_of_session(FeedItem& item) noexcept;
    bool next_held(FeedItem& item) noexcept;
    void deliver(const HeldPacket& packet, FeedItem& item) noexcept;

    ArbiterOptions options_;
    std::vector<Line> lines_;  // the last is that of repairs
    HoldWindow window_;
    std::vector<FirstCopy> first_copies_;
    unsigned first_copy_shift_;

    net::MoldSession session_;
    std::array<PastSession, 8> past_sessions_;
    std::size_t past_session_count_ = 0;
    std::array<net::MoldSession, 8> strangers_;
    std::size_t stranger_count_ = 0;
    bool has_started_ = false;
    bool session_told_ = false;
    bool first_session_ = true;
    bool catching_up_ = false;
    bool stopped_ = false;

    Instant now_;       // when something was last told to this
    Instant received_;  // when the packet that is looked at came
    unsigned pending_ = 0;
    std::optional<HeldPacket> current_;
    std::optional<HeldPacket> late_;
    SequenceRange late_range_;
    SequenceRange gap_;

    std::optional<Rival> rival_;
    Doorway door_;
    std::optional<Waiting> said_;  // by the session that has begun: Rival::said

    Instant heard_;        // when a line last brought something of this session, on the wire
    Duration pause_{};     // how long it was silent of late
    Instant pause_at_;     // until when
    Instant end_told_at_;  // likewise
    bool repeated_told_ = false;

    std::uint64_t start_ = 0;     // where this leaf began in the session
    std::uint64_t next_ = 0;      // to be delivered next
    std::uint64_t held_end_ = 0;  // the end of all that is delivered or held
    std::uint64_t edge_ = 0;      // of all that is known to exist
    Instant edge_at_;             // when something beyond held_end_ was first known
    std::uint8_t progress_line_ = 0;
    Instant progress_at_;       // when something was last in turn
    Instant line_progress_at_;  // likewise, and a line brought it
    std::optional<Instant> passed_at_;
    std::optional<Claim> claim_;
    std::optional<std::uint64_t> end_;  // the session's last sequence, plus one
    bool end_told_ = false;
    SequenceRanges told_gaps_;

    std::array<std::uint64_t, kFateCount> fates_{};
    std::uint64_t delivered_ = 0;
    std::uint64_t delivered_late_ = 0;
    std::uint64_t gaps_ = 0;
    std::uint64_t lost_ = 0;
};

}  // namespace joinleaf::dataplane
