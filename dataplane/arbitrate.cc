#include <dataplane/arbitrate.h>

#include <algorithm>
#include <bit>
#include <cassert>

namespace joinleaf::dataplane {
namespace {

constexpr std::array<std::string_view, kFateCount> kFateNames{
    "taken",       "held",        "control",       "duplicate", "late",        "before_start",
    "window_full", "old_session", "other_session", "after_end", "unconfirmed", "stopped"};

}  // namespace

std::string_view name(Fate fate) noexcept {
    const auto index = static_cast<std::size_t>(fate);
    return index < kFateNames.size() ? kFateNames[index] : std::string_view("unknown");
}

Arbiter::Arbiter(const ArbiterOptions& options)
    : options_(options),
      window_(options.window),
      first_copies_(std::bit_ceil(std::max<std::size_t>(options.remembered_packets, 2))),
      first_copy_shift_(64 - static_cast<unsigned>(std::countr_zero(first_copies_.size()))),
      door_(window_.capacity() + 1),
      told_gaps_(options.remembered_ranges) {
    assert(options.lines >= 1 && options.lines <= kMaxLines && options.start_sequence >= 1);
    // One by one: a copy would not keep the room that each line's ranges have.
    lines_.reserve(options.lines + 1);
    while (lines_.size() < options.lines + 1) lines_.emplace_back(options.remembered_ranges);
}

std::optional<net::MoldSession> Arbiter::session() const noexcept {
    if (!has_started_) return std::nullopt;
    return session_;
}

// ---- What arrives ----

Fate Arbiter::arrive(std::uint8_t line, const net::MoldPacket& packet, PacketHandle handle,
                     Instant now, Instant received) noexcept {
    assert(line < options_.lines || line == kRepair);
    now_ = now;
    received_ = received;
    const Fate fate = judge(line, packet, handle, now);
    ++fates_[static_cast<std::size_t>(fate)];
    if (has_hole()) [[unlikely]]
        note_passed();
    return fate;
}

Fate Arbiter::judge(std::uint8_t line, const net::MoldPacket& packet, PacketHandle handle,
                    Instant now) noexcept {
    if (!has_started_ || packet.session != session_) [[unlikely]] {
        const bool follows = !options_.session || packet.session == *options_.session;
        // An answer says nothing of what is published now.
        if (!follows || line == kRepair) return Fate::other_session;
        if (has_started_) return judge_other_session(line, packet, handle, now);
        begin_first_session(packet, now);
    }
    Line& from = of(line);
    const std::uint32_t count = packet.messages.size();
    ++from.counters.packets;
    from.counters.received += count;
    if (claim_ || rival_ || end_ || packet.sequence > edge_) [[unlikely]] {
        if (!is_confirmed(line, packet, now)) return Fate::unconfirmed;
        if (rival_ && line != kRepair) weigh_rival(packet);
        if (end_told_) note_repeated(line, packet);
    }
    if (line != kRepair) {
        from.follow(packet.sequence, packet.end(), now);
        if (received_ - heard_ >= kPause) [[unlikely]]
            note_pause(received_ - heard_);
        heard_ = received_;
    }
    if (stopped_) [[unlikely]]
        return Fate::stopped;
    if (packet.kind != net::MoldKind::data) [[unlikely]]
        return judge_control(packet, now);
    if (end_ && packet.end() > *end_) [[unlikely]]
        return Fate::after_end;
    if (packet.end() <= next_) return judge_old(line, packet, handle, now);
    if (packet.sequence > next_) [[unlikely]]
        return judge_early(line, packet, handle, now);

    from.counters.won += count;
    first_copy(packet.sequence) = {packet.sequence, received_, line};
    progress_at_ = now;
    progress_line_ = line;
    if (line != kRepair) line_progress_at_ = now;
    current_ = held_packet(line, packet, handle, now);
    if (!window_.empty()) pending_ |= kWindow;
    if (end_) pending_ |= kEnd;
    return Fate::taken;
}

void Arbiter::Line::follow(std::uint64_t first, std::uint64_t end, Instant now) noexcept {
    heard = now;
    if (first == next) [[likely]] {
        next = end;
        return;
    }
    if (next == 0) {  // what was before is not this line's loss
        next = end;
    } else if (first > next) {
        counters.lost += first - next;
        holes.add({next, first});
        next = end;
    } else {
        while (const auto filled = holes.take({first, end})) {
            counters.lost -= filled->count();
            counters.reordered += filled->count();
        }
        next = std::max(next, end);
    }
}

// Two packets that agree are no accident: of two lines, or of one that goes on from there. A line
// that goes on from where it was has taken back what it said.
bool Arbiter::is_confirmed(std::uint8_t line, const net::MoldPacket& packet, Instant now) noexcept {
    if (!is_far(packet.sequence)) {
        if (claim_ && claim_->line == line) claim_.reset();
        return true;
    }
    if (line == kRepair) return false;
    if (claim_ && claim_->line == line && claim_->sequence == packet.sequence) {
        const bool is_said_again =
            packet.kind != net::MoldKind::data && now - claim_->at >= kSaidAgain;
        if (is_said_again) claim_.reset();
        return is_said_again;
    }
    if (claim_) {
        const auto [low, high] = std::minmax(claim_->sequence, packet.sequence);
        const bool goes_on = claim_->line != line || packet.sequence > claim_->sequence;
        if (goes_on && high - low <= options_.believed_jump) {
            claim_.reset();
            return true;
        }
    }
    claim_ = {packet.sequence, line, now};
    return false;
}

Fate Arbiter::judge_control(const net::MoldPacket& packet, Instant now) noexcept {
    if (end_ && packet.sequence > *end_) return Fate::after_end;
    raise_edge(packet.sequence, now);
    // An end before what is known to exist is none.
    const bool ends = packet.kind == net::MoldKind::end_of_session && packet.sequence == edge_;
    if (ends && !end_) {
        end_ = packet.sequence;
        pending_ |= kEnd;
    }
    return Fate::control;
}

Fate Arbiter::judge_old(std::uint8_t line, const net::MoldPacket& packet, PacketHandle handle,
                        Instant now) noexcept {
    if (packet.end() <= start_) return Fate::before_start;
    const auto lost =
        told_gaps_.empty() ? std::nullopt : told_gaps_.take({packet.sequence, packet.end()});
    if (!lost) return duplicate(line, packet);
    if (options_.policy != GapPolicy::deliver_late) return Fate::late;
    of(line).counters.won += packet.messages.size();
    late_ = held_packet(line, packet, handle, now);
    late_range_ = *lost;
    pending_ |= kLate;
    return Fate::taken;
}

Fate Arbiter::judge_early(std::uint8_t line, const net::MoldPacket& packet, PacketHandle handle,
                          Instant now) noexcept {
    if (window_.holds(packet.sequence, packet.end())) return duplicate(line, packet);
    if (window_.full()) {
        raise_edge(packet.end(), now);
        return Fate::window_full;
    }
    // Who is followed goes before who may be.
    if (held() >= window_.capacity()) turn_away_waiting();
    of(line).counters.won += packet.messages.size();
    first_copy(packet.sequence) = {packet.sequence, received_, line};
    window_.insert(held_packet(line, packet, handle, now));
    held_end_ = std::max(held_end_, packet.end());
    raise_edge(packet.end(), now);
    return Fate::held;
}

Fate Arbiter::duplicate(std::uint8_t line, const net::MoldPacket& packet) noexcept {
    Line& from = of(line);
    from.counters.duplicates += packet.messages.size();
    const FirstCopy& first = first_copy(packet.sequence);
    const bool is_of_two_lines = line != kRepair && first.line != kRepair && first.line != line;
    if (first.first == packet.sequence && is_of_two_lines) {
        from.skew.record(received_ - first.received);
    }
    return Fate::duplicate;
}

// ---- What is missing ----

void Arbiter::raise_edge(std::uint64_t edge, Instant now) noexcept {
    if (edge <= edge_) return;
    if (edge_ <= held_end_) edge_at_ = now;
    edge_ = edge;
}

// Noted when it happens: hole() may be asked much later.
void Arbiter::note_passed() noexcept {
    if (!all_have_passed(next_, now_)) {
        passed_at_.reset();
    } else if (!passed_at_) {
        passed_at_ = now_;
    }
}

bool Arbiter::all_have_passed(std::uint64_t sequence, Instant now) const noexcept {
    return std::all_of(lines_.begin(), lines_.end() - 1, [&](const Line& line) {
        return line.next > sequence || now - line.heard >= kSilence;
    });
}

std::optional<Hole> Arbiter::hole() const noexcept {
    if (!has_hole() || stopped_) return std::nullopt;
    Hole hole{.range = {next_, edge_},
              .since = edge_at_,
              .passed = passed_at_,
              .answered = progress_line_ == kRepair};
    if (!window_.empty()) {
        hole.range.end = window_.front().first;
        hole.since = window_.front().arrived;
    }
    // A line that still brings what is missing, in turn, has not lost it.
    hole.since = std::max(hole.since, line_progress_at_);
    if (catching_up_) hole.since = std::max(hole.since, progress_at_);
    return hole;
}

void Arbiter::advance_to(std::uint64_t sequence) noexcept {
    next_ = sequence;
    held_end_ = std::max(held_end_, sequence);
    edge_ = std::max(edge_, sequence);
    passed_at_.reset();
    if (catching_up_ && next_ >= edge_) catching_up_ = false;
}

void Arbiter::lose(SequenceRange range) noexcept {
    gap_ = range;
    ++gaps_;
    lost_ += range.count();
    told_gaps_.add(range);
    advance_to(range.end);
    if (options_.policy == GapPolicy::stop) stopped_ = true;
    pending_ |= kGap | what_may_be_next();
}

void Arbiter::give_up(Instant now) noexcept {
    if (const auto lost = hole()) {
        now_ = now;
        lose(lost->range);
        progress_at_ = now;
    }
}

void Arbiter::history_begins(std::uint64_t sequence, Instant now) noexcept {
    const auto missing = hole();
    if (!missing || sequence <= next_) return;
    now_ = now;
    const SequenceRange gone{next_, std::min(sequence, missing->range.end)};
    if (is_beginning_open()) {
        start_ = gone.end;
        advance_to(gone.end);
        pending_ |= what_may_be_next();
    } else {
        lose(gone);
    }
    progress_at_ = now;
}

}  // namespace joinleaf::dataplane
