#include <controlplane/sockaddr.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <tests/unit/transport/transport_under_test.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>

namespace joinleaf::controlplane::test_support {

ControlEndpoint free_endpoint() {
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const Ipv4Address home(127, 0, 0, 1);
    auto own = to_sockaddr(home, 0);
    socklen_t length = sizeof own;
    if (bind(descriptor, reinterpret_cast<const sockaddr*>(&own), length) != 0 ||
        getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &length) != 0) {
        throw std::runtime_error("no free port");
    }
    close(descriptor);
    return {home, UdpPort::from(ntohs(own.sin_port)).value()};
}

RawSocket::RawSocket(ControlEndpoint to, Ipv4Address from, int receive_buffer)
    : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) {
        setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const auto own = to_sockaddr(from, 0);
    const auto other = to_sockaddr(to.address, to.port.value());
    if (bind(descriptor_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0 ||
        connect(descriptor_, reinterpret_cast<const sockaddr*>(&other), sizeof other) != 0) {
        close(descriptor_);
        descriptor_ = -1;
    }
}

RawSocket::~RawSocket() {
    if (descriptor_ >= 0) close(descriptor_);
}

bool RawSocket::write(std::span<const std::byte> octets) const {
    return send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(octets.size());
}

std::vector<std::byte> RawSocket::read() const {
    std::vector<std::byte> out;
    std::array<std::byte, 4096> some{};
    for (;;) {
        const auto count = recv(descriptor_, some.data(), some.size(), MSG_DONTWAIT);
        if (count <= 0) return out;
        out.insert(out.end(), some.begin(), some.begin() + count);
    }
}

bool RawSocket::is_over() const {
    char octet = 0;
    const auto count = recv(descriptor_, &octet, 1, MSG_DONTWAIT | MSG_PEEK);
    return count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

void RawSocket::half_close() const { shutdown(descriptor_, SHUT_WR); }

Station::Station(asio::io_context& io, AdmissionTransportOptions options) {
    AdmissionTransportEvents events;
    events.incoming = [this](ConnectionId id, const Peer& peer) {
        incoming.emplace_back(id, peer);
        if (on_incoming) on_incoming(id);
    };
    events.connected = [this](ConnectionId id, const Peer& peer) {
        connected.emplace_back(id, peer);
        if (on_connected) on_connected(id);
    };
    events.connect_failed = [this](ConnectionId id, std::errc reason) {
        connect_failed.emplace_back(id, reason);
    };
    events.received = [this](ConnectionId id, AdmissionMessage message) {
        received.emplace_back(id, message);
        if (on_message) on_message(id, message);
    };
    events.disconnected = [this](ConnectionId id, std::errc reason) {
        disconnected.emplace_back(id, reason);
    };
    events.warn = [this](std::string_view line) { warnings.emplace_back(line); };
    transport = std::make_unique<AdmissionTransport>(io, std::move(options), std::move(events));
}

bool TransportTest::run_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
    const Instant end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
        const Instant now = std::chrono::steady_clock::now();
        if (now >= end) return false;
        // Short, since raw sockets are looked at by `done` and wake nobody.
        io_.restart();
        io_.run_one_until(std::min(end, now + std::chrono::milliseconds(2)));
    }
    return true;
}

void TransportTest::run_for(std::chrono::milliseconds time) {
    run_until([] { return false; }, time);
}

ControlEndpoint TransportTest::listen(Station& station, Ipv4Address at) {
    for (int tries = 0; tries < 500; ++tries) {
        const ControlEndpoint endpoint{at, free_endpoint().port};
        if (station->listen(endpoint)) return endpoint;
    }
    throw std::runtime_error("no port to listen on");
}

}  // namespace joinleaf::controlplane::test_support
