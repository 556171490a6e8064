#include <controlplane/port_lock.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

namespace joinleaf::controlplane {

PortLock::PortLock(const std::string& port) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "port lock");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "joinleaf:" + port;
    const std::size_t n = std::min(name.size(), sizeof address.sun_path - 1);
    std::copy_n(name.begin(), n, address.sun_path + 1);  // a leading zero: abstract
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + n);
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0) return;
    const int code = errno;
    close(fd_);
    throw std::system_error(
        code, std::generic_category(),
        fmt::format("port '{}' is in use by another joinleaf process; stop that one, or use "
                    "another port",
                    port));
}

PortLock::~PortLock() {
    if (fd_ >= 0) close(fd_);
}

PortLock::PortLock(PortLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

}  // namespace joinleaf::controlplane
