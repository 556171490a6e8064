// An IGMP report in words, and its frame in hexadecimal by layers. Pure.
#pragma once

#include <igmp/message.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace joinleaf::app {

/// The record's name in RFC 9776 §4.2.12, as in "CHANGE_TO_EXCLUDE_MODE".
[[nodiscard]] std::string_view name(igmp::RecordType type) noexcept;

/// As in "ALLOW_NEW_SOURCES 239.1.1.1 {10.0.0.1}: also from 10.0.0.1".
[[nodiscard]] std::string in_words(const igmp::Record& record);

struct Layer {
    std::string_view name;
    std::string hex;
};
/// Ethernet, IPv4 with its options, and the message; padding is left out.
[[nodiscard]] std::vector<Layer> layers_of(std::span<const std::byte> frame);

[[nodiscard]] std::string hex_of(std::span<const std::byte> bytes);

}  // namespace joinleaf::app
