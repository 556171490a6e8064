// What a leaf receives as a sequenced feed: lines made one, and its messages written in order.
#pragma once

#include <apps/joinleaf/feed_files/message_sink.h>
#include <apps/joinleaf/options.h>
#include <apps/joinleaf/run.h>
#include <apps/joinleaf/taking.h>
#include <apps/joinleaf/unanswered.h>
#include <joinleaf/feed_receiver.h>
#include <joinleaf/repair.h>

#include <array>
#include <string_view>

namespace joinleaf::app {

/// What this process keeps of a feed and answers for; none: nothing. Errors: throws Failure.
[[nodiscard]] std::optional<RepairHost> open_keeper(Runtime& runtime, const FeedServing* serving);

/// Where a line is heard, and who sends it, where that is known.
struct LineEnds {
    GroupEndpoint group;
    Ipv4Address source;
};

/// One thread.
class FeedSubscriber {
public:
    /// `runtime` writes down what was on the wire around a gap, if it records. `keeper`: keeps what
    /// is delivered, for others; or none. `server`: what the feed asks for repairs; or none.
    FeedSubscriber(const LeafOptions& options, FeedReceiver feed, std::vector<LineEnds> lines,
                   Output output, Runtime& runtime, Reporter& report, RepairHost* keeper,
                   std::optional<ControlEndpoint> server);

    /// Writes until `should_stop(now)` says so, --count is reached, the session is over (unless
    /// others are to follow), or a gap stops it. Returns which. Errors: throws Failure (the
    /// output).
    template <class ShouldStop>
    std::string_view run(ShouldStop should_stop) {
        Outputs outputs{sink_, gaps_};
        while (reason_.empty()) {
            const auto reason = taking_.turn(
                outputs, [this] { return take_burst(); },
                [&](Instant now) {
                    look_at_repairs(now);
                    return should_stop(now);
                });
            if (!reason.empty()) return reason;
        }
        return reason_;
    }
    /// Writes what has come and is in order. Errors: as run().
    void finish();

    /// The root has said where its history begins.
    void history_begins(const HistoryBegins& said);

    /// Messages, and their octets.
    [[nodiscard]] Ticker::Taken taken() const noexcept { return taken_; }
    /// From the first message to the last.
    [[nodiscard]] double seconds_of_flow() const noexcept {
        return first_at_ ? seconds_between(*first_at_, last_at_) : 0;
    }
    [[nodiscard]] FeedStatus status() const { return feed_.status(); }
    [[nodiscard]] FeedTaken facts();

private:
    static constexpr std::uint64_t kMostSessionsTold = 1000;
    static constexpr std::size_t kMostNotes = 20;

    /// What is written, as one.
    struct Outputs {
        MessageSink& messages;
        std::optional<Output>& gaps;

        [[nodiscard]] std::size_t waiting() const noexcept {
            return messages.waiting() + (gaps ? gaps->waiting() : 0);
        }
        void flush() const {
            messages.flush();
            if (gaps) gaps->flush();
        }
    };

    /// Returns whether there was anything.
    bool take_burst();
    void take(const FeedEvent& event);
    void take_messages(const FeedEvent& event);
    void take_gap(const FeedEvent& event);
    void take_session(const FeedEvent& event);
    void take_end(const FeedEvent& event);
    void note(std::string_view what);
    [[nodiscard]] MessageRun run_of(const FeedEvent& event, FeedMessages messages) const;
    /// Tells of a repair server that does not answer.
    void look_at_repairs(Instant now);

    const LeafOptions& options_;
    FeedReceiver feed_;
    std::vector<LineEnds> lines_;
    MessageSink sink_;
    std::optional<Output> gaps_;  ///< each gap, a line
    Runtime& runtime_;
    Reporter& report_;
    RepairHost* keeper_;
    RecordedTime since_1970_;  ///< of Instant's beginning
    Taking taking_{Idle(std::chrono::microseconds(200))};
    std::string_view reason_;
    net::MoldSession session_;
    std::string session_name_;
    Missing missing_;
    std::uint64_t sessions_ = 0;
    std::size_t notes_ = 0;
    Ticker::Taken taken_;
    std::optional<Instant> first_at_;
    Instant last_at_{};
    std::optional<ControlEndpoint> server_;  ///< that is asked for what is missing
    Unanswered unanswered_;
    Instant looked_at_{};  ///< the repairs
};

}  // namespace joinleaf::app
