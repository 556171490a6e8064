// The files that a recorder writes by itself: how they are called, how often, and how many stay.
// Pure.
#pragma once

#include <joinleaf/clock.h>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace joinleaf::controlplane {

/// At most one in each interval. Any thread.
class OncePer {
public:
    explicit OncePer(Duration interval) : interval_(interval) {}

    /// Whether it may be now; one that may not is counted.
    [[nodiscard]] bool admit(Instant now) noexcept;
    /// How many might not, since the last time this was asked.
    [[nodiscard]] std::uint64_t take_passed_over() noexcept {
        return passed_over_.exchange(0, std::memory_order_relaxed);
    }

private:
    const Duration interval_;
    std::atomic<Instant> next_{Instant::min()};
    std::atomic<std::uint64_t> passed_over_{0};
};

/// `most` of a row of files: the newest, and of each episode the first, which shows how it began,
/// for as long as there is another that may go.
class KeptFiles {
public:
    /// Files that are no further apart than this are of one episode.
    static constexpr Duration kEpisode = std::chrono::seconds(10);

    explicit KeptFiles(std::size_t most) : most_(most) {}

    /// One more, written at `now`. Returns the one that has to go for it.
    [[nodiscard]] std::optional<std::string> add(std::string path, Instant now);

private:
    struct File {
        std::string path;
        bool begins;  ///< an episode
    };

    std::size_t most_;
    std::deque<File> files_;
    Instant last_{};
};

/// PREFIX-20260131T235959.123456789Z.pcapng
[[nodiscard]] std::string recorder_file_name(std::string_view prefix,
                                             std::chrono::nanoseconds since_1970);

}  // namespace joinleaf::controlplane
