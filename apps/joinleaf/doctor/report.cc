#include <apps/joinleaf/doctor/report.h>
#include <fmt/format.h>

#include <algorithm>

namespace joinleaf::app::doctor {
namespace {

std::size_t count(const Findings& findings, Level level) {
    return static_cast<std::size_t>(
        std::count_if(findings.begin(), findings.end(),
                      [&](const Finding& finding) { return finding.level == level; }));
}

}  // namespace

std::string text_of(const Finding& finding) {
    std::string text =
        fmt::format("{:<5} {:<12} {}\n", name(finding.level), finding.topic, finding.text);
    if (!finding.cure.empty()) text += fmt::format("{:19}cure: {}\n", "", finding.cure);
    return text;
}

nlohmann::ordered_json json_of(const Finding& finding) {
    return {{"event", "finding"},
            {"level", name(finding.level)},
            {"topic", finding.topic},
            {"text", finding.text},
            {"cure", finding.cure}};
}

std::string summary_text(const Findings& findings) {
    return fmt::format("{} ok, {} warn, {} fail, {} skipped\n", count(findings, Level::ok),
                       count(findings, Level::warn), count(findings, Level::fail),
                       count(findings, Level::skip));
}

nlohmann::ordered_json summary_json(const Findings& findings) {
    return {{"event", "summary"},
            {"ok", count(findings, Level::ok)},
            {"warn", count(findings, Level::warn)},
            {"fail", count(findings, Level::fail)},
            {"skip", count(findings, Level::skip)}};
}

}  // namespace joinleaf::app::doctor
