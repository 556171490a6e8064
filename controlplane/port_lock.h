// Keeps two processes from driving one port.
#pragma once

#include <string>

namespace joinleaf::controlplane {

/// Holds the name of a port for this process. The name is an abstract Unix socket, so that the
/// kernel gives it back however the process ends, and network namespaces do not disturb each other.
class PortLock {
public:
    /// Errors: throws std::system_error (address_in_use) when another holder exists.
    explicit PortLock(const std::string& port);
    ~PortLock();
    PortLock(PortLock&& other) noexcept;
    PortLock& operator=(PortLock&&) = delete;
    PortLock(const PortLock&) = delete;
    PortLock& operator=(const PortLock&) = delete;

private:
    int fd_;
};

}  // namespace joinleaf::controlplane
