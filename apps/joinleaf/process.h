// What the kernel says of this process.
#pragma once

#include <string_view>

namespace joinleaf::app {

/// Resident memory in megabytes; 0 where /proc is missing.
[[nodiscard]] double resident_megabytes();
/// VmRSS out of the text of /proc/self/status. Pure.
[[nodiscard]] double resident_megabytes(std::string_view status);

}  // namespace joinleaf::app
