// Admission messages as bytes: Protocol Buffers of admission.proto, each with its length in front.
// Pure; any thread. What comes from the network is checked field by field before it is a value.
#pragma once

#include <controlplane/admission_message.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace joinleaf::controlplane {

inline constexpr std::size_t kMaxAdmissionMessage = 16 * 1024;  ///< octets after the length
inline constexpr std::size_t kFrameHeader = 4;

struct DecodeError {
    enum class Kind : std::uint8_t {
        malformed,     ///< not Protocol Buffers
        unknown_kind,  ///< a message of a kind that this version does not have
        version,       ///< a first message of another version
        out_of_range,  ///< a field is missing or breaks its limit
        too_long,      ///< more than the maximum message size
    };
    Kind kind{};
    std::string_view field;  ///< as in admission.proto, for out_of_range; static storage

    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const DecodeError&, const DecodeError&) = default;
};

/// The message without its length. Errors: what decode() would say of it: a value that cannot be
/// read back is not sent.
[[nodiscard]] tl::expected<std::vector<std::byte>, DecodeError> encode(
    const AdmissionMessage& message);

/// The message with its length in front, as it goes on the wire.
[[nodiscard]] tl::expected<std::vector<std::byte>, DecodeError> encode_frame(
    const AdmissionMessage& message);

/// Reads what encode() writes. Unknown fields are ignored.
[[nodiscard]] tl::expected<AdmissionMessage, DecodeError> decode(std::span<const std::byte> bytes);

}  // namespace joinleaf::controlplane
