#include <net/moldudp64.h>

#include <algorithm>

namespace joinleaf::net {
namespace {

constexpr std::array<std::string_view, kMoldErrorCount> kNames{
    "truncated", "bad_session",    "other_session",   "zero_sequence", "sequence_overflow",
    "overrun",   "count_mismatch", "trailing_octets", "zero_count"};

constexpr bool is_printable_character(char c) { return c >= ' ' && c <= '~'; }

// What a header and a request have in common.
tl::expected<MoldWire, MoldError> read_wire(std::span<const std::byte> bytes,
                                            const MoldSession* session) noexcept {
    if (bytes.size() < kMoldHeaderSize) return tl::unexpected(MoldError::truncated);
    const auto wire = load<MoldWire>(bytes.data());
    if (session != nullptr && wire.session != *session) {
        return tl::unexpected(wire.session.is_printable() ? MoldError::other_session
                                                          : MoldError::bad_session);
    }
    if (session == nullptr && !wire.session.is_printable()) {
        return tl::unexpected(MoldError::bad_session);
    }
    if (wire.sequence == 0) return tl::unexpected(MoldError::zero_sequence);
    return wire;
}

}  // namespace

std::string_view name(MoldError error) noexcept {
    const auto index = static_cast<std::size_t>(error);
    return index < kNames.size() ? kNames[index] : std::string_view("unknown");
}

tl::expected<MoldSession, std::errc> MoldSession::from(std::string_view name) noexcept {
    if (name.empty() || name.size() > kSize || !std::ranges::all_of(name, is_printable_character)) {
        return tl::unexpected(std::errc::invalid_argument);
    }
    MoldSession session;
    std::ranges::copy(name, session.characters_.begin());
    return session;
}

tl::expected<MoldSession, std::errc> MoldSession::started_at(std::string_view prefix,
                                                             std::uint64_t milliseconds) noexcept {
    constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    constexpr std::size_t kMaxPrefix = 2;
    if (prefix.size() > kMaxPrefix || !std::ranges::all_of(prefix, is_printable_character)) {
        return tl::unexpected(std::errc::invalid_argument);
    }
    MoldSession session;
    std::ranges::copy(prefix, session.characters_.begin());
    for (std::size_t i = kSize; i > kMaxPrefix; --i) {
        session.characters_[i - 1] = kDigits[milliseconds % kDigits.size()];
        milliseconds /= kDigits.size();
    }
    return session;
}

bool MoldSession::is_printable() const noexcept {
    return std::ranges::all_of(characters_, is_printable_character);
}

tl::expected<MoldPacket, MoldError> parse_mold(std::span<const std::byte> bytes,
                                               const MoldSession* session) noexcept {
    const auto wire = read_wire(bytes, session);
    if (!wire) return tl::unexpected(wire.error());
    const std::uint16_t count = wire->count;
    MoldPacket packet{.session = wire->session, .sequence = wire->sequence};
    if (count == 0 || count == kMoldEndOfSession) {
        if (bytes.size() != kMoldHeaderSize) return tl::unexpected(MoldError::trailing_octets);
        packet.kind = count == 0 ? MoldKind::heartbeat : MoldKind::end_of_session;
        return packet;
    }
    if (packet.sequence > std::numeric_limits<std::uint64_t>::max() - count) {
        return tl::unexpected(MoldError::sequence_overflow);
    }
    const std::byte* at = bytes.data() + kMoldHeaderSize;
    std::size_t left = bytes.size() - kMoldHeaderSize;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (left < kMoldLengthSize) {
            return tl::unexpected(left == 0 ? MoldError::count_mismatch : MoldError::overrun);
        }
        const std::size_t size = kMoldLengthSize + load<BigEndian<std::uint16_t>>(at);
        if (size > left) return tl::unexpected(MoldError::overrun);
        at += size;
        left -= size;
    }
    if (left != 0) return tl::unexpected(MoldError::trailing_octets);
    packet.messages = MoldMessages(bytes.data() + kMoldHeaderSize, count);
    return packet;
}

tl::expected<MoldRequest, MoldError> parse_mold_request(std::span<const std::byte> bytes,
                                                        const MoldSession* session) noexcept {
    const auto wire = read_wire(bytes, session);
    if (!wire) return tl::unexpected(wire.error());
    if (bytes.size() != kMoldHeaderSize) return tl::unexpected(MoldError::trailing_octets);
    const std::uint16_t count = wire->count;
    if (count == 0) return tl::unexpected(MoldError::zero_count);
    if (wire->sequence > std::numeric_limits<std::uint64_t>::max() - count) {
        return tl::unexpected(MoldError::sequence_overflow);
    }
    return MoldRequest{wire->session, wire->sequence, count};
}

}  // namespace joinleaf::net
