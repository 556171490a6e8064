// How far an input has come, and when it will be through. Pure.
#pragma once

#include <joinleaf/clock.h>
#include <cstdint>
#include <optional>

namespace joinleaf::app {

/// How far a feed has come.
struct FeedProgress {
    std::uint64_t messages = 0;
    double messages_per_second = 0;  ///< lately
    std::optional<double> part;      ///< of the input, 0 to 1; none: its size is not known
    std::optional<double> eta_s;     ///< none: not known
};

/// Looks at an input now and then.
class ProgressMeter {
public:
    /// `size`: octets of the input; none: a stream.
    explicit ProgressMeter(std::optional<std::uint64_t> size) : size_(size) {}

    /// The rate, and the time that is left by it, are those since the last look, and to a lesser
    /// part those before.
    [[nodiscard]] FeedProgress look(std::uint64_t messages, std::uint64_t octets, Instant now);

private:
    std::optional<std::uint64_t> size_;
    std::optional<Instant> looked_;
    std::uint64_t messages_ = 0;
    std::uint64_t octets_ = 0;
    std::optional<double> message_rate_;
    std::optional<double> octet_rate_;
};

}  // namespace joinleaf::app
