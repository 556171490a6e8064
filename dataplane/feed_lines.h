// One feed by several ports: each datagram is built once, by the worker of the first line, and goes
// to the others by reference. Nobody writes into it any more then.
#pragma once

#include <dataplane/counters.h>
#include <dataplane/dpdk/packet.h>
#include <dataplane/feed_source.h>
#include <dataplane/socket_queue.h>
#include <dataplane/spsc_queue.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace joinleaf::dataplane {

/// A datagram's payload on its way to one line, which has a reference of its own.
struct LinePayload {
    Filled payload;
    std::uint64_t end;  ///< the sequence behind it
};

/// What leads from the worker that builds to the one whose port is the line; they may be the same.
class FeedLine {
public:
    /// Datagrams that may wait for the line. Few enough that a line that is stuck leaves the pool
    /// to the others.
    static constexpr std::size_t kSlots = 256;
    /// A port that has taken nothing for so long is not waited for.
    static constexpr Duration kPatience = std::chrono::milliseconds(1);

    FeedLine() = default;
    /// Frees what is still in it.
    ~FeedLine() { drain(); }
    FeedLine(const FeedLine&) = delete;
    FeedLine& operator=(const FeedLine&) = delete;

    // Of the worker that builds.
    [[nodiscard]] std::size_t room() const noexcept { return queue_.capacity() - queue_.size(); }
    /// Returns how many from the front were taken.
    [[nodiscard]] std::size_t push(std::span<const LinePayload> payloads) noexcept;

    // Of the line's worker.
    [[nodiscard]] std::size_t take(std::span<Filled> out) noexcept;
    /// The next `n` that were taken have left, or were dropped.
    void complete(std::size_t n) noexcept;
    void set_stuck(bool stuck) noexcept {
        if (stuck != is_stuck()) stuck_.store(stuck, std::memory_order_relaxed);
    }
    /// Frees what waits. Returns how many.
    std::size_t drain() noexcept;

    /// Control thread: nobody sends this line any more.
    void close() noexcept { open_.store(false, std::memory_order_relaxed); }

    // Any thread.
    [[nodiscard]] bool is_open() const noexcept { return open_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool is_stuck() const noexcept { return stuck_.load(std::memory_order_relaxed); }
    /// Of messages before `built`, which all lines have been offered: those before this sequence
    /// have left by this line, or were dropped.
    [[nodiscard]] std::uint64_t completed(std::uint64_t built) const noexcept;

private:
    static constexpr std::size_t kApart = 128;  // as in SpscQueue

    SpscQueue<LinePayload> queue_{kSlots};
    // Written by the worker that builds: the sequence behind the last that was taken.
    alignas(kApart) std::atomic<std::uint64_t> handed_{1};
    // Written by the line's worker.
    alignas(kApart) std::atomic<std::uint64_t> completed_{1};
    std::atomic<bool> stuck_{false};
    std::atomic<bool> open_{true};  // by the control thread, once
    std::uint64_t taken_ = 0;       // datagrams, and how many of them have been completed
    std::uint64_t gone_ = 0;
    std::array<std::uint64_t, FeedSource::kMostOut> ends_{};  // of those out
};

/// Of the worker that builds.
class FeedLines {
public:
    /// The first of `lines` is that of the worker that builds.
    FeedLines(FeedSource& source, std::vector<std::unique_ptr<FeedLine>> lines)
        : source_(source), lines_(std::move(lines)) {}

    [[nodiscard]] FeedSource& source() noexcept { return source_; }
    /// How many datagrams may be built now. The first line that is not stuck sets the pace, and the
    /// others take what they can; where all are stuck, all are waited for.
    [[nodiscard]] std::size_t room() const noexcept;
    /// The datagrams that the source has filled last, each with one reference, go to the lines.
    /// What a line has no room for is dropped for that line, and counted.
    void hand_over(std::span<const Filled> payloads, Tally& tally) noexcept;

    // Any thread.
    [[nodiscard]] FeedLine& line(std::size_t index) noexcept { return *lines_[index]; }
    [[nodiscard]] std::size_t size() const noexcept { return lines_.size(); }
    /// All messages before this sequence have left by every line, or were dropped.
    [[nodiscard]] std::uint64_t completed() const noexcept;

private:
    FeedSource& source_;
    const std::vector<std::unique_ptr<FeedLine>> lines_;
};

}  // namespace joinleaf::dataplane
