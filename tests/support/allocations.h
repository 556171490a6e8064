// How often the program has allocated: allocations.cc replaces operator new to count.
#pragma once

#include <cstddef>

namespace joinleaf::test {

/// Calls of operator new so far, of all threads. Any thread.
[[nodiscard]] std::size_t allocations() noexcept;

}  // namespace joinleaf::test
