// The Internet checksum (RFC 1071), whole and incremental. Pure; any thread.
#pragma once

#include <joinleaf/address.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace joinleaf::net {

/// A running one's complement sum of 16-bit words in memory order. Byte order cancels out
/// (RFC 1071 §2B), so words are added as they lie and the result is stored as it is.
class ChecksumSum {
public:
    constexpr ChecksumSum() = default;
    constexpr explicit ChecksumSum(std::uint64_t sum) : sum_(sum) {}

    /// Adds `bytes`. Only the last span of a message may have an odd length.
    void add(std::span<const std::byte> bytes) noexcept;

    /// Adds a header that has been read, without a loop.
    template <class Wire>
    requires(std::is_trivially_copyable_v<Wire> &&
             sizeof(Wire) % 4 == 0) void add_header(const Wire& wire) noexcept {
        std::array<std::uint32_t, sizeof(Wire) / 4> words;
        std::memcpy(words.data(), &wire, sizeof(Wire));
        for (const std::uint32_t word : words) sum_ += word;
    }
    /// Adds one 16-bit word given in host order.
    constexpr void add_word(std::uint16_t host_order) noexcept {
        sum_ += static_cast<std::uint16_t>(__builtin_bswap16(host_order));
    }
    constexpr void add_address(Ipv4Address address) noexcept {
        sum_ += __builtin_bswap32(address.value());
    }

    [[nodiscard]] constexpr std::uint64_t raw() const noexcept { return sum_; }

    /// The folded sum in memory order, not complemented.
    [[nodiscard]] constexpr std::uint16_t folded() const noexcept {
        std::uint64_t s = (sum_ >> 32) + (sum_ & 0xffffffff);
        s = (s >> 32) + (s & 0xffffffff);
        s = (s >> 16) + (s & 0xffff);
        s = (s >> 16) + (s & 0xffff);
        s = (s >> 16) + (s & 0xffff);
        return static_cast<std::uint16_t>(s);
    }
    /// The checksum to store, in host order.
    [[nodiscard]] constexpr std::uint16_t checksum() const noexcept {
        return __builtin_bswap16(static_cast<std::uint16_t>(~folded()));
    }
    /// Whether a message summed with its checksum field in place is intact.
    [[nodiscard]] constexpr bool is_valid() const noexcept { return folded() == 0xffff; }

private:
    std::uint64_t sum_ = 0;
};

/// The sum of a message that comes in pieces of any length, odd ones included.
class PiecewiseChecksum {
public:
    constexpr PiecewiseChecksum() = default;
    constexpr explicit PiecewiseChecksum(ChecksumSum start) noexcept : sum_(start.raw()) {}

    void add(std::span<const std::byte> piece) noexcept {
        ChecksumSum own;
        own.add(piece);
        // A piece that starts at an odd offset has its octets in the other halves of the words
        // (RFC 1071 §2B).
        const std::uint16_t words = own.folded();
        sum_ += odd_ ? __builtin_bswap16(words) : words;
        odd_ ^= piece.size() % 2 != 0;
    }
    [[nodiscard]] constexpr ChecksumSum sum() const noexcept { return ChecksumSum(sum_); }

private:
    std::uint64_t sum_ = 0;
    bool odd_ = false;
};

/// The checksum of `bytes`, whose checksum field is zero; host order.
[[nodiscard]] inline std::uint16_t checksum(std::span<const std::byte> bytes) noexcept {
    ChecksumSum sum;
    sum.add(bytes);
    return sum.checksum();
}

/// Whether `bytes`, checksum field included, sum to what they should.
[[nodiscard]] inline bool checksum_is_valid(std::span<const std::byte> bytes) noexcept {
    ChecksumSum sum;
    sum.add(bytes);
    return sum.is_valid();
}

}  // namespace joinleaf::net
