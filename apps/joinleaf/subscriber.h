// What a leaf receives as datagrams: taken off the queues and written, in the order it arrives.
#pragma once

#include <apps/joinleaf/options.h>
#include <apps/joinleaf/output.h>
#include <apps/joinleaf/run.h>
#include <apps/joinleaf/taking.h>
#include <joinleaf/receiver.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace joinleaf::app {

/// Takes datagrams off the queues and appends them to the output.
class Subscriber {
public:
    Subscriber(const LeafOptions& options, std::span<Receiver> receivers, Output output)
        : options_(options), receivers_(receivers), output_(std::move(output)) {
        first_of_join_.resize(std::max<std::size_t>(options.groups.size(), 1));
    }

    /// Writes until `should_stop(now)` says so or --count is reached. Returns which.
    template <class ShouldStop>
    std::string_view run(ShouldStop should_stop) {
        while (!is_complete()) {
            const auto reason = taking_.turn(
                output_, [this] { return take_burst(); }, should_stop);
            if (!reason.empty()) return reason;
        }
        return "count";
    }

    /// Writes what still waits in the queue.
    void finish() {
        while (!is_complete() && take_burst()) {
        }
        output_.close();
    }

    [[nodiscard]] Ticker::Taken taken() const noexcept { return taken_; }
    /// Datagrams of joins up to this many may come.
    void expect(std::size_t joins) {
        first_of_join_.resize(std::max(joins, first_of_join_.size()));
    }
    [[nodiscard]] std::optional<Instant> first_of_join(std::size_t join) const {
        return first_of_join_[join];
    }
    /// From the first datagram to the last.
    [[nodiscard]] double seconds_of_flow() const noexcept {
        return first_at_ ? seconds_between(*first_at_, last_at_) : 0;
    }

private:
    [[nodiscard]] bool is_complete() const noexcept {
        return options_.count && taken_.datagrams >= *options_.count;
    }

    /// From each queue a burst. Returns whether there was any.
    bool take_burst() {
        std::size_t taken = 0;
        for (auto& receiver : receivers_) {
            taken += receiver.consume([this](std::span<const Datagram> datagrams) {
                for (const auto& datagram : datagrams) {
                    if (is_complete()) return;
                    output_.append(datagram);
                    note_arrival(datagram);
                }
            });
        }
        return taken != 0;
    }

    void note_arrival(const Datagram& datagram) {
        ++taken_.datagrams;
        taken_.octets += datagram.size();
        last_at_ = datagram.received_at();
        if (!first_at_) first_at_ = last_at_;
        auto& first = first_of_join_[datagram.cookie()];
        if (!first) first = last_at_;
    }

    const LeafOptions& options_;
    std::span<Receiver> receivers_;
    Output output_;
    Taking taking_;
    Ticker::Taken taken_;
    std::vector<std::optional<Instant>> first_of_join_;
    std::optional<Instant> first_at_;
    Instant last_at_{};
};

}  // namespace joinleaf::app
