#include <dataplane/pack.h>

#include <cassert>

namespace joinleaf::dataplane {

Packer::Packer(const PackOptions& options, const net::MoldSession& session, Instant now) noexcept
    : options_(options),
      session_(session),
      // Where not even an empty message fits any more, none will come.
      flush_at_(options.capacity + 1 - net::kMoldLengthSize),
      idle_due_(now) {
    assert(options.capacity > net::kMoldHeaderSize + net::kMoldLengthSize);
    if (options.flush_at != 0) flush_at_ = std::min(flush_at_, options.flush_at);
}

void Packer::attach(std::span<std::byte> buffer) noexcept {
    assert(buffer_.empty() && buffer.size() >= net::kMoldHeaderSize);
    buffer_ = buffer.first(std::min(buffer.size(), options_.capacity));
}

void Packer::end(Instant now) noexcept {
    if (ended_at_) return;
    end_of_burst();
    ended_at_ = now;
    idle_due_ = now;
}

std::optional<Instant> Packer::next_deadline() const noexcept {
    if (count_ != 0) return flush_ || is_full() ? oldest_ : oldest_ + options_.delay;
    if (ended_at_ && idle_due_ >= *ended_at_ + options_.end_for) return std::nullopt;
    return idle_due_;
}

std::span<const std::byte> Packer::take(Instant now) noexcept {
    assert(!buffer_.empty());
    const bool tells_the_end = count_ == 0 && ended_at_;
    net::emit_mold_header(session_, sequence_, tells_the_end ? net::kMoldEndOfSession : count_,
                          buffer_.data());
    const std::span<const std::byte> datagram = buffer_.first(used_);
    if (!ended_at_) {
        idle_due_ = now + options_.heartbeat;
    } else if (tells_the_end) {
        idle_due_ = now + options_.end_every;
    }
    sequence_ += count_;
    buffer_ = {};
    used_ = net::kMoldHeaderSize;
    count_ = 0;
    flush_ = false;
    return datagram;
}

}  // namespace joinleaf::dataplane
