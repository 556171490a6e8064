// One admission connection and the signs of life on it, both ways. Pure.
#pragma once

#include <controlplane/admission_actions.h>
#include <algorithm>
#include <functional>
#include <utility>

namespace joinleaf::controlplane {

inline constexpr Instant kNever = Instant::max();

/// While a request or an invitation waits for its answer, the two sides do not know each other's
/// dead_after yet: each speaks at least every third of this, and gives up after as much silence.
inline constexpr Duration kWaitingDeadAfter = std::chrono::seconds(3);

/// Whether something that the other side of a connection has said or done waits to be read. Asked
/// before a connection is given up, because a process that was stopped for a while has heard
/// nothing meanwhile, and that is not the other side's fault. Empty: nothing ever waits.
using Unread = std::function<bool(ConnectionId)>;

/// What is unread is looked for again after this long.
inline constexpr Duration kLookAgain = std::chrono::milliseconds(10);

/// Ends a connection with these last words.
void hang_up(ConnectionId connection, AdmissionMessage&& last_words, AdmissionActions& out);

/// Sends what its owner says, a KeepAlive when the owner has been quiet for a third of dead_after,
/// and knows when the other side has been silent for too long.
class Line {
public:
    Line(ConnectionId connection, Duration dead_after, Instant now)
        : connection_(connection),
          speak_every_(dead_after / 3),
          dead_after_(dead_after),
          heard_(now),
          sent_(now) {}

    [[nodiscard]] ConnectionId connection() const { return connection_; }

    void send(AdmissionMessage&& message, Instant now, AdmissionActions& out);
    /// The other side has said something.
    void heard(Instant now) { heard_ = std::max(heard_, now); }
    /// Nothing could be heard for `time` until `now`.
    void forgive(Duration time, Instant now) {
        heard_ = std::max(heard_, std::min(heard_ + time, now));
    }
    /// From now on speak every third of `speak`, and bear silence of `listen`, counted from now.
    void agree(Duration speak, Duration listen, Instant now) {
        speak_every_ = speak / 3;
        dead_after_ = listen;
        heard(now);
    }

    /// When silence will have lasted too long, unless something is heard before.
    [[nodiscard]] Instant silent_at() const { return heard_ + dead_after_; }
    [[nodiscard]] bool is_silent(Instant now) const { return silent_at() <= now; }
    /// The line's time was over at `over`: whether it is to be looked at again after kLookAgain,
    /// because something waits to be read. Nobody gains more than dead_after by it.
    [[nodiscard]] bool is_yet_to_be_read(const Unread& unread, Instant over, Instant now);
    /// When the line wants to be looked at next.
    [[nodiscard]] Instant due() const { return std::min(silent_at(), sent_ + speak_every_); }
    void keep_alive(Instant now, AdmissionActions& out);

private:
    ConnectionId connection_;
    Duration speak_every_;
    Duration dead_after_;
    Instant heard_;
    Instant sent_;
    Instant unread_for_{};  // the end that is put off, and since when
    Instant unread_since_{};
};

}  // namespace joinleaf::controlplane
