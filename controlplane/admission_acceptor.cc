#include <controlplane/admission_acceptor.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace joinleaf::controlplane {
namespace {

int open_reserve() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool is_out_of_files(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

AdmissionAcceptor::AdmissionAcceptor(asio::io_context& io, std::function<void()> ready)
    : io_(io),
      ready_(std::move(ready)),
      alive_(std::make_shared<bool>(true)),
      reserve_(open_reserve()) {}

AdmissionAcceptor::~AdmissionAcceptor() {
    close();
    if (reserve_ >= 0) ::close(reserve_);
}

Result<void> AdmissionAcceptor::listen(ControlEndpoint at) {
    const asio::ip::tcp::endpoint endpoint(asio::ip::address_v4(at.address.value()),
                                           at.port.value());
    Listener listener(io_);
    std::error_code error;
    const auto then = [&](auto&& step) {
        if (!error) step();
    };
    // By hand: Asio's own are handed on to the programs that this process starts.
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return failure(static_cast<std::errc>(errno));
    listener.socket.assign(endpoint.protocol(), descriptor);
    then([&] { listener.socket.set_option(asio::socket_base::reuse_address(true), error); });

    then([&] { listener.socket.bind(endpoint, error); });
    then([&] { listener.socket.listen(asio::socket_base::max_listen_connections, error); });
    if (error) return failure(static_cast<std::errc>(error.value()));
    await(listeners_.emplace_back(std::move(listener)));
    return {};
}

void AdmissionAcceptor::close() {
    *alive_ = false;  // handlers refer to listeners
    alive_ = std::make_shared<bool>(true);
    listeners_.clear();
}

bool AdmissionAcceptor::is_ready() const {
    return std::any_of(listeners_.begin(), listeners_.end(),
                       [](const Listener& listener) { return listener.ready; });
}

tl::expected<AdmissionAcceptor::Taken, AdmissionAcceptor::Failure> AdmissionAcceptor::take() {
    for (Listener& listener : listeners_) {
        if (!listener.ready) continue;
        sockaddr_in peer{};
        socklen_t length = sizeof peer;
        const int descriptor =
            accept4(listener.socket.native_handle(), reinterpret_cast<sockaddr*>(&peer), &length,
                    SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            const auto port = UdpPort::from(ntohs(peer.sin_port));
            if (!port) {
                ::close(descriptor);
                return tl::unexpected(Failure::other);
            }
            return Taken{descriptor, {Ipv4Address(ntohl(peer.sin_addr.s_addr)), *port}};
        }
        if (is_out_of_files(errno)) return tl::unexpected(Failure::out_of_files);
        const bool nobody = errno == EAGAIN || errno == EWOULDBLOCK;
        listener.ready = false;
        await(listener);
        if (!nobody) return tl::unexpected(Failure::other);
    }
    return tl::unexpected(Failure::nothing);
}

void AdmissionAcceptor::turn_one_away() {
    if (reserve_ >= 0) ::close(reserve_);
    for (Listener& listener : listeners_) {
        if (!listener.ready) continue;
        listener.ready = false;
        const int descriptor =
            accept4(listener.socket.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
        if (descriptor >= 0) ::close(descriptor);
    }
    reserve_ = open_reserve();
}

void AdmissionAcceptor::resume() {
    for (Listener& listener : listeners_) {
        if (!listener.ready) await(listener);
    }
}

void AdmissionAcceptor::await(Listener& listener) {
    if (listener.waits) return;
    listener.waits = true;
    listener.socket.async_wait(asio::socket_base::wait_read,
                               [this, &listener, alive = alive_](const std::error_code&) {
                                   if (!*alive) return;
                                   listener.waits = false;
                                   listener.ready = true;  // on an error too: take() will tell
                                   ready_();
                               });
}

}  // namespace joinleaf::controlplane
