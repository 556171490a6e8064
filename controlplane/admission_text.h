// What people read of what the other side of an admission connection says. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace joinleaf::controlplane {

inline constexpr std::size_t kMaxAdmissionText = 256;

/// Whether `text` is UTF-8 of at most kMaxAdmissionText octets without control characters, line
/// separators and marks that change the direction of writing.
[[nodiscard]] bool is_admission_text(std::string_view text);

}  // namespace joinleaf::controlplane
