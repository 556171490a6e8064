// What session a leaf follows: the first, the next, and that a stranger's packets change nothing.
#include <dataplane/arbitrate.h>

#include <algorithm>

namespace joinleaf::dataplane {

Arbiter::PastSession* Arbiter::past_session(const net::MoldSession& session) noexcept {
    const auto known =
        std::span(past_sessions_).first(std::min(past_session_count_, past_sessions_.size()));
    const auto found = std::ranges::find(known, session, &PastSession::session);
    return found == known.end() ? nullptr : &*found;
}

bool Arbiter::is_stranger(const net::MoldSession& session) const noexcept {
    const auto known = std::span(strangers_).first(std::min(stranger_count_, strangers_.size()));
    return std::ranges::find(known, session) != known.end();
}

// ---- Another session is heard ----

// Whoever else has the group, by mistake or not, must not end a session that lives; and one whose
// root was killed says no more, while the next goes on. So another session waits at the door until
// it is known which of the two this is.
Fate Arbiter::judge_other_session(std::uint8_t line, const net::MoldPacket& packet,
                                  PacketHandle handle, Instant now) noexcept {
    const PastSession* const past = past_session(packet.session);
    const Fate refused = past != nullptr ? Fate::old_session : Fate::other_session;
    if (past != nullptr && !past->has_more(packet)) return refused;
    if (stopped_) return Fate::stopped;
    const bool over = is_over();
    if (!over && is_stranger(packet.session)) return refused;
    if (rival_ && rival_->session != packet.session) {
        // One waits at a time, and gives way when it does not go on.
        if (received_ - rival_->heard < options_.session_doubt) return refused;
        turn_away_rival();
    }
    if (!rival_) rival_ = Rival{packet.session, received_, received_, refused, {}};
    rival_->heard = received_;
    const bool is_kept = keep_at_door({line, packet, handle, now, received_});
    const bool follows = over || has_rival_taken_over();
    if (follows) follow_rival(now);
    if (is_kept) return follows ? Fate::taken : Fate::held;
    return follows && packet.kind != net::MoldKind::data ? Fate::control : Fate::unconfirmed;
}

// Nothing of this session is to be expected any more.
bool Arbiter::is_over() const noexcept { return end_told_ || received_ - heard_ >= kSilence; }

// A stray says nothing more.
bool Arbiter::has_rival_lived() const noexcept {
    const bool has_ended =
        rival_->said && rival_->said->packet.kind == net::MoldKind::end_of_session;
    return has_ended || rival_->heard - rival_->since >= options_.session_doubt;
}

// When this session is at its end.
bool Arbiter::is_rival_next() const noexcept {
    if (!rival_) return false;
    return has_rival_lived() || received_ - rival_->heard < options_.session_doubt;
}

// The pauses that it makes are no end; when its end is known, it waits for what is missing alone.
bool Arbiter::has_rival_taken_over() const noexcept {
    if (received_ - rival_->since < options_.session_doubt) return false;
    if (end_) return true;
    const Duration pause = heard_ - pause_at_ < kRemembered ? pause_ : Duration::zero();
    return received_ - heard_ >= std::max(options_.session_doubt, 2 * pause);
}

void Arbiter::note_pause(Duration silence) noexcept {
    if (silence * 2 < pause_ && received_ - pause_at_ < kRemembered) return;
    pause_ = silence;
    pause_at_ = received_;
}

bool Arbiter::keep_at_door(const Waiting& waiting) noexcept {
    if (waiting.packet.kind != net::MoldKind::data) {
        rival_->said = waiting;
        return false;
    }
    const bool has_room = door_.hopeful() == 0 || held() < window_.capacity();
    if (!has_room || door_.full()) return false;
    door_.add(waiting);
    return true;
}

// A line that is behind may bring what is left of this session for a while; when it goes on after
// that, the other is a stranger.
void Arbiter::weigh_rival(const net::MoldPacket& packet) noexcept {
    const bool goes_on =
        packet.kind == net::MoldKind::data ? packet.end() > edge_ : packet.sequence >= edge_;
    if (!goes_on || end_ || packet.kind == net::MoldKind::end_of_session) return;
    if (received_ - rival_->since < options_.session_doubt) return;
    strangers_[stranger_count_++ % strangers_.size()] = rival_->session;
    pending_ |= kStranger;
    turn_away_rival();
}

void Arbiter::follow_rival(Instant now) noexcept {
    now_ = now;
    pending_ |= kSwitch | what_may_be_next();
}

void Arbiter::turn_away_waiting() noexcept {
    const std::size_t count = door_.hopeful();
    if (count == 0) return;
    // They count as what they have turned out to be.
    fates_[static_cast<std::size_t>(Fate::held)] -= count;
    fates_[static_cast<std::size_t>(rival_->when_refused)] += count;
    door_.send_away();
    pending_ |= kAway;
}

void Arbiter::turn_away_rival() noexcept {
    turn_away_waiting();
    rival_.reset();
}

// ---- A session begins ----

void Arbiter::begin_first_session(const net::MoldPacket& packet, Instant now) noexcept {
    has_started_ = true;
    std::uint64_t start = 1;
    if (options_.start == StartAt::live) start = packet.sequence;
    if (options_.start == StartAt::sequence) start = options_.start_sequence;
    begin(packet.session, start);
    catching_up_ = start < packet.sequence;
    for (Line& line : lines_) {
        line.next = 0;
        line.heard = now;  // those not heard yet may come to life
    }
}

// From its beginning; or, where it was followed before, with what was next then.
void Arbiter::begin_next_session() noexcept {
    const PastSession old{session_, next_, end_.has_value()};
    if (PastSession* const known = past_session(session_)) {
        *known = old;
    } else {
        past_sessions_[past_session_count_++ % past_sessions_.size()] = old;
    }
    const Rival rival = *rival_;
    rival_.reset();
    const PastSession* const past = past_session(rival.session);
    first_session_ = false;
    begin(rival.session, past != nullptr ? past->next : 1);
    catching_up_ = false;
    // What a line brought while nobody followed is not its loss.
    for (Line& line : lines_) line.next = past != nullptr ? 0 : 1;
    said_ = rival.said;
    pending_ = kDoor;
}

void Arbiter::begin(const net::MoldSession& session, std::uint64_t start) noexcept {
    session_ = session;
    session_told_ = false;
    next_ = held_end_ = edge_ = start_ = start;
    for (Line& line : lines_) line.holes.clear();
    progress_at_ = line_progress_at_ = edge_at_ = Instant::min();
    progress_line_ = 0;
    passed_at_.reset();
    claim_.reset();
    end_.reset();
    end_told_ = false;
    repeated_told_ = false;
    heard_ = received_;
    pause_ = Duration::zero();
    told_gaps_.clear();
    std::ranges::fill(first_copies_, FirstCopy{});
}

// True: it is of no use.
bool Arbiter::let_in(FeedItem& item) noexcept {
    if (door_.size() == 0) {
        pending_ &= ~kDoor;
        if (said_) judge_waiting(*said_);
        said_.reset();
        return false;
    }
    const Waiting packet = door_.pop_front();
    const Fate fate = judge_waiting(packet);
    if (fate == Fate::taken || fate == Fate::held) return false;
    item = FeedItem::discarded(packet.line, packet.handle);
    return true;
}

Fate Arbiter::judge_waiting(const Waiting& waiting) noexcept {
    received_ = waiting.received;
    return judge(waiting.line, waiting.packet, waiting.handle, waiting.at);
}

// ---- A session that is over begins again ----

// A root that is started again under the same name; a line that is behind goes on from where it
// was.
void Arbiter::note_repeated(std::uint8_t line, const net::MoldPacket& packet) noexcept {
    if (repeated_told_ || line == kRepair || packet.sequence >= *end_) return;
    if (of(line).next < *end_ || received_ - end_told_at_ < options_.session_doubt) return;
    repeated_told_ = true;
    pending_ |= kRepeated;
}

}  // namespace joinleaf::dataplane
