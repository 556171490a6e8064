// From bursts of datagrams to what a leaf's application is told: which line each is of, what
// becomes of its buffer, and how long it took. Pure: time comes in, and buffers are names.
#pragma once

#include <dataplane/feed.h>
#include <dataplane/spare_buffers.h>
#include <joinleaf/feed_receiver.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace joinleaf::dataplane {

/// Why a datagram is dropped before it is read.
enum class PumpDrop : std::uint8_t {
    other_socket,     ///< of a socket that is none of the lines, or whose receiver is another
    no_spare_buffer,  ///< in several parts, and no buffer to put them together
    too_long,         ///< in several parts, and larger than such a buffer

    kCount,  ///< not a reason: how many there are
};
inline constexpr std::size_t kPumpDropCount = static_cast<std::size_t>(PumpDrop::kCount);
[[nodiscard]] std::string_view name(PumpDrop why) noexcept;

struct FeedPumpOptions {
    struct Line {
        SocketId socket{};
        std::size_t source = 0;
    };
    std::vector<Line> lines;
    /// For each source of datagrams, how many of its buffers may be out at any time.
    std::vector<std::size_t> sources;
    FeedOptions feed;  ///< its number of lines is that above
    std::size_t spare_buffers = 64;
    std::size_t spare_octets = 9216;
    /// How a datagram in several parts is copied (Datagram::copy_to).
    std::size_t (*copy)(const Datagram&, std::span<std::byte>) noexcept = nullptr;
};

/// Bursts go in by room() and filled(), answers by answer_room() and answer(); take() gives what is
/// next. Allocates in the constructor alone. One owner.
class FeedPump {
public:
    static constexpr std::size_t kBurst = 64;

    /// `seed`: of each leaf another.
    FeedPump(const FeedPumpOptions& options, std::uint64_t seed);

    /// Where the source's next burst may be put; nothing while the last one is not all read.
    [[nodiscard]] std::span<Datagram> room(std::size_t source) noexcept {
        Source& from = sources_[source];
        return from.at == from.end ? std::span<Datagram>(from.burst) : std::span<Datagram>();
    }
    /// That burst has `n` datagrams; fewer than there was room for, and none waits behind them.
    void filled(std::size_t source, std::size_t n) noexcept {
        Source& from = sources_[source];
        from.at = 0;
        from.end = n;
        from.is_short = n < kBurst;
        seen_ += n;
        drained_ = drained_ && n == 0;
    }
    /// Where an answer may be put; nothing when all buffers for them are in use.
    [[nodiscard]] std::span<std::byte> answer_room() noexcept;
    /// The answer is there, `octets` long.
    void answer(std::size_t octets) noexcept {
        answer_ = answer_buffer_.first(octets);
        drained_ = false;
    }

    /// Fills `out` with what is next. Returns how many.
    std::size_t take(std::span<FeedEvent> out, Instant now) noexcept;
    /// Whether all that has come in has been taken.
    [[nodiscard]] bool is_drained() const noexcept { return drained_; }
    /// Whether all that waited has been looked at since the last advance(), so that nothing is
    /// taken for missing that lies in a queue.
    [[nodiscard]] bool may_advance() const noexcept;
    /// When drained. Returns a request to be sent; take() again.
    std::optional<net::MoldRequest> advance(Instant now) noexcept {
        seen_ = 0;
        drained_ = false;
        return feed_.advance(now);
    }
    /// The application has what take() gave.
    void handed_over(std::span<const FeedEvent> events, Instant now) noexcept {
        for (const FeedEvent& event : events) {
            if (event.kind != FeedEvent::Kind::messages || event.line == FeedEvent::kRepaired) {
                continue;
            }
            latency_.record(now - event.received_at);
        }
    }
    /// Buffers of the source that are of no use any more, once what take() gave has been read.
    [[nodiscard]] std::span<void* const> unused(std::size_t source) const noexcept {
        return sources_[source].unused;
    }
    /// They have been given back, all of them.
    void forget_unused() noexcept;
    /// Gives up: every buffer of the ports is unused. Nothing may arrive after that.
    void stop() noexcept;

    void history_begins(const net::MoldSession& session, std::uint64_t sequence) noexcept {
        feed_.history_begins(session, sequence);
    }
    void set_line(std::size_t line, SocketId socket) noexcept { lines_[line].socket = socket; }

    [[nodiscard]] const Feed& feed() const noexcept { return feed_; }
    [[nodiscard]] std::size_t lines() const noexcept { return line_count_; }
    [[nodiscard]] SocketId socket(std::size_t line) const noexcept { return lines_[line].socket; }
    [[nodiscard]] const Histogram& latency() const noexcept { return latency_; }
    [[nodiscard]] std::uint64_t count(PumpDrop why) const noexcept {
        return drops_[static_cast<std::size_t>(why)];
    }

private:
    struct Source {
        std::array<Datagram, kBurst> burst;
        std::size_t at = 0;
        std::size_t end = 0;
        bool is_short = true;  // nothing waited behind it
        std::vector<void*> unused;
    };

    /// The source whose next datagram is the oldest. Null: one has to be filled first.
    [[nodiscard]] Source* oldest() noexcept;
    [[nodiscard]] bool all_is_read() const noexcept;
    void arrive(Source& from, const Datagram& datagram, Instant now) noexcept;
    void arrive_in_parts(Source& from, std::uint8_t line, const Datagram& datagram,
                         Instant now) noexcept;
    void arrive_answer(Instant now) noexcept;
    [[nodiscard]] std::optional<std::uint8_t> line_of(SocketId socket,
                                                      const Source& from) const noexcept {
        for (std::uint8_t line = 0; line < line_count_; ++line) {
            // By another source it is no line: its buffer would come back to the wrong one.
            if (lines_[line].socket == socket && &sources_[lines_[line].source] == &from) {
                return line;
            }
        }
        return std::nullopt;
    }
    void drop(PumpDrop why) noexcept { ++drops_[static_cast<std::size_t>(why)]; }
    void give_back(const FeedItem& item) noexcept;
    /// False: there is nothing to tell of it.
    bool tell(const FeedItem& item, FeedEvent& event) noexcept;

    std::array<FeedPumpOptions::Line, FeedReceiver::kMaxLines> lines_{};
    std::size_t line_count_;
    std::vector<Source> sources_;
    std::size_t (*copy_)(const Datagram&, std::span<std::byte>) noexcept;
    SpareBuffers spare_;
    SpareBuffers answers_;
    std::span<std::byte> answer_buffer_;          // for the next answer
    std::optional<std::span<std::byte>> answer_;  // that has come and is not read yet
    std::vector<void*> unused_own_;               // free once what was taken has been read
    std::size_t most_out_ = 0;                    // of all sources
    std::size_t seen_ = 0;                        // since advance()
    bool drained_ = true;
    net::MoldSession session_;  // that was named last
    Feed feed_;
    Histogram latency_;
    std::array<std::uint64_t, kPumpDropCount> drops_{};
};

}  // namespace joinleaf::dataplane
