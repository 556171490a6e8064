// Addresses as values: Ipv4Address, GroupAddress (only multicast), UdpPort, MacAddress, and the
// pairs a user writes on a command line. Pure values; any thread.
#pragma once

#include <joinleaf/api.h>
#include <joinleaf/error.h>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace JOINLEAF_API joinleaf {

/// An IPv4 address. `value()` is in host order: 10.0.0.1 is 0x0a000001.
class Ipv4Address {
public:
    constexpr Ipv4Address() = default;
    constexpr explicit Ipv4Address(std::uint32_t host_order) : value_(host_order) {}
    constexpr Ipv4Address(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d)
        : value_(std::uint32_t{a} << 24 | std::uint32_t{b} << 16 | std::uint32_t{c} << 8 | d) {}

    [[nodiscard]] static Parsed<Ipv4Address> parse(std::string_view text);

    [[nodiscard]] constexpr std::uint32_t value() const { return value_; }
    [[nodiscard]] constexpr bool is_unspecified() const { return value_ == 0; }
    [[nodiscard]] constexpr bool is_multicast() const { return value_ >> 28 == 0xe; }
    [[nodiscard]] constexpr bool is_loopback() const { return value_ >> 24 == 127; }
    [[nodiscard]] constexpr bool is_limited_broadcast() const { return value_ == 0xffffffff; }
    /// An address that one host may own and send from: not 0/8, not 127/8, not 224/4 nor 240/4.
    [[nodiscard]] constexpr bool is_unicast() const {
        return value_ >> 24 != 0 && !is_loopback() && value_ >> 28 < 0xe;
    }
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(Ipv4Address, Ipv4Address) = default;

private:
    std::uint32_t value_ = 0;
};

/// An IPv4 multicast group, 224.0.0.0/4. Cannot hold anything else.
class GroupAddress {
public:
    [[nodiscard]] static Parsed<GroupAddress> parse(std::string_view text);
    /// Error: invalid_argument when `address` is not in 224.0.0.0/4.
    [[nodiscard]] static Result<GroupAddress> from(Ipv4Address address) {
        if (!address.is_multicast()) return failure(std::errc::invalid_argument);
        return GroupAddress(address);
    }
    /// For constants in code: the four octets of a group that is known to be one.
    static consteval GroupAddress of(std::uint8_t a, std::uint8_t b, std::uint8_t c,
                                     std::uint8_t d) {
        if (a >> 4 != 0xe) throw "not a multicast address";
        return GroupAddress(Ipv4Address(a, b, c, d));
    }

    [[nodiscard]] constexpr Ipv4Address address() const { return address_; }
    [[nodiscard]] constexpr std::uint32_t value() const { return address_.value(); }
    /// 232.0.0.0/8, the default source-specific range (RFC 4607 §1).
    [[nodiscard]] constexpr bool is_source_specific() const { return value() >> 24 == 232; }
    [[nodiscard]] std::string to_string() const { return address_.to_string(); }

    friend constexpr auto operator<=>(GroupAddress, GroupAddress) = default;

private:
    constexpr explicit GroupAddress(Ipv4Address address) : address_(address) {}
    Ipv4Address address_;
};

/// A UDP port, 1 to 65535.
class UdpPort {
public:
    [[nodiscard]] static Parsed<UdpPort> parse(std::string_view text);
    [[nodiscard]] static Result<UdpPort> from(std::uint32_t number) {
        if (number == 0 || number > 65535) return failure(std::errc::invalid_argument);
        return UdpPort(static_cast<std::uint16_t>(number));
    }
    static consteval UdpPort of(std::uint16_t number) {
        if (number == 0) throw "port 0 is not a port";
        return UdpPort(number);
    }
    [[nodiscard]] constexpr std::uint16_t value() const { return value_; }
    friend constexpr auto operator<=>(UdpPort, UdpPort) = default;

private:
    constexpr explicit UdpPort(std::uint16_t number) : value_(number) {}
    std::uint16_t value_;
};

/// A 48-bit Ethernet address, octets in wire order.
class MacAddress {
public:
    constexpr MacAddress() = default;
    constexpr explicit MacAddress(const std::array<std::uint8_t, 6>& octets) : octets_(octets) {}

    /// 01:00:5e and the low 23 bits of the group (RFC 1112 §6.4); 32 groups share each.
    [[nodiscard]] static constexpr MacAddress of_group(GroupAddress group) {
        const std::uint32_t g = group.value();
        return MacAddress({0x01, 0x00, 0x5e, static_cast<std::uint8_t>(g >> 16 & 0x7f),
                           static_cast<std::uint8_t>(g >> 8), static_cast<std::uint8_t>(g)});
    }
    [[nodiscard]] static constexpr MacAddress broadcast() {
        return MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
    }
    [[nodiscard]] constexpr const std::array<std::uint8_t, 6>& octets() const { return octets_; }
    [[nodiscard]] constexpr bool is_multicast() const { return (octets_[0] & 1) != 0; }
    [[nodiscard]] std::string to_string() const;

    friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
    // Two loads and a comparison: the packet path asks this of every frame, and std::array asks
    // memcmp.
    friend constexpr bool operator==(const MacAddress& a, const MacAddress& b) {
        const auto high = [](const MacAddress& m) {
            return std::uint32_t{m.octets_[0]} | std::uint32_t{m.octets_[1]} << 8 |
                   std::uint32_t{m.octets_[2]} << 16 | std::uint32_t{m.octets_[3]} << 24;
        };
        const auto low = [](const MacAddress& m) {
            return std::uint32_t{m.octets_[4]} | std::uint32_t{m.octets_[5]} << 8;
        };
        return ((high(a) ^ high(b)) | (low(a) ^ low(b))) == 0;
    }

private:
    std::array<std::uint8_t, 6> octets_{};
};

/// An interface address with its subnet, as in 10.0.0.1/24.
struct Ipv4Interface {
    Ipv4Address address;
    std::uint8_t prefix_length = 32;

    [[nodiscard]] static Parsed<Ipv4Interface> parse(std::string_view text);
    [[nodiscard]] constexpr std::uint32_t mask() const {
        return prefix_length == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix_length);
    }
    [[nodiscard]] constexpr bool contains(Ipv4Address other) const {
        return ((other.value() ^ address.value()) & mask()) == 0;
    }
    [[nodiscard]] std::string to_string() const;
    friend constexpr auto operator<=>(const Ipv4Interface&, const Ipv4Interface&) = default;
};

/// A multicast destination as in 239.1.1.1:5000.
struct GroupEndpoint {
    GroupAddress group;
    UdpPort port;

    [[nodiscard]] static Parsed<GroupEndpoint> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    friend constexpr auto operator<=>(const GroupEndpoint&, const GroupEndpoint&) = default;
};

/// Where one host is reached by UDP, as in 192.0.2.1:6000.
struct UdpEndpoint {
    Ipv4Address address;
    UdpPort port;

    [[nodiscard]] static Parsed<UdpEndpoint> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    friend constexpr auto operator<=>(const UdpEndpoint&, const UdpEndpoint&) = default;
};

}  // namespace joinleaf

template <>
struct std::hash<joinleaf::Ipv4Address> {
    std::size_t operator()(joinleaf::Ipv4Address a) const noexcept {
        return std::hash<std::uint32_t>{}(a.value());
    }
};
template <>
struct std::hash<joinleaf::GroupAddress> {
    std::size_t operator()(joinleaf::GroupAddress g) const noexcept {
        return std::hash<std::uint32_t>{}(g.value());
    }
};
