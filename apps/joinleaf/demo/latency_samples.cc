// What most datagrams took.
#include <apps/joinleaf/demo/latency_samples.h>

#include <algorithm>

namespace joinleaf::app {

LatencyDigest LatencySamples::digest() const {
    if (samples_.empty()) return {};
    auto sorted = samples_;
    std::ranges::sort(sorted);
    const auto at_least = [&](std::size_t share, std::size_t of) {
        return sorted[(sorted.size() * share + of - 1) / of - 1];
    };
    return {.count = sorted.size(),
            .median = at_least(50, 100),
            .p99 = at_least(99, 100),
            .p999 = at_least(999, 1000),
            .longest = sorted.back()};
}

}  // namespace joinleaf::app
