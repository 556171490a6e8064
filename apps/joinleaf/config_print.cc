// What is in force, as a configuration file.
#include <apps/joinleaf/config.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace joinleaf::app {
namespace {

constexpr std::size_t kRemarkColumn = 38;

/// What an option is worth that was not given, where it has a value at all.
std::string default_of(const std::string& key) {
    static const PortOptions port;
    static const std::map<std::string, std::string, std::less<>> kDefaults{
        {"mtu", fmt::to_string(port.mtu)},
        {"queues", fmt::to_string(port.queues)},
        {"robustness", fmt::to_string(port.robustness)},
        {"minimum-igmp-version", fmt::to_string(port.minimum_igmp_version)},
        {"idle-sleep-us", fmt::to_string(CommonOptions{}.idle_sleep.count())},
        {"scope", fmt::to_string(LeafOptions{}.scope)},
        {"linger-ms", fmt::to_string(kRootLinger.count())},
        {"scheme", "\"rooted\""},
        {"fan-out", "\"multicast\""},
        {"dead-after",
         fmt::to_string(std::chrono::duration<double>(AdmissionOptions{}.dead_after).count())},
        {"size", fmt::to_string(DemoOptions{}.file_octets / 1'000'000)},
    };
    const auto found = kDefaults.find(key);
    return found == kDefaults.end() ? "" : found->second;
}

std::string toml_text(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (octet < 0x20 || octet == 0x7f) {
            out += fmt::format("\\u{:04x}", octet);
        } else {
            out += c;
        }
    }
    return out + '"';
}

/// Digits alone read best as a number, and come back as the same text.
std::string value_of(const std::string& text) {
    constexpr std::size_t kMostDigits = 18;
    const bool is_number =
        !text.empty() && text.size() <= kMostDigits && (text.size() == 1 || text.front() != '0') &&
        std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); });
    return is_number ? text : toml_text(text);
}

std::string value_of(const CLI::Option& option, const std::vector<std::string>& values) {
    if (is_flag(option)) return values.back() == "false" ? "false" : "true";
    if (!is_list(option)) return value_of(values.back());
    std::vector<std::string> elements;
    for (const auto& value : values) elements.push_back(value_of(value));
    return fmt::format("[{}]", fmt::join(elements, ", "));
}

std::string line_of(const CLI::Option& option, const Settings& settings) {
    const auto& key = key_of(option);
    if (const auto given = settings.given.find(key); given != settings.given.end()) {
        const auto& [values, from] = given->second;
        return fmt::format("{:<{}}  # {}\n", fmt::format("{} = {}", key, value_of(option, values)),
                           kRemarkColumn, from.empty() ? "flag" : from.front());
    }
    const auto value = is_flag(option) ? "false" : default_of(key);
    if (!value.empty()) {
        return fmt::format("{:<{}}  # default\n", fmt::format("# {} = {}", key, value),
                           kRemarkColumn);
    }
    return fmt::format("{:<{}}  # not given: {}\n", fmt::format("# {} =", key), kRemarkColumn,
                       option.get_description());
}

}  // namespace

std::string print_config(CLI::App& command, const Settings& settings) {
    std::string text =
        fmt::format("# What is in force. Run it with: joinleaf --config FILE\ncommand = \"{}\"\n",
                    command.get_name());
    std::string group;
    for (const auto* option : settable_options(command)) {
        if (option->get_group() != group) {
            group = option->get_group();
            text += fmt::format("\n# {}\n", group);
        }
        text += line_of(*option, settings);
    }
    return text;
}

}  // namespace joinleaf::app
