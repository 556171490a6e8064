// The sending side of a sequenced feed: messages, packed into MoldUDP64 datagrams on the worker.
#pragma once

#include <joinleaf/clock.h>
#include <joinleaf/socket.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf {

struct FeedPublisherOptions {
    /// The session's name, one to ten printable ASCII characters. Whoever begins to count anew
    /// takes a new one; empty: named by the time of start, to the millisecond.
    std::string session;
    /// Messages that fill a datagram to so many octets, header included, do not wait for more; 0:
    /// only when the next one does not fit. The MTU bounds each datagram.
    std::size_t flush_at = 0;
    /// How long a message may wait for others to share its datagram, from when the worker sees it.
    Duration delay = std::chrono::microseconds(20);
    /// Silence after which a heartbeat is sent; at least a millisecond.
    Duration heartbeat = std::chrono::seconds(1);
    /// How often, at least a millisecond apart, and for how long the end of the session is told.
    Duration end_every = std::chrono::seconds(1);
    Duration end_for = std::chrono::seconds(30);
    /// The last messages are kept, so many at most, in so many octets of memory, each with two more
    /// for its length. What has not been sent is part of them, so this is also how far the worker
    /// may be behind. Octets are rounded up to a power of two.
    std::size_t history_messages = std::size_t{1} << 20;
    std::size_t history_octets = std::size_t{1} << 26;
    /// Sockets on other ports of the same runtime that send the same feed, as the B line of an A/B
    /// feed: joined, of SenderOptions::framing moldudp64, without a publisher of their own. Each
    /// datagram is built once, and each port sends a header of its own and a reference to it. A
    /// line that is stuck does not delay the others: what its queue does not take is dropped, and
    /// counted as line_queue_full on the first line's port. Further groups on the same port are
    /// SenderOptions::also.
    std::vector<Socket> also_by;
};

/// A socket's sequenced feed. One application thread at a time; no call locks, allocates or enters
/// the kernel. The first message has sequence 1. The worker packs and sends what is published in
/// order, and heartbeats, also while the application sleeps; without it the feed goes on, silent,
/// until its socket closes.
class FeedPublisher {
public:
    FeedPublisher() = default;
    FeedPublisher(FeedPublisher&&) noexcept = default;
    FeedPublisher& operator=(FeedPublisher&&) noexcept = default;
    ~FeedPublisher() = default;

    /// Publishes one message, with a copy. False: nothing was published, because the worker is
    /// behind by as much as is kept (the port is slower than the application): try again later. For
    /// ever false once the socket has closed, after end(), and for a message longer than
    /// longest_message().
    [[nodiscard]] bool publish(std::span<const std::byte> message) noexcept;
    /// Publishes messages in order, all of which the worker then sees at once. Returns how many
    /// from the front; fewer than all as above.
    [[nodiscard]] std::size_t publish(
        std::span<const std::span<const std::byte>> messages) noexcept;
    /// Nothing more comes for now: what has been published does not wait for its delay.
    void end_of_burst() noexcept;
    /// No more messages. When all have left, the end of the session is told, again and again.
    void end() noexcept;

    /// The longest message that a datagram holds, in octets; from the port's MTU.
    [[nodiscard]] std::size_t longest_message() const noexcept;
    /// The sequence of the next message that is published.
    [[nodiscard]] std::uint64_t next_sequence() const noexcept;
    /// The session's name.
    [[nodiscard]] std::string_view session() const noexcept;
    /// Messages published that the port has neither taken nor dropped yet, with several lines: on
    /// any of them; none once the socket has closed.
    [[nodiscard]] std::uint64_t in_flight() const noexcept;
    /// After end(): the end has been told for as long as it was to be; or the socket has closed.
    [[nodiscard]] bool finished() const noexcept;

    class Impl;
    explicit FeedPublisher(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace joinleaf
