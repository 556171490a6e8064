// Integers as they stand on the wire: big-endian, unaligned, read and written by value.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>

namespace joinleaf::net {

/// Storage of exactly sizeof(T) octets in network order, alignment 1. Wire structs are built of
/// these, so that they can be copied from and to packet bytes with memcpy and never by a cast.
template <std::unsigned_integral T>
class BigEndian {
public:
    constexpr BigEndian() = default;
    constexpr BigEndian(T value) : octets_(encode(value)) {}  // NOLINT(google-explicit-constructor)
    constexpr operator T() const {                            // NOLINT(google-explicit-constructor)
        return swap(std::bit_cast<T>(octets_));
    }

private:
    static constexpr T swap(T value) {
        if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) {
            return value;
        } else if constexpr (sizeof(T) == 2) {
            return __builtin_bswap16(value);
        } else if constexpr (sizeof(T) == 4) {
            return __builtin_bswap32(value);
        } else {
            static_assert(sizeof(T) == 8);
            return __builtin_bswap64(value);
        }
    }
    static constexpr std::array<std::byte, sizeof(T)> encode(T value) {
        return std::bit_cast<std::array<std::byte, sizeof(T)>>(swap(value));
    }
    std::array<std::byte, sizeof(T)> octets_{};
};

/// Copies a wire struct out of packet bytes. The caller has checked that sizeof(T) octets are
/// there.
template <class T>
requires std::is_trivially_copyable_v<T>
[[nodiscard]] inline T load(const std::byte* from) noexcept {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
}

/// Copies a wire struct into packet bytes. The caller has checked that sizeof(T) octets fit.
template <class T>
requires std::is_trivially_copyable_v<T>
inline void store(std::byte* to, const T& value) noexcept { std::memcpy(to, &value, sizeof(T)); }

}  // namespace joinleaf::net
