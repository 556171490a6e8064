// The command `tell`.
#include <apps/joinleaf/descriptor.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/tell.h>
#include <apps/joinleaf/unix_address.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <iterator>

namespace joinleaf::app {
namespace {

constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};
constexpr std::string_view kCure =
    "a running root listens there when it has --commands with that path";
constexpr std::string_view kError = "error: ";

Descriptor connect_to(const std::string& path) {
    const sockaddr_un address = unix_address(path, "reach", kCure);
    Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) != 0 ||
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience) != 0 ||
        ::connect(fd.get(), generic, sizeof address) != 0) {
        throw system_failure("reach", path, errno, kCure);
    }
    return fd;
}

}  // namespace

std::string ask_root(const std::string& path, const std::string& line) {
    const Descriptor root = connect_to(path);
    const std::string said = line + "\n";
    if (::send(root.get(), said.data(), said.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(said.size()) ||
        ::shutdown(root.get(), SHUT_WR) != 0) {
        throw system_failure("speak to", path, errno);
    }
    std::string answer;
    std::array<char, 65536> octets;
    for (;;) {
        const ssize_t got = ::recv(root.get(), octets.data(), octets.size(), 0);
        if (got > 0) {
            answer.append(octets.data(), static_cast<std::size_t>(got));
        } else if (got == 0) {
            break;
        } else if (errno == EAGAIN) {
            throw Failure(fmt::format("{} has not answered for 10 s: is its root stopped?", path));
        } else if (errno != EINTR) {
            throw system_failure("hear", path, errno);
        }
    }
    if (answer.empty()) throw Failure(path + " has hung up without an answer: has its root ended?");
    return answer;
}

int run_tell(const TellOptions& options) {
    std::string answer = ask_root(options.path, options.line);
    const auto end = answer.find_last_not_of('\n');
    const auto last = answer.rfind('\n', end) + 1;  // npos + 1: the first line
    const auto said = std::string_view(answer).substr(last, end - last + 1);
    if (!said.starts_with(kError)) {
        fmt::print("{}", answer);
        return kExitDone;
    }
    fmt::print("{}", std::string_view(answer).substr(0, last));
    throw Failure(std::string(said.substr(kError.size())));
}

}  // namespace joinleaf::app
