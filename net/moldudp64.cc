#include <net/moldudp64.h>

#include <algorithm>
#include <cstring>

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

// Eight characters at a time, since each packet asks.
bool MoldSession::is_printable() const noexcept {
    constexpr auto kEach = [](std::uint64_t octet) { return octet * 0x0101010101010101; };
    const auto all_printable = [&](std::size_t at) {
        std::uint64_t eight;
        std::memcpy(&eight, &characters_[at], sizeof(eight));
        // Below 128 nothing is carried from one to the next.
        const std::uint64_t not_ascii = eight;
        const std::uint64_t from_blank_on = eight + kEach(0x80 - ' ');
        const std::uint64_t after_tilde = eight + kEach(0x7f - '~');
        return ((not_ascii | ~from_blank_on | after_tilde) & kEach(0x80)) == 0;
    };
    return all_printable(0) && all_printable(kSize - sizeof(std::uint64_t));
}

tl::expected<MoldPacket, MoldError> parse_mold_header(std::span<const std::byte> bytes,
                                                      const MoldSession* session) noexcept {
    const auto wire = read_wire(bytes, session);
    if (!wire) return tl::unexpected(wire.error());
    const std::uint16_t count = wire->count;
    MoldPacket packet{.session = wire->session, .sequence = wire->sequence};
    if (count == 0 || count == kMoldEndOfSession) {
        packet.kind = count == 0 ? MoldKind::heartbeat : MoldKind::end_of_session;
        return packet;
    }
    if (packet.sequence > std::numeric_limits<std::uint64_t>::max() - count) {
        return tl::unexpected(MoldError::sequence_overflow);
    }
    packet.messages = MoldMessages(bytes.data() + kMoldHeaderSize, count);
    return packet;
}

std::optional<MoldError> check_mold(std::span<const std::byte> bytes,
                                    const MoldPacket& packet) noexcept {
    const std::byte* at = bytes.data() + kMoldHeaderSize;
    std::size_t left = bytes.size() - kMoldHeaderSize;
    std::uint32_t i = 0;
    // As long as all are as long as the first, where the next length stands is known before this
    // one is read: loads need not wait for each other.
    if (left >= kMoldLengthSize) {
        const auto first = load<BigEndian<std::uint16_t>>(at);
        const std::size_t size = kMoldLengthSize + first;
        while (i < packet.messages.size() && left >= size &&
               load<BigEndian<std::uint16_t>>(at) == first) {
            at += size;
            left -= size;
            ++i;
        }
    }
    for (; i < packet.messages.size(); ++i) {
        if (left < kMoldLengthSize) {
            return left == 0 ? MoldError::count_mismatch : MoldError::overrun;
        }
        const std::size_t size = kMoldLengthSize + load<BigEndian<std::uint16_t>>(at);
        if (size > left) return MoldError::overrun;
        at += size;
        left -= size;
    }
    if (left != 0) return MoldError::trailing_octets;
    return std::nullopt;
}

tl::expected<MoldPacket, MoldError> parse_mold(std::span<const std::byte> bytes,
                                               const MoldSession* session) noexcept {
    auto packet = parse_mold_header(bytes, session);
    if (!packet) return packet;
    if (const auto error = check_mold(bytes, *packet)) return tl::unexpected(*error);
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
