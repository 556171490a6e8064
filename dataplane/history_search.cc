#include <dataplane/history_search.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace joinleaf::dataplane {
namespace {

constexpr Duration kLongestWait = std::chrono::seconds(1);

}  // namespace

void HistorySearch::begin(SequenceRange missing, std::uint64_t edge, Duration wait,
                          Instant now) noexcept {
    missing_ = missing;
    gone_ = missing.first;
    edge_before_ = edge_ = edge;
    wait_ = std::min(wait, kLongestWait);
    all_requests_ = 0;
    result_.reset();
    enter(Stage::edge, missing.end - 1, now);
}

void HistorySearch::enter(Stage stage, std::uint64_t sequence, Instant now) noexcept {
    stage_ = stage;
    sequence_ = sequence;
    requests_ = 0;
    again_at_ = now;
}

int HistorySearch::requests_of_stage() const noexcept {
    switch (stage_) {
        case Stage::bisect:
        case Stage::follow:
            return 2;
        case Stage::check:
            return 8;
        default:
            return 4;
    }
}

// The next thing to ask for between what is gone and what is there. A history that moves is found
// as well as it stands still.
void HistorySearch::go_on(Instant now) noexcept {
    if (all_requests_ >= kMostRequests) {
        enter(Stage::confirm, there_, now);
    } else if (there_ - gone_ > std::max<std::uint64_t>(moved(), 1)) {
        enter(Stage::bisect, gone_ + (there_ - gone_) / 2, now);
    } else {
        enter(Stage::check, gone_, now);
    }
}

void HistorySearch::answered(std::uint64_t sequence, Instant now) noexcept {
    if (!is_running() || sequence < missing_.first || sequence >= missing_.end) return;
    if (sequence == sequence_) {
        // Which request it answers is known of the first alone.
        if (stage_ == Stage::edge) {
            wait_ = std::max(wait_, (now - asked_at_) * (requests_ == 1 ? 4 : 1));
        }
        if (stage_ == Stage::confirm || stage_ == Stage::follow) {
            result_ = sequence;
            stage_ = Stage::idle;
            return;
        }
    } else if (stage_ == Stage::edge || sequence >= there_) {
        return;
    }
    // What was believed to be gone is there after all: all that was concluded from it is void, and
    // where it was no loss the wait was too short.
    if (stage_ != Stage::edge && sequence <= gone_) {
        gone_ = missing_.first;
        if (sequence != sequence_) wait_ = std::min(wait_ * 2, kLongestWait);
    }
    there_ = sequence;
    if (there_ == gone_) {  // the first of all
        stage_ = Stage::idle;
        return;
    }
    go_on(now);
}

void HistorySearch::unanswered(Instant now) noexcept {
    switch (stage_) {
        case Stage::idle:
        case Stage::edge:
            stage_ = Stage::idle;
            break;
        case Stage::bisect:
            gone_ = sequence_;
            go_on(now);
            break;
        case Stage::check:
            enter(Stage::confirm, there_, now);
            break;
        case Stage::confirm:
        case Stage::follow:
            if (sequence_ == missing_.end - 1 || all_requests_ >= kMostRequests) {
                stage_ = Stage::idle;
                break;
            }
            step_ = stage_ == Stage::confirm ? 2 * moved() + 1 : 2 * step_;
            gone_ = sequence_;
            enter(Stage::follow, std::min(sequence_ + step_, missing_.end - 1), now);
            break;
    }
}

std::optional<HistorySearch::Probe> HistorySearch::advance(std::uint64_t edge,
                                                           Instant now) noexcept {
    edge_ = edge;
    while (is_running() && now >= again_at_ && requests_ == requests_of_stage()) unanswered(now);
    if (!is_running() || now < again_at_) return std::nullopt;
    if (requests_ == 0) asked_at_ = now;
    again_at_ = now + wait_ * (1 << std::min(requests_, 2));
    ++requests_;
    ++all_requests_;
    return Probe{sequence_, stage_ != Stage::edge && stage_ != Stage::bisect};
}

std::optional<std::uint64_t> HistorySearch::take_result() noexcept {
    return std::exchange(result_, std::nullopt);
}

}  // namespace joinleaf::dataplane
