// Transports on one io_context, over real TCP on 127.0.0.0/8, with a diary of what they tell; and
// raw sockets for those who do not play by the rules.
#pragma once

#include <controlplane/admission_transport.h>
#include <gtest/gtest.h>
#include <tests/support/admission_messages.h>
#include <tests/support/certificates.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace joinleaf::controlplane::test_support {

/// A port of 127.0.0.1 that nobody listens on.
ControlEndpoint free_endpoint();

/// A blocking socket of the kernel's, for strangers.
class RawSocket {
public:
    RawSocket() = default;
    /// Connects to `to`, from `from`. `receive_buffer` 0: the kernel's choice.
    explicit RawSocket(ControlEndpoint to, Ipv4Address from = Ipv4Address(127, 0, 0, 1),
                       int receive_buffer = 0);
    ~RawSocket();
    RawSocket(RawSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    RawSocket& operator=(RawSocket&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }

    [[nodiscard]] bool is_connected() const { return descriptor_ >= 0; }
    /// False: the other side has gone.
    bool write(std::span<const std::byte> octets) const;
    bool write(std::string_view text) const { return write(std::as_bytes(std::span(text))); }
    /// Everything that is there, without waiting; nothing when there is nothing.
    [[nodiscard]] std::vector<std::byte> read() const;
    /// Without waiting: whether the other side has ended or broken the connection.
    [[nodiscard]] bool is_over() const;
    /// No more will be written.
    void half_close() const;

private:
    int descriptor_ = -1;
};

/// A transport and what it told. Messages are answered by `on_message` when it is set.
struct Station {
    Station(asio::io_context& io, AdmissionTransportOptions options);

    std::vector<std::pair<ConnectionId, Peer>> incoming;
    std::vector<std::pair<ConnectionId, Peer>> connected;
    std::vector<std::pair<ConnectionId, std::errc>> connect_failed;
    std::vector<std::pair<ConnectionId, AdmissionMessage>> received;
    std::vector<std::pair<ConnectionId, std::errc>> disconnected;
    std::vector<std::string> warnings;
    std::function<void(ConnectionId)> on_incoming;
    std::function<void(ConnectionId)> on_connected;
    std::function<void(ConnectionId, const AdmissionMessage&)> on_message;
    std::unique_ptr<AdmissionTransport> transport;

    AdmissionTransport* operator->() const { return transport.get(); }
    ConnectionId dial(ControlEndpoint to) const {
        const ConnectionId id = transport->next_connection();
        transport->dial(id, to);
        return id;
    }
};

class TransportTest : public testing::Test {
protected:
    /// Runs the io_context until `done` says so; false: it did not within `limit`.
    bool run_until(const std::function<bool()>& done,
                   std::chrono::milliseconds limit = std::chrono::seconds(10));
    void run_for(std::chrono::milliseconds time);

    /// Listens on a free port.
    ControlEndpoint listen(Station& station, Ipv4Address at = Ipv4Address(127, 0, 0, 1));

    asio::io_context io_;
};

/// As a leaf that asks to be let in, on a raw socket.
inline std::vector<std::byte> request_frame() { return encode_frame(test::a_request()).value(); }

}  // namespace joinleaf::controlplane::test_support
