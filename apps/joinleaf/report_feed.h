// What is told of a sequenced feed: its part of the JSON lines, and of those for a person. Pure.
#pragma once

#include <apps/joinleaf/report.h>

namespace joinleaf::app {

/// Adds `messages`, `progress` and `eta_s`.
void add_progress(const FeedProgress& progress, Json& status);
/// Adds `messages`, `gaps` and `lost`.
void add_progress(const FeedStatus& feed, Json& status);

[[nodiscard]] Json json_of(const FeedSent& feed);
[[nodiscard]] Json json_of(const FeedTaken& feed);
[[nodiscard]] Json json_of(const RepairStatus& repair);

/// As in "34.5 %  1,234,567 messages  1.2 M/s  00:01:23 left".
[[nodiscard]] std::string text_of(const FeedProgress& progress);
[[nodiscard]] std::string text_of(const FeedStatus& feed);
[[nodiscard]] std::vector<std::string> text_of(const FeedSent& feed);
[[nodiscard]] std::vector<std::string> text_of(const FeedTaken& feed);
[[nodiscard]] std::string text_of(const RepairStatus& repair);

}  // namespace joinleaf::app
