#include <apps/joinleaf/black_box.h>
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/numbers.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>

namespace joinleaf::app {

void BlackBox::check(const RecorderOptions& options) {
    if (options.packets == 0) return;
    const auto folder = std::filesystem::path(options.prefix).parent_path();
    const std::string name = folder.empty() ? "." : folder.string();
    if (::access(name.c_str(), W_OK | X_OK) != 0) {
        throw system_failure("record to", options.prefix, errno,
                             "name another place with --record-file");
    }
}

BlackBox::BlackBox(Runtime& runtime, const RecorderOptions& options, Reporter& report)
    : runtime_(runtime), report_(report), is_on_(options.packets > 0) {
    if (!is_on_) return;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    asked_ = Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    ends_ = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!asked_ || !ends_) throw system_failure("watch for", "signals", errno);
    thread_ = std::thread([this] { watch(); });
}

BlackBox::~BlackBox() {
    if (!thread_.joinable()) return;
    ::eventfd_write(ends_.get(), 1);
    thread_.join();
}

void BlackBox::watch() {
    for (;;) {
        std::array<pollfd, 2> waits{{{asked_.get(), POLLIN, 0}, {ends_.get(), POLLIN, 0}}};
        if (::poll(waits.data(), waits.size(), -1) < 0) continue;  // interrupted
        if (waits[1].revents != 0) return;
        signalfd_siginfo info{};
        if (::read(asked_.get(), &info, sizeof info) != sizeof info) continue;
        if (const auto written = write({}, "SIGUSR1"); !written) report_.error(written.error());
    }
}

Parsed<std::string> BlackBox::write(const std::string& path, std::string_view why) {
    if (!is_on_) {
        return tl::unexpected(
            std::string("there is no recorder; start the program with --record PACKETS"));
    }
    const auto dump = runtime_.dump_recorder(path);
    if (!dump) {
        return tl::unexpected(fmt::format("cannot record{}: {}; name another place",
                                          path.empty() ? "" : fmt::format(" to {}", path),
                                          dump.error().message()));
    }
    report_.json(
        {{"event", "recorded"}, {"file", dump->path}, {"packets", dump->packets}, {"why", why}});
    const auto said = fmt::format("recorded {} packets to {}", grouped(dump->packets), dump->path);
    report_.text(said);
    return said;
}

}  // namespace joinleaf::app
