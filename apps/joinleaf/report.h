// What the program says: JSON lines for other programs, or readable lines for a person.
#pragma once

#include <apps/joinleaf/facts.h>

#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace joinleaf::app {

using Json = nlohmann::ordered_json;

// The JSON lines. Pure.
[[nodiscard]] Json json_of(const DropCounts& drops);  ///< those that are not zero, by name
[[nodiscard]] Json json_of(const PortStatus& port);
[[nodiscard]] Json json_of(Role role, const Started& started);
[[nodiscard]] Json json_of(const Connected& connected);
[[nodiscard]] Json json_of(const Listening& listening);
[[nodiscard]] Json json_of_joined(const LeafFacts& leaf);
[[nodiscard]] Json json_of_left(const LeafFacts& leaf, std::string_view reason);
[[nodiscard]] Json json_of_refused(const Peer& peer, std::string_view why);
[[nodiscard]] Json json_of(const Progress& progress);
[[nodiscard]] Json json_of(Role role, const Summary& summary);

// The lines for a person, without the program's name in front. Pure.
[[nodiscard]] std::string text_of(const Started& started);
[[nodiscard]] std::string text_of(Role role, const Connected& connected);
[[nodiscard]] std::string text_of(Role role, const Listening& listening);
[[nodiscard]] std::string text_of(const LeafFacts& leaf);
[[nodiscard]] std::string text_of_joined(const LeafFacts& leaf);
[[nodiscard]] std::string text_of_left(const LeafFacts& leaf, std::string_view reason);
[[nodiscard]] std::string text_of(Role role, const Progress& progress);
[[nodiscard]] std::vector<std::string> text_of(Role role, const Summary& summary);

/// A line for each counter of frames that were not handed on, with its cause and its cure.
[[nodiscard]] std::vector<std::string> text_of_losses(const PortCounters& counters);

/// Where lines go, for any thread.
class Reporter {
public:
    struct Options {
        std::string command;  ///< as in "joinleaf leaf"
        bool json = false;    ///< JSON lines on `json_to`, and nothing readable but errors
        bool quiet = false;   ///< errors alone; with json: no notes and no status
        std::FILE* json_to = stdout;
        std::FILE* text_to = stderr;
        std::FILE* errors_to = stderr;
        std::string prefix;    ///< begins readable lines
        bool live = false;     ///< `text_to` is a terminal: one status line is kept up to date
        bool journal = false;  ///< lines for people begin with their priority, as in "<3>"
    };
    explicit Reporter(Options options) : options_(std::move(options)) {}
    Reporter(const Reporter&) = delete;
    Reporter& operator=(const Reporter&) = delete;
    ~Reporter();

    [[nodiscard]] const Options& options() const noexcept { return options_; }

    /// One JSON line; nothing without json.
    void json(const Json& line);
    /// One readable line; nothing with json or quiet.
    void text(std::string_view line);
    /// The line that shows how it goes: written over the one before, on a terminal alone.
    void live(std::string_view line);
    /// What the runtime or the program remarks.
    void note(std::string_view line);
    /// The answer to what the operator typed: as it is, whatever else is said; with json an event.
    void answer(std::string_view text);
    /// What went wrong. Always said.
    void error(std::string_view line);

private:
    void text(std::string_view line, std::string_view priority);
    void wipe_live_line();
    void write_json(const Json& line);

    Options options_;
    std::mutex mutex_;
    bool live_line_ = false;
};

}  // namespace joinleaf::app
