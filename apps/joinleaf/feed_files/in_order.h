// One line of a captured feed put in order: what comes twice comes once, what comes a little late
// takes its place, and what is missing is counted. Pure.
#pragma once

#include <apps/joinleaf/feed_files/layout.h>
#include <net/moldudp64.h>

#include <map>
#include <utility>

namespace joinleaf::app {

/// Messages where nothing else is said.
struct InOrderCounts {
    std::uint64_t packets = 0;
    std::uint64_t messages = 0;    ///< that were given out
    std::uint64_t duplicates = 0;  ///< that were there already
    std::uint64_t reordered = 0;   ///< packets that came after later ones
    std::uint64_t gaps = 0;        ///< ranges that are missing
    std::uint64_t missing = 0;     ///< in those
    std::uint64_t sessions = 0;    ///< that began
};

/// Unlike the arbiter of a leaf this one keeps copies, knows one line, and goes by recorded times.
class InOrder {
public:
    /// A gap is given up when so many packets wait behind it ...
    static constexpr std::size_t kMostHeld = 1024;
    /// ... or one has waited so long, in recorded time.
    static constexpr RecordedTime kLongestHeld = std::chrono::milliseconds(100);

    /// Messages in turn.
    struct Run {
        net::MoldMessages messages;
        RecordedTime at{};
    };
    /// Of a feed's session: a range that is missing.
    struct Gap {
        net::MoldSession session;
        std::uint64_t first = 0;
        std::uint64_t count = 0;
    };
    /// A session has begun, with this message: the first that the capture has.
    struct Begin {
        net::MoldSession session;
        std::uint64_t first = 0;
    };

    /// A packet, whose octets stay until next() has returned false. Call next() after each.
    void arrive(const net::MoldPacket& packet, RecordedTime at);
    /// Nothing comes any more. Call next() after it.
    void end();
    /// What is next in turn; valid until forget(). False: nothing until something arrives.
    [[nodiscard]] bool next(Run& run);
    /// What next() has given out is not needed any more.
    void forget() { given_out_.clear(); }

    [[nodiscard]] const InOrderCounts& counts() const noexcept { return counts_; }
    /// What has been noticed since the last call; at most kMostTold of each, the counts hold all.
    static constexpr std::size_t kMostTold = 16;
    [[nodiscard]] std::vector<Gap> take_gaps() { return std::exchange(gaps_, {}); }
    [[nodiscard]] std::vector<Begin> take_begins() { return std::exchange(begins_, {}); }

private:
    /// A copy of a packet's messages.
    struct Held {
        std::vector<std::byte> octets;
        std::uint32_t count = 0;
        RecordedTime at{};
    };
    void begin(const net::MoldPacket& packet);
    void arrive_in_session(const net::MoldPacket& packet);
    void lose_until(std::uint64_t sequence);
    [[nodiscard]] bool has_waited() const;
    [[nodiscard]] bool is_over(const net::MoldSession& session) const;
    /// Returns whether there is anything new in them.
    bool give(std::uint64_t sequence, net::MoldMessages messages, RecordedTime at, Run& run);

    std::optional<net::MoldSession> session_;
    std::vector<net::MoldSession> over_;  // sessions that are, the last few
    std::uint64_t next_ = 0;
    std::uint64_t edge_ = 0;  // of all that is known to exist in the session
    RecordedTime now_{};
    bool gives_up_ = false;  // what is missing: the session is over
    // In the octets of whoever called arrive(): a packet that is in turn, and the first of the next
    // session.
    std::optional<net::MoldPacket> current_;
    std::optional<net::MoldPacket> follower_;
    std::map<std::uint64_t, Held> held_;
    std::vector<Held> given_out_;
    InOrderCounts counts_;
    std::vector<Gap> gaps_;
    std::vector<Begin> begins_;
};

}  // namespace joinleaf::app
