// A look at a running process: all of its tables at one time.
#pragma once

#include <apps/joinleaf/stat/telemetry_client.h>
#include <joinleaf/clock.h>

#include <map>
#include <string>

namespace joinleaf::app {

struct Sample {
    pid_t pid = 0;
    std::string command;  ///< its command line
    Instant at{};
    std::map<std::string, JsonRows, std::less<>> tables;  ///< by name, as in "ports"

    /// The rows of a table; none when it is not there.
    [[nodiscard]] const JsonRows& rows(std::string_view table) const;
};

/// Asks for every table that there is. Errors: throws Failure (the process has ended).
[[nodiscard]] Sample take_sample(TelemetryClient& client);

/// {"pid": ..., "command": ..., "ports": [...], ...}
[[nodiscard]] Json json_of(const Sample& sample);

}  // namespace joinleaf::app
