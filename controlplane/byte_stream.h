// The octets of one admission connection, over TCP or TLS, on a nonblocking descriptor. It never
// waits: it says what it waits for. The descriptor is not its own.
#pragma once

#include <controlplane/tls.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <system_error>

namespace joinleaf::controlplane {

class ByteStream {
public:
    enum class State : std::uint8_t {
        done,        ///< `octets` were moved, or the handshake is over
        want_read,   ///< again when the descriptor is readable
        want_write,  ///< again when it is writable
        ended,       ///< the other side has ended the stream
        failed,      ///< `error`
    };
    struct Outcome {
        State state{};
        std::size_t octets = 0;
        std::errc error{};
    };

    /// `tls` null: plain TCP.
    ByteStream(int descriptor, const std::shared_ptr<const TlsContext>& tls, bool listener);

    /// To be done before reading and writing; over at once without TLS. What TLS needs is made
    /// with the first call. Errors: permission_denied (key or certificate turned down, or not TLS),
    /// connection_reset.
    [[nodiscard]] Outcome handshake();
    /// Errors: connection_reset, timed_out ..., protocol_error (broken TLS), permission_denied (the
    /// listener has turned down our key or certificate).
    [[nodiscard]] Outcome read(std::span<std::byte> into);
    [[nodiscard]] Outcome write(std::span<const std::byte> from);
    /// Whether octets are waiting that the descriptor knows no more of.
    [[nodiscard]] bool holds_octets() const;
    /// No more will be written; the other side reads to an orderly end.
    void end();

    /// After the handshake; see TlsContext::proven_identity.
    [[nodiscard]] Result<std::string> proven_identity() const;
    /// Why the handshake failed, in OpenSSL's words.
    [[nodiscard]] const std::string& reason() const { return reason_; }

private:
    struct FreeSession {
        void operator()(ssl_st* session) const;
    };
    [[nodiscard]] Outcome outcome_of(int result);

    int descriptor_;
    bool listener_;
    std::shared_ptr<const TlsContext> tls_;
    std::unique_ptr<ssl_st, FreeSession> session_;
    std::string reason_;
};

}  // namespace joinleaf::controlplane
