// The table of commands and options, for whoever reads it: the parser, configuration files, and
// what is made of it for people (man page, completion).
#pragma once

#include <apps/joinleaf/options.h>

#include <CLI/CLI.hpp>
#include <memory>

namespace joinleaf::app {

/// One command line. One thread.
class CommandLine {
public:
    CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;
    ~CommandLine();

    [[nodiscard]] CLI::App& app() noexcept;
    /// See parse_command_line(). Once.
    [[nodiscard]] Invocation parse(const std::vector<std::string>& typed_words);

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace joinleaf::app
