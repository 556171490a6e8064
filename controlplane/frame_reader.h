// Frames of an admission connection, each with its length in front, out of a stream of bytes. Pure.
#pragma once

#include <controlplane/admission_codec.h>

#include <cstddef>
#include <optional>
#include <span>
#include <tl/expected.hpp>
#include <vector>

namespace joinleaf::controlplane {

/// Puts frames together from bytes that arrive in any pieces. Holds at most one frame.
class FrameReader {
public:
    explicit FrameReader(std::size_t max_message = kMaxAdmissionMessage)
        : max_message_(max_message) {}

    /// Takes bytes from the front of `bytes` until a frame is whole, and returns it without its
    /// length; or nothing when `bytes` has been used up. The frame is valid until the next call
    /// and as long as `bytes` is. After an error (too_long) the stream cannot be read on.
    [[nodiscard]] tl::expected<std::optional<std::span<const std::byte>>, DecodeError> next(
        std::span<const std::byte>& bytes);

    /// Octets of an unfinished frame that it holds.
    [[nodiscard]] std::size_t pending() const { return whole_ ? 0 : partial_.size(); }

private:
    std::size_t max_message_;
    std::vector<std::byte> partial_;
    bool whole_ = false;  ///< partial_ has been handed out
};

}  // namespace joinleaf::controlplane
