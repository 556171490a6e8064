// Tells the application and the operator whom a root has turned away, so that a flood of strangers
// does not become a flood of calls and lines.
#pragma once

#include <joinleaf/clock.h>
#include <joinleaf/session.h>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace joinleaf::controlplane {

/// One owner; time is an argument. How many there were in all is for others to count.
class RefusalNotices {
public:
    using Log = std::function<void(std::string_view)>;
    using Refused = std::function<void(const Peer&, std::string_view why)>;

    /// Calls that may come at once, and how long one takes to be had again.
    static constexpr int kCallsAtOnce = 100;
    static constexpr Duration kCallEvery = std::chrono::milliseconds(100);
    static constexpr Duration kLineEvery = std::chrono::seconds(1);

    /// `refused` may be empty.
    RefusalNotices(Log log, Refused refused) : log_(std::move(log)), refused_(std::move(refused)) {}

    void tell(const Peer& peer, std::string_view why, Instant now);

private:
    Log log_;
    Refused refused_;
    Instant calls_full_again_{};  // a bucket of calls, kept as the time when it will be full
    std::uint64_t calls_left_out_ = 0;
    std::optional<Instant> line_at_;
    std::uint64_t lines_left_out_ = 0;
};

}  // namespace joinleaf::controlplane
