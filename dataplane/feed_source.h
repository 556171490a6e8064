// A root's sequenced messages, cut from their log into MoldUDP64 datagrams where they are sent
// from, and when each datagram is to leave. Pure: time comes in.
#pragma once

#include <dataplane/message_log.h>
#include <joinleaf/clock.h>
#include <joinleaf/sender.h>
#include <net/moldudp64.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace joinleaf::dataplane {

struct PackOptions {
    /// The most octets of a datagram's payload, header included; what an MTU of 1500 leaves.
    std::size_t capacity = 1472;
    /// Messages that fill a datagram to so many octets do not wait for more; 0: only when the next
    /// does not fit.
    std::size_t flush_at = 0;
    /// How long a message may wait for others to share its datagram, from when the worker first
    /// sees it.
    Duration delay = std::chrono::microseconds(20);
    /// Silence after which a heartbeat is sent.
    Duration heartbeat = std::chrono::seconds(1);
    /// How often, and for how long, the end of the session is told.
    Duration end_every = std::chrono::seconds(1);
    Duration end_for = std::chrono::seconds(30);
};

/// Between the application, which writes to the log, and the worker, which sends. Both may go on
/// whatever the other does: a datagram is due when it is full, at a size, at the end of a burst or
/// after a delay, and heartbeats and the end of the session when there is nothing else. The
/// sequence starts at 1: whoever starts again must take a new session. Allocates nothing.
class FeedSource {
public:
    /// Datagrams that may be out, filled and not completed.
    static constexpr std::size_t kMostOut = 128;

    /// `log` is the session's, and outlives this.
    FeedSource(const PackOptions& options, MessageLog& log, Instant now) noexcept;

    // The application's; what it means by them it has committed to the log before.
    /// Nothing more comes for now: what there is does not wait.
    void end_of_burst() noexcept {
        flush_before_.store(log_.next_sequence(), std::memory_order_release);
    }
    /// No more messages. When all have been sent the end of the session is told, again and again.
    void end() noexcept { ended_.store(true, std::memory_order_release); }

    // The worker's.
    /// Whether a datagram is due: messages, a heartbeat or the end of the session.
    [[nodiscard]] bool due(Instant now) noexcept {
        look(now);
        return is_due(now);
    }
    /// Writes the datagrams that are due, one into each buffer from the front, and sets their
    /// lengths. Each buffer holds PackOptions::capacity octets. Returns how many.
    [[nodiscard]] std::size_t fill(std::span<SendBuffer> buffers, Instant now) noexcept;
    /// The port has taken, or the worker dropped, the next `n` datagrams; at most kMostOut may be
    /// out.
    void complete(std::size_t n) noexcept;
    /// The sequence behind a datagram: `ago` is 0 for the last one filled.
    [[nodiscard]] std::uint64_t end_of(std::size_t ago) const noexcept {
        return ends_[(filled_ - 1 - ago) % kMostOut];
    }
    /// When due() will say so though nothing else happens. None: never.
    [[nodiscard]] std::optional<Instant> next_deadline(Instant now) noexcept;

    // Any thread's.
    /// All messages before this sequence have been completed.
    [[nodiscard]] std::uint64_t completed() const noexcept {
        return completed_.load(std::memory_order_acquire);
    }
    /// The end of the session has been told for as long as it was to be.
    [[nodiscard]] bool finished() const noexcept {
        return finished_.load(std::memory_order_acquire);
    }
    /// The longest message that a datagram of `options` holds.
    [[nodiscard]] static constexpr std::size_t longest_message(
        const PackOptions& options) noexcept {
        return std::min(options.capacity - net::kMoldHeaderSize - net::kMoldLengthSize,
                        net::kMoldMaxMessage);
    }

private:
    static constexpr std::size_t kApart = 128;  // as in SpscQueue

    void look(Instant now) noexcept;
    [[nodiscard]] bool is_due(Instant now) const noexcept {
        if (next_ != seen_) return is_urgent() || now >= oldest_ + options_.delay;
        return now >= idle_due_ && !finished();
    }
    [[nodiscard]] bool is_urgent() const noexcept {
        return flush_seen_ > next_ || ended_at_ || log_.octets(next_, seen_) >= enough_;
    }
    [[nodiscard]] std::uint16_t count_that_fits() noexcept;
    [[nodiscard]] std::uint32_t write(std::byte* to, Instant now) noexcept;

    const PackOptions options_;
    const net::MoldSession session_;
    MessageLog& log_;
    const std::size_t enough_;  ///< octets of messages that do not wait

    // The worker's alone.
    alignas(kApart) std::uint64_t next_ = 1;  ///< the first message that is in no datagram
    std::uint64_t seen_ = 1;                  ///< the end of the log when last looked at
    Instant seen_at_;                         ///< ... and when it was found to have moved
    Instant oldest_;                          ///< when the message `next_` was seen
    std::uint64_t flush_seen_ = 0;
    std::uint16_t usual_ = 1;  ///< messages in the last full datagram: a guess for the next
    Instant idle_due_;         ///< when a packet without messages is due
    std::optional<Instant> ended_at_;
    std::uint64_t filled_ = 0;  ///< datagrams, and how many of them have been completed
    std::uint64_t gone_ = 0;
    std::array<std::uint64_t, kMostOut> ends_{};  ///< of those out: the sequence behind each

    // Written by the worker, read by others.
    alignas(kApart) std::atomic<std::uint64_t> completed_{1};
    std::atomic<bool> finished_{false};

    // Written by the application, read by the worker.
    alignas(kApart) std::atomic<std::uint64_t> flush_before_{0};
    std::atomic<bool> ended_{false};
};

}  // namespace joinleaf::dataplane
