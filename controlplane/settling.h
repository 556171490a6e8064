// How long data is still taken after a farewell, which has a network of its own and may be faster.
#pragma once

#include <dataplane/worker.h>
#include <joinleaf/clock.h>
#include <cstdint>

namespace joinleaf::controlplane {

/// When somebody says farewell its last datagrams may still lie in the port, in front of a worker
/// that has much to do or no processor. Control thread only; asked about once a millisecond.
class Settling {
public:
    Settling(Instant now, const dataplane::Worker& worker)
        : since_(now),
          turns_at_first_(worker.turns()),
          turns_(turns_at_first_),
          busy_turns_(worker.busy_turns()) {}

    /// Whether the worker has emptied the port since: it has found nothing to do, or turned so
    /// often that all of a port's ring has gone by. At least kShortest, at most kLongest.
    [[nodiscard]] bool is_over(Instant now, const dataplane::Worker& worker) {
        const auto turns = worker.turns();
        const auto busy_turns = worker.busy_turns();
        const bool found_nothing = turns - turns_ >= 2 && busy_turns == busy_turns_;
        settled_ = settled_ || found_nothing || turns - turns_at_first_ >= kManyTurns;
        turns_ = turns;
        busy_turns_ = busy_turns;
        return (settled_ && now - since_ >= kShortest) || now - since_ >= kLongest;
    }

private:
    static constexpr Duration kShortest = std::chrono::milliseconds(50);
    static constexpr Duration kLongest = std::chrono::seconds(1);
    // In bursts of 32, the longest ring that a port is given.
    static constexpr std::uint64_t kManyTurns = 256;

    Instant since_;
    std::uint64_t turns_at_first_;
    std::uint64_t turns_;
    std::uint64_t busy_turns_;
    bool settled_ = false;
};

}  // namespace joinleaf::controlplane
