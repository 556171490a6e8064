// A value that one thread writes now and then, and others read whole: a sequence lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace joinleaf::dataplane {

/// The writer never waits; a reader tries again when it was overtaken.
template <class T>
requires std::is_trivially_copyable_v<T>
class Published {
public:
    Published() { publish(T{}); }

    /// One thread.
    void publish(const T& value) noexcept {
        const std::uint64_t turn = turn_.load(std::memory_order_relaxed);
        turn_.store(turn + 1, std::memory_order_relaxed);
        const auto* const from = reinterpret_cast<const unsigned char*>(&value);
        for (std::size_t i = 0; i < kWords; ++i) {
            Word word = 0;
            std::memcpy(&word, from + i * sizeof(Word), length_of(i));
            // Release, so that whoever sees the word sees that a turn has begun. No fence:
            // ThreadSanitizer does not know them, and on x86 neither costs anything.
            words_[i].store(word, std::memory_order_release);
        }
        turn_.store(turn + 2, std::memory_order_release);
    }

    /// Any thread.
    [[nodiscard]] T read() const noexcept {
        T value;
        auto* const to = reinterpret_cast<unsigned char*>(&value);
        for (;;) {
            const std::uint64_t turn = turn_.load(std::memory_order_acquire);
            for (std::size_t i = 0; i < kWords; ++i) {
                const Word word = words_[i].load(std::memory_order_acquire);
                std::memcpy(to + i * sizeof(Word), &word, length_of(i));
            }
            if (turn % 2 == 0 && turn_.load(std::memory_order_relaxed) == turn) return value;
        }
    }

private:
    using Word = std::uint64_t;
    static constexpr std::size_t kWords = (sizeof(T) + sizeof(Word) - 1) / sizeof(Word);
    static constexpr std::size_t length_of(std::size_t word) noexcept {
        return word + 1 < kWords ? sizeof(Word) : sizeof(T) - word * sizeof(Word);
    }

    std::atomic<std::uint64_t> turn_ = 0;  // odd: being written
    std::array<std::atomic<Word>, kWords> words_{};
};

}  // namespace joinleaf::dataplane
