// Which messages of a feed are missing.
#include <apps/joinleaf/missing.h>

#include <algorithm>
#include <iterator>

namespace joinleaf::app {

void Missing::begin_session(std::string_view session) {
    session_ = session;
    is_listed_ = false;
}

void Missing::add(std::uint64_t first, std::uint64_t count) {
    messages_ += count;
    if (kept_ == kMostKept && !is_listed_) {
        not_kept_ += count;
        return;
    }
    if (!is_listed_) sessions_.emplace_back(session_, Ends());
    is_listed_ = true;
    Ends& ends = sessions_.back().second;
    if (!ends.empty() && ends.rbegin()->second == first) {
        ends.rbegin()->second += count;
    } else if (kept_ < kMostKept) {
        ends.emplace(first, first + count);
        ++kept_;
    } else {
        not_kept_ += count;
    }
}

void Missing::remove(std::uint64_t first, std::uint64_t count) {
    messages_ -= std::min(messages_, count);
    std::uint64_t kept = 0;
    const std::uint64_t end = first + count;
    if (is_listed_) {
        Ends& ends = sessions_.back().second;
        auto range = ends.upper_bound(first);
        if (range != ends.begin() && std::prev(range)->second > first) --range;
        while (range != ends.end() && range->first < end) {
            const auto next = std::next(range);
            const std::uint64_t from = std::max(first, range->first);
            const std::uint64_t to = std::min(end, range->second);
            kept += to - from;
            erase(range, from, to);
            range = next;
        }
    }
    not_kept_ -= std::min(not_kept_, count - kept);
    if (is_listed_ && sessions_.back().second.empty()) {
        sessions_.pop_back();
        is_listed_ = false;
    }
}

void Missing::erase(Ends::iterator range, std::uint64_t first, std::uint64_t end) {
    Ends& ends = sessions_.back().second;
    const std::uint64_t range_end = range->second;
    if (range_end > end) {
        ends.emplace(end, range_end);
        ++kept_;
    }
    if (range->first == first) {
        ends.erase(range);
        --kept_;
    } else {
        range->second = first;
    }
}

std::vector<Missing::Range> Missing::ranges() const {
    std::vector<Range> all;
    all.reserve(kept_);
    for (const auto& [session, ends] : sessions_) {
        for (const auto& [first, end] : ends) all.push_back({session, first, end - first});
    }
    return all;
}

}  // namespace joinleaf::app
