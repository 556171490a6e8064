// When each message of a feed is due. Pure: the caller has the clock.
#pragma once

#include <apps/joinleaf/feed_files/layout.h>
#include <joinleaf/clock.h>

namespace joinleaf::app {

/// One feed from its first message on. Who is late catches up in a burst of at most kMostBehind;
/// what is beyond that moves everything that follows, and is told by behind().
class Pace {
public:
    static constexpr Duration kMostBehind = std::chrono::milliseconds(10);

    /// As fast as they are taken.
    [[nodiscard]] static Pace unlimited() noexcept { return {}; }
    /// `messages` a second, above 0.
    [[nodiscard]] static Pace at_rate(std::uint64_t messages) noexcept;
    /// As recorded, `speed` (above 0) times as fast. A message recorded before the one ahead of it,
    /// or without a time, is due with it.
    [[nodiscard]] static Pace recorded(double speed) noexcept;

    /// How long the next message has to wait; zero or less: it is due. The same message may be
    /// asked for any number of times.
    [[nodiscard]] Duration wait(const FeedMessage& next, Instant now) noexcept;
    /// It was let out.
    void sent() noexcept { ++sent_; }

    /// By how much all in all the feed was slower than it should have been.
    [[nodiscard]] Duration behind() const noexcept { return behind_; }

private:
    enum class Kind : std::uint8_t { unlimited, rate, recorded };

    [[nodiscard]] Duration due_after_begin(const FeedMessage& next) noexcept;

    Kind kind_ = Kind::unlimited;
    std::uint64_t per_second_ = 0;
    double speed_ = 1;
    std::uint64_t sent_ = 0;
    std::optional<Instant> began_;
    std::optional<RecordedTime> first_;
    RecordedTime latest_{};
    Duration behind_{};
};

}  // namespace joinleaf::app
