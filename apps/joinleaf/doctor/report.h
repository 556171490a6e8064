// The doctor's findings as lines for a person and as JSON. Pure.
#pragma once

#include <apps/joinleaf/doctor/finding.h>

#include <nlohmann/json.hpp>
#include <string>

namespace joinleaf::app::doctor {

/// A line, and one more with the cure where there is one; each ends with a line feed.
[[nodiscard]] std::string text_of(const Finding& finding);
[[nodiscard]] nlohmann::ordered_json json_of(const Finding& finding);

/// How many there are of each level.
[[nodiscard]] std::string summary_text(const Findings& findings);
[[nodiscard]] nlohmann::ordered_json summary_json(const Findings& findings);

}  // namespace joinleaf::app::doctor
