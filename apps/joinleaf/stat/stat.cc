#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/stat/screen.h>
#include <apps/joinleaf/stat/stat.h>
#include <apps/joinleaf/stat/terminal.h>
#include <fmt/format.h>
#include <unistd.h>

#include <thread>

namespace joinleaf::app {
namespace {

TelemetryClient client_for(const StatOptions& options) {
    if (options.path) {
        TelemetryClient client(*options.path);
        if (client.is_joinleaf()) return client;
        throw Failure(fmt::format("{} is the telemetry socket of process {}, which is no joinleaf",
                                  *options.path, client.pid()));
    }
    std::optional<pid_t> pid;
    if (options.pid) pid = static_cast<pid_t>(*options.pid);
    return TelemetryClient(choose_process(running_processes(pid), pid).path);
}

void print_once(TelemetryClient& client, Duration interval) {
    const Sample before = take_sample(client);
    std::this_thread::sleep_for(interval);
    const Sample now = take_sample(client);
    fmt::print("{}\n\n", text_of(title_of(now, &before)));
    for (const auto& line : body_of(now, &before)) fmt::print("{}\n", text_of(line));
}

/// Returns whether the person wants to see more.
bool obey(Key key, View& view, std::size_t lines) {
    const std::size_t page = view.rows / 2;
    const std::size_t last = last_top(lines, view);
    view.top = std::min(view.top, last);
    switch (key) {
        case Key::quit:
            return false;
        case Key::pause:
            view.paused = !view.paused;
            break;
        case Key::up:
            view.top -= std::min<std::size_t>(view.top, 1);
            break;
        case Key::down:
            view.top = std::min(last, view.top + 1);
            break;
        case Key::page_up:
            view.top -= std::min(view.top, page);
            break;
        case Key::page_down:
            view.top = std::min(last, view.top + page);
            break;
        case Key::home:
            view.top = 0;
            break;
        case Key::end:
            view.top = last;
            break;
        case Key::none:
        case Key::resized:
            break;
    }
    return true;
}

void show(TelemetryClient& client, Duration interval) {
    Terminal terminal;
    View view;
    Sample now = take_sample(client);
    Line title = title_of(now, nullptr);
    std::vector<Line> body = body_of(now, nullptr);
    Instant next = now.at + interval;
    for (bool goes_on = true; goes_on;) {
        terminal.measure(view);
        terminal.draw(screen_of(title, body, view));
        goes_on = obey(terminal.wait_for_key(next), view, body.size());
        if (!goes_on || Instant::clock::now() < next) continue;
        next = Instant::clock::now() + interval;
        if (view.paused) continue;
        Sample fresh = take_sample(client);
        title = title_of(fresh, &now);
        body = body_of(fresh, &now);
        now = std::move(fresh);
    }
}

}  // namespace

int run_stat(const StatOptions& options) {
    TelemetryClient client = client_for(options);
    if (options.json) {
        constexpr auto kReplace = Json::error_handler_t::replace;  // a name may be cut anywhere
        fmt::print("{}\n", json_of(take_sample(client)).dump(2, ' ', false, kReplace));
    } else if (options.once || ::isatty(STDOUT_FILENO) != 1 || ::isatty(STDIN_FILENO) != 1) {
        print_once(client, options.interval);
    } else {
        show(client, options.interval);
    }
    return kExitDone;
}

}  // namespace joinleaf::app
