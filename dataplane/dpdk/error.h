// Turns a failed rte_* call into std::system_error.
#pragma once

#include <string>
#include <system_error>

namespace joinleaf::dataplane::dpdk {

/// `code` is an errno value or the negative errno that rte_* functions return.
[[noreturn]] inline void fail(int code, const std::string& what) {
    throw std::system_error(code < 0 ? -code : code, std::generic_category(), what);
}

}  // namespace joinleaf::dataplane::dpdk
