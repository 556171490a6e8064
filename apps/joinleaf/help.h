// The words of `--help`: usage lines, examples, port forms and exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace joinleaf::app {

/// CLI11's layout with our usage line in front: `usage` says how the command is typed.
class HelpFormatter : public CLI::Formatter {
public:
    explicit HelpFormatter(std::string usage);
    [[nodiscard]] const std::string& usage() const noexcept { return usage_; }

protected:
    std::string make_usage(const CLI::App* app, std::string name) const override;
    std::string make_option_opts(const CLI::Option* option) const override;
    std::string make_group(std::string group, bool is_positional,
                           std::vector<const CLI::Option*> options) const override;

private:
    std::string usage_;
};

extern const std::string_view kProgramFooter;
extern const std::string_view kRootFooter;
extern const std::string_view kLeafFooter;
extern const std::string_view kRepairFooter;
extern const std::string_view kTellFooter;
extern const std::string_view kStatFooter;
extern const std::string_view kDemoFooter;
extern const std::string_view kDoctorFooter;

}  // namespace joinleaf::app
