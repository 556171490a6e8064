// A MoldUDP64 client as anybody may write one: a plain UDP socket, twenty octets, and what comes.
#pragma once

#include <arpa/inet.h>
#include <joinleaf/address.h>
#include <net/moldudp64.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

namespace joinleaf::test {

class UdpAsker {
public:
    /// Asks from `from`, an address of this host (all of 127/8 are), and hears `server` alone.
    explicit UdpAsker(const UdpEndpoint& server, Ipv4Address from = Ipv4Address(127, 0, 0, 1))
        : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        const sockaddr_in local = address_of(from, 0);
        const sockaddr_in remote = address_of(server.address, server.port.value());
        const int room = 1 << 20;
        if (descriptor_ < 0 ||
            setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) != 0 ||
            ::bind(descriptor_, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0 ||
            ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&remote), sizeof remote) !=
                0) {
            throw std::system_error(errno, std::generic_category(), "a UDP socket");
        }
    }
    ~UdpAsker() { ::close(descriptor_); }
    UdpAsker(const UdpAsker&) = delete;
    UdpAsker& operator=(const UdpAsker&) = delete;

    void say(std::span<const std::byte> octets) const {
        static_cast<void>(::send(descriptor_, octets.data(), octets.size(), 0));
    }
    void ask(std::string_view session, std::uint64_t sequence, std::uint16_t count) const {
        std::vector<std::byte> request(net::kMoldHeaderSize);
        net::emit_mold_request({net::MoldSession::from(session).value(), sequence, count},
                               request.data());
        say(request);
    }
    /// The next datagram; none within `patience`.
    [[nodiscard]] std::optional<std::vector<std::byte>> hear(
        std::chrono::milliseconds patience = std::chrono::milliseconds(0)) const {
        pollfd waiting{descriptor_, POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(patience.count())) != 1) return std::nullopt;
        std::vector<std::byte> octets(65536);
        const auto size = ::recv(descriptor_, octets.data(), octets.size(), 0);
        if (size < 0) return std::nullopt;
        octets.resize(static_cast<std::size_t>(size));
        return octets;
    }

    /// Where nobody is.
    [[nodiscard]] static UdpEndpoint free_endpoint() {
        const int descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = address_of(Ipv4Address(127, 0, 0, 1), 0);
        socklen_t length = sizeof address;
        const bool bound =
            descriptor >= 0 &&
            ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), length) == 0 &&
            getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) == 0;
        if (!bound) throw std::system_error(errno, std::generic_category(), "a UDP socket");
        ::close(descriptor);
        return {Ipv4Address(127, 0, 0, 1), UdpPort::from(ntohs(address.sin_port)).value()};
    }

private:
    static sockaddr_in address_of(Ipv4Address address, std::uint16_t port) {
        sockaddr_in made{};
        made.sin_family = AF_INET;
        made.sin_addr.s_addr = htonl(address.value());
        made.sin_port = htons(port);
        return made;
    }

    int descriptor_;
};

}  // namespace joinleaf::test
