// One admission connection as the transport keeps it: how far it has come, and what waits to be
// written.
#pragma once

#include <controlplane/admission_actions.h>
#include <controlplane/byte_stream.h>
#include <controlplane/frame_reader.h>
#include <asio/ip/tcp.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace joinleaf::controlplane {

enum class ConnectionStage : std::uint8_t {
    dialing,      ///< we connect
    handshaking,  ///< TLS, either way
    strange,      ///< accepted, and its first message has not come
    open,
    leaving,  ///< hung up: what is queued is written, then the other side's end awaited
};

/// Octets to write, in order.
class WriteQueue {
public:
    void push(std::span<const std::byte> octets);
    [[nodiscard]] std::span<const std::byte> rest() const {
        return std::span(octets_).subspan(written_);
    }
    void written(std::size_t octets);
    [[nodiscard]] bool empty() const { return written_ == octets_.size(); }

private:
    std::vector<std::byte> octets_;
    std::size_t written_ = 0;
};

struct AdmissionConnection {
    AdmissionConnection(ConnectionId number, ConnectionStage first_stage,
                        asio::ip::tcp::socket connected, std::size_t max_message,
                        const std::shared_ptr<const TlsContext>& tls, bool accepted_one)
        : id(number),
          stage(first_stage),
          accepted(accepted_one),
          socket(std::move(connected)),
          stream(socket.native_handle(), tls, accepted),
          reader(max_message) {}

    /// We know the other side: it was told of, or we made the connection.
    [[nodiscard]] bool is_known() const {
        return stage == ConnectionStage::open || stage == ConnectionStage::leaving || !accepted;
    }

    ConnectionId id;
    ConnectionStage stage;
    bool accepted;  ///< by us; else dialed
    bool spoke = false;
    bool can_read = false;  ///< the descriptor was readable since the last read that found nothing

    bool waits_to_read = false;       ///< asked of the io_context
    bool waits_to_write = false;      ///< likewise
    bool scheduled = false;           ///< its step is due
    bool ended = false;               ///< ByteStream::end has been called
    bool peer_ended = false;          ///< while there was something left to write
    bool gone = false;                ///< closed, and forgotten by the transport
    std::optional<std::errc> doomed;  ///< to be dropped, from the io_context
    Instant deadline{};               ///< of a dial and of leaving; none: the epoch
    Peer peer;
    asio::ip::tcp::socket socket;
    ByteStream stream;
    FrameReader reader;
    WriteQueue queue;
};

}  // namespace joinleaf::controlplane
