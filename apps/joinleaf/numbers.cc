// Numbers for a person to read.
#include <apps/joinleaf/numbers.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

namespace joinleaf::app {

std::string grouped(std::uint64_t number) {
    std::string digits = fmt::format("{}", number);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, 1, ',');
    }
    return digits;
}

std::string scaled(double number) {
    constexpr std::array kPrefixes{"", "k", "M", "G", "T"};
    std::size_t prefix = 0;
    while (number >= 999.5 && prefix + 1 < kPrefixes.size()) {
        number /= 1000;
        ++prefix;
    }
    const int decimals = prefix == 0 ? 0 : number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
    return fmt::format("{:.{}f} {}", number, decimals, kPrefixes[prefix]);
}

std::string packet_rate(double packets_per_second) { return scaled(packets_per_second) + "pps"; }

std::string bit_rate(double bits_per_second) { return scaled(bits_per_second) + "bit/s"; }

double rounded(double number) noexcept { return std::round(number * 1000) / 1000; }

double per_second(std::uint64_t amount, double seconds) noexcept {
    return seconds > 0 ? static_cast<double>(amount) / seconds : 0;
}

}  // namespace joinleaf::app
