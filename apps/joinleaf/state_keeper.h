// What a run does with its state file: makes good what an earlier process owes, and keeps the file.
#pragma once

#include <apps/joinleaf/options.h>
#include <apps/joinleaf/report.h>
#include <apps/joinleaf/state_file.h>
#include <joinleaf/runtime.h>

#include <optional>
#include <vector>

namespace joinleaf::app {

/// One thread. Without --state nothing is done.
class StateKeeper {
public:
    StateKeeper(const CommonOptions& common, const PortOptions& port, Reporter& report);

    /// Sends the leaves that an earlier process owes, but for what is `wanted` again; to be called
    /// before anything is joined. Tells so, or why not. Errors: throws Failure (a file that cannot
    /// be read).
    void make_good(Runtime& runtime, const std::vector<JoinedGroup>& wanted);
    /// These are joined now, or are about to be. Errors: throws Failure.
    void keep(std::vector<JoinedGroup> joined);
    /// Now and then. A file that cannot be written any more is told, and no reason to end.
    void refresh(Instant now);

private:
    Reporter& report_;
    std::optional<StateFile> file_;
};

}  // namespace joinleaf::app
