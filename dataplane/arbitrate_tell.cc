// What an arbiter tells, in order: gaps, what is late, what is in turn, the end, another session.
#include <dataplane/arbitrate.h>

namespace joinleaf::dataplane {

bool Arbiter::next_slowly(FeedItem& item) noexcept {
    for (;;) {
        if (has_started_ && !session_told_ && !is_beginning_open()) {
            session_told_ = true;
            item = {.kind = FeedItem::Kind::session, .first = start_, .session = session_};
            return true;
        }
        if ((pending_ & kGap) != 0) {
            pending_ &= ~kGap;
            item = {.kind = FeedItem::Kind::gap, .first = gap_.first, .count = gap_.count()};
            return true;
        }
        if ((pending_ & kAway) != 0) {
            if (door_.sends_away()) {
                const Waiting packet = door_.pop_front();
                item = FeedItem::discarded(packet.line, packet.handle);
                return true;
            }
            pending_ &= ~kAway;
        }
        if ((pending_ & kLate) != 0) return next_late(item);
        if (current_) return deliver_current(item);
        if ((pending_ & kWindow) != 0) {
            if (next_held(item)) return true;
            pending_ &= ~kWindow;
        }
        if ((pending_ & (kEnd | kStranger | kRepeated)) != 0 && next_of_session(item)) return true;
        if ((pending_ & kSwitch) != 0) {
            if (stopped_) {  // by the old session's last gap
                pending_ &= ~kSwitch;
                turn_away_rival();
            } else if (const auto lost = hole()) {  // nobody will bring it now
                lose(lost->range);
            } else {
                begin_next_session();
            }
            continue;
        }
        if ((pending_ & kDoor) != 0) {
            if (let_in(item)) return true;
            continue;
        }
        pending_ = 0;
        if (has_hole()) note_passed();  // another one, it may be
        return false;
    }
}

bool Arbiter::next_of_session(FeedItem& item) noexcept {
    if ((pending_ & kEnd) != 0 && next_ >= *end_ && !end_told_ && !stopped_) {
        end_told_ = true;
        end_told_at_ = received_;
        if (is_rival_next()) {  // it has waited for that
            pending_ |= kSwitch;
        } else {
            turn_away_rival();
        }
        item = {.kind = FeedItem::Kind::end, .first = next_};
    } else if ((pending_ & kStranger) != 0) {
        pending_ &= ~kStranger;
        item = {.kind = FeedItem::Kind::stranger,
                .session = strangers_[(stranger_count_ - 1) % strangers_.size()]};
    } else if ((pending_ & kRepeated) != 0) {
        pending_ &= ~kRepeated;
        item = {.kind = FeedItem::Kind::repeated, .first = next_, .session = session_};
    } else {
        return false;
    }
    return true;
}

bool Arbiter::deliver_current(FeedItem& item) noexcept {
    deliver(*current_, item);
    current_.reset();
    return true;
}

bool Arbiter::next_held(FeedItem& item) noexcept {
    if (window_.empty() || (window_.front().first > next_ && !stopped_)) return false;
    const HeldPacket packet = window_.pop_front();
    if (stopped_ || packet.end() <= next_) {
        item = FeedItem::discarded(packet.line, packet.handle);
        return true;
    }
    deliver(packet, item);
    return true;
}

void Arbiter::deliver(const HeldPacket& packet, FeedItem& item) noexcept {
    const auto known = static_cast<std::uint32_t>(next_ - packet.first);
    item.kind = FeedItem::Kind::messages;
    item.first = next_;
    item.messages = known == 0 ? packet.messages : packet.messages.without_first(known);
    item.count = item.messages.size();
    item.handle = packet.handle;
    item.give_back = true;
    item.line = packet.line;
    item.arrived = packet.arrived;
    item.received = packet.received;
    delivered_ += item.count;
    advance_to(packet.end());
}

bool Arbiter::next_late(FeedItem& item) noexcept {
    const auto before = static_cast<std::uint32_t>(late_range_.first - late_->first);
    const auto count = static_cast<std::uint32_t>(late_range_.count());
    item = {.kind = FeedItem::Kind::late,
            .first = late_range_.first,
            .count = count,
            .messages = late_->messages.without_first(before).first(count),
            .handle = late_->handle,
            .line = late_->line,
            .arrived = late_->arrived,
            .received = late_->received};
    delivered_late_ += count;
    if (const auto more = told_gaps_.take({late_range_.end, late_->end()})) {
        late_range_ = *more;
        return true;
    }
    item.give_back = true;
    late_.reset();
    pending_ &= ~kLate;
    return true;
}

}  // namespace joinleaf::dataplane
