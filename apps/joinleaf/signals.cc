// SIGINT and SIGTERM as something to look at.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/signals.h>
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

}  // namespace

Signals::Signals() {
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    fd_ = Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!fd_) throw system_failure("watch for", "signals", errno);
}

std::optional<std::string_view> Signals::asked_to_stop() {
    signalfd_siginfo info{};
    if (!asked_ && ::read(fd_.get(), &info, sizeof info) == sizeof info) {
        asked_ = info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
        const sigset_t set = stop_signals();
        pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    }
    return asked_;
}

}  // namespace joinleaf::app
