// Groups in the order in which one of their timers runs out. Pure.
#pragma once

#include <igmp/interface.h>
#include <iterator>
#include <optional>
#include <set>

namespace joinleaf::igmp {

/// Each Group carries its own timer (the member named by `Timer`); this orders those that run.
/// Groups must be stopped before they go. Start and stop cost O(log n).
template <Instant Group::*Timer>
class TimerQueue {
public:
    void start(Group& group, Instant due) {
        stop(group);
        group.*Timer = due;
        queue_.insert(&group);
    }
    /// Starts the timer unless it runs out sooner already.
    void start_by(Group& group, Instant due) {
        if (due < group.*Timer) start(group, due);
    }
    /// Does nothing to a group that is not in this queue.
    void stop(Group& group) {
        if (queue_.erase(&group) != 0) group.*Timer = kNever;
    }
    [[nodiscard]] bool empty() const { return queue_.empty(); }
    [[nodiscard]] Group* first() const { return queue_.empty() ? nullptr : *queue_.begin(); }
    [[nodiscard]] Group* last() const {
        return queue_.empty() ? nullptr : *std::prev(queue_.end());
    }
    /// The first group if its timer has run out by `now`.
    [[nodiscard]] Group* due(Instant now) const {
        return !queue_.empty() && first()->*Timer <= now ? first() : nullptr;
    }
    /// When the next timer runs out; none when none runs.
    [[nodiscard]] std::optional<Instant> next() const {
        if (queue_.empty() || first()->*Timer == kNever) return std::nullopt;
        return first()->*Timer;
    }

private:
    struct Sooner {
        bool operator()(const Group* a, const Group* b) const {
            if (a->*Timer != b->*Timer) return a->*Timer < b->*Timer;
            return a->address < b->address;
        }
    };
    std::set<Group*, Sooner> queue_;
};

}  // namespace joinleaf::igmp
