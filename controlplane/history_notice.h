// What the root last said of where its history begins, for a thread that must not wait to read.
#pragma once

#include <joinleaf/session.h>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>

namespace joinleaf::controlplane {

/// Written by one thread, read by any; neither waits for the other, locks or enters the kernel.
class HistoryNotice {
public:
    /// The writer's thread.
    void tell(const HistoryBegins& begins) noexcept { write(begins); }
    void forget() noexcept { write({}); }

    /// The latest; none: nothing was told yet, or another is just being written, so that the next
    /// look will find it.
    [[nodiscard]] std::optional<HistoryBegins> read() const noexcept {
        const std::uint64_t before = version_.load(std::memory_order_acquire);
        Words words{};
        for (std::size_t i = 0; i < words.size(); ++i) {
            words[i] = words_[i].load(std::memory_order_acquire);
        }
        // Whoever has read a word that is being written, or newer, finds another version.
        if (before % 2 != 0 || version_.load(std::memory_order_relaxed) != before) {
            return std::nullopt;
        }
        HistoryBegins begins;
        std::memcpy(begins.session.data(), words.data(), begins.session.size());
        begins.sequence = words.back();
        if (begins.sequence == 0) return std::nullopt;
        return begins;
    }

private:
    using Words = std::array<std::uint64_t, 3>;  // the session's ten octets, the sequence

    void write(const HistoryBegins& begins) noexcept {
        Words words{};
        std::memcpy(words.data(), begins.session.data(), begins.session.size());
        words.back() = begins.sequence;
        const std::uint64_t version = version_.load(std::memory_order_relaxed);
        version_.store(version + 1, std::memory_order_relaxed);
        for (std::size_t i = 0; i < words.size(); ++i) {
            words_[i].store(words[i], std::memory_order_release);
        }
        version_.store(version + 2, std::memory_order_release);
    }

    std::atomic<std::uint64_t> version_{0};  // odd while it is written
    std::array<std::atomic<std::uint64_t>, 3> words_{};
};

}  // namespace joinleaf::controlplane
