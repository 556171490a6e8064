// Where a repair server's history begins, found by asking. MoldUDP64 knows no refusal: a server
// that has a message no longer is silent, as is one that is dead, or that somebody's limit or a
// loss has kept from answering. Pure: time comes in.
#pragma once

#include <dataplane/sequence_ranges.h>
#include <joinleaf/clock.h>
#include <cstdint>
#include <optional>

namespace joinleaf::dataplane {

/// Bisection between what was not answered and the live edge. Nothing is believed to be gone but
/// after two requests, and the last of it after eight more: an answer that was lost by chance may
/// make the search longer, not its result wrong. One owner.
class HistorySearch {
public:
    /// At most so many requests; then what was answered last is the beginning.
    static constexpr int kMostRequests = 400;

    struct Probe {
        std::uint64_t sequence = 0;
        bool is_whole = false;  ///< as much is asked for as an answer holds, not one message
    };

    /// `missing`: not empty, and its first message was asked for in vain. `edge`: all that is known
    /// to exist. An answer is waited for so long at least, and for four times as long as the first
    /// one took.
    void begin(SequenceRange missing, std::uint64_t edge, Duration wait, Instant now) noexcept;
    void stop() noexcept { stage_ = Stage::idle; }
    [[nodiscard]] bool is_running() const noexcept { return stage_ != Stage::idle; }

    /// An answer that begins with that message has come.
    void answered(std::uint64_t sequence, Instant now) noexcept;
    /// What is to be asked for now. Ends the search without a result where nothing is answered at
    /// all.
    std::optional<Probe> advance(std::uint64_t edge, Instant now) noexcept;
    /// When advance() has something to do.
    [[nodiscard]] Instant next_deadline() const noexcept { return again_at_; }

    /// Once, when it has been found: where the history begins; it was there a moment ago.
    [[nodiscard]] std::optional<std::uint64_t> take_result() noexcept;

private:
    enum class Stage : std::uint8_t {
        idle,
        edge,     // whether the newest of what is missing is there
        bisect,   // between gone_ and there_
        check,    // whether gone_ really is
        confirm,  // whether there_ still is
        follow,   // where it has gone to meanwhile
    };
    void enter(Stage stage, std::uint64_t sequence, Instant now) noexcept;
    void go_on(Instant now) noexcept;
    void unanswered(Instant now) noexcept;
    [[nodiscard]] int requests_of_stage() const noexcept;
    // By how much the history may have moved since this began: as much as was published.
    [[nodiscard]] std::uint64_t moved() const noexcept { return edge_ - edge_before_; }

    Stage stage_ = Stage::idle;
    SequenceRange missing_;
    std::uint64_t gone_ = 0;   // not answered
    std::uint64_t there_ = 0;  // answered
    std::uint64_t edge_before_ = 0, edge_ = 0;
    std::uint64_t step_ = 0;
    std::uint64_t sequence_ = 0;  // that is asked for
    int requests_ = 0;            // for it
    int all_requests_ = 0;
    Duration wait_{};
    Instant asked_at_;  // first, for it
    Instant again_at_;
    std::optional<std::uint64_t> result_;
};

}  // namespace joinleaf::dataplane
