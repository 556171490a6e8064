// A file descriptor with an owner.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace joinleaf::app {

class Descriptor {
public:
    Descriptor() = default;
    /// Takes over `fd`; a `borrowed` one (standard input or output) is not closed.
    explicit Descriptor(int fd, bool borrowed = false) : fd_(fd), borrowed_(borrowed) {}
    Descriptor(Descriptor&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), borrowed_(other.borrowed_) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        std::swap(borrowed_, other.borrowed_);
        return *this;
    }
    ~Descriptor() { close(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Returns 0 or an errno: a file system may report only now that data was lost.
    int close() noexcept {
        const int fd = std::exchange(fd_, -1);
        if (fd < 0 || borrowed_) return 0;
        return ::close(fd) == 0 ? 0 : errno;
    }

private:
    int fd_ = -1;
    bool borrowed_ = false;
};

}  // namespace joinleaf::app
