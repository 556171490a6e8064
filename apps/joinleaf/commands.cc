// What the operator of a running root may say.
#include <apps/joinleaf/commands.h>
#include <apps/joinleaf/values.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace joinleaf::app {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return {};
    return number;
}

template <class Fits>
std::vector<std::size_t> all_that(std::span<const LeafFacts> leaves, Fits fits) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        if (fits(leaves[i])) found.push_back(i);
    }
    return found;
}

std::vector<std::size_t> matches(std::string_view who, std::span<const LeafFacts> leaves) {
    if (const auto number = number_in(who)) {
        return all_that(leaves, [&](const LeafFacts& leaf) { return leaf.number == *number; });
    }
    if (const auto address = Ipv4Address::parse(who)) {
        return all_that(leaves,
                        [&](const LeafFacts& leaf) { return leaf.peer.data_address == *address; });
    }
    return all_that(leaves, [&](const LeafFacts& leaf) {
        return leaf.peer.name == who || leaf.peer.identity == who;
    });
}

}  // namespace

Parsed<Command> parse_command(std::string_view line) {
    line = trimmed(line);
    const auto word = line.substr(0, line.find_first_of(kBlanks));
    const auto rest = trimmed(line.substr(word.size()));
    if (word == "help" || word == "leaves" || word == "reload") {
        if (!rest.empty()) {
            return tl::unexpected(
                fmt::format("'{}' is not expected behind '{}'; leave it out", rest, word));
        }
        if (word == "help") return TellHelp{};
        if (word == "reload") return ReloadFiles{};
        return ListLeaves{};
    }
    if (word == "record") return WriteRecord{std::string(rest)};
    if (word == "expel") {
        if (!rest.empty()) return ExpelLeaf{std::string(rest)};
        return tl::unexpected(std::string(
            "say whom to expel, by number, data address or name, as in 'expel desk-7'"));
    }
    if (word == "invite") {
        if (rest.empty()) {
            return tl::unexpected(
                std::string("say where the leaf listens, as in 'invite 10.1.0.2:7001'"));
        }
        const auto leaf = parse_remote("invite", rest);
        if (!leaf) return tl::unexpected(leaf.error());
        return InviteLeaf{*leaf};
    }
    return tl::unexpected(fmt::format("'{}' is not a command; 'help' lists them", word));
}

Parsed<std::size_t> choose_leaf(std::string_view who, std::span<const LeafFacts> leaves) {
    const auto found = matches(who, leaves);
    if (found.size() == 1) return found.front();
    if (found.empty()) {
        return tl::unexpected(
            fmt::format("no leaf here is '{}'; 'leaves' lists those that are", who));
    }
    std::string numbers;
    for (const auto i : found) {
        numbers += fmt::format("{}{}", numbers.empty() ? "" : ", ", leaves[i].number);
    }
    return tl::unexpected(fmt::format("'{}' fits {} leaves; say which by its number: {}", who,
                                      found.size(), numbers));
}

CommandAnswer done(std::string what) {
    return {.done = true, .what = std::move(what), .lines = {}};
}

CommandAnswer not_done(std::string what) {
    return {.done = false, .what = std::move(what), .lines = {}};
}

std::string text_of(const CommandAnswer& answer) {
    std::string text;
    for (const auto& line : answer.lines) text += line + "\n";
    return text + fmt::format("{}: {}\n", answer.done ? "ok" : "error", answer.what);
}

CommandAnswer help_on_commands() {
    return {.done = true,
            .what = "each answer ends with a line that begins with 'ok' or 'error'",
            .lines = {"leaves            list the leaves of this root",
                      "expel WHO         end the session for one leaf, by its number, its data",
                      "                  address or its name",
                      "invite IP:PORT    invite the leaf that listens there, again until it comes",
                      "record [FILE]     write the last packets, which --record has kept, to a",
                      "                  pcapng file",
                      "reload            read the policy and the TLS files again, and the file of",
                      "                  --config; leaves that are in stay",
                      "help              this text"}};
}

}  // namespace joinleaf::app
