#include <controlplane/recorder_files.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace joinleaf::controlplane {

// Who sets the next time is the one that may.
bool OncePer::admit(Instant now) noexcept {
    Instant next = next_.load(std::memory_order_relaxed);
    if (now >= next &&
        next_.compare_exchange_strong(next, now + interval_, std::memory_order_relaxed)) {
        return true;
    }
    passed_over_.fetch_add(1, std::memory_order_relaxed);
    return false;
}

std::optional<std::string> KeptFiles::add(std::string path, Instant now) {
    const bool begins = files_.empty() || now - last_ > kEpisode;
    last_ = now;
    files_.push_back({std::move(path), begins});
    if (files_.size() <= most_) return std::nullopt;
    const auto newest = std::prev(files_.end());
    auto goes = std::find_if(files_.begin(), newest, [](const File& file) { return !file.begins; });
    if (goes == newest) goes = files_.begin();
    std::string gone = std::move(goes->path);
    files_.erase(goes);
    return gone;
}

std::string recorder_file_name(std::string_view prefix, std::chrono::nanoseconds since_1970) {
    using namespace std::chrono;
    const sys_time<nanoseconds> at(since_1970);
    const auto day = floor<days>(at);
    const year_month_day date(day);
    const hh_mm_ss time(at - day);
    return fmt::format("{}-{:04}{:02}{:02}T{:02}{:02}{:02}.{:09}Z.pcapng", prefix,
                       static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()), time.hours().count(),
                       time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

}  // namespace joinleaf::controlplane
