#include <controlplane/tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace joinleaf::controlplane {

void set_no_delay(int descriptor) {
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void forget_at_once(int descriptor) {
    const linger nothing{.l_onoff = 1, .l_linger = 0};
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &nothing, sizeof nothing);
}

int socket_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
    return error;
}

bool has_come(int descriptor, short events) {
    pollfd one{.fd = descriptor, .events = events, .revents = 0};
    return poll(&one, 1, 0) == 1;
}

bool has_octets(int descriptor) {
    char octet = 0;
    return recv(descriptor, &octet, 1, MSG_PEEK) == 1;
}

}  // namespace joinleaf::controlplane
