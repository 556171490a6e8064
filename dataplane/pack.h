// A root's sequenced messages, packed into MoldUDP64 datagrams where they will be sent from, and
// when each datagram is to leave. Pure: time comes in.
#pragma once

#include <joinleaf/clock.h>
#include <net/moldudp64.h>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace joinleaf::dataplane {

struct PackOptions {
    /// The most octets of a datagram's payload, header included; what an MTU of 1500 leaves. A
    /// buffer that is smaller still is filled no further than it reaches.
    std::size_t capacity = 1472;
    /// A datagram of so many octets is sent at once; 0: only when the next message does not fit.
    std::size_t flush_at = 0;
    /// How long a message may wait for others to share its datagram.
    Duration delay = std::chrono::microseconds(20);
    /// Silence after which a heartbeat is sent.
    Duration heartbeat = std::chrono::seconds(1);
    /// How often, and for how long, the end of the session is told.
    Duration end_every = std::chrono::seconds(1);
    Duration end_for = std::chrono::seconds(30);
};

/// Packs into one buffer at a time, which the owner lends with attach() and sends when due() says
/// so. The sequence starts at 1: whoever starts again must take a new session. Allocates nothing.
/// One owner.
class Packer {
public:
    enum class Added : std::uint8_t {
        yes,
        no_buffer,  ///< attach() one first
        no_room,    ///< take() what there is and attach() a buffer first
        too_long,   ///< no datagram holds it
        ended,      ///< after end()
    };

    Packer(const PackOptions& options, const net::MoldSession& session, Instant now) noexcept;

    /// A buffer for the next datagram, at least net::kMoldHeaderSize octets; it must live until
    /// take(). Only while there is none.
    void attach(std::span<std::byte> buffer) noexcept;
    [[nodiscard]] bool has_buffer() const noexcept { return !buffer_.empty(); }

    /// Where a message of `length` octets is to be written, in the datagram itself; add() then
    /// counts it. Empty when it does not fit: `why` says why.
    [[nodiscard]] std::byte* reserve(std::size_t length, Added& why) noexcept {
        why = fits(length);
        return why == Added::yes ? buffer_.data() + used_ + net::kMoldLengthSize : nullptr;
    }
    /// The message of `length` octets that reserve() gave room for is there.
    void add(std::size_t length, Instant now) noexcept {
        net::emit_mold_length(length, buffer_.data() + used_);
        if (count_ == 0) oldest_ = now;
        used_ += net::kMoldLengthSize + length;
        ++count_;
    }
    /// Both, with a copy.
    Added publish(std::span<const std::byte> message, Instant now) noexcept {
        Added why;
        std::byte* const to = reserve(message.size(), why);
        if (to == nullptr) return why;
        if (!message.empty()) std::memcpy(to, message.data(), message.size());
        add(message.size(), now);
        return Added::yes;
    }

    /// Nothing more comes for now: what is packed is due.
    void end_of_burst() noexcept { flush_ = count_ != 0; }
    /// No more messages. What is packed is due, then the end of the session, again and again.
    void end(Instant now) noexcept;

    /// Whether a datagram is due: messages, a heartbeat or the end of the session. It needs a
    /// buffer; without one nothing is due but a buffer.
    [[nodiscard]] bool due(Instant now) const noexcept {
        if (count_ != 0) return flush_ || is_full() || now >= oldest_ + options_.delay;
        return now >= idle_due_ && !finished(now);
    }
    /// When due() will say so though nothing else happens. None: never.
    [[nodiscard]] std::optional<Instant> next_deadline() const noexcept;
    /// The end of the session has been told for as long as it was to be.
    [[nodiscard]] bool finished(Instant now) const noexcept {
        return ended_at_ && count_ == 0 && now >= *ended_at_ + options_.end_for;
    }

    /// The datagram, ready to send, at the front of the buffer, which is the owner's again. Needs a
    /// buffer; with no message packed it is a heartbeat, or the end of the session.
    std::span<const std::byte> take(Instant now) noexcept;

    [[nodiscard]] const net::MoldSession& session() const noexcept { return session_; }
    /// The sequence of the next message that is added.
    [[nodiscard]] std::uint64_t next_sequence() const noexcept { return sequence_ + count_; }
    /// Messages in the datagram that is being packed.
    [[nodiscard]] std::uint16_t packed() const noexcept { return count_; }
    /// The longest message that may be added.
    [[nodiscard]] std::size_t longest_message() const noexcept {
        return std::min(options_.capacity - net::kMoldHeaderSize - net::kMoldLengthSize,
                        net::kMoldMaxMessage);
    }

private:
    [[nodiscard]] Added fits(std::size_t length) const noexcept {
        if (ended_at_) [[unlikely]]
            return Added::ended;
        if (length > longest_message()) [[unlikely]]
            return Added::too_long;
        if (buffer_.empty()) [[unlikely]]
            return Added::no_buffer;
        const bool room =
            used_ + net::kMoldLengthSize + length <= buffer_.size() && count_ < net::kMoldMaxCount;
        return room ? Added::yes : Added::no_room;
    }
    [[nodiscard]] bool is_full() const noexcept {
        return used_ >= flush_at_ || count_ == net::kMoldMaxCount;
    }

    PackOptions options_;
    net::MoldSession session_;
    std::size_t flush_at_;
    std::uint64_t sequence_ = 1;  // of the first message packed
    std::span<std::byte> buffer_;
    std::size_t used_ = net::kMoldHeaderSize;
    std::uint16_t count_ = 0;
    bool flush_ = false;
    Instant oldest_;    // when the first message packed was added
    Instant idle_due_;  // when a packet without messages is due
    std::optional<Instant> ended_at_;
};

}  // namespace joinleaf::dataplane
