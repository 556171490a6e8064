#include <controlplane/repair_client.h>
#include <controlplane/sockaddr.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace joinleaf::controlplane {
namespace {

constexpr int kStrangersAtOnce = 16;

std::error_code last_error() { return {errno, std::generic_category()}; }

}  // namespace

Result<RepairClient> RepairClient::open(const ControlEndpoint& server, Ipv4Address local) {
    const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return tl::unexpected(last_error());
    RepairClient client(descriptor, server);
    // Not connected: strangers are to be counted, and nobody's ICMP is to become an error of ours.
    const auto from = to_sockaddr(local, 0);
    if (bind(descriptor, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0) {
        return tl::unexpected(last_error());
    }
    return client;
}

RepairClient::RepairClient(RepairClient&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      server_(other.server_),
      counters_(other.counters_) {}

RepairClient::~RepairClient() {
    if (descriptor_ >= 0) close(descriptor_);
}

void RepairClient::send(const net::MoldRequest& request) noexcept {
    std::array<std::byte, net::kMoldHeaderSize> bytes;
    const std::size_t size = net::emit_mold_request(request, bytes.data());
    const auto to = to_sockaddr(server_.address, server_.port.value());
    const auto sent = sendto(descriptor_, bytes.data(), size, MSG_DONTWAIT,
                             reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    if (sent != static_cast<ssize_t>(size)) ++counters_.unsent;
}

std::optional<std::size_t> RepairClient::receive(std::span<std::byte> out) noexcept {
    for (int i = 0; i < kStrangersAtOnce; ++i) {
        sockaddr_in from{};
        socklen_t from_size = sizeof(from);
        const auto size = recvfrom(descriptor_, out.data(), out.size(), MSG_DONTWAIT | MSG_TRUNC,
                                   reinterpret_cast<sockaddr*>(&from), &from_size);
        if (size < 0) return std::nullopt;
        if (ntohl(from.sin_addr.s_addr) != server_.address.value() ||
            ntohs(from.sin_port) != server_.port.value()) {
            ++counters_.strangers;
            continue;
        }
        ++counters_.answers;
        if (static_cast<std::size_t>(size) <= out.size()) return static_cast<std::size_t>(size);
        ++counters_.too_long;
    }
    return std::nullopt;
}

}  // namespace joinleaf::controlplane
