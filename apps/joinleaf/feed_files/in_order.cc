// One line of a captured feed put in order.
#include <apps/joinleaf/feed_files/in_order.h>

#include <algorithm>

namespace joinleaf::app {
namespace {

constexpr std::size_t kRememberedSessions = 8;

}  // namespace

void InOrder::arrive(const net::MoldPacket& packet, RecordedTime at) {
    ++counts_.packets;
    now_ = at;
    if (packet.session == session_) {
        arrive_in_session(packet);
    } else if (is_over(packet.session)) {
        counts_.duplicates += packet.messages.size();
    } else {
        follower_ = packet;
        gives_up_ = true;
    }
}

void InOrder::arrive_in_session(const net::MoldPacket& packet) {
    edge_ = std::max(edge_, packet.end());
    if (packet.kind == net::MoldKind::end_of_session) gives_up_ = true;
    if (packet.kind != net::MoldKind::data) return;
    if (packet.sequence <= next_) {
        if (!held_.empty() && packet.end() > next_) ++counts_.reordered;
        current_ = packet;
        return;
    }
    Held& held = held_[packet.sequence];
    if (held.count >= packet.messages.size()) {
        counts_.duplicates += packet.messages.size();
        return;
    }
    counts_.duplicates += held.count;
    const std::byte* const first = packet.messages.begin().position();
    auto end = packet.messages.begin();
    std::advance(end, packet.messages.size());
    held = {{first, end.position()}, packet.messages.size(), now_};
}

void InOrder::end() { gives_up_ = true; }

bool InOrder::next(Run& run) {
    for (;;) {
        if (current_) {
            const auto packet = *std::exchange(current_, {});
            if (give(packet.sequence, packet.messages, now_, run)) return true;
        } else if (!held_.empty()) {
            const auto first = held_.begin();
            if (first->first > next_) {
                if (!gives_up_ && !has_waited()) return false;
                lose_until(first->first);
            }
            given_out_.push_back(std::move(first->second));
            const Held& held = given_out_.back();
            const std::uint64_t sequence = first->first;
            held_.erase(first);
            if (give(sequence, {held.octets.data(), held.count}, held.at, run)) return true;
        } else {
            if (std::exchange(gives_up_, false)) lose_until(edge_);
            if (!follower_) return false;
            begin(*follower_);
            current_ = std::exchange(follower_, {});
        }
    }
}

bool InOrder::give(std::uint64_t sequence, net::MoldMessages messages, RecordedTime at, Run& run) {
    const std::uint64_t known = std::min<std::uint64_t>(next_ - sequence, messages.size());
    counts_.duplicates += known;
    run = {messages.without_first(static_cast<std::uint32_t>(known)), at};
    next_ += run.messages.size();
    counts_.messages += run.messages.size();
    return !run.messages.empty();
}

void InOrder::begin(const net::MoldPacket& packet) {
    if (session_) over_.push_back(*session_);
    if (over_.size() > kRememberedSessions) over_.erase(over_.begin());
    session_ = packet.session;
    next_ = packet.sequence;
    edge_ = packet.end();
    gives_up_ = packet.kind == net::MoldKind::end_of_session;
    ++counts_.sessions;
    if (begins_.size() < kMostTold) begins_.push_back({packet.session, packet.sequence});
}

void InOrder::lose_until(std::uint64_t sequence) {
    if (!session_ || sequence <= next_) return;
    const std::uint64_t count = sequence - next_;
    ++counts_.gaps;
    counts_.missing += count;
    if (gaps_.size() < kMostTold) gaps_.push_back({*session_, next_, count});
    next_ = sequence;
}

bool InOrder::has_waited() const {
    return held_.size() > kMostHeld || now_ - held_.begin()->second.at >= kLongestHeld;
}

bool InOrder::is_over(const net::MoldSession& session) const {
    return std::ranges::find(over_, session) != over_.end();
}

}  // namespace joinleaf::app
