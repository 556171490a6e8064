#include <joinleaf/histogram.h>

#include <cmath>

namespace joinleaf {

Histogram& Histogram::operator=(const Histogram& other) noexcept {
    if (this == &other) return *this;
    // What is counted may go on growing: the copy's sums are made from what it has, so that it is
    // one whole.
    std::uint64_t count = 0;
    std::uint64_t least = of(other.least_);
    for (std::size_t i = kBuckets; i-- > 0;) {
        const std::uint64_t here = of(other.counts_[i]);
        set(counts_[i], here);
        count += here;
        if (here != 0) least = std::min(least, upper_end(i));
    }
    set(count_, count);
    set(sum_, of(other.sum_));
    set(least_, least);
    set(most_, count == 0 ? 0 : std::max(of(other.most_), least));
    return *this;
}

void Histogram::merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) add(counts_[i], of(other.counts_[i]));
    add(count_, of(other.count_));
    add(sum_, of(other.sum_));
    set(least_, std::min(of(least_), of(other.least_)));
    set(most_, std::max(of(most_), of(other.most_)));
}

Duration Histogram::percentile(double part) const noexcept {
    const std::uint64_t all = count();
    if (all == 0) return Duration::zero();
    // The nearest rank: the first value that so many do not exceed.
    const double wanted = std::ceil(std::clamp(part, 0.0, 1.0) * static_cast<double>(all));
    const std::uint64_t rank =
        std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, all);
    std::uint64_t seen = 0;
    std::size_t at = 0;
    while ((seen += of(counts_[at])) < rank) ++at;
    return time(std::clamp(upper_end(at), of(least_), of(most_)));
}

}  // namespace joinleaf
