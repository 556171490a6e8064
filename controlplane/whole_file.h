// A file that a person has written, read whole: a configuration, a policy, keys.
#pragma once

#include <joinleaf/error.h>
#include <cstddef>
#include <string>

namespace joinleaf::controlplane {

/// What is larger is no such file, and may have no end.
inline constexpr std::size_t kLargestWholeFile = std::size_t{16} << 20U;

/// Any thread. Errors: the system's, is_a_directory and file_too_large among them.
[[nodiscard]] Result<std::string> read_whole(const std::string& path);

/// What to say of such an error behind the name of the file: with the cure.
[[nodiscard]] std::string why_not_read(const std::error_code& why);

}  // namespace joinleaf::controlplane
