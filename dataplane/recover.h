// When a leaf asks for what is missing, how often, and when it gives it up. Pure: time comes in,
// and chance is a seed.
#pragma once

#include <dataplane/arbitrate.h>
#include <dataplane/ask_pace.h>
#include <dataplane/history_search.h>
#include <joinleaf/clock.h>
#include <net/moldudp64.h>
#include <chrono>
#include <cstdint>
#include <optional>

namespace joinleaf::dataplane {

using joinleaf::RecoveryCounters;

struct RecoveryOptions {
    /// How far one line may be behind another: so long nothing is asked for that a line could still
    /// bring.
    Duration skew = std::chrono::milliseconds(1);
    /// How far packets of one line may overtake each other: so long nothing is asked for though all
    /// lines have passed it.
    Duration reordering = Duration::zero();
    /// Whether there is a server to ask.
    bool request = true;
    /// The first request waits a random part of this, so that leaves that lost the same do not all
    /// ask at once.
    Duration request_delay = std::chrono::microseconds(500);
    /// How long an answer is waited for: at first, doubled each time, at most; up to half as long
    /// again by chance.
    Duration retry_first = std::chrono::milliseconds(2);
    Duration retry_most = std::chrono::milliseconds(200);
    /// After so long without what is missing it is lost. Counts from when it was known to be
    /// missing; while a leaf catches up, from the last answer.
    Duration deadline = std::chrono::milliseconds(100);
    /// At least so long while a leaf catches up and there is a server to ask: nobody waits for one
    /// message then, and a server that many ask at once lets each wait.
    Duration catch_up_deadline = std::chrono::seconds(3);
    /// The most messages asked for at once; the answer is one packet, whatever fits.
    std::uint16_t most_messages = 1024;
};

/// One range at a time. One owner, that of the Arbiter.
class Recovery {
public:
    /// `seed`: of each leaf another.
    Recovery(const RecoveryOptions& options, std::uint64_t seed) noexcept
        : options_(options), chance_(seed), pace_(options.retry_most) {}

    /// Call often, after the arbiter's items are taken, and take them again: what was missing may
    /// have been given up. Returns a request to be sent.
    std::optional<net::MoldRequest> advance(Arbiter& arbiter, Instant now) noexcept {
        if (!arbiter.has_hole()) [[likely]] {
            active_ = false;
            return std::nullopt;
        }
        return advance_hole(arbiter, now);
    }
    /// When advance() has something to do though nothing arrives. None: not before something does.
    [[nodiscard]] std::optional<Instant> next_deadline(const Arbiter& arbiter) const noexcept;

    /// An answer has come. False: it was to tell where the server's history begins, and its
    /// messages are asked for again in their turn. Before they are looked at.
    [[nodiscard]] bool answered(const net::MoldPacket& packet, Instant now) noexcept {
        return !search_.is_running() || answered_search(packet, now);
    }

    /// The server has told that its history of `session` begins at `sequence`.
    void history_begins(const net::MoldSession& session, std::uint64_t sequence) noexcept {
        history_session_ = session;
        history_ = sequence;
    }

    [[nodiscard]] const RecoveryCounters& counters() const noexcept { return counters_; }

private:
    std::optional<net::MoldRequest> advance_hole(Arbiter& arbiter, Instant now) noexcept;
    std::optional<net::MoldRequest> search(const Arbiter& arbiter, Instant now) noexcept;
    bool answered_search(const net::MoldPacket& packet, Instant now) noexcept;
    void look_at(const Hole& hole, const net::MoldSession& session, Instant now) noexcept;
    [[nodiscard]] Instant ask_at(const Hole& hole) const noexcept;
    [[nodiscard]] Instant lost_at(const Arbiter& arbiter, const Hole& hole) const noexcept;
    /// Uniform in (0, limit]; zero where the limit is.
    Duration random_up_to(Duration limit) noexcept;

    RecoveryOptions options_;
    std::uint64_t chance_;
    bool active_ = false;  // there is a hole, and it begins at first_
    bool asked_ = false;   // something of it has been asked for
    std::uint64_t first_ = 0;
    net::MoldSession session_;
    SequenceRange wanted_;     // by the last request
    bool wanted_all_ = false;  // which had the whole hole
    Duration delay_{};         // of the first request
    Duration wait_{};          // for the answer to the next
    Instant asked_at_;         // when the last one went out
    Instant again_at_;         // when the next request is due, once asked
    AskPace pace_;
    int unanswered_ = 0;  // requests since something last came, for the same hole
    HistorySearch search_;
    bool is_dead_ = false;  // what was given up last while catching up was not answered at all
    net::MoldSession history_session_;
    std::uint64_t history_ = 0;  // 0: not told
    RecoveryCounters counters_;
};

}  // namespace joinleaf::dataplane
