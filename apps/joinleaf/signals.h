// SIGINT and SIGTERM, and SIGHUP, as something to look at between two pieces of work; SIGUSR1 is
// left to others.
#pragma once

#include <apps/joinleaf/descriptor.h>
#include <optional>
#include <string_view>

namespace joinleaf::app {

/// Made in main before any thread, so that every thread inherits the blocked signals. SIGPIPE is
/// ignored: a reader that went away is an error of the write. SIGUSR1 is blocked as well, for
/// whoever reads it (BlackBox). One thread.
class Signals {
public:
    /// What SIGHUP is for: the end of this process on the spot, as ever; or to read again what was
    /// read, unless it tells that the terminal has gone that this process was started on.
    enum class Hangup : bool { ends, reloads };
    explicit Signals(Hangup hangup = Hangup::ends);

    /// The name of the signal that asks for the end, once there is one. From then on the signals
    /// have their usual effect again: a second one ends the program on the spot.
    [[nodiscard]] std::optional<std::string_view> asked_to_stop();
    /// For poll(2): readable from the moment one has come, for good.
    [[nodiscard]] int fd() const noexcept { return either_.get(); }

    /// Whether there has been a SIGHUP since this was asked last. Not, when the terminal has gone:
    /// then asked_to_stop() says so from now on.
    [[nodiscard]] bool asked_to_reload();
    /// For poll(2): readable while a SIGHUP waits; -1: it is not waited for.
    [[nodiscard]] int hangup_fd() const noexcept { return hangup_ ? hangup_.get() : -1; }

private:
    void stop(std::string_view why);

    Descriptor waiting_;  // readable while a signal waits
    Descriptor taken_;    // readable once one has been taken
    Descriptor either_;
    Descriptor hangup_;
    bool ends_with_terminal_ = false;
    std::optional<std::string_view> asked_;
};

}  // namespace joinleaf::app
