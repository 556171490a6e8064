// SIGINT and SIGTERM, and SIGHUP, as something to look at.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/signals.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace joinleaf::app {
namespace {

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

sigset_t reload_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    return set;
}

/// Whether this process has a terminal that could hang up.
bool has_terminal() {
    const Descriptor terminal(::open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    return static_cast<bool>(terminal);
}

/// nohup(1) does that for who wants to outlive the terminal.
bool ignores_hangup() {
    struct sigaction action {};
    return ::sigaction(SIGHUP, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

/// A terminal that goes is told by the kernel, or by the shell that it was the terminal of.
bool tells_of_terminal(const signalfd_siginfo& info) {
    return info.ssi_code == SI_KERNEL || static_cast<pid_t>(info.ssi_pid) == ::getsid(0);
}

}  // namespace

Signals::Signals(Hangup hangup) {
    const sigset_t set = stop_signals();
    sigset_t blocked = set;
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    waiting_ = Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    taken_ = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    either_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event readable{.events = EPOLLIN, .data = {}};
    if (!waiting_ || !taken_ || !either_ ||
        ::epoll_ctl(either_.get(), EPOLL_CTL_ADD, waiting_.get(), &readable) != 0 ||
        ::epoll_ctl(either_.get(), EPOLL_CTL_ADD, taken_.get(), &readable) != 0) {
        throw system_failure("watch for", "signals", errno);
    }
    if (hangup == Hangup::ends) return;
    ends_with_terminal_ = has_terminal() && !ignores_hangup();
    const sigset_t reload = reload_signals();
    pthread_sigmask(SIG_BLOCK, &reload, nullptr);
    hangup_ = Descriptor(::signalfd(-1, &reload, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!hangup_) throw system_failure("watch for", "SIGHUP", errno);
}

std::optional<std::string_view> Signals::asked_to_stop() {
    signalfd_siginfo info{};
    if (!asked_ && ::read(waiting_.get(), &info, sizeof info) == sizeof info) {
        stop(info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
    }
    return asked_;
}

void Signals::stop(std::string_view why) {
    asked_ = why;
    ::eventfd_write(taken_.get(), 1);
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

bool Signals::asked_to_reload() {
    signalfd_siginfo info{};
    if (!hangup_ || ::read(hangup_.get(), &info, sizeof info) != sizeof info) return false;
    if (!ends_with_terminal_ || !tells_of_terminal(info) || has_terminal()) return true;
    if (!asked_) stop("SIGHUP");
    return false;
}

}  // namespace joinleaf::app
