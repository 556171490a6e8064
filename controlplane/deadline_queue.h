// Who wants to be looked at when: one deadline per key. Pure.
#pragma once

#include <joinleaf/clock.h>
#include <optional>
#include <set>
#include <utility>

namespace joinleaf::controlplane {

/// The owner keeps each key's deadline as well (its `armed`), so that changing one is a search in
/// the set and nothing else. Instant::max() stands for none.
template <class Key>
class DeadlineQueue {
public:
    void set(Key key, Instant& armed, Instant due) {
        if (armed == due) return;
        clear(key, armed);
        if (due != Instant::max()) queue_.emplace(due, key);
        armed = due;
    }
    void clear(Key key, Instant& armed) {
        if (armed != Instant::max()) queue_.erase({armed, key});
        armed = Instant::max();
    }
    [[nodiscard]] std::optional<Instant> next() const {
        if (queue_.empty()) return std::nullopt;
        return queue_.begin()->first;
    }
    /// The key whose deadline passed first, if any has by `now`.
    [[nodiscard]] std::optional<Key> due(Instant now) const {
        if (queue_.empty() || queue_.begin()->first > now) return std::nullopt;
        return queue_.begin()->second;
    }

private:
    std::set<std::pair<Instant, Key>> queue_;
};

}  // namespace joinleaf::controlplane
