// TLS 1.3 for admission connections: files read into a context, with words for people when they
// are not good enough. Either pre-shared keys, or a certificate on each side.
#pragma once

#include <joinleaf/error.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace joinleaf::controlplane {

struct TlsOptions {
    /// Pre-shared keys, one a line: IDENTITY:KEY, the key in hex, 16 to 64 octets (what GnuTLS's
    /// psktool writes); or a line with a key alone, which is psk_identity's. Empty lines and
    /// those that begin with # are skipped. Who listens takes any key of the file.
    std::string psk_file;
    /// The identity to show when connecting. May be empty when the file holds one.
    std::string psk_identity;

    /// PEM. The certificate's chain may follow it in its file.
    std::string certificate_file;
    std::string key_file;
    /// The authorities whose certificates are believed, on both sides.
    std::string ca_file;
    /// Who listens: connections without a certificate are not let in. When false they are, with
    /// an empty identity. Who connects always asks for the listener's certificate.
    bool require_peer = true;
    /// Who connects: a name (CN, or DNS or IP alternative name) that the listener's certificate
    /// must hold. Empty: any certificate of the authorities will do.
    std::string peer_name;
};

/// What TlsOptions name, read and checked. Immutable; shared by the connections made of it.
class TlsContext {
public:
    /// Error: one sentence that names the file and the cure. `now` is for the dates of the
    /// certificate.
    [[nodiscard]] static Parsed<std::shared_ptr<const TlsContext>> load(
        const TlsOptions& options,
        std::chrono::system_clock::time_point now = std::chrono::system_clock::now());

    /// One sentence each: what works but should be put right, e.g. a key that others can read.
    [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

    /// Whether there is something to show when connecting: a certificate, the key of psk_identity,
    /// or the only key of the file.
    [[nodiscard]] bool can_connect() const;

    /// A session for one connection; the caller frees it (SSL_free). Never null.
    [[nodiscard]] ssl_st* new_session(bool listener) const;

    /// After the handshake: the PSK identity, or the name in the peer's certificate (its CN, else
    /// its first DNS, IP or e-mail alternative name); empty when the peer has proven nothing. An
    /// error when the peer is not who TlsOptions::peer_name asks for.
    [[nodiscard]] Result<std::string> proven_identity(const ssl_st* session) const;

    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    struct Secret;

private:
    TlsContext();
    Parsed<void> load_psk(const TlsOptions& options);
    Parsed<void> load_certificates(const TlsOptions& options,
                                   std::chrono::system_clock::time_point now);

    struct FreeContext {
        void operator()(ssl_ctx_st* context) const;
    };
    std::unique_ptr<ssl_ctx_st, FreeContext> context_;
    std::unique_ptr<Secret> secret_;
    std::string peer_name_;
    std::vector<std::string> warnings_;
};

}  // namespace joinleaf::controlplane
