#include <controlplane/refusal_notices.h>
#include <fmt/format.h>
#include <algorithm>
#include <string>
#include <utility>

namespace joinleaf::controlplane {
namespace {

// What was left out before is told with the next one.
std::string with_others(std::string_view why, std::uint64_t& left_out) {
    const auto others = std::exchange(left_out, 0);
    return others == 0 ? std::string(why) : fmt::format("{} ({} more since)", why, others);
}

}  // namespace

void RefusalNotices::tell(const Peer& peer, std::string_view why, Instant now) {
    if (refused_) {
        calls_full_again_ = std::max(calls_full_again_, now);
        if (calls_full_again_ - now > kCallEvery * (kCallsAtOnce - 1)) {
            ++calls_left_out_;
        } else {
            calls_full_again_ += kCallEvery;
            refused_(peer, with_others(why, calls_left_out_));
        }
    }
    if (line_at_ && now - *line_at_ < kLineEvery) {
        ++lines_left_out_;
        return;
    }
    line_at_ = now;
    log_(fmt::format("not let in: {}{}: {}", peer.name.empty() ? "" : peer.name + " from ",
                     peer.endpoint.to_string(), with_others(why, lines_left_out_)));
}

}  // namespace joinleaf::controlplane
