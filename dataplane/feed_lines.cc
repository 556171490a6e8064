#include <dataplane/feed_lines.h>

#include <algorithm>

namespace joinleaf::dataplane {

std::size_t FeedLine::push(std::span<const LinePayload> payloads) noexcept {
    const std::size_t taken = queue_.push(payloads);
    // After the push: who finds all completed up to here finds nothing that waits.
    if (taken > 0) handed_.store(payloads[taken - 1].end, std::memory_order_release);
    return taken;
}

std::size_t FeedLine::take(std::span<Filled> out) noexcept {
    std::array<LinePayload, dpdk::kBurst> batch;
    const std::size_t n = queue_.pop({batch.data(), std::min(out.size(), batch.size())});
    for (std::size_t i = 0; i < n; ++i) {
        out[i] = batch[i].payload;
        ends_[taken_++ % ends_.size()] = batch[i].end;
    }
    return n;
}

void FeedLine::complete(std::size_t n) noexcept {
    if (n == 0) return;
    gone_ += n;
    completed_.store(ends_[(gone_ - 1) % ends_.size()], std::memory_order_release);
}

std::size_t FeedLine::drain() noexcept {
    std::size_t all = 0;
    std::array<Filled, dpdk::kBurst> payloads;
    while (const std::size_t n = take(payloads)) {
        for (std::size_t i = 0; i < n; ++i) dpdk::free(payloads[i].packet);
        complete(n);
        all += n;
    }
    return all;
}

std::uint64_t FeedLine::completed(std::uint64_t built) const noexcept {
    const std::uint64_t handed = handed_.load(std::memory_order_acquire);
    const std::uint64_t completed = completed_.load(std::memory_order_acquire);
    // What it was not handed it does not owe.
    return completed >= handed ? built : completed;
}

std::size_t FeedLines::room() const noexcept {
    std::size_t least = FeedLine::kSlots;
    bool is_heard = false;
    for (const auto& line : lines_) {
        if (!line->is_open()) continue;
        if (!line->is_stuck()) return line->room();
        least = std::min(least, line->room());
        is_heard = true;
    }
    return is_heard ? least : 0;
}

void FeedLines::hand_over(std::span<const Filled> payloads, Tally& tally) noexcept {
    std::array<LinePayload, dpdk::kBurst> batch;
    const std::size_t n = payloads.size();
    const auto references = static_cast<std::uint32_t>(lines_.size());
    for (std::size_t i = 0; i < n; ++i) {
        dpdk::set_extent(payloads[i].packet, 0, payloads[i].length);
        // Before any line may give its own back.
        dpdk::add_references(payloads[i].packet, references - 1);
        batch[i] = {payloads[i], source_.end_of(n - 1 - i)};
    }
    for (const auto& line : lines_) {
        const bool is_open = line->is_open();
        const std::size_t taken = is_open ? line->push({batch.data(), n}) : 0;
        for (std::size_t i = taken; i < n; ++i) dpdk::free(payloads[i].packet);
        if (is_open) tally.drop(DropReason::line_queue_full, n - taken);
    }
    source_.complete(n);
}

std::uint64_t FeedLines::completed() const noexcept {
    // In this order: all of this has been offered to every line.
    const std::uint64_t built = source_.completed();
    std::uint64_t least = built;
    for (const auto& line : lines_) {
        if (line->is_open()) least = std::min(least, line->completed(built));
    }
    return least;
}

}  // namespace joinleaf::dataplane
