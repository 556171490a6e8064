// What a root or a leaf sends: an input moved into a socket's queue, one datagram a chunk.
#pragma once

#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/idle.h>
#include <apps/joinleaf/input.h>
#include <apps/joinleaf/options.h>
#include <joinleaf/sender.h>
#include <array>
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace joinleaf::app {

/// How a socket sends what is published.
[[nodiscard]] SenderOptions sender_options(const std::optional<Publishing>& publishing);

/// What to say when an input was let out and the port counts fewer.
[[nodiscard]] Failure not_all_left(std::uint64_t given, std::uint64_t missing);

/// One thread.
class Publisher {
public:
    /// `goes_on` is asked between two pieces of work; `end_fd` is readable when it says no.
    Publisher(const Publishing& publishing, std::string port, Input& input, Sender sender,
              std::function<bool(Instant)> goes_on, int end_fd);

    /// Returns whether the input has ended and the port has taken all of it; false: `goes_on` said
    /// no first. Errors: throws Failure (the input, a chunk that does not fit, a port that is
    /// stuck).
    [[nodiscard]] bool run();

    [[nodiscard]] std::uint64_t handed_over() const noexcept { return handed_over_; }
    [[nodiscard]] std::optional<Instant> first_at() const noexcept { return first_at_; }

private:
    [[nodiscard]] bool take_buffers();
    [[nodiscard]] bool input_is_ready();
    /// Returns whether the input has ended.
    [[nodiscard]] bool publish_once();
    /// Returns false when it was cut short.
    [[nodiscard]] bool wait_until_sent();

    const Publishing& publishing_;
    std::string port_;
    Input& input_;
    Sender sender_;
    std::function<bool(Instant)> goes_on_;
    int end_fd_;
    Idle idle_{std::chrono::microseconds(200)};
    std::array<SendBuffer, 32> held_;
    std::size_t held_count_ = 0;
    std::uint32_t chunk_ = 0;
    std::uint64_t handed_over_ = 0;
    std::optional<Instant> first_at_;
};

/// A publisher on a thread of its own, beside a leaf that receives.
class PublishingThread {
public:
    /// Begins at once.
    PublishingThread(const Publishing& publishing, std::string port, Input& input, Sender sender);
    PublishingThread(const PublishingThread&) = delete;
    PublishingThread& operator=(const PublishingThread&) = delete;
    ~PublishingThread();

    enum class State : std::uint8_t { sending, all_sent, failed };
    /// Any thread.
    [[nodiscard]] State state() const noexcept { return state_; }
    /// Ends it. Idempotent.
    void end();

    // After end():
    /// The failure in words; none: there was none.
    [[nodiscard]] const std::optional<std::string>& failure() const noexcept { return failure_; }
    [[nodiscard]] const Publisher& publisher() const noexcept { return publisher_; }

private:
    void run();

    Descriptor ending_;
    std::atomic<bool> is_ending_{false};
    std::atomic<State> state_{State::sending};
    std::optional<std::string> failure_;
    Publisher publisher_;
    std::thread thread_;
};

}  // namespace joinleaf::app
