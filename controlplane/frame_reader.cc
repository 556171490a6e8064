#include <controlplane/frame_reader.h>
#include <net/big_endian.h>

#include <algorithm>
#include <cstdint>

namespace joinleaf::controlplane {

tl::expected<std::optional<std::span<const std::byte>>, DecodeError> FrameReader::next(
    std::span<const std::byte>& bytes) {
    if (whole_) {
        partial_ = {};  // rarely needed, and there are thousands of readers
        whole_ = false;
    }
    const auto take = [&](std::size_t wanted) {
        if (partial_.size() >= wanted) return;
        const auto some = bytes.first(std::min(wanted - partial_.size(), bytes.size()));
        partial_.insert(partial_.end(), some.begin(), some.end());
        bytes = bytes.subspan(some.size());
    };
    const auto length_at = [](const std::byte* header) -> std::size_t {
        return net::load<net::BigEndian<std::uint32_t>>(header);
    };
    const auto too_long = tl::unexpected(DecodeError{DecodeError::Kind::too_long, {}});

    if (partial_.empty() && bytes.size() >= kFrameHeader) {
        const std::size_t length = length_at(bytes.data());
        if (length > max_message_) return too_long;
        if (bytes.size() - kFrameHeader >= length) {  // whole as it stands: nothing to copy
            const auto frame = bytes.subspan(kFrameHeader, length);
            bytes = bytes.subspan(kFrameHeader + length);
            return frame;
        }
    }
    take(kFrameHeader);
    if (partial_.size() < kFrameHeader) return std::nullopt;
    const std::size_t length = length_at(partial_.data());
    if (length > max_message_) return too_long;
    take(kFrameHeader + length);
    if (partial_.size() < kFrameHeader + length) return std::nullopt;
    whole_ = true;
    return std::span<const std::byte>(partial_).subspan(kFrameHeader);
}

}  // namespace joinleaf::controlplane
