// Messages of one packet of a MoldUDP64 feed, in place: each is its length in two octets, most
// significant first, and its octets, back to back.
#pragma once

#include <joinleaf/api.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace JOINLEAF_API joinleaf {

/// A range of std::span<const std::byte>, oldest message first; it owns nothing. Only over octets
/// that a parser has checked or a packer has written.
class FeedMessages {
public:
    class Iterator {
    public:
        using value_type = std::span<const std::byte>;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using pointer = const value_type*;
        using reference = value_type;

        constexpr Iterator() = default;
        constexpr Iterator(const std::byte* at, std::uint32_t left) noexcept
            : at_(at), left_(left) {}

        [[nodiscard]] std::span<const std::byte> operator*() const noexcept {
            return {at_ + kLengthSize, length()};
        }
        Iterator& operator++() noexcept {
            at_ += kLengthSize + length();
            --left_;
            return *this;
        }
        Iterator operator++(int) noexcept {
            const Iterator before = *this;
            ++*this;
            return before;
        }
        /// Iterators over the same messages are equal where as many are left.
        friend constexpr bool operator==(const Iterator& a, const Iterator& b) noexcept {
            return a.left_ == b.left_;
        }
        /// Where its length stands.
        [[nodiscard]] constexpr const std::byte* position() const noexcept { return at_; }

    private:
        [[nodiscard]] std::size_t length() const noexcept {
            return std::to_integer<std::size_t>(at_[0]) << 8 | std::to_integer<std::size_t>(at_[1]);
        }
        const std::byte* at_ = nullptr;
        std::uint32_t left_ = 0;
    };

    constexpr FeedMessages() = default;
    constexpr FeedMessages(const std::byte* first, std::uint32_t count) noexcept
        : first_(first), count_(count) {}

    [[nodiscard]] constexpr Iterator begin() const noexcept { return {first_, count_}; }
    [[nodiscard]] constexpr Iterator end() const noexcept { return {nullptr, 0}; }
    [[nodiscard]] constexpr std::uint32_t size() const noexcept { return count_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return count_ == 0; }
    /// Without the first `n`, at most size().
    [[nodiscard]] FeedMessages without_first(std::uint32_t n) const noexcept {
        Iterator at = begin();
        for (std::uint32_t i = 0; i < n; ++i) ++at;
        return {at.position(), count_ - n};
    }
    [[nodiscard]] constexpr FeedMessages first(std::uint32_t n) const noexcept {
        return {first_, n};
    }

private:
    static constexpr std::size_t kLengthSize = 2;

    const std::byte* first_ = nullptr;
    std::uint32_t count_ = 0;
};

}  // namespace joinleaf
