// A leaf's part in a rooted session: it asks, or waits to be invited; then it watches for the end.
#pragma once

#include <apps/joinleaf/run.h>
#include <joinleaf/runtime.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace joinleaf::app {

/// One thread.
class RootedLeaf {
public:
    /// `receiver`: none, of a leaf that only sends. `listening` is called when a root could invite.
    RootedLeaf(Runtime& runtime, const LeafOptions& options, const Receiver* receiver,
               Surroundings& surroundings, std::function<void()> listening);

    /// Waits until this leaf is in the session, and tells so. Nothing: a signal asked for the end
    /// first. Errors: throws Failure.
    [[nodiscard]] std::optional<Connected> enter();
    /// The socket that receives the session's data.
    [[nodiscard]] Socket& socket() noexcept { return member_; }

    /// The session's, once this leaf is in it (M23).
    [[nodiscard]] std::uint8_t scope() const noexcept { return scope_; }

    /// Whether it has joined the session's group: not, where the root replicates.
    [[nodiscard]] bool joins_group() const noexcept { return joins_group_; }

    /// As in "expelled", once the session is over for this leaf; empty: it goes on.
    [[nodiscard]] std::string_view ended();
    /// What to tell of an end that was not in good order; none: it was.
    [[nodiscard]] std::optional<std::string> complaint() const;

    /// Reads the TLS files that `names` has, for whoever connects from now on. Errors: throws
    /// Failure.
    void reload(const AdmissionOptions& names);

    void close();

private:
    [[nodiscard]] bool ask();
    [[nodiscard]] bool wait_for_invitation();
    /// Nothing: a signal came first.
    [[nodiscard]] std::optional<Event> next_event();
    [[nodiscard]] Connected tell_connected();

    Runtime& runtime_;
    const LeafAdmission& admission_;
    Direction direction_;
    std::uint8_t scope_ = 1;
    bool joins_group_ = false;
    Surroundings& around_;
    std::function<void()> listening_;
    EventQueue events_;
    Socket opened_;
    Socket member_;
    Instant called_{};
    std::string root_;  ///< where it is reached, for words
    std::string_view ended_;
    Instant looked_at_{};
};

}  // namespace joinleaf::app
