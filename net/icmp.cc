#include <net/checksum.h>
#include <net/icmp.h>

#include <algorithm>

namespace joinleaf::net {

tl::expected<IcmpEcho, IcmpError> parse_icmp_echo(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < kIcmpEchoHeaderSize) return tl::unexpected(IcmpError::truncated);
    if (!checksum_is_valid(bytes)) return tl::unexpected(IcmpError::bad_checksum);
    const auto wire = load<IcmpEchoWire>(bytes.data());
    const auto type = static_cast<IcmpEchoType>(wire.type);
    if ((type != IcmpEchoType::request && type != IcmpEchoType::reply) || wire.code != 0) {
        return tl::unexpected(IcmpError::not_echo);
    }
    return IcmpEcho{type, wire.id, wire.sequence, bytes.subspan(kIcmpEchoHeaderSize)};
}

std::size_t emit_icmp_echo(const IcmpEcho& echo, std::span<std::byte> out) noexcept {
    IcmpEchoWire wire{static_cast<std::uint8_t>(echo.type), 0, 0, echo.id, echo.sequence};
    store(out.data(), wire);
    std::copy(echo.data.begin(), echo.data.end(), out.begin() + kIcmpEchoHeaderSize);
    const std::size_t size = kIcmpEchoHeaderSize + echo.data.size();
    wire.checksum = checksum(out.first(size));
    store(out.data(), wire);
    return size;
}

}  // namespace joinleaf::net
