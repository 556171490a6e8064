#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/stat/terminal.h>

#include <algorithm>
#include <clocale>
#include <csignal>
#include <cstdlib>

#define NCURSES_NOMACROS  // they would be names of everything
#include <curses.h>

namespace joinleaf::app {
namespace {

// The terminal is given back before the program ends by them.
volatile std::sig_atomic_t told_to_end = 0;

void end_soon(int /*signal*/) { told_to_end = 1; }

constexpr short kAlarmColours = 1;

int attributes(Style style) {
    switch (style) {
        case Style::title:
            return static_cast<int>(A_BOLD);
        case Style::heading:
            return static_cast<int>(A_UNDERLINE);
        case Style::alarm:
            return static_cast<int>(A_BOLD) |
                   (has_colors() ? static_cast<int>(COLOR_PAIR(kAlarmColours))
                                 : static_cast<int>(A_REVERSE));
        case Style::faint:
            return static_cast<int>(A_DIM);
        case Style::plain:
            break;
    }
    return static_cast<int>(A_NORMAL);
}

Key key_of(int code) {
    switch (code) {
        case 'q':
        case 'Q':
            return Key::quit;
        case 'p':
        case 'P':
        case ' ':
            return Key::pause;
        case KEY_UP:
        case 'k':
            return Key::up;
        case KEY_DOWN:
        case 'j':
            return Key::down;
        case KEY_PPAGE:
            return Key::page_up;
        case KEY_NPAGE:
            return Key::page_down;
        case KEY_HOME:
            return Key::home;
        case KEY_END:
            return Key::end;
        case KEY_RESIZE:
            return Key::resized;
        default:
            return Key::none;
    }
}

}  // namespace

Terminal::Terminal() {
    std::setlocale(LC_ALL, "");  // NOLINT(concurrency-mt-unsafe): before any other thread
    const char* name = std::getenv("TERM");
    if (newterm(nullptr, stdout, stdin) == nullptr) {
        throw Failure(fmt::format("the terminal '{}' is not known; set TERM, or use --once",
                                  name == nullptr ? "" : name));
    }
    struct sigaction action {};
    action.sa_handler = end_soon;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, true);
    if (has_colors()) {
        start_color();
        use_default_colors();
        init_pair(kAlarmColours, COLOR_RED, -1);
    }
}

Terminal::~Terminal() { endwin(); }

void Terminal::measure(View& view) const {
    view.rows = static_cast<std::size_t>(std::max(getmaxy(stdscr), 0));
    view.columns = static_cast<std::size_t>(std::max(getmaxx(stdscr), 0));
}

void Terminal::draw(const std::vector<Line>& screen) {
    werase(stdscr);
    int row = 0;
    for (const auto& line : screen) {
        wmove(stdscr, row++, 0);
        for (const auto& span : line.spans) {
            wattrset(stdscr, attributes(span.style));
            waddnstr(stdscr, span.text.data(), static_cast<int>(span.text.size()));
        }
    }
    wattrset(stdscr, static_cast<int>(A_NORMAL));
    wrefresh(stdscr);
}

Key Terminal::wait_for_key(Instant until) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Instant::clock::now());
    // A signal is seen at the latest with the next look.
    wtimeout(stdscr, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 100)));
    const int code = wgetch(stdscr);
    if (told_to_end != 0) return Key::quit;
    return code == ERR ? Key::none : key_of(code);
}

}  // namespace joinleaf::app
