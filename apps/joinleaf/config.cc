// The configuration file of --config.
#include <apps/joinleaf/config.h>
#include <controlplane/whole_file.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>

namespace joinleaf::app {
namespace {

/// The key of a file that is no option.
constexpr std::string_view kCommand = "command";
constexpr std::array<std::string_view, 3> kNotInAFile{"help", "config", "print-config"};

struct File {
    std::string name;
    std::string text;
    toml::table table;
};

std::string place(const File& file, const toml::source_position& at) {
    return fmt::format("{}:{}:{}", file.name, at.line, at.column);
}

ConfigError error_at(const File& file, const toml::source_position& at, std::string what) {
    return {
        .where = place(file, at), .line = at.line, .column = at.column, .what = std::move(what)};
}

/// As the file has it: a float has to stay "100.20", and an integer may have other digits.
std::string written(const File& file, const toml::node& node) {
    const auto& [begin, end, path] = node.source();
    std::size_t line_at = 0;
    for (auto line = begin.line; line > 1; --line) line_at = file.text.find('\n', line_at) + 1;
    const auto length = begin.line == end.line ? end.column - begin.column : 0;
    return file.text.substr(line_at + begin.column - 1, length);
}

/// Reads `text` into file.table. Returns what is wrong with its TOML.
std::optional<ConfigError> parse(File& file) {
    try {
        file.table = toml::parse(file.text, file.name);
        return {};
    } catch (const toml::parse_error& error) {
        return error_at(file, error.source().begin, std::string(error.description()));
    }
}

std::optional<ConfigError> load(File& file) {
    auto text = controlplane::read_whole(file.name);
    if (!text) {
        return ConfigError{.where = file.name, .what = controlplane::why_not_read(text.error())};
    }
    file.text = *std::move(text);
    return parse(file);
}

std::size_t distance(std::string_view one, std::string_view other) {
    std::vector<std::size_t> row(other.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < one.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < other.size(); ++j) {
            const std::size_t changed = diagonal + (one[i] == other[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

/// The key that `meant` is likely to be; empty: none is near.
std::string_view nearest(std::string meant, const std::vector<std::string_view>& keys) {
    std::ranges::replace(meant, '_', '-');
    std::string_view best;
    std::size_t least = std::max<std::size_t>(meant.size() / 3, 1) + 1;
    for (const auto key : keys) {
        if (const auto far = distance(meant, key); far < least) {
            least = far;
            best = key;
        }
    }
    return best;
}

/// What a file gives to one command.
class Feeding {
public:
    Feeding(const File& file, CLI::App& command, Settings& settings)
        : file_(file), command_(command), settings_(settings) {}

    [[nodiscard]] ConfigErrors feed() {
        const auto options = settable_options(command_);
        if (const auto* const node = file_.table.get(kCommand)) check_command(*node);
        if (errors_.is_unreadable) return std::move(errors_);
        for (const auto& [key, node] : file_.table) {
            if (key == kCommand) continue;
            const auto found = std::ranges::find(options, key.str(), [](const CLI::Option* option) {
                return std::string_view(key_of(*option));
            });
            if (found != options.end()) {
                give(**found, node);
            } else {
                complain_of_unknown(key, node, options);
            }
        }
        return std::move(errors_);
    }

private:
    void complain(const toml::source_region& at, std::string_view key, std::string what) {
        errors_.keys.emplace(key);
        errors_.all.push_back(error_at(file_, at.begin, std::move(what)));
    }

    void check_command(const toml::node& node) {
        if (node.value_exact<std::string>() == command_.get_name()) return;
        errors_.is_unreadable = true;  // what another command has in its file says nothing here
        complain(
            node.source(), kCommand,
            fmt::format("{0}: this is read by `joinleaf {1}`; write {0} = \"{1}\", or run what "
                        "is written here with `joinleaf --config {2}`",
                        kCommand, command_.get_name(), file_.name));
    }

    void complain_of_unknown(const toml::key& key, const toml::node& node,
                             const std::vector<CLI::Option*>& options) {
        const std::string name(key.str());
        if (node.is_table() || node.is_array_of_tables()) {
            return complain(key.source(), name,
                            fmt::format("{}: there are no sections; write its keys before the "
                                        "first line in brackets, and leave that out",
                                        name));
        }
        if (std::ranges::find(kNotInAFile, name) != kNotInAFile.end()) {
            return complain(key.source(), name,
                            fmt::format("{0}: this is for the command line alone, as --{0}", name));
        }
        std::vector<std::string_view> keys{kCommand};
        for (const auto* option : options) keys.push_back(key_of(*option));
        const auto meant = nearest(name, keys);
        complain(key.source(), name,
                 meant.empty()
                     ? fmt::format("{}: there is no such key; `joinleaf {} --help` lists "
                                   "them, each with two dashes in front",
                                   name, command_.get_name())
                     : fmt::format("{}: there is no such key; did you mean {}?", name, meant));
        if (!meant.empty()) errors_.keys.emplace(meant);
    }

    /// One value as text; nothing, and a complaint, when it is none that `option` takes.
    [[nodiscard]] std::optional<std::string> text(const CLI::Option& option,
                                                  const toml::node& node) {
        const auto& key = key_of(option);
        if (is_flag(option)) {
            if (const auto on = node.value_exact<bool>()) return *on ? "true" : "false";
            complain(node.source(), key,
                     fmt::format("{0}: this is switched; write {0} = true, or false", key));
            return {};
        }
        if (const auto said = node.value_exact<std::string>()) return *said;
        if (const auto number = node.value_exact<std::int64_t>()) return fmt::to_string(*number);
        if (node.is_floating_point()) return written(file_, node);
        complain(node.source(), key,
                 is_list(option)
                     ? fmt::format("{0}: should be a list of texts, as in {0} = [\"...\"]", key)
                     : fmt::format("{0}: should be one text or number, as in {0} = \"...\"", key));
        return {};
    }

    void give(CLI::Option& option, const toml::node& node) {
        const auto& key = key_of(option);
        Given given;
        bool is_whole = true;
        const auto add = [&](const toml::node& element) {
            auto value = text(option, element);
            is_whole = is_whole && value;
            given.values.push_back(std::move(value).value_or(""));
            given.from.push_back(place(file_, element.source().begin));
        };
        if (const auto* const list = is_list(option) ? node.as_array() : nullptr) {
            for (const auto& element : *list) add(element);
        } else {
            add(node);
        }
        const bool is_typed = settings_.given.contains(key);
        if (!is_whole || is_typed || given.values.empty()) return;
        try {
            option.add_result(given.values);
            option.run_callback();
        } catch (const CLI::ParseError& error) {
            return complain(node.source(), key, fmt::format("{}: {}", key, error.what()));
        }
        settings_.given[key] = std::move(given);
    }

    const File& file_;
    CLI::App& command_;
    Settings& settings_;
    ConfigErrors errors_;
};

/// The first option of `command` that `what` names, without its dashes; empty: none.
std::string_view first_named(std::string_view what, CLI::App& command) {
    const auto options = settable_options(command);
    for (auto at = what.find("--"); at != what.npos; at = what.find("--", at + 2)) {
        const auto end = what.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-", at);
        const auto named = what.substr(at + 2, end == what.npos ? end : end - at - 2);
        for (const auto* option : options) {
            if (key_of(*option) == named) return key_of(*option);
        }
    }
    return {};
}

/// A place as in "leaf.toml:3:7".
std::pair<std::uint32_t, std::uint32_t> line_and_column(const std::string& where) {
    const auto column_at = where.rfind(':');
    const auto line_at = where.rfind(':', column_at - 1);
    return {static_cast<std::uint32_t>(std::stoul(where.substr(line_at + 1))),
            static_cast<std::uint32_t>(std::stoul(where.substr(column_at + 1)))};
}

}  // namespace

bool is_flag(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

bool is_list(const CLI::Option& option) { return option.get_items_expected_max() > 1; }

const std::string& key_of(const CLI::Option& option) { return option.get_lnames().front(); }

std::vector<CLI::Option*> settable_options(CLI::App& command) {
    return command.get_options([](const CLI::Option* option) {
        return !option->get_lnames().empty() &&
               std::ranges::find(kNotInAFile, key_of(*option)) == kNotInAFile.end();
    });
}

Settings typed_settings(CLI::App& command) {
    Settings settings;
    for (const auto* option : settable_options(command)) {
        if (option->count() == 0) continue;
        settings.given[key_of(*option)] = {.values = option->results(), .from = {}};
    }
    return settings;
}

ConfigErrors read_config(const std::string& name, CLI::App& command, Settings& settings) {
    File file{.name = name, .text = {}, .table = {}};
    if (auto error = load(file)) {
        ConfigErrors errors;
        errors.all.push_back(*std::move(error));
        errors.is_unreadable = true;
        return errors;
    }
    return Feeding(file, command, settings).feed();
}

void add_error(ConfigErrors& errors, const std::string& what, CLI::App& command,
               const Settings& settings) {
    const auto key = first_named(what, command);
    if (errors.keys.contains(key)) return;
    ConfigError error{.where = {}, .what = what};
    const auto found = settings.given.find(key);
    if (found == settings.given.end()) {  // it is missing: the file could have it
        error.where = fmt::format("{}:1:1", settings.file);
        error.line = error.column = 1;
    } else if (const auto& given = found->second; !given.from.empty()) {
        std::size_t which = 0;  // of a list the one that is quoted
        while (which + 1 < given.values.size() && what.find(given.values[which]) == what.npos)
            ++which;
        error.where = given.from[which];
        std::tie(error.line, error.column) = line_and_column(error.where);
        if (what.starts_with(fmt::format("--{}: ", key))) error.what = what.substr(2);
    }
    errors.all.push_back(std::move(error));
}

std::string text_of(ConfigErrors errors, std::string_view command, std::string_view file) {
    std::ranges::stable_sort(errors.all, {}, [](const ConfigError& error) {
        return std::pair(error.line, error.column);
    });
    std::string text;
    for (const auto& error : errors.all) {
        text += error.where.empty() ? fmt::format("joinleaf {}: {}\n", command, error.what)
                                    : fmt::format("{}: {}\n", error.where, error.what);
    }
    const auto count = errors.all.size();
    return text + fmt::format(
                      "joinleaf {0}: {1} with --config {2}; `joinleaf {0} --help` tells "
                      "more",
                      command, count == 1 ? "1 error" : fmt::format("{} errors", count), file);
}

Parsed<std::string> command_of_config(const std::string& name) {
    File file{.name = name, .text = {}, .table = {}};
    if (const auto error = load(file)) {
        return tl::unexpected(fmt::format("{}: {}", error->where, error->what));
    }
    const auto* const node = file.table.get(kCommand);
    if (node == nullptr) {
        return tl::unexpected(fmt::format(
            "{0}:1:1: {1} is missing; add {1} = \"leaf\" or \"root\", or type it before --config",
            name, kCommand));
    }
    const auto command = node->value_exact<std::string>();
    if (command == "root" || command == "leaf" || command == "repair" || command == "demo") {
        return *command;
    }
    return tl::unexpected(fmt::format("{}: {} should be \"leaf\", \"root\", \"repair\" or \"demo\"",
                                      error_at(file, node->source().begin, {}).where, kCommand));
}

}  // namespace joinleaf::app
