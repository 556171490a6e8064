// A failure that ends the program: one line for a person, exit code 1.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <system_error>

namespace joinleaf::app {

/// what() names the thing, what is wrong with it and, where there is one, the cure.
class Failure : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A failed system call on `thing`, as in "cannot read file.bin: No such file or directory".
[[nodiscard]] inline Failure system_failure(std::string_view doing, std::string_view thing,
                                            int code, std::string_view cure = {}) {
    return Failure(fmt::format("cannot {} {}: {}{}{}", doing, thing,
                               std::generic_category().message(code), cure.empty() ? "" : "; ",
                               cure));
}

}  // namespace joinleaf::app
