// A file that a person has written, read whole.
#include <controlplane/whole_file.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace joinleaf::controlplane {
namespace {

std::error_code last_error() { return {errno, std::generic_category()}; }

/// Until the end of what `fd` gives. A directory can be opened, but not be read.
Result<std::string> read_to_end(int fd) {
    std::string text;
    std::array<char, 65536> octets;
    for (;;) {
        const ssize_t got = ::read(fd, octets.data(), octets.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tl::unexpected(last_error());
        if (got == 0) return text;
        text.append(octets.data(), static_cast<std::size_t>(got));
        if (text.size() > kLargestWholeFile) return failure(std::errc::file_too_large);
    }
}

}  // namespace

Result<std::string> read_whole(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tl::unexpected(last_error());
    auto text = read_to_end(fd);
    ::close(fd);
    return text;
}

std::string why_not_read(const std::error_code& why) {
    const bool is_no_text = why == std::errc::is_a_directory || why == std::errc::file_too_large;
    return fmt::format(
        "{}; {}", why.message(),
        is_no_text ? "name a text file" : "check the path and that this user may read it");
}

}  // namespace joinleaf::controlplane
