#include <dataplane/recover.h>

#include <algorithm>

namespace joinleaf::dataplane {
namespace {

// So many requests in a row without an answer while a leaf catches up, and it looks for what the
// server still has.
constexpr int kSilence = 6;
// Waits for an answer to a search's request are so many times the first wait of others: nobody is
// in a hurry, and silence is to mean something.
constexpr int kSearchWait = 8;

}  // namespace

Duration Recovery::random_up_to(Duration limit) noexcept {
    if (limit <= Duration::zero()) return Duration::zero();
    // splitmix64
    std::uint64_t x = chance_ += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return Duration(1 + static_cast<Duration::rep>(x % static_cast<std::uint64_t>(limit.count())));
}

Instant Recovery::ask_at(const Hole& hole) const noexcept {
    if (asked_) return again_at_;
    const Instant nobody_brings_it =
        hole.passed ? std::min(*hole.passed + options_.reordering, hole.since + options_.skew)
                    : hole.since + options_.skew;
    return nobody_brings_it + delay_;
}

// Whoever catches up waits longer, but once: behind what a dead server has not sent there may be
// many holes more.
Instant Recovery::lost_at(const Arbiter& arbiter, const Hole& hole) const noexcept {
    const bool is_patient = arbiter.is_catching_up() && options_.request && !is_dead_;
    return hole.since + (is_patient ? std::max(options_.deadline, options_.catch_up_deadline)
                                    : options_.deadline);
}

// A hole that was not there, or one that has become smaller.
void Recovery::look_at(const Hole& hole, const net::MoldSession& session, Instant now) noexcept {
    const bool is_known = active_ && session == session_;
    if (is_known && hole.range.first == first_) return;
    const bool is_the_rest =
        is_known && asked_ && hole.answered && hole.range.first > wanted_.first &&
        (hole.range.first < wanted_.end || (hole.range.first == wanted_.end && !wanted_all_));
    active_ = true;
    first_ = hole.range.first;
    session_ = session;
    wait_ = options_.retry_first;
    unanswered_ = 0;
    search_.stop();
    if (is_the_rest) {
        pace_.answered(now < asked_at_ + pace_.interval());
        is_dead_ = false;
        again_at_ = std::max(now, asked_at_ + pace_.interval());
    } else {
        asked_ = false;
        delay_ = random_up_to(options_.request_delay);
    }
}

std::optional<net::MoldRequest> Recovery::advance_hole(Arbiter& arbiter, Instant now) noexcept {
    const auto hole = arbiter.hole();
    if (!hole) {
        active_ = false;
        return std::nullopt;
    }
    const net::MoldSession session = *arbiter.session();
    if (history_ > hole->range.first && history_session_ == session) {
        arbiter.history_begins(history_, now);
        return std::nullopt;
    }
    if (options_.request) {
        look_at(*hole, session, now);
        if (search_.is_running()) return search(arbiter, now);
    }
    if (now >= lost_at(arbiter, *hole)) {
        ++counters_.given_up;
        is_dead_ = true;
        arbiter.give_up(now);
        active_ = false;
        return std::nullopt;
    }
    if (!options_.request || now < ask_at(*hole)) return std::nullopt;
    if (unanswered_ >= kSilence && arbiter.is_catching_up() && hole->range.count() > 1) {
        unanswered_ = 0;
        search_.begin(hole->range, arbiter.edge(), options_.retry_first * kSearchWait, now);
        return search(arbiter, now);
    }

    const bool is_retry = asked_ && wanted_.first == hole->range.first;
    ++counters_.requests;
    if (is_retry) {
        ++counters_.retries;
        pace_.unanswered();
    }
    const auto count = static_cast<std::uint16_t>(
        std::min<std::uint64_t>(hole->range.count(), options_.most_messages));
    wanted_ = {hole->range.first, hole->range.first + count};
    wanted_all_ = count == hole->range.count();
    asked_ = true;
    ++unanswered_;
    asked_at_ = now;
    const Duration wait = std::max(wait_, pace_.interval());
    again_at_ = now + wait + random_up_to(wait / 2);
    wait_ = std::min(wait_ * 2, options_.retry_most);
    return net::MoldRequest{session, wanted_.first, count};
}

std::optional<net::MoldRequest> Recovery::search(const Arbiter& arbiter, Instant now) noexcept {
    const auto probe = search_.advance(arbiter.edge(), now);
    if (!probe) return std::nullopt;
    ++counters_.requests;
    const std::uint16_t count = probe->is_whole ? options_.most_messages : std::uint16_t{1};
    return net::MoldRequest{session_, probe->sequence, count};
}

bool Recovery::answered_search(const net::MoldPacket& packet, Instant now) noexcept {
    if (packet.kind != net::MoldKind::data || packet.session != session_) return true;
    search_.answered(packet.sequence, now);
    if (const auto begins = search_.take_result()) {
        history_begins(session_, *begins);
        return true;
    }
    return packet.sequence <= first_;
}

std::optional<Instant> Recovery::next_deadline(const Arbiter& arbiter) const noexcept {
    const auto hole = arbiter.hole();
    if (!hole) return std::nullopt;
    const Instant lost = lost_at(arbiter, *hole);
    if (!options_.request) return lost;
    // One that advance() has not looked at yet is due for that at once.
    if (!active_ || first_ != hole->range.first) return hole->since;
    // Which ends by itself, and before that nothing is given up.
    if (search_.is_running()) return search_.next_deadline();
    return std::min(lost, ask_at(*hole));
}

}  // namespace joinleaf::dataplane
