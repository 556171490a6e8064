// What the kernel's socket calls want in place of an address and a port.
#pragma once

#include <joinleaf/address.h>
#include <netinet/in.h>
#include <cstdint>

namespace joinleaf::controlplane {

[[nodiscard]] inline sockaddr_in to_sockaddr(Ipv4Address address, std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr.s_addr = htonl(address.value());
    out.sin_port = htons(port);
    return out;
}

}  // namespace joinleaf::controlplane
