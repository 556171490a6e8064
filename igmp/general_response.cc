#include <igmp/general_response.h>

#include <algorithm>

namespace joinleaf::igmp {

void GeneralResponse::asked(Instant now, Duration within, std::size_t reports,
                            DelaySource& delays) {
    const bool spread = reports > 1;
    // One slot is left over, so that a walk which starts late in its first slot ends in time.
    const Duration interval =
        spread ? std::max(Duration(1), within / static_cast<std::int64_t>(reports + 1))
               : Duration::zero();
    const Instant due = now + delays.delay(spread ? interval : within);
    const Instant finish = spread ? now + within : due;

    const bool was_pending = to_walk_ != 0;
    to_walk_ = kCircle;  // half told: the rest first, then all that was told before this query
    if (!was_pending) {
        due_ = due;
        slot_ = now;
        finish_ = finish;
        interval_ = interval;
        return;
    }
    const bool is_faster = spread && (interval_ == Duration::zero() || interval < interval_);
    // Rules 1 and 2: the sooner of the two. A walk under way goes on as it is if that is enough.
    if (due < due_ && (!begun_ || is_faster)) {
        due_ = due;
        slot_ = now;
    }
    if (is_faster) interval_ = interval;
    const bool at_once = !begun_ && interval_ == Duration::zero();
    finish_ = at_once ? due_ : std::max({finish_, finish, now + within});
}

void GeneralResponse::end() {
    position_ = 0;
    to_walk_ = 0;
    begun_ = false;
}

bool GeneralResponse::covers(GroupAddress group, Instant by) const {
    return reaches(group) && finish_ <= by;
}

Interface::Groups::iterator GeneralResponse::position_in(Interface::Groups& groups) const {
    const auto first = GroupAddress::from(Ipv4Address(std::uint32_t{0xe} << 28 | position_));
    const auto found = groups.lower_bound(*first);
    return found != groups.end() ? found : groups.begin();
}

void GeneralResponse::pass(GroupAddress group) {
    const std::uint32_t walked = distance_to(group) + 1;
    to_walk_ -= std::min(walked, to_walk_);
    position_ = (position_ + walked) & (kCircle - 1);
}

void GeneralResponse::report_sent(Instant now, DelaySource& delays) {
    if (to_walk_ == 0) return;
    begun_ = true;
    slot_ += interval_;
    // An answer that grew beyond its slots goes on at once; only the pace holds it back.
    if (interval_ == Duration::zero() || slot_ >= finish_) {
        due_ = now;
    } else {
        due_ = slot_ + delays.delay(interval_);
    }
}

}  // namespace joinleaf::igmp
