// The command line: what was typed, which CLI11 collects as text, and what is said of wrong use.
#include <apps/joinleaf/command_line.h>
#include <apps/joinleaf/command_table.h>
#include <apps/joinleaf/config.h>
#include <apps/joinleaf/manual.h>
#include <apps/joinleaf/named.h>
#include <apps/joinleaf/options_doctor.h>
#include <apps/joinleaf/typed.h>
#include <fmt/format.h>

namespace joinleaf::app {
namespace {

/// What CLI11 complains of, in our words.
std::string in_our_words(const CLI::ParseError& error) {
    const std::string said = error.what();
    const auto colon = said.rfind(": ");
    if (colon == std::string::npos) return said;
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
        return fmt::format("'{}' is not expected here", said.substr(colon + 2));
    }
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
        const bool twice = said.find("received") != std::string::npos;
        return fmt::format("{}: {}", said.substr(0, colon),
                           twice ? "give it once" : "its value is missing");
    }
    return said;
}

/// What is wrong as our one line.
Message complaint(std::string_view command, std::string_view what) {
    return {kExitWrongUse,
            fmt::format("joinleaf {0}: {1}; `joinleaf {0} --help` tells more", command, what)};
}

Message complaint(const CLI::App& app, const std::vector<std::string>& arguments,
                  std::string_view what) {
    const auto chosen = app.get_subcommands();
    if (!chosen.empty()) return complaint(chosen.front()->get_name(), what);
    if (arguments.empty()) {
        return {kExitWrongUse,
                "joinleaf: say what to do: root, leaf, repair, tell, stat, doctor or demo; "
                "`joinleaf --help` tells more"};
    }
    return {kExitWrongUse,
            fmt::format("joinleaf: '{}' is not a command; begin with root, leaf, "
                        "repair, tell, stat, doctor or demo; `joinleaf --help` tells more",
                        arguments.front())};
}

/// `joinleaf --config FILE` is the command that FILE names.
Parsed<std::vector<std::string>> with_command_of_file(std::vector<std::string> arguments) {
    constexpr std::string_view kOption = "--config";
    constexpr std::string_view kJoined = "--config=";
    if (arguments.empty()) return arguments;
    std::string file;
    if (arguments.front().starts_with(kJoined)) {
        file = arguments.front().substr(kJoined.size());
    } else if (arguments.front() == kOption && arguments.size() > 1) {
        file = arguments[1];
    } else {
        return arguments;
    }
    auto command = command_of_config(file);
    if (!command) return tl::unexpected(command.error());
    arguments.insert(arguments.begin(), *std::move(command));
    return arguments;
}

/// The options of the command that was chosen, as far as they are right.
Invocation options_of(const CLI::App& command, const Typed& typed, Complaints& wrong) {
    const auto& name = command.get_name();
    if (name == "root") return root_options(typed, wrong);
    if (name == "leaf") return leaf_options(typed, wrong);
    if (name == "repair") return repair_options(typed, wrong);
    if (name == "demo") return demo_options(typed, wrong);
    if (name == "doctor") {
        DoctorOptions doctor{.common = common_options(typed, wrong)};
        wrong.attempt([&] { doctor = doctor_options(typed, doctor.common); });
        return doctor;
    }
    if (name == "stat") {
        StatOptions stat;
        wrong.attempt([&] { stat = stat_options(typed); });
        return stat;
    }
    TellOptions tell;
    wrong.attempt([&] { tell = tell_options(typed); });
    return tell;
}

struct Settle {
    Settings settings;

    void operator()(RootOptions& options) { options.common.settings = std::move(settings); }
    void operator()(LeafOptions& options) { options.common.settings = std::move(settings); }
    void operator()(RepairOptions& options) { options.leaf.common.settings = std::move(settings); }
    void operator()(DemoOptions& options) { options.common.settings = std::move(settings); }
    void operator()(DoctorOptions& options) { options.common.settings = std::move(settings); }
    void operator()(TellOptions& /*no settings*/) {}
    void operator()(StatOptions& /*no settings*/) {}
    void operator()(Message& /*no settings*/) {}
};

/// What was typed, and then what the file says besides.
Invocation settle(CLI::App& command, const Typed& typed) {
    Settings settings = typed_settings(command);
    ConfigErrors errors;
    if (typed.config) {
        settings.file = *typed.config;
        errors = read_config(*typed.config, command, settings);
    }
    Complaints wrong;
    Invocation invocation = Message{};
    if (!errors.is_unreadable) invocation = options_of(command, typed, wrong);
    if (typed.config) {
        // What is only printed may be for another host.
        if (!errors.is_unreadable && !typed.print_config) check_named(invocation, wrong);
        for (const auto& what : wrong.all()) add_error(errors, what, command, settings);
        if (!errors.all.empty()) {
            return Message{kExitWrongUse, text_of(errors, command.get_name(), *typed.config)};
        }
    } else if (!wrong.all().empty()) {
        return complaint(command.get_name(), wrong.all().front());
    }
    if (typed.print_config) return Message{kExitDone, print_config(command, settings)};
    std::visit(Settle{std::move(settings)}, invocation);
    return invocation;
}

}  // namespace

struct CommandLine::Parts {
    Typed typed;
    CLI::App app{"joinleaf: multipoint sockets on DPDK. A root publishes, leaves join and receive.",
                 "joinleaf"};
};

CommandLine::CommandLine() : parts_(std::make_unique<Parts>()) {
    add_commands(parts_->app, parts_->typed);
}

CommandLine::~CommandLine() = default;

CLI::App& CommandLine::app() noexcept { return parts_->app; }

Invocation CommandLine::parse(const std::vector<std::string>& typed_words) {
    auto& [typed, app] = *parts_;
    const auto arguments = with_command_of_file(typed_words);
    if (!arguments) return Message{kExitWrongUse, arguments.error()};
    try {
        app.parse(std::vector<std::string>(arguments->rbegin(), arguments->rend()));
    } catch (const CLI::CallForHelp&) {
        return Message{kExitDone, app.help()};
    } catch (const CLI::CallForVersion& version) {
        return Message{kExitDone, std::string(version.what()) + "\n"};
    } catch (const CLI::ParseError& error) {
        if (typed.man) return Message{kExitDone, man_page(app)};
        if (typed.completion == "bash") return Message{kExitDone, bash_completion(app)};
        if (typed.completion) {
            return Message{kExitWrongUse, fmt::format("joinleaf: --completion: '{}' will not do; "
                                                      "use bash",
                                                      *typed.completion)};
        }
        return complaint(app, *arguments, in_our_words(error));
    }
    return settle(*app.get_subcommands().front(), typed);
}

Invocation parse_command_line(const std::vector<std::string>& arguments) {
    return CommandLine().parse(arguments);
}

}  // namespace joinleaf::app
