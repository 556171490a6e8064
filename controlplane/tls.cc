#include <controlplane/admission_text.h>
#include <controlplane/tls.h>
#include <controlplane/whole_file.h>
#include <fmt/format.h>
#include <joinleaf/address.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <charconv>
#include <map>
#include <sstream>

namespace joinleaf::controlplane {

using Key = std::vector<unsigned char>;

/// Reached from OpenSSL's callbacks through the context's ex_data.
struct TlsContext::Secret {
    std::map<std::string, Key, std::less<>> keys;  // by PSK identity
    std::string own_identity;                      // to show when connecting
};

namespace {

constexpr std::size_t kMinKey = 16;
constexpr std::size_t kMaxKey = 64;

template <class T, void (*Free)(T*)>
struct Freed {
    void operator()(T* object) const { Free(object); }
};
using X509Ptr = std::unique_ptr<X509, Freed<X509, X509_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Freed<SSL_SESSION, SSL_SESSION_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES, GENERAL_NAMES_free>>;

int secret_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

/// Of a session: the identity that the listener found a key for.
int identity_index() {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

const TlsContext::Secret& secret_of(const SSL* session) {
    const SSL_CTX* context = SSL_get_SSL_CTX(session);
    return *static_cast<const TlsContext::Secret*>(SSL_CTX_get_ex_data(context, secret_index()));
}

/// RFC 8446 §4.2.11: a key that was given from outside is bound to SHA-256 unless said otherwise.
SessionPtr session_of(SSL* session, const Key& key) {
    constexpr unsigned char kAes128GcmSha256[] = {0x13, 0x01};
    SessionPtr out(SSL_SESSION_new());
    const SSL_CIPHER* cipher = SSL_CIPHER_find(session, kAes128GcmSha256);
    if (out == nullptr || cipher == nullptr ||
        SSL_SESSION_set1_master_key(out.get(), key.data(), key.size()) != 1 ||
        SSL_SESSION_set_cipher(out.get(), cipher) != 1 ||
        SSL_SESSION_set_protocol_version(out.get(), TLS1_3_VERSION) != 1) {
        return nullptr;
    }
    return out;
}

int find_key(SSL* session, const unsigned char* identity, std::size_t length, SSL_SESSION** out) {
    *out = nullptr;
    const auto& keys = secret_of(session).keys;
    const std::string name(identity, identity + length);
    const auto found = keys.find(name);
    if (found == keys.end()) return 1;  // and without a certificate the handshake fails
    SessionPtr made = session_of(session, found->second);
    if (made == nullptr) return 0;
    // The map does not change any more, and outlives the session.
    SSL_set_ex_data(session, identity_index(), const_cast<std::string*>(&found->first));
    *out = made.release();
    return 1;
}

int use_key(SSL* session, const EVP_MD* digest, const unsigned char** identity, std::size_t* length,
            SSL_SESSION** out) {
    *out = nullptr;
    const auto& secret = secret_of(session);
    const auto found = secret.keys.find(secret.own_identity);
    if (found == secret.keys.end()) return 1;
    if (digest != nullptr && EVP_MD_get_type(digest) != NID_sha256) return 1;
    SessionPtr made = session_of(session, found->second);
    if (made == nullptr) return 0;
    *identity = reinterpret_cast<const unsigned char*>(found->first.data());
    *length = found->first.size();
    *out = made.release();
    return 1;
}

std::string text_of(const ASN1_STRING* string) {
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, string);
    if (length < 0) return {};
    std::string text(utf8, utf8 + length);
    OPENSSL_free(utf8);
    return is_admission_text(text) ? text : std::string();
}

std::string common_name(X509* certificate) {
    const X509_NAME* subject = X509_get_subject_name(certificate);
    int at = -1;
    for (int next = at; (next = X509_NAME_get_index_by_NID(subject, NID_commonName, next)) >= 0;) {
        at = next;  // the last is the most specific
    }
    if (at < 0) return {};
    return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::string alternative_name(X509* certificate) {
    const NamesPtr names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS) return text_of(name->d.dNSName);
        if (name->type == GEN_EMAIL) return text_of(name->d.rfc822Name);
        if (name->type == GEN_IPADD && ASN1_STRING_length(name->d.iPAddress) == 4) {
            const unsigned char* octets = ASN1_STRING_get0_data(name->d.iPAddress);
            return Ipv4Address(octets[0], octets[1], octets[2], octets[3]).to_string();
        }
    }
    return {};
}

std::string name_in(X509* certificate) {
    std::string name = common_name(certificate);
    return name.empty() ? alternative_name(certificate) : name;
}

/// Beyond what OpenSSL asks of a certificate: that it names somebody. In here, so that the other
/// side is told by an alert.
int verify_name(int good, X509_STORE_CTX* chain) {
    if (good != 1 || X509_STORE_CTX_get_error_depth(chain) != 0) return good;
    X509* const certificate = X509_STORE_CTX_get_current_cert(chain);
    if (!name_in(certificate).empty()) return 1;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

/// Without this, OpenSSL asks the terminal.
int no_pass_phrase(char*, int, int, void*) { return -1; }

tl::unexpected<std::string> complaint(std::string text) { return tl::unexpected(std::move(text)); }

Parsed<std::string> read_file(const std::string& path) {
    auto text = read_whole(path);
    if (!text) return complaint(fmt::format("{}: {}", path, why_not_read(text.error())));
    return *std::move(text);
}

/// OpenSSL says only that a file was no good; the system says why it could not be read.
Parsed<void> check_readable(const std::string& path) {
    const auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    return {};
}

void warn_if_shared(const std::string& path, std::vector<std::string>& warnings) {
    struct stat status {};
    if (stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        warnings.push_back(
            fmt::format("{} holds a secret and can be read by others; chmod 600 {}", path, path));
    }
}

Parsed<Key> parse_key(std::string_view hex, const std::string& where) {
    if (hex.size() % 2 != 0) return complaint(fmt::format("{}: half an octet at its end", where));
    Key key;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        unsigned value = 0;
        const char* const end = hex.data() + i + 2;
        const auto [parsed, error] = std::from_chars(hex.data() + i, end, value, 16);
        if (error != std::errc{} || parsed != end) {
            return complaint(fmt::format("{}: the key is not hex", where));
        }
        key.push_back(static_cast<unsigned char>(value));
    }
    if (key.size() < kMinKey) {
        return complaint(
            fmt::format("{}: a key of {} octets is too short; write at least {}, as "
                        "openssl rand -hex 32 does",
                        where, key.size(), kMinKey));
    }
    if (key.size() > kMaxKey) {
        return complaint(fmt::format("{}: a key of {} octets is too long; {} are enough", where,
                                     key.size(), kMaxKey));
    }
    return key;
}

std::string_view trimmed(std::string_view line) {
    constexpr std::string_view kBlank = " \t\r";
    const auto from = line.find_first_not_of(kBlank);
    if (from == std::string_view::npos) return {};
    return line.substr(from, line.find_last_not_of(kBlank) - from + 1);
}

unsigned long last_error_reason() {
    return static_cast<unsigned long>(ERR_GET_REASON(ERR_peek_last_error()));
}

std::string date_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min);
}

}  // namespace

void TlsContext::FreeContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

TlsContext::TlsContext()
    : context_(SSL_CTX_new(TLS_method())), secret_(std::make_unique<Secret>()) {
    SSL_CTX* const context = context_.get();
    if (context == nullptr) throw std::bad_alloc();
    SSL_CTX_set_ex_data(context, secret_index(), secret_.get());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_security_level(context, 2);  // 112 bits: RSA from 2048, EC from 224
    // Every connection proves itself anew: an expired certificate must not live on in a ticket.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    // What a stranger can make us hold and compute.
    SSL_CTX_set_max_cert_list(context, 32 * 1024);
    SSL_CTX_set_verify_depth(context, 8);
    SSL_CTX_set1_groups_list(context, "X25519:P-256");
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
}

TlsContext::~TlsContext() = default;

Parsed<std::shared_ptr<const TlsContext>> TlsContext::load(
    const TlsOptions& options, std::chrono::system_clock::time_point now) {
    const bool psk = !options.psk_file.empty();
    const bool certificates =
        !options.certificate_file.empty() || !options.key_file.empty() || !options.ca_file.empty();
    if (psk && certificates) {
        return complaint("TLS with pre-shared keys and with certificates; choose one of the two");
    }
    if (!psk && !certificates) {
        return complaint(
            "TLS without a secret; name a file of pre-shared keys, or certificate, key and "
            "authorities");
    }
    const std::shared_ptr<TlsContext> made(new TlsContext);
    ERR_clear_error();
    const auto loaded = psk ? made->load_psk(options) : made->load_certificates(options, now);
    ERR_clear_error();
    if (!loaded) return tl::unexpected(loaded.error());
    return made;
}

Parsed<void> TlsContext::load_psk(const TlsOptions& options) {
    const auto text = read_file(options.psk_file);
    if (!text) return tl::unexpected(text.error());
    std::istringstream lines(*text);
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
        const std::string_view entry = trimmed(line);
        if (entry.empty() || entry.front() == '#') continue;
        const std::string where = fmt::format("{}:{}", options.psk_file, number);
        const auto colon = entry.rfind(':');
        const bool bare = colon == std::string_view::npos;
        const std::string identity(bare ? options.psk_identity : trimmed(entry.substr(0, colon)));
        if (identity.empty()) {
            return complaint(
                fmt::format("{}: a key without an identity; write IDENTITY:KEY", where));
        }
        if (!is_admission_text(identity)) {
            return complaint(
                fmt::format("{}: the identity is longer than {} octets or has control characters",
                            where, kMaxAdmissionText));
        }
        auto key = parse_key(bare ? entry : trimmed(entry.substr(colon + 1)), where);
        if (!key) return tl::unexpected(key.error());
        if (!secret_->keys.emplace(identity, std::move(*key)).second) {
            return complaint(fmt::format("{}: a second key for {}; leave one", where, identity));
        }
    }
    const auto& keys = secret_->keys;
    if (keys.empty()) {
        return complaint(
            fmt::format("{} holds no key; write IDENTITY:KEY lines", options.psk_file));
    }
    secret_->own_identity = options.psk_identity;
    if (options.psk_identity.empty() && keys.size() == 1) {
        secret_->own_identity = keys.begin()->first;
    } else if (!options.psk_identity.empty() && !keys.contains(options.psk_identity)) {
        return complaint(fmt::format("{} holds no key for {}; add a line {}:KEY", options.psk_file,
                                     options.psk_identity, options.psk_identity));
    }
    warn_if_shared(options.psk_file, warnings_);

    SSL_CTX* const context = context_.get();
    SSL_CTX_set_psk_find_session_callback(context, find_key);
    SSL_CTX_set_psk_use_session_callback(context, use_key);
    // Suites of SHA-256, which the keys are bound to.
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256");
    // No authority is known: a listener that shows a certificate instead is not believed.
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    return {};
}

Parsed<void> TlsContext::load_certificates(const TlsOptions& options,
                                           std::chrono::system_clock::time_point now) {
    const auto& [certificate_file, key_file, ca_file] =
        std::tie(options.certificate_file, options.key_file, options.ca_file);
    if (certificate_file.empty() || key_file.empty() || ca_file.empty()) {
        return complaint(
            "TLS with certificates takes three files: the certificate, its key and the "
            "authorities");
    }
    for (const auto* path : {&certificate_file, &key_file, &ca_file}) {
        if (const auto readable = check_readable(*path); !readable) return readable;
    }
    SSL_CTX* const context = context_.get();
    if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
        if (last_error_reason() == SSL_R_EE_KEY_TOO_SMALL) {
            return complaint(fmt::format(
                "{}: the certificate's key is too short; make one of 2048 bits (RSA) or 256 (EC)",
                certificate_file));
        }
        return complaint(
            fmt::format("{} holds no certificate that can be used ({}); it should be "
                        "PEM",
                        certificate_file, ERR_reason_error_string(ERR_peek_last_error())));
    }
    const X509* certificate = SSL_CTX_get0_certificate(context);
    std::time_t at = std::chrono::system_clock::to_time_t(now);
    if (X509_cmp_time(X509_get0_notAfter(certificate), &at) < 0) {
        return complaint(fmt::format("{}: the certificate expired on {}; have it renewed",
                                     certificate_file, date_of(X509_get0_notAfter(certificate))));
    }
    if (X509_cmp_time(X509_get0_notBefore(certificate), &at) > 0) {
        return complaint(
            fmt::format("{}: the certificate is not valid before {}; check the clock of this host",
                        certificate_file, date_of(X509_get0_notBefore(certificate))));
    }
    if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        const auto reason = last_error_reason();
        if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH) {
            return complaint(
                fmt::format("{} is not the key of the certificate in {}; give the two that were "
                            "made together",
                            key_file, certificate_file));
        }
        return complaint(
            fmt::format("{} holds no private key that can be used; it should be PEM without a pass "
                        "phrase (openssl pkey -in {} removes one)",
                        key_file, key_file));
    }
    if (SSL_CTX_load_verify_file(context, ca_file.c_str()) != 1) {
        return complaint(
            fmt::format("{} holds no certificate of an authority; it should be PEM", ca_file));
    }
    warn_if_shared(key_file, warnings_);
    peer_name_ = options.peer_name;
    const int require = options.require_peer ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | require, verify_name);
    return {};
}

bool TlsContext::can_connect() const {
    return secret_->keys.empty() || secret_->keys.contains(secret_->own_identity);
}

ssl_st* TlsContext::new_session(bool listener) const {
    SSL* const session = SSL_new(context_.get());
    if (session == nullptr) throw std::bad_alloc();
    if (listener) {
        // No certificate is asked for with a pre-shared key.
        if (!secret_->keys.empty()) SSL_set_verify(session, SSL_VERIFY_NONE, nullptr);
        SSL_set_accept_state(session);
    } else {
        SSL_set_connect_state(session);
    }
    return session;
}

Result<std::string> TlsContext::proven_identity(const ssl_st* session) const {
    const bool listener = SSL_is_server(session) == 1;
    if (!secret_->keys.empty()) {
        if (SSL_session_reused(session) != 1) return failure(std::errc::permission_denied);
        if (!listener) return secret_->own_identity;
        return *static_cast<const std::string*>(SSL_get_ex_data(session, identity_index()));
    }
    X509* const certificate = SSL_get0_peer_certificate(session);
    if (certificate == nullptr) return std::string();
    std::string identity = name_in(certificate);
    if (!listener && !peer_name_.empty() && identity != peer_name_ &&
        X509_check_host(certificate, peer_name_.data(), peer_name_.size(), 0, nullptr) != 1 &&
        X509_check_ip_asc(certificate, peer_name_.c_str(), 0) != 1) {
        return failure(std::errc::permission_denied);
    }
    return identity;
}

}  // namespace joinleaf::controlplane
