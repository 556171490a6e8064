// What the operator of a running root may say, a line each, and how it is answered. Pure.
#pragma once

#include <apps/joinleaf/facts.h>
#include <joinleaf/error.h>
#include <joinleaf/session.h>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace joinleaf::app {

struct TellHelp {};
struct ListLeaves {};
struct ExpelLeaf {
    std::string who;  ///< a number, a data address or a name
};
struct InviteLeaf {
    ControlEndpoint leaf;
};
struct ReloadFiles {};
struct WriteRecord {
    std::string path;  ///< empty: a name is found for it
};
using Command = std::variant<TellHelp, ListLeaves, ExpelLeaf, InviteLeaf, ReloadFiles, WriteRecord>;

/// The error is one sentence that names the word and the cure.
[[nodiscard]] Parsed<Command> parse_command(std::string_view line);

/// The place in `leaves` of the one that `who` means: by number, else by data address, else by name
/// or proven identity. A name proves nothing, so one that fits several chooses none.
[[nodiscard]] Parsed<std::size_t> choose_leaf(std::string_view who,
                                              std::span<const LeafFacts> leaves);

/// Lines, and a last one that begins with "ok" or "error", so that a program knows the end.
struct CommandAnswer {
    bool done = true;
    std::string what;
    std::vector<std::string> lines;
};
[[nodiscard]] CommandAnswer done(std::string what);
[[nodiscard]] CommandAnswer not_done(std::string what);
[[nodiscard]] std::string text_of(const CommandAnswer& answer);

[[nodiscard]] CommandAnswer help_on_commands();

}  // namespace joinleaf::app
