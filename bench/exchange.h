// What the benchmarks between two processes have in common, whatever carries their datagrams:
// sequence numbers and what is missing of them, round-trip times, and the words on standard output.
#pragma once

#include <fmt/format.h>
#include <signal.h>

#include <joinleaf/clock.h>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace joinleaf::bench {

/// What has arrived of a stream of numbers 0, 1, 2 ..., which may come late but not twice.
struct Arrived {
    std::uint64_t received = 0;
    std::uint64_t expected = 0;
    std::uint64_t late = 0;  ///< came after a higher number
    std::uint64_t bursts = 0;
    Instant first{};
    Instant last{};

    void take(std::uint64_t sequence) noexcept {
        ++received;
        if (sequence < expected) {
            ++late;
        } else {
            expected = sequence + 1;
        }
    }
    /// After the take() of a burst.
    void at(Instant now) noexcept {
        if (first == Instant{}) first = now;
        last = now;
        ++bursts;
    }
    /// Lost before the last one that arrived.
    [[nodiscard]] std::uint64_t missing() const noexcept { return expected - received; }
    [[nodiscard]] double per_second() const noexcept {
        const double seconds = std::chrono::duration<double>(last - first).count();
        return seconds > 0 ? static_cast<double>(received) / seconds : 0;
    }
    /// `more` goes in behind, as in ",\"dropped\":3".
    [[nodiscard]] std::string json(const std::string& more = {}) const {
        return fmt::format(
            "{{\"received\":{},\"missing\":{},\"late\":{},\"mpps\":{:.6f},"
            "\"burst\":{:.1f}{}}}",
            received, missing(), late, per_second() / 1e6,
            static_cast<double>(received) / static_cast<double>(std::max(bursts, std::uint64_t{1})),
            more);
    }
};

[[nodiscard]] inline std::string sent_json(std::uint64_t sent, double seconds) {
    return fmt::format("{{\"sent\":{},\"seconds\":{:.3f},\"mpps\":{:.6f}}}", sent, seconds,
                       static_cast<double>(sent) / seconds / 1e6);
}

/// One datagram under way at a time, the next when it is back or given up. One thread.
class RoundTrips {
public:
    RoundTrips() { samples_.reserve(kMost); }

    /// Given up after this long.
    static constexpr Duration kPatience = std::chrono::milliseconds(100);

    /// Whether the next may leave at `now`.
    [[nodiscard]] bool ready(Instant now) noexcept {
        if (!under_way_) return true;
        if (now - left_ < kPatience) return false;
        ++lost_;
        ++sequence_;
        under_way_ = false;
        return true;
    }
    /// The number that leaves at `now`.
    std::uint64_t leave(Instant now) noexcept {
        left_ = now;
        under_way_ = true;
        return sequence_;
    }
    /// One has come back at `now`; those that were given up count no more.
    void back(std::uint64_t sequence, Instant now) noexcept {
        if (!under_way_ || sequence != sequence_) return;
        under_way_ = false;
        ++sequence_;
        if (sequence_ > kWarmUp && samples_.size() < kMost) samples_.push_back(now - left_);
    }
    [[nodiscard]] std::string json() {
        std::sort(samples_.begin(), samples_.end());
        if (samples_.empty()) {
            return fmt::format("{{\"samples\":0,\"lost\":{}}}", lost_);
        }
        return fmt::format(
            "{{\"samples\":{},\"lost\":{},\"min_ns\":{},\"p50_ns\":{},\"p99_ns\":{},"
            "\"p999_ns\":{},\"max_ns\":{}}}",
            samples_.size(), lost_, samples_.front().count(), quantile(0.5), quantile(0.99),
            quantile(0.999), samples_.back().count());
    }

private:
    static constexpr std::size_t kMost = 8'000'000;
    static constexpr std::uint64_t kWarmUp = 1000;

    [[nodiscard]] std::int64_t quantile(double q) const {
        const auto index = static_cast<std::size_t>(q * static_cast<double>(samples_.size()));
        return samples_[std::min(index, samples_.size() - 1)].count();
    }

    std::vector<Duration> samples_;
    std::uint64_t sequence_ = 0;
    std::uint64_t lost_ = 0;
    Instant left_{};
    bool under_way_ = false;
};

/// Prints a line that whoever started us waits for.
inline void say(const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

/// SIGTERM and SIGINT, which end a receiver. Blocked from construction on, in the threads that are
/// made afterwards as well.
class EndSignals {
public:
    EndSignals() {
        sigemptyset(&set_);
        sigaddset(&set_, SIGTERM);
        sigaddset(&set_, SIGINT);
        if (const int code = pthread_sigmask(SIG_BLOCK, &set_, nullptr); code != 0) {
            throw std::system_error(code, std::generic_category(), "signals");
        }
    }
    /// Whether one of them came within so long.
    [[nodiscard]] bool wait(Duration longest) const {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(longest);
        const timespec limit{.tv_sec = seconds.count(), .tv_nsec = (longest - seconds).count()};
        return sigtimedwait(&set_, nullptr, &limit) > 0;
    }
    void wait() const {
        while (!wait(std::chrono::hours(1))) {
        }
    }

private:
    sigset_t set_{};
};

}  // namespace joinleaf::bench
