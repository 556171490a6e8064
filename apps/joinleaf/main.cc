// The program joinleaf: root, leaf, repair, tell, stat, doctor and demo.
#include <apps/joinleaf/failure.h>
#include <apps/joinleaf/options.h>
#include <apps/joinleaf/run.h>
#include <apps/joinleaf/service.h>
#include <apps/joinleaf/stat/stat.h>
#include <apps/joinleaf/tell.h>
#include <fmt/format.h>
#include <unistd.h>

#include <exception>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace {

using namespace joinleaf::app;

/// Root and leaf: JSON on standard output unless the data goes there, everything else on standard
/// error, each line with the command in front.
Reporter::Options say(const CommonOptions& common, const char* command,
                      bool data_on_stdout = false) {
    return {.command = fmt::format("joinleaf {}", command),
            .json = common.json,
            .quiet = common.quiet,
            .json_to = data_on_stdout ? stderr : stdout,
            .prefix = fmt::format("joinleaf {}: ", command),
            .live = ::isatty(STDERR_FILENO) == 1,
            .journal = logs_to_journal()};
}

/// The demo: what it says is what it is for, so all but errors goes to standard output.
Reporter::Options show(const CommonOptions& common) {
    return {.command = "joinleaf demo",
            .json = common.json,
            .quiet = common.quiet,
            .text_to = stdout,
            .live = ::isatty(STDOUT_FILENO) == 1};
}

struct Start {
    joinleaf::Instant began;
    std::vector<std::string> arguments;

    template <class Options>
    int run(const Options& options, Reporter::Options said,
            int (*command)(const Options&, Surroundings&)) const {
        Reporter report(std::move(said));
        try {
            constexpr bool kReloads =
                !std::is_same_v<Options, DemoOptions> && !std::is_same_v<Options, DoctorOptions>;
            Signals signals(kReloads ? Signals::Hangup::reloads : Signals::Hangup::ends);
            Surroundings surroundings{report, signals, began, arguments};
            return command(options, surroundings);
        } catch (const std::exception& error) {
            report.error(in_one_line(error));
            return kExitFailure;
        }
    }

    int operator()(const RootOptions& options) const {
        Reporter::Options said = say(options.common, "root", options.output == "-");
        // What is typed is not written over.
        if (options.admission && options.admission->commands == "-") said.live = false;
        return run(options, said, run_root);
    }
    int operator()(const LeafOptions& options) const {
        return run(options, say(options.common, "leaf", options.output == "-"), run_leaf);
    }
    int operator()(const RepairOptions& options) const {
        const auto& leaf = options.leaf;
        return run(options, say(leaf.common, "repair", leaf.output == "-"), run_repair);
    }
    int operator()(const TellOptions& options) const {
        try {
            return run_tell(options);
        } catch (const std::exception& error) {
            fmt::print(stderr, "joinleaf tell: {}\n", in_one_line(error));
            return kExitFailure;
        }
    }
    int operator()(const StatOptions& options) const {
        try {
            return run_stat(options);
        } catch (const std::exception& error) {
            fmt::print(stderr, "joinleaf stat: {}\n", in_one_line(error));
            return kExitFailure;
        }
    }
    int operator()(const DemoOptions& options) const {
        return run(options, show(options.common), run_demo);
    }
    int operator()(const DoctorOptions& options) const {
        Reporter::Options said = show(options.common);
        said.command = "joinleaf doctor";
        return run(options, std::move(said), run_doctor);
    }
    int operator()(const Message& message) const {
        if (message.exit_code == kExitDone) {
            fmt::print("{}", message.text);
        } else {
            const auto* const priority = logs_to_journal() ? "<3>" : "";
            std::istringstream lines(message.text);
            for (std::string line; std::getline(lines, line);) {
                fmt::print(stderr, "{}{}\n", priority, line);
            }
        }
        return message.exit_code;
    }
};

}  // namespace

int main(int argc, char** argv) {
    const auto began = joinleaf::Instant::clock::now();
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return std::visit(Start{began, arguments}, parse_command_line(arguments));
}
