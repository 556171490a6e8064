// The text form of where a root, a leaf or a repair server is reached.
#include <fmt/format.h>
#include <joinleaf/session.h>

namespace joinleaf {

Parsed<ControlEndpoint> ControlEndpoint::parse(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return tl::unexpected(
            fmt::format("'{}' has no port; write address and port as in 192.0.2.1:7000", text));
    }
    const auto address = Ipv4Address::parse(text.substr(0, colon));
    if (!address) return tl::unexpected(address.error());
    const auto port = UdpPort::parse(text.substr(colon + 1));
    if (!port) {
        return tl::unexpected(fmt::format("'{}' is not a port; use a number from 1 to 65535",
                                          text.substr(colon + 1)));
    }
    return ControlEndpoint{*address, *port};
}

std::string ControlEndpoint::to_string() const {
    return fmt::format("{}:{}", address.to_string(), port.value());
}

}  // namespace joinleaf
