// How often the program has allocated: allocations.cc replaces operator new to count.
#pragma once

#include <cstddef>

namespace joinleaf::bench {

/// Calls of operator new so far.
[[nodiscard]] std::size_t allocations() noexcept;

}  // namespace joinleaf::bench
