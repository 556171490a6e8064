// Completion for bash.
#include <apps/joinleaf/config.h>
#include <apps/joinleaf/manual.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <joinleaf/drop_reason.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string>
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
{1}    esac
    if [ "$COMP_CWORD" -gt 1 ]; then
        words=
        case ${{COMP_WORDS[1]}} in
{2}        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -F _joinleaf joinleaf
)bash";

/// The words of a form that stand for themselves, as in skip|late|N.
std::vector<std::string> words_of(std::string_view form) {
    std::istringstream parts{std::string(form.substr(0, form.find(' ')))};
    std::vector<std::string> words;
    for (std::string word; std::getline(parts, word, '|');) {
        if (std::ranges::none_of(word, [](char c) { return c >= 'A' && c <= 'Z'; })) {
            words.push_back(std::move(word));
        }
    }
    return words;
}

/// What can be put behind an option, from how its value is written in the help: arguments of
/// compgen, a blank behind each. Empty: nothing that is known.
std::string values_of(const CLI::Option& option) {
    const std::string_view form = option.get_option_text();
    if (form.starts_with("PORT")) return R"bash(-W "null $(ls /sys/class/net)" )bash";
    std::vector<std::string> words = words_of(form);
    if (form.starts_with("REASON")) {
        for (std::size_t i = 0; i < kDropReasonCount; ++i) {
            words.emplace_back(name(static_cast<DropReason>(i)));
        }
    }
    std::string values;
    if (form.starts_with("FILE") || form.starts_with("PATH")) values = "-f ";
    if (!words.empty()) values += fmt::format("-W \"{}\" ", fmt::join(words, " "));
    return values;
}

/// For the script: what is offered behind each of `options`.
std::string case_of(const std::set<std::string>& options, std::string_view values) {
    std::string text = fmt::format("        {})\n", fmt::join(options, "|"));
    if (values.starts_with("-f")) text += "            compopt -o filenames\n";
    if (!values.empty()) {
        text +=
            fmt::format("            mapfile -t COMPREPLY < <(compgen {}-- \"$word\")\n", values);
    }
    return text + "            return ;;\n";
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
    std::map<std::string, std::set<std::string>> taking;
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
    std::string values;
    for (const auto& [offered, options] : taking) values += case_of(options, offered);
    return fmt::format(kScript, fmt::join(first, " "), values, cases);
}

}  // namespace joinleaf::app
