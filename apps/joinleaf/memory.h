// Memory that is asked for in large pieces by what an operator has typed.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace joinleaf::app {

/// Octets that can still be had on this host without ending anybody, as the kernel estimates
/// ("MemAvailable" of `meminfo`, the text of /proc/meminfo); none: it does not say.
[[nodiscard]] std::optional<std::uint64_t> available_memory(std::string_view meminfo);

/// The kernel grants more than there is, and ends a process when it is used: this one. Errors:
/// throws Failure, which names `option`.
void must_be_available(std::uint64_t octets, std::string_view option);

}  // namespace joinleaf::app
