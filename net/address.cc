// Text forms of the public address types.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <joinleaf/address.h>

#include <charconv>

namespace joinleaf {
namespace {

Parsed<std::uint32_t> parse_number(std::string_view text, std::uint32_t limit) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty() ||
        number > limit) {
        return tl::unexpected(fmt::format("'{}' is not a number from 0 to {}", text, limit));
    }
    return number;
}

}  // namespace

Parsed<Ipv4Address> Ipv4Address::parse(std::string_view text) {
    in_addr raw{};
    if (inet_pton(AF_INET, std::string(text).c_str(), &raw) != 1) {
        return tl::unexpected(
            fmt::format("'{}' is not an IPv4 address; write four numbers as in 10.0.0.1", text));
    }
    return Ipv4Address(ntohl(raw.s_addr));
}

std::string Ipv4Address::to_string() const {
    return fmt::format("{}.{}.{}.{}", value_ >> 24, value_ >> 16 & 0xff, value_ >> 8 & 0xff,
                       value_ & 0xff);
}

Parsed<GroupAddress> GroupAddress::parse(std::string_view text) {
    const auto address = Ipv4Address::parse(text);
    if (!address) return tl::unexpected(address.error());
    if (!address->is_multicast()) {
        return tl::unexpected(fmt::format(
            "{} is not a multicast group; use one from 224.0.0.0 to 239.255.255.255", text));
    }
    return GroupAddress(*address);
}

Parsed<UdpPort> UdpPort::parse(std::string_view text) {
    const auto number = parse_number(text, 65535);
    if (!number || *number == 0) {
        return tl::unexpected(
            fmt::format("'{}' is not a UDP port; use a number from 1 to 65535", text));
    }
    return UdpPort(static_cast<std::uint16_t>(*number));
}

std::string MacAddress::to_string() const { return fmt::format("{:02x}", fmt::join(octets_, ":")); }

Parsed<Ipv4Interface> Ipv4Interface::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return tl::unexpected(fmt::format(
            "'{}' has no prefix length; write address and length as in 10.0.0.1/24", text));
    }
    const auto address = Ipv4Address::parse(text.substr(0, slash));
    if (!address) return tl::unexpected(address.error());
    if (!address->is_unicast()) {
        return tl::unexpected(fmt::format(
            "{} cannot be a port's own address; use a unicast address", address->to_string()));
    }
    const auto length = parse_number(text.substr(slash + 1), 32);
    if (!length) {
        return tl::unexpected(fmt::format("prefix length of '{}': {}", text, length.error()));
    }
    return Ipv4Interface{*address, static_cast<std::uint8_t>(*length)};
}

std::string Ipv4Interface::to_string() const {
    return fmt::format("{}/{}", address.to_string(), prefix_length);
}

Parsed<GroupEndpoint> GroupEndpoint::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return tl::unexpected(
            fmt::format("'{}' has no port; write group and port as in 239.1.1.1:5000", text));
    }
    const auto group = GroupAddress::parse(text.substr(0, colon));
    if (!group) return tl::unexpected(group.error());
    const auto port = UdpPort::parse(text.substr(colon + 1));
    if (!port) return tl::unexpected(port.error());
    return GroupEndpoint{*group, *port};
}

std::string GroupEndpoint::to_string() const {
    return fmt::format("{}:{}", group.to_string(), port.value());
}

Parsed<UdpEndpoint> UdpEndpoint::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return tl::unexpected(
            fmt::format("'{}' has no port; write address and port as in 192.0.2.1:6000", text));
    }
    const auto address = Ipv4Address::parse(text.substr(0, colon));
    if (!address) return tl::unexpected(address.error());
    if (!address->is_unicast() && !address->is_loopback()) {
        return tl::unexpected(
            fmt::format("{} is not the address of one host; use such as "
                        "192.0.2.1",
                        address->to_string()));
    }
    const auto port = UdpPort::parse(text.substr(colon + 1));
    if (!port) return tl::unexpected(port.error());
    return UdpEndpoint{*address, *port};
}

std::string UdpEndpoint::to_string() const {
    return fmt::format("{}:{}", address.to_string(), port.value());
}

}  // namespace joinleaf
