// MoldUDP64 packets whose messages are their own sequence numbers, so that each can be told.
#pragma once

#include <net/moldudp64.h>

#include <string_view>
#include <vector>

namespace joinleaf::test {

/// `count` messages from `first` on; 0 is a heartbeat, net::kMoldEndOfSession the end.
inline std::vector<std::byte> mold_packet(std::string_view session, std::uint64_t first,
                                          std::uint16_t count) {
    using Number = net::BigEndian<std::uint64_t>;
    constexpr std::size_t kMessage = net::kMoldLengthSize + sizeof(Number);
    const std::size_t messages = count == net::kMoldEndOfSession ? 0 : count;
    std::vector<std::byte> bytes(net::kMoldHeaderSize + messages * kMessage);
    net::emit_mold_header(net::MoldSession::from(session).value(), first, count, bytes.data());
    std::byte* at = bytes.data() + net::kMoldHeaderSize;
    for (std::size_t i = 0; i < messages; ++i, at += kMessage) {
        net::emit_mold_length(sizeof(Number), at);
        net::store(at + net::kMoldLengthSize, Number(first + i));
    }
    return bytes;
}

/// The sequence number that a message of mold_packet() is; 0: it is none.
inline std::uint64_t mold_number(std::span<const std::byte> message) {
    using Number = net::BigEndian<std::uint64_t>;
    return message.size() == sizeof(Number) ? std::uint64_t{net::load<Number>(message.data())} : 0;
}

}  // namespace joinleaf::test
