// What the kernel says of memory, in its own text: /proc/meminfo, /proc/self/status and the like.
// Pure.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace joinleaf::dataplane {

/// Octets that `text` says of `name`, which has its colon, as in "VmRSS:   N kB"; none: it does not
/// say.
[[nodiscard]] inline std::optional<std::uint64_t> octets_said(std::string_view text,
                                                              std::string_view name) {
    const auto at = text.find(name);
    if (at == std::string_view::npos) return std::nullopt;
    text.remove_prefix(at + name.size());
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return std::nullopt;
    std::uint64_t kilobytes = 0;
    const auto [end, error] =
        std::from_chars(text.data() + first, text.data() + text.size(), kilobytes);
    if (error != std::errc{}) return std::nullopt;
    return kilobytes * 1024;
}

}  // namespace joinleaf::dataplane
