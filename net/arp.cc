#include <net/arp.h>

namespace joinleaf::net {
namespace {

constexpr std::uint16_t kEthernet = 1;

}  // namespace

tl::expected<ArpMessage, ArpError> parse_arp(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < kArpSize) return tl::unexpected(ArpError::truncated);
    const auto wire = load<ArpWire>(bytes.data());
    if (wire.hardware_type != kEthernet || wire.protocol_type != ethertype::kIpv4 ||
        wire.hardware_length != sizeof(MacAddress) ||
        wire.protocol_length != sizeof(wire.sender_address)) {
        return tl::unexpected(ArpError::other_network);
    }
    if (wire.operation != 1 && wire.operation != 2) {
        return tl::unexpected(ArpError::bad_operation);
    }
    const ArpMessage message{static_cast<ArpOperation>(wire.operation + 0), wire.sender_mac,
                             Ipv4Address(wire.sender_address), wire.target_mac,
                             Ipv4Address(wire.target_address)};
    const bool probe =
        message.operation == ArpOperation::request && message.sender_address.is_unspecified();
    if (message.sender_mac.is_multicast() || message.sender_mac == MacAddress() ||
        !(message.sender_address.is_unicast() || probe)) {
        return tl::unexpected(ArpError::bad_sender);
    }
    return message;
}

std::size_t emit_arp(const ArpMessage& message, std::span<std::byte> out) noexcept {
    store(out.data(), ArpWire{
                          .hardware_type = kEthernet,
                          .protocol_type = ethertype::kIpv4,
                          .hardware_length = sizeof(MacAddress),
                          .protocol_length = sizeof(ArpWire::sender_address),
                          .operation = static_cast<std::uint16_t>(message.operation),
                          .sender_mac = message.sender_mac,
                          .sender_address = message.sender_address.value(),
                          .target_mac = message.target_mac,
                          .target_address = message.target_address.value(),
                      });
    return kArpSize;
}

ArpMessage arp_request(const MacAddress& mac, Ipv4Address address, Ipv4Address target) noexcept {
    return {ArpOperation::request, mac, address, MacAddress(), target};
}

ArpMessage arp_reply(const ArpMessage& request, const MacAddress& mac,
                     Ipv4Address address) noexcept {
    return {ArpOperation::reply, mac, address, request.sender_mac, request.sender_address};
}

ArpMessage arp_announcement(const MacAddress& mac, Ipv4Address address) noexcept {
    return arp_request(mac, address, address);
}

}  // namespace joinleaf::net
