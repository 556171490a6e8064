// What a root publishes.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/input.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace joinleaf::app {

Input Input::open(const std::string& path, std::string_view option) {
    if (path == "-") return {Descriptor(STDIN_FILENO, true), "standard input", option};
    // A pipe that nobody writes to yet is not waited for here, where no signal is looked at: who
    // reads waits for input that is ready.
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd || ::fcntl(fd.get(), F_SETFL, O_RDONLY) != 0) {
        throw system_failure(
            "read", path, errno,
            fmt::format("name a readable file with {}, or - for standard input", option));
    }
    return {std::move(fd), path, option};
}

Input::Input(Descriptor fd, std::string name, std::string_view option)
    : fd_(std::move(fd)), name_(std::move(name)) {
    struct stat kind {};
    if (::fstat(fd_.get(), &kind) != 0) throw system_failure("read", name_, errno);
    if (S_ISDIR(kind.st_mode)) {
        throw Failure(fmt::format("{} is a directory; name a file with {}", name_, option));
    }
    may_block_ = !S_ISREG(kind.st_mode);
    line_by_line_ = ::isatty(fd_.get()) == 1;
}

Input::Step Input::read(std::span<SendBuffer> buffers, std::uint32_t chunk) {
    constexpr std::size_t kMost = 64;
    std::array<iovec, kMost> parts;
    buffers = buffers.first(std::min({buffers.size(), kMost, line_by_line_ ? 1 : kMost}));
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        parts[i] = {buffers[i].data + buffers[i].length, chunk - buffers[i].length};
    }

    const ssize_t got = ::readv(fd_.get(), parts.data(), static_cast<int>(buffers.size()));
    if (got < 0) {
        if (errno == EINTR || errno == EAGAIN) return {};
        throw system_failure("read", name_, errno);
    }
    octets_ += static_cast<std::uint64_t>(got);

    Step step{.complete = 0, .ended = got == 0};
    auto left = static_cast<std::uint32_t>(got);
    for (auto& buffer : buffers) {
        const std::uint32_t here = std::min(left, chunk - buffer.length);
        buffer.length += here;
        left -= here;
        const bool filled = buffer.length == chunk;
        if (!filled && (buffer.length == 0 || !(step.ended || line_by_line_))) break;
        ++step.complete;
    }
    return step;
}

}  // namespace joinleaf::app
