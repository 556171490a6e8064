// Numbers for a person to read. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace joinleaf::app {

/// As in 1,234,567.
[[nodiscard]] std::string grouped(std::uint64_t number);
/// Three digits and a unit prefix, as in "1.23 M" or "950 ".
[[nodiscard]] std::string scaled(double number);
/// As in "1.23 Mpps".
[[nodiscard]] std::string packet_rate(double packets_per_second);
/// As in "14.5 Gbit/s".
[[nodiscard]] std::string bit_rate(double bits_per_second);
/// To three decimals, as JSON lines have it.
[[nodiscard]] double rounded(double number) noexcept;

/// `amount` over `seconds`; 0 when no time has passed.
[[nodiscard]] double per_second(std::uint64_t amount, double seconds) noexcept;

}  // namespace joinleaf::app
