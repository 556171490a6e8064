// What `joinleaf stat` shows of two looks at a process: lines, and the part of them that a terminal
// has room for. Pure.
#pragma once

#include <apps/joinleaf/stat/sample.h>

#include <cstddef>
#include <string>
#include <vector>

namespace joinleaf::app {

enum class Style : std::uint8_t {
    plain,
    title,
    heading,  ///< of columns
    alarm,    ///< a loss that goes on now, a join that brings nothing
    faint,
};

struct Span {
    std::string text;
    Style style = Style::plain;
    friend bool operator==(const Span&, const Span&) = default;
};
struct Line {
    std::vector<Span> spans;
    friend bool operator==(const Line&, const Line&) = default;
};
[[nodiscard]] std::string text_of(const Line& line);

/// Everything there is to show, a section for each table that has rows. Rates are those since
/// `before`; without it (null) there are none.
[[nodiscard]] std::vector<Line> body_of(const Sample& now, const Sample* before);

/// Who is looked at, and before all else what is being lost since `before`: the tables of a process
/// with many groups are longer than a screen.
[[nodiscard]] Line title_of(const Sample& now, const Sample* before);

/// The terminal, and what the person has chosen.
struct View {
    std::size_t rows = 24;
    std::size_t columns = 80;
    std::size_t top = 0;  ///< the first line of the body that is shown
    bool paused = false;
};

/// What of a body of `lines` may be the top line of such a view, at most.
[[nodiscard]] std::size_t last_top(std::size_t lines, const View& view);

/// Exactly `view.rows` lines, none wider than `view.columns`: title, body from the top, keys.
[[nodiscard]] std::vector<Line> screen_of(const Line& title, const std::vector<Line>& body,
                                          const View& view);

}  // namespace joinleaf::app
