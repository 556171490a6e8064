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

/// What to say of `error`. A system_error ends with what its code means; where its own words
/// already name the cure, that is left out.
[[nodiscard]] inline std::string in_one_line(const std::exception& error) {
    std::string said = error.what();
    const auto* system = dynamic_cast<const std::system_error*>(&error);
    if (system == nullptr || said.find("; ") == std::string::npos) return said;
    const std::string meaning = ": " + system->code().message();
    if (said.ends_with(meaning)) said.resize(said.size() - meaning.size());
    return said;
}

}  // namespace joinleaf::app
