// SIGINT and SIGTERM, and SIGHUP, as something to look at.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/signals.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

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
    const sigset_t reload = reload_signals();
    pthread_sigmask(SIG_BLOCK, &reload, nullptr);
    hangup_ = Descriptor(::signalfd(-1, &reload, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!hangup_) throw system_failure("watch for", "SIGHUP", errno);
}

std::optional<std::string_view> Signals::asked_to_stop() {
    signalfd_siginfo info{};
    if (!asked_ && ::read(waiting_.get(), &info, sizeof info) == sizeof info) {
        asked_ = info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
        ::eventfd_write(taken_.get(), 1);
        const sigset_t set = stop_signals();
        pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    }
    return asked_;
}

bool Signals::asked_to_reload() {
    signalfd_siginfo info{};
    return hangup_ && ::read(hangup_.get(), &info, sizeof info) == sizeof info;
}

}  // namespace joinleaf::app
