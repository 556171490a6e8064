// Captures as other programs write them, for tests: either byte order, any resolution.
#pragma once

#include <joinleaf/address.h>
#include <net/frame.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace joinleaf::test {

using Octets = std::vector<std::byte>;

/// A UDP datagram in an Ethernet frame.
inline Octets udp_frame(std::string_view to, std::uint16_t port, std::span<const std::byte> payload,
                        std::string_view vlan = {}) {
    const auto address = Ipv4Address::parse(to).value();
    net::EthernetFields ethernet{.source = MacAddress({2, 0, 0, 0, 0, 1}),
                                 .destination = MacAddress({1, 0, 0x5e, 0, 0, 1})};
    if (!vlan.empty()) ethernet.vlan = net::VlanStack::parse(vlan).value();
    Octets frame(2048 + payload.size());
    frame.resize(
        net::build_udp_frame(ethernet, {.source = Ipv4Address(10, 0, 0, 1), .destination = address},
                             {.source_port = 4000, .destination_port = port}, payload, frame)
            .value());
    return frame;
}

/// Writes numbers in one byte order.
class CaptureBytes {
public:
    explicit CaptureBytes(bool big_endian) : big_endian_(big_endian) {}

    template <class T>
    CaptureBytes& number(T value) {
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            const std::size_t shift = 8 * (big_endian_ ? sizeof(T) - 1 - i : i);
            octets.push_back(static_cast<std::byte>(value >> shift & 0xff));
        }
        return *this;
    }
    CaptureBytes& u16(std::uint16_t value) { return number(value); }
    CaptureBytes& u32(std::uint32_t value) { return number(value); }
    CaptureBytes& add(std::span<const std::byte> more) {
        octets.insert(octets.end(), more.begin(), more.end());
        return *this;
    }
    CaptureBytes& fill() {
        octets.resize((octets.size() + 3) / 4 * 4);
        return *this;
    }

    Octets octets;

private:
    bool big_endian_;
};

/// A pcap file.
class Pcap {
public:
    explicit Pcap(bool big_endian = false, bool nanoseconds = false, std::uint32_t link = 1)
        : bytes_(big_endian) {
        bytes_.u32(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(65535);
        bytes_.u32(link);
    }
    Pcap& frame(std::uint32_t seconds, std::uint32_t fraction, std::span<const std::byte> octets) {
        const auto size = static_cast<std::uint32_t>(octets.size());
        bytes_.u32(seconds).u32(fraction).u32(size).u32(size).add(octets);
        return *this;
    }
    [[nodiscard]] const Octets& octets() const { return bytes_.octets; }

private:
    CaptureBytes bytes_;
};

/// A pcapng file.
class Pcapng {
public:
    explicit Pcapng(bool big_endian = false) : big_endian_(big_endian) { section(); }

    Pcapng& section() { return section(big_endian_); }
    /// Another section, perhaps of another byte order.
    Pcapng& section(bool big_endian) {
        big_endian_ = big_endian;
        return block(0x0a0d0d0a, bytes().u32(0x1a2b3c4d).u16(1).u16(0).number(~std::uint64_t{0}));
    }
    /// `resolution`: if_tsresol, none: microseconds.
    Pcapng& interface(std::uint16_t link, std::optional<std::uint8_t> resolution = {},
                      std::int64_t offset = 0, std::uint32_t snap_length = 0) {
        CaptureBytes body = bytes();
        body.u16(link).u16(0).u32(snap_length);
        if (resolution) {
            const auto value = static_cast<std::byte>(*resolution);
            body.u16(9).u16(1).add(std::span(&value, 1)).fill();
        }
        if (offset != 0) body.u16(14).u16(8).number(static_cast<std::uint64_t>(offset));
        body.u16(0).u16(0);
        return block(1, body);
    }
    Pcapng& frame(std::uint32_t interface, std::uint64_t at, std::span<const std::byte> octets) {
        const auto size = static_cast<std::uint32_t>(octets.size());
        CaptureBytes body = bytes();
        body.u32(interface).u32(static_cast<std::uint32_t>(at >> 32));
        body.u32(static_cast<std::uint32_t>(at)).u32(size).u32(size).add(octets).fill();
        return block(6, body);
    }
    Pcapng& obsolete_frame(std::uint16_t interface, std::uint64_t at,
                           std::span<const std::byte> octets) {
        const auto size = static_cast<std::uint32_t>(octets.size());
        CaptureBytes body = bytes();
        body.u16(interface).u16(7).u32(static_cast<std::uint32_t>(at >> 32));
        body.u32(static_cast<std::uint32_t>(at)).u32(size).u32(size).add(octets).fill();
        return block(2, body);
    }
    Pcapng& simple_frame(std::span<const std::byte> octets) {
        return block(3, bytes().u32(static_cast<std::uint32_t>(octets.size())).add(octets).fill());
    }
    Pcapng& block(std::uint32_t type, const CaptureBytes& body) {
        const auto length = static_cast<std::uint32_t>(12 + body.octets.size());
        octets_.octets.reserve(octets_.octets.size() + length);
        CaptureBytes whole = bytes();
        whole.u32(type).u32(length).add(body.octets).u32(length);
        octets_.add(whole.octets);
        return *this;
    }
    [[nodiscard]] CaptureBytes bytes() const { return CaptureBytes(big_endian_); }
    [[nodiscard]] const Octets& octets() const { return octets_.octets; }

private:
    bool big_endian_;
    CaptureBytes octets_{false};
};

}  // namespace joinleaf::test
