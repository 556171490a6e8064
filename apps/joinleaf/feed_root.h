// A root's sequenced feed: an input of messages moved into its publisher, at its pace.
#pragma once

#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/feed_files/message_source.h>
#include <apps/joinleaf/feed_files/progress.h>
#include <apps/joinleaf/idle.h>
#include <apps/joinleaf/options.h>
#include <apps/joinleaf/report.h>
#include <joinleaf/feed_publisher.h>

#include <array>
#include <functional>

namespace joinleaf::app {

/// How the socket of the first line sends: with those of `lines` that leave by the same port.
[[nodiscard]] SenderOptions feed_sender_options(const Publishing& publishing,
                                                const FeedPublishing& feed);
/// How the socket of the lines on another port sends; lines[0] is its group.
[[nodiscard]] SenderOptions line_sender_options(const Publishing& publishing,
                                                const FeedPublishing& feed);
/// `lines`: the sockets on other ports.
[[nodiscard]] FeedPublisherOptions publisher_options(const FeedPublishing& feed,
                                                     std::vector<Socket> lines);
/// What is kept for repairs fits into memory. Errors: throws Failure.
void check_history(const FeedServing& serving);
/// A repair server at its endpoint, within its rates.
[[nodiscard]] RepairServerOptions repair_server_options(const FeedServing& serving);
/// What leaves are told of the feed.
void offer_feed(const FeedPublishing& feed, SessionOffer& offer);

/// One thread.
class FeedRun {
public:
    /// `goes_on` is asked between two pieces of work; `end_fd` is readable when it says no.
    FeedRun(const FeedPublishing& feed, std::string port, MessageSource& input,
            FeedPublisher publisher, Reporter& report, std::function<bool(Instant)> goes_on,
            int end_fd);

    /// Returns whether the input has ended, all of it has left, and the end of the session has been
    /// told for as long as it was to be; false: `goes_on` said no first, and the end was told once.
    /// Errors: throws Failure (the input, a message that fits no datagram, a port that is stuck),
    /// when all that was before has left and the end was told.
    [[nodiscard]] bool run();

    [[nodiscard]] FeedProgress progress(Instant now);
    [[nodiscard]] FeedSent facts() const;
    [[nodiscard]] std::optional<Instant> first_at() const noexcept { return first_at_; }
    /// When the last message was published.
    [[nodiscard]] Instant last_at() const noexcept { return last_at_; }

private:
    static constexpr std::size_t kBurst = 64;

    /// Returns whether the input has ended.
    [[nodiscard]] bool publish_all();
    /// Returns false when it was cut short.
    [[nodiscard]] bool publish(std::span<const FeedMessage> messages);
    /// How many from the front are due, at most kBurst; `wait`: how long the next one has time.
    [[nodiscard]] std::size_t count_due(std::span<const FeedMessage> messages, Duration& wait);
    /// Returns false when it was cut short.
    [[nodiscard]] bool publish_due(std::span<const FeedMessage> due);
    [[nodiscard]] Failure stuck() const;
    void wait_for(Duration wait);
    void wait_for_input();
    void tell_notes();
    // With `in_full` and `patient` as long as it takes, unless `goes_on` says no meanwhile: then,
    // and without, a moment. Return whether it took its time.
    [[nodiscard]] bool end_session(bool in_full);
    [[nodiscard]] bool wait_until_sent(bool patient);

    const FeedPublishing& feed_;
    std::string port_;
    MessageSource& input_;
    FeedPublisher publisher_;
    Reporter& report_;
    std::function<bool(Instant)> goes_on_;
    int end_fd_;
    Pace pace_;
    Duration delay_;
    Idle idle_{std::chrono::microseconds(200)};
    std::array<std::span<const std::byte>, kBurst> burst_;
    std::uint64_t messages_ = 0;
    std::uint64_t octets_ = 0;
    // Of what was read last: where it began in the input, how many messages it was, and how many
    // are still to be published.
    std::uint64_t read_before_ = 0;
    std::size_t batch_ = 0;
    std::size_t batch_left_ = 0;
    ProgressMeter meter_;
    std::optional<Instant> first_at_;
    Instant last_at_{};
};

}  // namespace joinleaf::app
