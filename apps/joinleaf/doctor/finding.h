// One thing that the doctor says. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace joinleaf::app::doctor {

enum class Level : std::uint8_t {
    ok,
    skip,  ///< not looked at; why, and how it would be
    warn,  ///< it works, but less well
    fail,  ///< it will not work
};
[[nodiscard]] std::string_view name(Level level) noexcept;

struct Finding {
    Level level = Level::ok;
    std::string topic;  ///< as in hugepages
    std::string text;   ///< what was seen
    std::string cure;   ///< a command; where none helps, what to do; empty: nothing is amiss
};
using Findings = std::vector<Finding>;

[[nodiscard]] inline Finding ok(std::string topic, std::string text) {
    return {Level::ok, std::move(topic), std::move(text), {}};
}
[[nodiscard]] inline Finding skip(std::string topic, std::string text, std::string cure) {
    return {Level::skip, std::move(topic), std::move(text), std::move(cure)};
}
[[nodiscard]] inline Finding warn(std::string topic, std::string text, std::string cure) {
    return {Level::warn, std::move(topic), std::move(text), std::move(cure)};
}
[[nodiscard]] inline Finding fail(std::string topic, std::string text, std::string cure) {
    return {Level::fail, std::move(topic), std::move(text), std::move(cure)};
}

/// Whether one of them is a failure.
[[nodiscard]] bool has_failure(const Findings& findings) noexcept;

}  // namespace joinleaf::app::doctor
