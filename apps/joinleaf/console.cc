// Where the operator of a running root speaks to it.
#include <apps/joinleaf/console.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/unix_address.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace joinleaf::app {
namespace {

constexpr int kBacklog = 16;
constexpr std::string_view kCure = "name a path with --commands where a socket can be made";
constexpr std::string_view kTooLong = "error: that line is too long; 'help' lists the commands\n";

Descriptor unix_socket() {
    Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) throw system_failure("make", "a Unix socket", errno);
    return fd;
}

int bind_to(int fd, const sockaddr_un& address) {
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    return ::bind(fd, generic, sizeof address) == 0 ? 0 : errno;
}

/// What a program that was killed has left behind.
void remove_stale(const std::string& path, const sockaddr_un& address) {
    struct stat kind {};
    if (::lstat(path.c_str(), &kind) == 0 && !S_ISSOCK(kind.st_mode)) {
        throw Failure(path +
                      " is there already and is no socket; name another path with --commands");
    }
    const Descriptor probe = unix_socket();
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(probe.get(), generic, sizeof address) == 0 || errno != ECONNREFUSED) {
        throw Failure("another program listens at " + path + "; name another path with --commands");
    }
    ::unlink(path.c_str());
}

ssize_t read_into(std::string& heard, int fd) {
    std::array<char, Console::kLongestLine> octets;
    const ssize_t got = ::read(fd, octets.data(), octets.size());
    if (got > 0) heard.append(octets.data(), static_cast<std::size_t>(got));
    return got;
}

/// Takes the first whole line that is not blank; at the end what is left is one.
std::optional<std::string> next_line(std::string& heard, bool ended) {
    while (!heard.empty()) {
        const auto end = heard.find('\n');
        if (end == std::string::npos && !ended) return {};
        std::string line = heard.substr(0, end);
        heard.erase(0, end == std::string::npos ? end : end + 1);
        if (line.find_first_not_of(" \t\r") != std::string::npos) return line;
    }
    return {};
}

}  // namespace

Console::Console(const std::string& where, std::function<void(std::string_view)> say)
    : say_(std::move(say)) {
    if (where != "-") {
        listen_at(where);
        return;
    }
    input_ = Descriptor(STDIN_FILENO, true);
    is_terminal_ = ::isatty(STDIN_FILENO) == 1;
    // Without this a program in the background would be stopped when it reads.
    if (is_terminal_) std::signal(SIGTTIN, SIG_IGN);
}

Console::~Console() {
    if (!path_.empty()) ::unlink(path_.c_str());
}

void Console::listen_at(const std::string& path) {
    const sockaddr_un address = unix_address(path, "listen at", kCure);
    listening_ = unix_socket();
    int code = bind_to(listening_.get(), address);
    if (code == EADDRINUSE) {
        remove_stale(path, address);
        code = bind_to(listening_.get(), address);
    }
    if (code != 0) throw system_failure("listen at", path, code, kCure);
    path_ = path;
    // Nobody can connect before listen(2).
    if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 ||
        ::listen(listening_.get(), kBacklog) != 0) {
        throw system_failure("listen at", path, errno, kCure);
    }
}

// A terminal's lines are for whoever is in the foreground.
bool Console::watches_input() const {
    return input_ && (!is_terminal_ || ::tcgetpgrp(input_.get()) == ::getpgrp());
}

void Console::serve(int other, std::chrono::milliseconds timeout, const Answer& answer) {
    const bool takes_more = listening_ && clients_.size() < kMostClients;
    waits_.clear();
    waits_.push_back({other, POLLIN, 0});
    waits_.push_back({watches_input() ? input_.get() : -1, POLLIN, 0});
    waits_.push_back({takes_more ? listening_.get() : -1, POLLIN, 0});
    for (const auto& client : clients_) {
        const bool listens = client.to_say.empty();
        waits_.push_back({client.fd.get(), static_cast<short>(listens ? POLLIN : POLLOUT), 0});
    }
    if (::poll(waits_.data(), waits_.size(), static_cast<int>(timeout.count())) <= 0) return;
    auto told = waits_.begin() + 3;
    for (auto& client : clients_) client.events = (told++)->revents;
    if (waits_[1].revents != 0) hear_input(answer);
    for (auto& client : clients_) {
        if (client.events != 0) serve_client(client, answer);
    }
    clients_.remove_if([](const Client& client) { return !client.fd; });
    if (waits_[2].revents != 0) let_in();
}

void Console::let_in() {
    Descriptor fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) clients_.push_back({.fd = std::move(fd), .heard = {}, .to_say = {}});
}

void Console::hear_input(const Answer& answer) {
    const ssize_t got = read_into(heard_, input_.get());
    // A program that has just gone to the background cannot read its terminal.
    if (got < 0 && (errno == EINTR || errno == EAGAIN || !watches_input())) return;
    const bool ended = got <= 0;
    while (const auto line = next_line(heard_, ended)) say_(answer(*line));
    if (heard_.size() > kLongestLine) {
        heard_.clear();
        say_(kTooLong);
    }
    if (ended) input_.close();
}

// One answer at a time, so that who does not read them cannot pile them up.
void Console::serve_client(Client& client, const Answer& answer) {
    if (client.to_say.empty()) {
        const ssize_t got = read_into(client.heard, client.fd.get());
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
        client.ended = got <= 0;
    }
    write_to(client);
    while (client.fd && client.to_say.empty()) {
        if (const auto line = next_line(client.heard, client.ended)) {
            client.to_say = answer(*line);
        } else if (client.heard.size() > kLongestLine) {
            client.heard.clear();
            client.to_say = kTooLong;
            client.ended = true;
        } else {
            if (client.ended) client.fd.close();
            return;
        }
        write_to(client);
    }
}

void Console::write_to(Client& client) {
    if (client.to_say.empty()) return;
    const ssize_t put = ::send(client.fd.get(), client.to_say.data(), client.to_say.size(),
                               MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put > 0) client.to_say.erase(0, static_cast<std::size_t>(put));
    if (put < 0 && errno != EAGAIN && errno != EINTR) client.fd.close();
}

}  // namespace joinleaf::app
