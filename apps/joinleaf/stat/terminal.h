// A full screen of a terminal, by ncurses.
#pragma once

#include <apps/joinleaf/stat/screen.h>
#include <joinleaf/clock.h>

namespace joinleaf::app {

enum class Key : std::uint8_t {
    none,
    quit,
    pause,
    up,
    down,
    page_up,
    page_down,
    home,
    end,
    resized,
};

/// One at a time; its end gives the terminal back as it was.
class Terminal {
public:
    /// Errors: throws Failure (a terminal that is not known).
    Terminal();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    void measure(View& view) const;
    void draw(const std::vector<Line>& screen);
    /// None by then: Key::none.
    [[nodiscard]] Key wait_for_key(Instant until);
};

}  // namespace joinleaf::app
