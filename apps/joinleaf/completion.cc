// Completion for bash.
#include <apps/joinleaf/config.h>
#include <apps/joinleaf/manual.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <vector>

namespace joinleaf::app {
namespace {

constexpr std::string_view kScript =
    R"bash(# bash completion for joinleaf; made by `joinleaf --completion bash`.
_joinleaf() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words='{0}'
    local IFS=$' \t\n'
    COMPREPLY=()
    case $before in
        {1})
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        {2})
            mapfile -t COMPREPLY < <(compgen -W "null $(ls /sys/class/net)" -- "$word")
            return ;;
        {3})
            return ;;
    esac
    if [ "$COMP_CWORD" -gt 1 ]; then
        words=
        case ${{COMP_WORDS[1]}} in
{4}        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -F _joinleaf joinleaf
)bash";

/// What can be put behind an option, from how its value is written in the help.
std::string_view values_of(const CLI::Option& option) {
    const std::string_view form = option.get_option_text();
    if (form.find("FILE") != form.npos || form.find("PATH") != form.npos) return "files";
    if (form.find("PORT (") != form.npos) return "interfaces";
    return "nothing";
}

std::vector<std::string> names_of(CLI::App& app) {
    std::vector<std::string> names;
    for (const auto* option : app.get_options()) {
        if (option->get_lnames().empty() || option->get_group().empty()) continue;
        names.push_back("--" + key_of(*option));
    }
    return names;
}

}  // namespace

std::string bash_completion(CLI::App& app) {
    const auto commands = app.get_subcommands([](CLI::App*) { return true; });
    std::map<std::string_view, std::set<std::string>> taking;
    std::vector<std::string> first = names_of(app);
    std::string cases;
    for (auto* command : commands) {
        first.push_back(command->get_name());
        cases += fmt::format("        {}) words='{}' ;;\n", command->get_name(),
                             fmt::join(names_of(*command), " "));
    }
    std::vector<CLI::App*> all = commands;
    all.push_back(&app);
    for (auto* one : all) {
        for (const auto* option : one->get_options()) {
            if (option->get_lnames().empty() || is_flag(*option)) continue;
            taking[values_of(*option)].insert("--" + key_of(*option));
        }
    }
    return fmt::format(kScript, fmt::join(first, " "), fmt::join(taking["files"], "|"),
                       fmt::join(taking["interfaces"], "|"), fmt::join(taking["nothing"], "|"),
                       cases);
}

}  // namespace joinleaf::app
