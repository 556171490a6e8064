// How long each datagram took, and what most of them took. Pure.
#pragma once

#include <joinleaf/clock.h>

#include <cstddef>
#include <vector>

namespace joinleaf::app {

struct LatencyDigest {
    std::size_t count = 0;
    Duration median{};
    Duration p99{};
    Duration p999{};
    Duration longest{};
};

/// One thread at a time.
class LatencySamples {
public:
    /// Room for `most` samples; later ones are not kept.
    explicit LatencySamples(std::size_t most) { samples_.reserve(most); }

    void record(Duration sample) noexcept {
        if (samples_.size() < samples_.capacity()) samples_.push_back(sample);
    }
    /// Percentiles by nearest rank: at least that share took no longer.
    [[nodiscard]] LatencyDigest digest() const;

private:
    std::vector<Duration> samples_;
};

}  // namespace joinleaf::app
