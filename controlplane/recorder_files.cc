#include <controlplane/recorder_files.h>
#include <fmt/format.h>

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

std::optional<std::string> KeptFiles::add(std::string path) {
    files_.push_back(std::move(path));
    if (files_.size() <= most_) return std::nullopt;
    std::string oldest = std::move(files_.front());
    files_.pop_front();
    return oldest;
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
