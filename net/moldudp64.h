// MoldUDP64 1.00, Nasdaq's sequenced multicast protocol: downstream packets and requests, read
// strictly and written. Pure.
#pragma once

#include <joinleaf/feed_messages.h>
#include <net/big_endian.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <tl/expected.hpp>

namespace joinleaf::net {

/// The name of a sequence of messages: ten printable ASCII characters, padded with blanks. A
/// publisher that begins to count anew takes a new one.
class MoldSession {
public:
    static constexpr std::size_t kSize = 10;

    /// Ten blanks.
    constexpr MoldSession() noexcept { characters_.fill(' '); }

    /// One to ten printable ASCII characters; blanks are added at the end. Error:
    /// invalid_argument.
    [[nodiscard]] static tl::expected<MoldSession, std::errc> from(std::string_view name) noexcept;
    /// The name for a publisher that starts at `milliseconds` since 1970, behind a prefix of at
    /// most two characters: starts a millisecond or more apart have different names until the year
    /// 2059. Error: invalid_argument.
    [[nodiscard]] static tl::expected<MoldSession, std::errc> started_at(
        std::string_view prefix, std::uint64_t milliseconds) noexcept;

    /// Without the padding.
    [[nodiscard]] constexpr std::string_view name() const noexcept {
        const std::string_view all(characters_.data(), kSize);
        const auto last = all.find_last_not_of(' ');
        return last == std::string_view::npos ? std::string_view() : all.substr(0, last + 1);
    }
    /// Whether all characters are such as a name may have.
    [[nodiscard]] bool is_printable() const noexcept;

    friend constexpr bool operator==(const MoldSession&, const MoldSession&) noexcept = default;

private:
    std::array<char, kSize> characters_;
};
static_assert(sizeof(MoldSession) == 10 && alignof(MoldSession) == 1);

/// The 20 octets of every header and every request as they lie on the wire.
struct MoldWire {
    MoldSession session;
    BigEndian<std::uint64_t> sequence;
    BigEndian<std::uint16_t> count;
};
static_assert(sizeof(MoldWire) == 20 && alignof(MoldWire) == 1);

inline constexpr std::size_t kMoldHeaderSize = sizeof(MoldWire);
inline constexpr std::size_t kMoldLengthSize = sizeof(BigEndian<std::uint16_t>);
inline constexpr std::uint16_t kMoldEndOfSession = 0xffff;
inline constexpr std::uint16_t kMoldMaxCount = 0xfffe;
inline constexpr std::size_t kMoldMaxMessage = std::numeric_limits<std::uint16_t>::max();

using MoldMessages = FeedMessages;

enum class MoldKind : std::uint8_t {
    data,
    heartbeat,       ///< no messages; the sequence is that of the next
    end_of_session,  ///< likewise, and there will be none
};

/// A downstream packet, its messages in place.
struct MoldPacket {
    MoldSession session;
    MoldKind kind = MoldKind::data;
    std::uint64_t sequence = 0;  ///< of the first message, or the next
    MoldMessages messages;

    /// The sequence after the last message.
    [[nodiscard]] constexpr std::uint64_t end() const noexcept {
        return sequence + messages.size();
    }
};

/// Why a packet is dropped whole.
enum class MoldError : std::uint8_t {
    truncated,          ///< fewer octets than the header
    bad_session,        ///< a session that is not printable ASCII
    other_session,      ///< another session than the one that was asked for
    zero_sequence,      ///< sequences start at 1
    sequence_overflow,  ///< sequence and count together are beyond 64 bits
    overrun,            ///< a message's length runs past the end
    count_mismatch,     ///< fewer messages than the count says
    trailing_octets,    ///< octets after the last message; a request of more than 20
    zero_count,         ///< a request for no message

    kCount,  ///< not a reason: how many there are
};
inline constexpr std::size_t kMoldErrorCount = static_cast<std::size_t>(MoldError::kCount);

/// In snake_case, as in statistics and JSON.
[[nodiscard]] std::string_view name(MoldError error) noexcept;

/// Reads a downstream packet's header and counts its messages without looking at them: they may not
/// be read before check_mold() has found no error. `bytes` is the whole packet.
[[nodiscard]] tl::expected<MoldPacket, MoldError> parse_mold_header(
    std::span<const std::byte> bytes, const MoldSession* session = nullptr) noexcept;
/// Nothing where `bytes`, whose header is `packet`, hold its messages and no octet more.
[[nodiscard]] std::optional<MoldError> check_mold(std::span<const std::byte> bytes,
                                                  const MoldPacket& packet) noexcept;
/// Reads a downstream packet: all of `bytes`, to the last octet. With `session` none but that one.
[[nodiscard]] tl::expected<MoldPacket, MoldError> parse_mold(
    std::span<const std::byte> bytes, const MoldSession* session = nullptr) noexcept;

/// A request for messages, by unicast to a request server, which answers with one downstream
/// packet.
struct MoldRequest {
    MoldSession session;
    std::uint64_t sequence = 0;
    std::uint16_t count = 0;

    friend bool operator==(const MoldRequest&, const MoldRequest&) = default;
};

[[nodiscard]] tl::expected<MoldRequest, MoldError> parse_mold_request(
    std::span<const std::byte> bytes, const MoldSession* session = nullptr) noexcept;

/// Writes a header, or a request. `out` holds at least kMoldHeaderSize. Returns the octets written.
inline std::size_t emit_mold_header(const MoldSession& session, std::uint64_t sequence,
                                    std::uint16_t count, std::byte* out) noexcept {
    store(out, MoldWire{session, sequence, count});
    return kMoldHeaderSize;
}
inline std::size_t emit_mold_request(const MoldRequest& request, std::byte* out) noexcept {
    return emit_mold_header(request.session, request.sequence, request.count, out);
}

/// Writes a message's length; its octets follow at kMoldLengthSize.
inline void emit_mold_length(std::size_t length, std::byte* out) noexcept {
    store(out, BigEndian<std::uint16_t>(static_cast<std::uint16_t>(length)));
}

}  // namespace joinleaf::net
