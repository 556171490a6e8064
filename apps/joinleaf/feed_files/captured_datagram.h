// The UDP datagram in a captured frame. Pure.
#pragma once

#include <apps/joinleaf/feed_files/capture.h>
#include <joinleaf/address.h>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>

namespace joinleaf::app {

/// Where a datagram goes: one line of a feed.
struct Flow {
    Ipv4Address address;
    std::uint16_t port = 0;

    [[nodiscard]] std::string to_string() const;
    friend auto operator<=>(const Flow&, const Flow&) = default;
};

struct CapturedDatagram {
    Flow to;
    std::span<const std::byte> payload;
};

/// Why a frame has no datagram for us.
enum class NoDatagram : std::uint8_t {
    other,         ///< not UDP by IPv4
    fragment,      ///< a part of one
    cut_short,     ///< the capture has not kept all of it
    unknown_link,  ///< a frame of a kind that is not read

    kCount,  ///< not a reason: how many there are
};
inline constexpr std::size_t kNoDatagramCount = static_cast<std::size_t>(NoDatagram::kCount);

/// Checksums are not looked at: what a host captures of its own has none yet.
[[nodiscard]] std::variant<CapturedDatagram, NoDatagram> datagram_in(
    const CapturedFrame& frame) noexcept;

}  // namespace joinleaf::app
