// Where a leaf's payloads go.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/output.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <filesystem>

namespace joinleaf::app {
namespace {

constexpr int kReaderPatienceMs = 1000;  // once the end is asked for

std::string cure(std::string_view option) {
    return fmt::format("name a file you may write with {}, or - for standard output, or null",
                       option);
}

bool is_file(const std::string& path) { return path != "-" && path != "null"; }

}  // namespace

void Output::check(const std::string& path, std::string_view option) {
    if (!is_file(path)) return;
    struct stat kind {};
    if (::stat(path.c_str(), &kind) == 0) {
        if (S_ISDIR(kind.st_mode)) {
            throw Failure(fmt::format("{} is a directory; {}", path, cure(option)));
        }
        if (::access(path.c_str(), W_OK) != 0) {
            throw system_failure("write", path, errno, cure(option));
        }
        return;
    }
    if (errno != ENOENT) throw system_failure("write", path, errno, cure(option));
    auto folder = std::filesystem::path(path).parent_path();
    if (folder.empty()) folder = ".";
    if (::access(folder.c_str(), W_OK | X_OK) != 0) {
        throw system_failure("write", path, errno, cure(option));
    }
}

Output Output::open(const std::string& path, std::string_view option) {
    if (path == "null") return {Descriptor(), path, option};
    if (path == "-") return {Descriptor(STDOUT_FILENO, true), "standard output", option};
    Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!fd) throw system_failure("write", path, errno, cure(option));
    return {std::move(fd), path, option};
}

Output::Output(Descriptor fd, std::string name, std::string_view option)
    : fd_(std::move(fd)), name_(std::move(name)), option_(option) {
    if (!fd_) return;
    collected_.resize(kCollect);
    struct stat kind {};
    is_pipe_ = ::fstat(fd_.get(), &kind) == 0 && S_ISFIFO(kind.st_mode);
}

void Output::append(const Datagram& datagram) {
    if (!fd_) return;
    if (collected_.size() - filled_ < datagram.size()) flush();
    filled_ += datagram.copy_to(std::span(collected_).subspan(filled_));
}

void Output::append(std::span<const std::byte> octets) {
    if (!fd_) return;
    while (!octets.empty()) {
        if (filled_ == collected_.size()) flush();
        const auto here = octets.first(std::min(octets.size(), collected_.size() - filled_));
        std::ranges::copy(here, collected_.begin() + static_cast<std::ptrdiff_t>(filled_));
        filled_ += here.size();
        octets = octets.subspan(here.size());
    }
}

void Output::flush() {
    std::size_t done = 0;
    while (done < filled_) {
        std::size_t most = filled_ - done;
        if (is_pipe_) {
            wait_for_reader();
            most = std::min<std::size_t>(most, PIPE_BUF);  // this much never waits
        }
        const ssize_t put = ::write(fd_.get(), collected_.data() + done, most);
        if (put < 0) {
            if (errno == EINTR) continue;
            fail(errno);
        }
        done += static_cast<std::size_t>(put);
        written_ += static_cast<std::uint64_t>(put);
    }
    filled_ = 0;
}

void Output::wait_for_reader() const {
    std::array<pollfd, 2> waits{pollfd{fd_.get(), POLLOUT, 0}, pollfd{stop_fd_, POLLIN, 0}};
    while (::poll(waits.data(), waits.size(), -1) < 0 || waits[0].revents == 0) {
        if (waits[1].revents == 0) continue;
        if (::poll(waits.data(), 1, kReaderPatienceMs) > 0) return;
        throw Failure(fmt::format("{} is not read; {} octets were written and {} more had arrived",
                                  name_, written_, filled_));
    }
}

void Output::close() {
    flush();
    if (const int code = fd_.close(); code != 0) fail(code);
}

void Output::fail(int code) const {
    const std::string cure = code == ENOSPC || code == EDQUOT
                                 ? fmt::format("; make room, or name another file with {}", option_)
                                 : "";
    throw Failure(fmt::format("cannot write {}: {}; {} octets were written{}", name_,
                              std::generic_category().message(code), written_, cure));
}

}  // namespace joinleaf::app
