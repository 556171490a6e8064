// Whether a repair server is silent, by the counts of who asks it; told once. Pure.
#pragma once

#include <fmt/format.h>
#include <joinleaf/feed_status.h>
#include <cstdint>
#include <optional>
#include <string>

namespace joinleaf::app {

class Unanswered {
public:
    /// What is to be said now of the server; mostly nothing.
    std::optional<std::string> look(const RecoveryCounters& counters, const std::string& server) {
        if (counters.answers != answers_ || has_told_) {
            answers_ = counters.answers;
            requests_ = counters.requests;
            return {};
        }
        const std::uint64_t in_vain = counters.requests - requests_;
        if (in_vain < kMany) return {};
        has_told_ = true;
        return fmt::format(
            "{} requests to {} have not been answered; see that a repair server listens there "
            "(--repair-listen), that it follows this feed, and that UDP reaches it",
            in_vain, server);
    }

private:
    /// More than a leaf asks in vain that looks for where the history begins.
    static constexpr std::uint64_t kMany = 20;

    std::uint64_t answers_ = 0;
    std::uint64_t requests_ = 0;  // when the last answer came
    bool has_told_ = false;
};

}  // namespace joinleaf::app
