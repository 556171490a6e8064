#include <dataplane/feed_pump.h>

#include <algorithm>

namespace joinleaf::dataplane {
namespace {

static_assert(FeedEvent::kRepaired == Arbiter::kRepair);
static_assert(FeedReceiver::kMaxLines == Arbiter::kMaxLines);

constexpr std::array<std::string_view, kPumpDropCount> kNames{"other_socket", "no_spare_buffer",
                                                              "too_long"};

// One is read while the messages of others are with the application; few come at a time, since one
// range is asked for at a time.
constexpr std::size_t kAnswers = 8;

FeedOptions with_lines(FeedOptions options, std::size_t lines) {
    options.arbiter.lines = lines;
    return options;
}

FeedEvent::Kind kind_of(FeedItem::Kind kind) noexcept {
    switch (kind) {
        case FeedItem::Kind::late:
            return FeedEvent::Kind::late;
        case FeedItem::Kind::gap:
            return FeedEvent::Kind::gap;
        case FeedItem::Kind::session:
            return FeedEvent::Kind::session;
        case FeedItem::Kind::end:
            return FeedEvent::Kind::end;
        case FeedItem::Kind::stranger:
            return FeedEvent::Kind::stranger;
        case FeedItem::Kind::repeated:
            return FeedEvent::Kind::repeated;
        case FeedItem::Kind::messages:
        case FeedItem::Kind::discard:
            break;
    }
    return FeedEvent::Kind::messages;
}

bool names_a_session(FeedEvent::Kind kind) noexcept {
    return kind == FeedEvent::Kind::session || kind == FeedEvent::Kind::stranger ||
           kind == FeedEvent::Kind::repeated;
}

}  // namespace

std::string_view name(PumpDrop why) noexcept {
    const auto index = static_cast<std::size_t>(why);
    return index < kNames.size() ? kNames[index] : std::string_view("unknown");
}

FeedPump::FeedPump(const FeedPumpOptions& options, std::uint64_t seed)
    : line_count_(options.lines.size()),
      sources_(options.sources.size()),
      copy_(options.copy),
      spare_(options.spare_buffers, options.spare_octets),
      answers_(kAnswers, options.spare_octets),
      feed_(with_lines(options.feed, options.lines.size()), seed) {
    std::ranges::copy(options.lines, lines_.begin());
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        sources_[i].unused.reserve(options.sources[i]);
        most_out_ += options.sources[i];
    }
    unused_own_.reserve(options.spare_buffers + kAnswers);
}

// ---- What comes in ----

FeedPump::Source* FeedPump::oldest() noexcept {
    Source* oldest = nullptr;
    for (Source& source : sources_) {
        if (source.at == source.end) {
            // What waits there may be older than what the others have.
            if (!source.is_short) return nullptr;
        } else if (oldest == nullptr || source.burst[source.at].received_at() <
                                            oldest->burst[oldest->at].received_at()) {
            oldest = &source;
        }
    }
    return oldest;
}

bool FeedPump::all_is_read() const noexcept {
    return std::ranges::all_of(sources_, [](const Source& from) { return from.at == from.end; });
}

bool FeedPump::may_advance() const noexcept {
    return seen_ >= most_out_ ||
           std::ranges::all_of(sources_, [](const Source& from) { return from.is_short; });
}

void FeedPump::arrive(Source& from, const Datagram& datagram, Instant now) noexcept {
    const auto line = line_of(datagram.socket(), from);
    if (!line) [[unlikely]] {
        drop(PumpDrop::other_socket);
        from.unused.push_back(datagram.buffer_);
    } else if (!datagram.is_contiguous()) [[unlikely]] {
        arrive_in_parts(from, *line, datagram, now);
    } else if (!feed_.arrive(*line, datagram.bytes(), datagram.buffer_, now,
                             datagram.received_at())) {
        from.unused.push_back(datagram.buffer_);
    }
}

// Messages are handed out in one piece each.
void FeedPump::arrive_in_parts(Source& from, std::uint8_t line, const Datagram& datagram,
                               Instant now) noexcept {
    from.unused.push_back(datagram.buffer_);
    if (datagram.size() > spare_.octets()) return drop(PumpDrop::too_long);
    if (spare_.empty()) return drop(PumpDrop::no_spare_buffer);
    const auto buffer = spare_.take();
    const auto payload = buffer.first(copy_(datagram, buffer));
    if (!feed_.arrive(line, payload, buffer.data(), now, datagram.received_at())) {
        spare_.give_back(buffer.data());
    }
}

std::span<std::byte> FeedPump::answer_room() noexcept {
    if (answer_) return {};
    if (answer_buffer_.empty() && !answers_.empty()) answer_buffer_ = answers_.take();
    return answer_buffer_;
}

void FeedPump::arrive_answer(Instant now) noexcept {
    const auto payload = *answer_;
    answer_.reset();
    if (feed_.arrive(Arbiter::kRepair, payload, payload.data(), now)) answer_buffer_ = {};
}

// ---- What goes out ----

std::size_t FeedPump::take(std::span<FeedEvent> out, Instant now) noexcept {
    drained_ = false;
    std::size_t n = 0;
    FeedItem item;
    while (n < out.size()) {
        if (feed_.next(item)) {
            if (!tell(item, out[n])) continue;
            // The name of the session is kept once: nothing else that could change it goes along.
            if (names_a_session(out[n++].kind)) break;
        } else if (answer_) [[unlikely]] {
            arrive_answer(now);
        } else if (Source* const from = oldest()) {
            const Datagram& datagram = from->burst[from->at++];
            if (from->at < from->end) __builtin_prefetch(from->burst[from->at].data_);
            arrive(*from, datagram, now);
        } else {
            drained_ = all_is_read();
            break;
        }
    }
    return n;
}

bool FeedPump::tell(const FeedItem& item, FeedEvent& event) noexcept {
    if (item.give_back) give_back(item);
    if (item.kind == FeedItem::Kind::discard) return false;
    event = {.kind = kind_of(item.kind),
             .line = item.line,
             .first = item.first,
             .count = item.count,
             .messages = item.messages,
             .received_at = item.received};
    if (names_a_session(event.kind)) {
        session_ = item.session;
        event.session = session_.name();
    }
    return true;
}

void FeedPump::give_back(const FeedItem& item) noexcept {
    if (item.line == Arbiter::kRepair || spare_.owns(item.handle)) [[unlikely]] {
        unused_own_.push_back(item.handle);
    } else {
        sources_[lines_[item.line].source].unused.push_back(item.handle);
    }
}

void FeedPump::forget_unused() noexcept {
    for (Source& source : sources_) source.unused.clear();
    for (void* const buffer : unused_own_) {
        (spare_.owns(buffer) ? spare_ : answers_).give_back(buffer);
    }
    unused_own_.clear();
}

void FeedPump::stop() noexcept {
    FeedItem item;
    const auto take_back = [&] {
        while (feed_.next(item)) {
            if (item.give_back) give_back(item);
        }
    };
    take_back();
    feed_.stop();
    take_back();
    for (Source& source : sources_) {
        while (source.at < source.end) source.unused.push_back(source.burst[source.at++].buffer_);
    }
}

}  // namespace joinleaf::dataplane
