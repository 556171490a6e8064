// Where lines go.
#include <apps/joinleaf/report.h>
#include <fmt/format.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace joinleaf::app {
namespace {

// Priorities of lines in the journal, sd-daemon(3).
constexpr std::string_view kError = "<3>";
constexpr std::string_view kNotice = "<5>";
constexpr std::string_view kInformation = "<6>";

/// A terminal that has gone takes nothing more, and keeps nobody from ending in good order.
template <class... Args>
void put(std::FILE* to, fmt::format_string<Args...> format, Args&&... arguments) {
    const std::string text = fmt::format(format, std::forward<Args>(arguments)...);
    if (std::fwrite(text.data(), 1, text.size(), to) == text.size() || errno == EIO) return;
    throw std::system_error(errno, std::generic_category(), "cannot tell how it goes");
}

}  // namespace

Reporter::~Reporter() { wipe_live_line(); }

void Reporter::json(const Json& line) {
    if (!options_.json) return;
    const std::lock_guard lock(mutex_);
    write_json(line);
}

void Reporter::text(std::string_view line) { text(line, kInformation); }

void Reporter::text(std::string_view line, std::string_view priority) {
    if (options_.json || options_.quiet) return;
    const std::lock_guard lock(mutex_);
    wipe_live_line();
    put(options_.text_to, "{}{}{}\n", options_.journal ? priority : "", options_.prefix, line);
}

void Reporter::live(std::string_view line) {
    if (options_.json || options_.quiet || !options_.live) return;
    const std::lock_guard lock(mutex_);
    put(options_.text_to, "\r\x1b[K{}", line);
    std::fflush(options_.text_to);
    live_line_ = true;
}

void Reporter::note(std::string_view line) {
    if (!options_.quiet) json({{"event", "note"}, {"what", line}});
    text(line, kNotice);
}

void Reporter::answer(std::string_view text) {
    if (options_.json) return json({{"event", "answer"}, {"what", text}});
    const std::lock_guard lock(mutex_);
    wipe_live_line();
    put(options_.text_to, "{}", text);
}

void Reporter::error(std::string_view line) {
    const std::lock_guard lock(mutex_);
    wipe_live_line();
    if (options_.json) write_json({{"event", "error"}, {"what", line}});
    const bool would_mix = options_.json && options_.json_to == options_.errors_to;
    if (would_mix) return;
    put(options_.errors_to, "{}{}: {}\n", options_.journal ? kError : "", options_.command, line);
}

void Reporter::wipe_live_line() {
    if (!live_line_) return;
    put(options_.text_to, "\r\x1b[K");
    std::fflush(options_.text_to);
    live_line_ = false;
}

void Reporter::write_json(const Json& line) {
    constexpr auto kReplace = Json::error_handler_t::replace;  // what() may quote any octets
    put(options_.json_to, "{}\n", line.dump(-1, ' ', false, kReplace));
    std::fflush(options_.json_to);
}

}  // namespace joinleaf::app
