// How far an input has come.
#include <apps/joinleaf/feed_files/progress.h>

#include <algorithm>
#include <chrono>

namespace joinleaf::app {
namespace {

/// What the last look weighs against those before it.
constexpr double kWeight = 0.5;

double blend(std::optional<double> before, double now) {
    return before ? *before + kWeight * (now - *before) : now;
}

}  // namespace

FeedProgress ProgressMeter::look(std::uint64_t messages, std::uint64_t octets, Instant now) {
    const double seconds = looked_ ? std::chrono::duration<double>(now - *looked_).count() : 0;
    if (seconds > 0) {
        message_rate_ = blend(message_rate_, static_cast<double>(messages - messages_) / seconds);
        octet_rate_ = blend(octet_rate_, static_cast<double>(octets - octets_) / seconds);
    }
    looked_ = now;
    messages_ = messages;
    octets_ = octets;

    FeedProgress progress{.messages = messages, .messages_per_second = message_rate_.value_or(0)};
    if (!size_) return progress;
    const auto done = static_cast<double>(std::min(octets, *size_));
    const auto all = static_cast<double>(*size_);
    progress.part = *size_ == 0 ? 1 : done / all;
    if (octet_rate_.value_or(0) > 0) progress.eta_s = (all - done) / *octet_rate_;
    return progress;
}

}  // namespace joinleaf::app
