#include <controlplane/byte_stream.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>

namespace joinleaf::controlplane {
namespace {

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

std::errc broken(int error) {
    if (error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH) {
        return static_cast<std::errc>(error);
    }
    return std::errc::connection_reset;
}

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a peer that has gone would raise SIGPIPE.

int descriptor_of(BIO* bio) {
    return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_write(BIO* bio, const char* from, int length) {
    BIO_clear_retry_flags(bio);
    const auto sent =
        send(descriptor_of(bio), from, static_cast<std::size_t>(length), MSG_NOSIGNAL);
    if (sent < 0 && would_block(errno)) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* into, int length) {
    BIO_clear_retry_flags(bio);
    const auto received = recv(descriptor_of(bio), into, static_cast<std::size_t>(length), 0);
    if (received < 0 && would_block(errno)) BIO_set_retry_read(bio);
    return static_cast<int>(received);
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO* new_bio(int descriptor) {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "joinleaf");
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_ctrl(made, bio_control);
        return made;
    }();
    BIO* const bio = BIO_new(method);
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(descriptor)));
    BIO_set_init(bio, 1);
    return bio;
}

}  // namespace

void ByteStream::FreeSession::operator()(ssl_st* session) const { SSL_free(session); }

ByteStream::ByteStream(int descriptor, const std::shared_ptr<const TlsContext>& tls, bool listener)
    : descriptor_(descriptor), listener_(listener), tls_(tls) {}

ByteStream::Outcome ByteStream::outcome_of(int result) {
    const int error = errno;
    switch (SSL_get_error(session_.get(), result)) {
        case SSL_ERROR_NONE:
            return {State::done, static_cast<std::size_t>(result), {}};
        case SSL_ERROR_WANT_READ:
            return {State::want_read, 0, {}};
        case SSL_ERROR_WANT_WRITE:
            return {State::want_write, 0, {}};
        case SSL_ERROR_ZERO_RETURN:
            return {State::ended, 0, {}};
        case SSL_ERROR_SYSCALL:
            ERR_clear_error();
            return {State::failed, 0, broken(error)};
        default:
            break;
    }
    const long verified = SSL_get_verify_result(session_.get());
    const char* const words = verified != X509_V_OK
                                  ? X509_verify_cert_error_string(verified)
                                  : ERR_reason_error_string(ERR_peek_last_error());
    reason_ = words == nullptr ? "unknown error" : words;
    const bool alerted = ERR_GET_REASON(ERR_peek_last_error()) >= SSL_AD_REASON_OFFSET;
    ERR_clear_error();
    // In TLS 1.3 the listener's verdict on us may come after our own handshake is over.
    const bool turned_down = alerted || SSL_is_init_finished(session_.get()) == 0;
    return {State::failed, 0,
            turned_down ? std::errc::permission_denied : std::errc::protocol_error};
}

ByteStream::Outcome ByteStream::handshake() {
    if (tls_ == nullptr) return {State::done, 0, {}};
    if (session_ == nullptr) {
        session_.reset(tls_->new_session(listener_));
        BIO* const bio = new_bio(descriptor_);
        SSL_set_bio(session_.get(), bio, bio);
    }
    ERR_clear_error();
    errno = 0;
    return outcome_of(SSL_do_handshake(session_.get()));
}

ByteStream::Outcome ByteStream::read(std::span<std::byte> into) {
    if (session_ != nullptr) {
        ERR_clear_error();
        errno = 0;
        return outcome_of(SSL_read(session_.get(), into.data(), static_cast<int>(into.size())));
    }
    const auto received = recv(descriptor_, into.data(), into.size(), 0);
    if (received > 0) return {State::done, static_cast<std::size_t>(received), {}};
    if (received == 0) return {State::ended, 0, {}};
    if (would_block(errno)) return {State::want_read, 0, {}};
    return {State::failed, 0, broken(errno)};
}

ByteStream::Outcome ByteStream::write(std::span<const std::byte> from) {
    if (session_ != nullptr) {
        ERR_clear_error();
        errno = 0;
        return outcome_of(SSL_write(session_.get(), from.data(), static_cast<int>(from.size())));
    }
    const auto sent = send(descriptor_, from.data(), from.size(), MSG_NOSIGNAL);
    if (sent >= 0) return {State::done, static_cast<std::size_t>(sent), {}};
    if (would_block(errno)) return {State::want_write, 0, {}};
    return {State::failed, 0, broken(errno)};
}

bool ByteStream::holds_octets() const {
    return session_ != nullptr && SSL_has_pending(session_.get()) == 1;
}

void ByteStream::end() {
    if (session_ != nullptr && SSL_is_init_finished(session_.get()) == 1) {
        ERR_clear_error();
        SSL_shutdown(session_.get());
        ERR_clear_error();
    }
    shutdown(descriptor_, SHUT_WR);
}

Result<std::string> ByteStream::proven_identity() const {
    if (session_ == nullptr) return std::string();
    return tls_->proven_identity(session_.get());
}

}  // namespace joinleaf::controlplane
