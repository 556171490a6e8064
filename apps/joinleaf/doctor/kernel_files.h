// What the kernel's small files in /proc and /sys say. What is not there is as if it said nothing.
#pragma once

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace joinleaf::app::doctor {

[[nodiscard]] std::string read(const std::filesystem::path& path);
[[nodiscard]] std::string first_word(const std::filesystem::path& path);

/// All of `text`, as a number.
template <class Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// The number that stands alone in a file.
[[nodiscard]] std::optional<std::uint64_t> number_in(const std::filesystem::path& path);
/// The same, written as in 0x1003.
[[nodiscard]] std::optional<unsigned> hexadecimal_in(const std::filesystem::path& path);
/// The number behind `prefix` in a name, as in node0; `suffix` follows it.
[[nodiscard]] std::optional<std::uint64_t> number_behind(std::string_view name,
                                                         std::string_view prefix,
                                                         std::string_view suffix = "");

/// What a folder holds, sorted.
[[nodiscard]] std::vector<std::filesystem::path> entries(const std::filesystem::path& folder);
/// The last name of what a link points to.
[[nodiscard]] std::optional<std::string> target_name(const std::filesystem::path& link);

}  // namespace joinleaf::app::doctor
