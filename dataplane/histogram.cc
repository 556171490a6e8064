#include <dataplane/histogram.h>

#include <cmath>

namespace joinleaf::dataplane {

void Histogram::merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    least_ = std::min(least_, other.least_);
    most_ = std::max(most_, other.most_);
}

Duration Histogram::percentile(double part) const noexcept {
    if (count_ == 0) return Duration::zero();
    // The nearest rank: the first value that so many do not exceed.
    const double wanted = std::ceil(std::clamp(part, 0.0, 1.0) * static_cast<double>(count_));
    const std::uint64_t rank =
        std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
    std::uint64_t seen = 0;
    std::size_t at = 0;
    while ((seen += counts_[at]) < rank) ++at;
    return time(std::clamp(upper_end(at), least_, most_));
}

}  // namespace joinleaf::dataplane
