// Lines as typed behind `joinleaf`, and what becomes of them.
#pragma once

#include <apps/joinleaf/options.h>
#include <gtest/gtest.h>

#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <variant>

namespace joinleaf::app {

inline Invocation typed(const std::string& line) {
    std::istringstream words(line);
    return parse_command_line({std::istream_iterator<std::string>(words), {}});
}

template <class Options>
Options accepted(const std::string& line) {
    auto invocation = typed(line);
    if (const auto* message = std::get_if<Message>(&invocation)) {
        throw std::runtime_error(line + " was refused: " + message->text);
    }
    return std::get<Options>(invocation);
}

/// The line that answers wrong use.
inline std::string refused(const std::string& line) {
    const auto invocation = typed(line);
    const auto* message = std::get_if<Message>(&invocation);
    if (message == nullptr) return "accepted";
    EXPECT_EQ(message->exit_code, kExitWrongUse);
    EXPECT_EQ(message->text.find('\n'), std::string::npos) << message->text;
    return message->text;
}

inline const std::string kRoot =
    "root --port null --address 10.0.0.1/24 --group 239.1.1.1:5000 --input - ";
inline const std::string kLeaf = "leaf --port null --address 10.0.0.2/24 --output null ";
inline const std::string kAnyLeaf = kLeaf + "--join 239.1.1.1:5000 ";

}  // namespace joinleaf::app
