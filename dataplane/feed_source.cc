#include <dataplane/feed_source.h>

#include <cassert>
#include <cstring>

namespace joinleaf::dataplane {
namespace {

// Where not even an empty message fits any more, none is waited for.
std::size_t octets_that_do_not_wait(const PackOptions& options) {
    assert(options.capacity > net::kMoldHeaderSize + net::kMoldLengthSize);
    std::size_t enough = options.capacity + 1 - net::kMoldLengthSize;
    if (options.flush_at != 0) enough = std::min(enough, options.flush_at);
    return enough - std::min(enough, net::kMoldHeaderSize);
}

}  // namespace

FeedSource::FeedSource(const PackOptions& options, MessageLog& log, Instant now) noexcept
    : options_(options),
      session_(log.known().session),
      log_(log),
      enough_(octets_that_do_not_wait(options)),
      seen_at_(now),
      oldest_(now),
      idle_due_(now) {}

// What the application says is read before the log that it says it of.
void FeedSource::look(Instant now) noexcept {
    const bool has_ended = ended_.load(std::memory_order_acquire);
    flush_seen_ = flush_before_.load(std::memory_order_acquire);
    if (const std::uint64_t end = log_.end(); end != seen_) {
        if (next_ == seen_) oldest_ = now;
        seen_ = end;
        seen_at_ = now;
    }
    if (!has_ended) return;
    if (!ended_at_) {
        ended_at_ = now;
        idle_due_ = now;
    }
    if (next_ == seen_ && now >= *ended_at_ + options_.end_for) {
        finished_.store(true, std::memory_order_release);
    }
}

std::size_t FeedSource::fill(std::span<SendBuffer> buffers, Instant now) noexcept {
    look(now);
    std::size_t n = 0;
    for (; n < buffers.size() && is_due(now); ++n) buffers[n].length = write(buffers[n].data, now);
    if (n > 0) log_.take(next_);
    return n;
}

// As many as in the last one, mostly: a log is not walked through message by message.
std::uint16_t FeedSource::count_that_fits() noexcept {
    const std::size_t room = options_.capacity - net::kMoldHeaderSize;
    const auto most =
        static_cast<std::uint16_t>(std::min<std::uint64_t>(seen_ - next_, net::kMoldMaxCount));
    if (log_.octets(next_, next_ + most) <= room) return most;
    std::uint16_t n = std::min(usual_, most);
    while (log_.octets(next_, next_ + n) > room) --n;
    assert(n > 0);
    while (log_.octets(next_, next_ + n + 1U) <= room) ++n;
    usual_ = n;
    return n;
}

std::uint32_t FeedSource::write(std::byte* to, Instant now) noexcept {
    std::uint16_t count = 0;
    std::size_t octets = 0;
    if (next_ != seen_) {
        count = count_that_fits();
        octets = log_.octets(next_, next_ + count);
        std::memcpy(to + net::kMoldHeaderSize, log_.at(next_), octets);
    }
    const bool tells_the_end = count == 0 && ended_at_;
    net::emit_mold_header(session_, next_, tells_the_end ? net::kMoldEndOfSession : count, to);
    next_ += count;
    // All full ones leave at once, so that what is left was not seen before.
    oldest_ = seen_at_;
    if (!ended_at_) {
        idle_due_ = now + options_.heartbeat;
    } else if (tells_the_end) {
        idle_due_ = now + options_.end_every;
    }
    ends_[filled_++ % kMostOut] = next_;
    assert(filled_ - gone_ <= kMostOut);
    return static_cast<std::uint32_t>(net::kMoldHeaderSize + octets);
}

void FeedSource::complete(std::size_t n) noexcept {
    if (n == 0) return;
    gone_ += n;
    completed_.store(ends_[(gone_ - 1) % kMostOut], std::memory_order_release);
}

std::optional<Instant> FeedSource::next_deadline(Instant now) noexcept {
    look(now);
    if (next_ != seen_) return is_urgent() ? now : oldest_ + options_.delay;
    if (ended_at_ && idle_due_ >= *ended_at_ + options_.end_for) return std::nullopt;
    return idle_due_;
}

}  // namespace joinleaf::dataplane
